//! Owns the invitation: what one invited visitor gets of a link, how often and until when. Must not
//! know how it is edited (see `invitation_form`), or who may use it (see `policy::invitation`).
//!
//! An invitation is a record of the catalog; its address has its id, which cannot be guessed. Its
//! name, label, uses and end can be changed, until it is revoked. How often it was used is a count like that of a link's live
//! sessions: a claim takes one in its own transaction, and a refund gives it back.

use serde::{Deserialize, Serialize};

use crate::ids::{CastId, GroupId, InvitationId};
use crate::network::NetworkName;
use crate::permission::Grant;
use crate::ports::{Fault, Page, Saved, Store};
use crate::queries::Counted;
use crate::quota::{Quota, QuotaKind, Tally};
use crate::record;
use crate::time::Timestamp;
use crate::urls;

/// The parameter of a link's address that names an invitation.
pub const PARAMETER: &str = "invitation";

/// The id that this value of the parameter means. It stands at the end of an address, where chats
/// and mail programs add brackets, dots and entities; an id has letters and digits only.
pub fn named(value: &str) -> String {
    let is_of_id = |c: char| c.is_ascii_alphanumeric();
    let id = value.trim_start_matches(|c| !is_of_id(c));
    id.split(|c| !is_of_id(c)).next().unwrap_or_default().into()
}

/// An invitation to a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Drawn at random: it works for anyone who knows it.
    pub id: InvitationId,
    /// Grows when it is changed or revoked.
    pub version: u64,
    /// The link.
    pub cast_id: CastId,
    /// What the administrator set.
    pub settings: InvitationSettings,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it is good for nothing.
    #[serde(default)]
    pub revoked_at: Option<Timestamp>,
}

/// What an administrator sets on an invitation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationSettings {
    /// Who is invited.
    pub name: String,
    /// What several have in common, such as a class; may be empty.
    #[serde(default)]
    pub label: String,
    /// How many sessions it is good for.
    pub uses: u32,
    /// From this time on it gives no new sessions.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// For how many minutes it gives sessions once it was opened.
    #[serde(default)]
    pub activation_minutes: Option<u32>,
    /// What its sessions open, in place of the link's own address.
    #[serde(default)]
    pub kasm_url: Option<String>,
    /// Where its sessions run, in place of the image's own network.
    #[serde(default)]
    pub network: Option<NetworkName>,
    /// How long its sessions may live, in seconds; the smallest limit that is set applies.
    #[serde(default)]
    pub session_time_limit_seconds: Option<u32>,
    /// The group that its visitors are in besides their others.
    #[serde(default)]
    pub group_id: Option<GroupId>,
}

/// Whose invitation a session came by, as its row keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invited {
    /// The invitation.
    pub id: InvitationId,
    /// Who was invited.
    pub name: String,
    /// See [`InvitationSettings::label`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
}

/// Where an invitation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationState {
    /// It gives sessions.
    Open,
    /// It was used as often as it may be.
    Used,
    /// Its time is over.
    Expired,
    /// An administrator has revoked it.
    Revoked,
}

impl InvitationState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Open, Self::Used, Self::Expired, Self::Revoked];

    /// The state as the API says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Used => "used",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl Invitation {
    /// The count of its uses.
    pub fn quota(&self) -> Quota {
        Quota::new(QuotaKind::Invitation, self.id.as_str(), self.settings.uses)
    }

    /// From when on it gives no new sessions, if it was opened first at `opened_at`.
    pub fn ends_at(&self, opened_at: Option<Timestamp>) -> Option<Timestamp> {
        let minutes = self.settings.activation_minutes.map(u64::from);
        let of_activation = opened_at
            .zip(minutes)
            .map(|(opened, minutes)| opened.plus_seconds(minutes * 60));
        [self.settings.expires_at, of_activation]
            .into_iter()
            .flatten()
            .min()
    }

    /// Where it stands at `now`, with what its count says.
    pub fn state(&self, tally: Tally, now: Timestamp) -> InvitationState {
        if self.revoked_at.is_some() {
            InvitationState::Revoked
        } else if self.quota().is_full(tally.taken) {
            InvitationState::Used
        } else if self.ends_at(tally.opened_at).is_some_and(|end| end <= now) {
            InvitationState::Expired
        } else {
            InvitationState::Open
        }
    }

    /// What a session that comes by it keeps of it.
    pub fn invited(&self) -> Invited {
        Invited {
            id: self.id.clone(),
            name: self.settings.name.clone(),
            label: self.settings.label.clone(),
        }
    }

    /// What holds for a session that comes by it, of what holds without it.
    #[must_use]
    pub fn limits(&self, grant: Grant) -> Grant {
        let limits = [
            grant.session_time_limit_seconds,
            self.settings.session_time_limit_seconds,
        ];
        Grant {
            session_time_limit_seconds: limits.into_iter().flatten().min(),
            ..grant
        }
    }

    /// The path of its address, for the link with this key.
    pub fn path(&self, key: &crate::ids::CastKey) -> String {
        urls::cast_with(key, &[(PARAMETER, Some(self.id.as_str()))])
    }
}

/// The kind under which the invitations of a link are kept: they are listed by it.
fn kind(cast: &CastId) -> String {
    format!("invitation-{cast}")
}

/// Invitations by their links.
impl dyn Store + '_ {
    /// The invitation to this link as it is now.
    ///
    /// # Errors
    /// If the store does not answer, or keeps something else under this id.
    pub async fn invitation(
        &self,
        cast: &CastId,
        id: &InvitationId,
    ) -> Result<Option<Invitation>, Fault> {
        let document = self.record_document(&kind(cast), id.as_str()).await?;
        document.map(record::read).transpose()
    }

    /// A page of the invitations to this link, in no order that means anything.
    ///
    /// # Errors
    /// As `invitation`.
    pub async fn invitations(
        &self,
        cast: &CastId,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Invitation>, Fault> {
        let page = self.record_documents(&kind(cast), after, limit).await?;
        let items = page.items.into_iter().map(record::read);
        Ok(Page {
            items: items.collect::<Result<_, _>>()?,
            next: page.next,
        })
    }

    /// How many invitations to this link there are; counts `most` at most.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn count_invitations(&self, cast: &CastId, most: u32) -> Result<Counted, Fault> {
        self.count_records(&kind(cast), most).await
    }

    /// Writes an invitation over `expected_version`, or as a new one when `None`.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn put_invitation(
        &self,
        invitation: &Invitation,
        expected_version: Option<u64>,
        audit: Option<&crate::audit::Audit>,
    ) -> Result<Saved, Fault> {
        let document = record::written(invitation)?;
        let kind = kind(&invitation.cast_id);
        self.put_record_document(&kind, document, expected_version, audit)
            .await
    }

    /// Deletes an invitation, whose link is gone.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn delete_invitation(&self, invitation: &Invitation) -> Result<Saved, Fault> {
        let (kind, id) = (kind(&invitation.cast_id), invitation.id.as_str());
        self.delete_record_document(&kind, id, invitation.version, None)
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOON, invitation};

    #[test]
    fn what_stands_around_an_id_is_no_part_of_it() {
        let id = invitation(1).id;
        for (before, after) in [
            ("", ""),
            ("", "."),
            ("", ")."),
            ("", "\u{ff09}"),
            ("", "\u{201d}"),
            ("", "&gt;"),
            ("\u{200b}", "\u{200b}"),
            (" ", " \r\n"),
            ("<", "/>"),
        ] {
            let value = format!("{before}{id}{after}");
            assert_eq!(named(&value), id.as_str(), "{value:?}");
        }
        for (value, other) in [("", ""), (".", ""), ("vab cd", "vab")] {
            assert_eq!(named(value), other, "{value:?}");
        }
    }

    #[test]
    fn invitation_ends_by_use_date_activation_or_revocation() {
        let later = NOON.plus_seconds(1);
        let opened = |taken, before: Option<u64>| Tally {
            taken,
            opened_at: before.map(|seconds| NOON.minus_seconds(seconds)),
        };
        type Set = fn(&mut Invitation);
        let cases: [(&str, Set, Tally, InvitationState); 8] = [
            ("fresh", |_| {}, opened(0, None), InvitationState::Open),
            ("used up", |_| {}, opened(1, None), InvitationState::Used),
            (
                "one of two uses is left",
                |one| one.settings.uses = 2,
                opened(1, None),
                InvitationState::Open,
            ),
            (
                "its date is now",
                |one| one.settings.expires_at = Some(NOON),
                opened(0, None),
                InvitationState::Expired,
            ),
            (
                "a time-out, not opened yet",
                |one| one.settings.activation_minutes = Some(1),
                opened(0, None),
                InvitationState::Open,
            ),
            (
                "a time-out, opened a moment ago",
                |one| one.settings.activation_minutes = Some(1),
                opened(0, Some(59)),
                InvitationState::Open,
            ),
            (
                "a time-out, opened a minute ago",
                |one| one.settings.activation_minutes = Some(1),
                opened(0, Some(60)),
                InvitationState::Expired,
            ),
            (
                "revoked, whatever else",
                |one| one.revoked_at = Some(NOON),
                opened(1, None),
                InvitationState::Revoked,
            ),
        ];
        for (name, set, tally, expected) in cases {
            let mut one = invitation(1);
            set(&mut one);
            assert_eq!(one.state(tally, NOON), expected, "{name}");
        }
        let mut both = invitation(1);
        both.settings.expires_at = Some(later);
        both.settings.activation_minutes = Some(5);
        assert_eq!(both.ends_at(Some(NOON)), Some(later), "the first of both");
    }

    #[test]
    fn smallest_time_limit_applies() {
        for (of_groups, own, expected) in [
            (None, None, None),
            (Some(600), None, Some(600)),
            (None, Some(300), Some(300)),
            (Some(600), Some(300), Some(300)),
            (Some(600), Some(900), Some(600)),
        ] {
            let mut one = invitation(1);
            one.settings.session_time_limit_seconds = own;
            let grant = Grant {
                session_time_limit_seconds: of_groups,
                ..Grant::default()
            };
            let found = one.limits(grant).session_time_limit_seconds;
            assert_eq!(found, expected, "{of_groups:?} {own:?}");
        }
    }
}

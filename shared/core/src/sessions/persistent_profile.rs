//! Owns persistent profiles: the files of one user with one image, which are there again in the
//! next session. Which sessions have one, which archive of it holds, and which may take its place.
//! Must not know where archives are kept or how they are packed.
//!
//! (What is known of a user who has logged in is another thing: see `profile`.)

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cast::Cast;
use crate::ids::{ImageId, SessionId, UserId};
use crate::image::Image;
use crate::record::Record;
use crate::time::Timestamp;
use crate::user::User;

/// How many archives are kept beside the one that holds.
pub const KEPT: usize = 5;
/// The largest archive that one upload to S3 takes, in MiB (5 GiB).
pub const LARGEST_MIB: u32 = 5120;

/// The profile settings of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProfileSettings {
    /// The folder in the container; `None`: nothing is kept.
    pub path: Option<String>,
    /// How large the packed profile may be, in MiB; a larger one is not saved.
    pub max_mib: u32,
    /// Patterns of files to exclude besides [`USUAL_EXCLUDE`], relative to the folder.
    pub exclude: Vec<String>,
}

pub use casting_protocol::report::USUAL_EXCLUDE;

impl Default for ProfileSettings {
    fn default() -> Self {
        Self {
            path: None,
            max_mib: 1024,
            exclude: Vec::new(),
        }
    }
}

/// The profile of one user with one image: `{user}-{image}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProfileId(String);

impl ProfileId {
    /// The profile of this user with this image.
    pub fn of(user: &UserId, image: &ImageId) -> Self {
        Self(format!("{user}-{image}"))
    }

    /// Reads an id as it stands in a path; `None` when it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let (user, image) = text.split_once('-')?;
        UserId::parse(user)
            .zip(ImageId::parse(image))
            .map(|(user, image)| Self::of(&user, &image))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProfileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The profile of a session, frozen at the claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedProfile {
    /// Whose, and with which image.
    pub id: ProfileId,
    /// The folder in the container.
    pub path: String,
    /// See [`ProfileSettings::max_mib`].
    pub max_mib: u32,
    /// See [`ProfileSettings::exclude`].
    pub exclude: Vec<String>,
}

impl CarriedProfile {
    /// How large the archive may be, in bytes.
    pub fn max_bytes(&self) -> u64 {
        u64::from(self.max_mib) << 20
    }
}

/// The note of a session whose profile was saved; every other note of its profile begins with
/// `profile-` too.
pub const PROFILE_SAVED: &str = "profile-saved";
/// How the note of a session begins whose profile was saved without what its gate could not read;
/// the names follow.
pub const PROFILE_INCOMPLETE: &str = "profile-incomplete";
/// So many names are in that note.
const NAMES_LEFT_OUT: usize = 5;
/// And so much of each, in characters.
const LONGEST_NAME: usize = 80;

/// The note of a session whose profile was saved without these.
pub fn incomplete_note(left_out: &[String]) -> String {
    let name = |name: &String| -> String {
        let plain = |letter: char| if letter.is_control() { '?' } else { letter };
        name.chars().take(LONGEST_NAME).map(plain).collect()
    };
    let names: Vec<String> = left_out.iter().take(NAMES_LEFT_OUT).map(name).collect();
    format!("{PROFILE_INCOMPLETE}: {}", names.join(", "))
}

/// Whether sessions of this link keep files: those of users who have logged in, where the link is
/// for such users only and the image has a profile path.
pub const fn is_kept(cast: &Cast, image: &Image) -> bool {
    !cast.settings.allow_anonymous && image.settings.profile.path.is_some()
}

/// The profile that a session of this link has: one of a user who has logged in, where the link is
/// for such users only and the image keeps files. Anonymous users never have one.
pub fn carried(cast: &Cast, image: &Image, user: Option<&User>) -> Option<CarriedProfile> {
    let user = user.filter(|_| is_kept(cast, image))?;
    let ProfileSettings {
        path,
        max_mib,
        exclude,
    } = &image.settings.profile;
    let path = path.clone()?;
    Some(CarriedProfile {
        id: ProfileId::of(&user.id, &image.id),
        path,
        max_mib: *max_mib,
        exclude: exclude.clone(),
    })
}

/// One archive of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archive {
    /// The session that packed it.
    pub session: SessionId,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of it, in small hexadecimal digits.
    pub sha256: String,
    /// When it was announced.
    pub at: Timestamp,
}

impl Archive {
    /// Its name among the archives of the profile.
    pub fn name(&self) -> String {
        format!("{}-{}", self.session, self.sha256)
    }
}

/// A profile, and its archives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersistentProfile {
    /// Whose, and with which image.
    pub id: ProfileId,
    /// Grows with every change.
    pub version: u64,
    /// The user.
    pub user: UserId,
    /// The image.
    pub image: ImageId,
    /// The image's name when the profile was last used.
    pub image_name: String,
    /// The session that has it, or had it last: the only one that may replace it.
    #[serde(default)]
    pub holder: Option<SessionId>,
    /// The archive that the next session gets; `None` until something has been saved.
    #[serde(default)]
    pub current: Option<Archive>,
    /// Earlier ones, the newest first.
    #[serde(default)]
    pub older: Vec<Archive>,
    /// One that is on its way: announced, and not known to have arrived.
    #[serde(default)]
    pub coming: Option<Archive>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Record for PersistentProfile {
    const KIND: &'static str = "profile";
    fn id(&self) -> &str {
        self.id.as_str()
    }
    fn version(&self) -> u64 {
        self.version
    }
}

/// The session does not hold the profile that it wants to replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another session has the profile")]
pub struct NotTheHolder;

impl PersistentProfile {
    /// A profile in which nothing has been saved.
    pub fn new(user: &UserId, image: &ImageId, image_name: &str, now: Timestamp) -> Self {
        Self {
            id: ProfileId::of(user, image),
            version: 0,
            user: user.clone(),
            image: image.clone(),
            image_name: image_name.to_owned(),
            holder: None,
            current: None,
            older: Vec::new(),
            coming: None,
            updated_at: now,
        }
    }

    /// Where an archive of it is kept.
    pub fn key(&self, archive: &Archive) -> String {
        format!("profiles/{}/{}/{}", self.user, self.image, archive.name())
    }

    /// Every archive that it names, also one that may never have arrived.
    pub fn archives(&self) -> impl Iterator<Item = &Archive> {
        self.current.iter().chain(&self.older).chain(&self.coming)
    }

    /// Makes this session the holder. The previous holder can no longer save.
    #[must_use]
    pub fn taken_by(&self, session: &SessionId, image_name: &str, now: Timestamp) -> Self {
        let mut after = self.changed(now);
        after.holder = Some(session.clone());
        image_name.clone_into(&mut after.image_name);
        after
    }

    /// What was on its way is known to be whole, or else is given up; and what need not be kept any
    /// more.
    #[must_use]
    pub fn settled(&self, is_whole: bool, now: Timestamp) -> (Self, Vec<Archive>) {
        let mut after = self.changed(now);
        let Some(coming) = after.coming.take() else {
            return (after, Vec::new());
        };
        if !is_whole {
            return (after, vec![coming]);
        }
        let gone = after.put(coming);
        (after, gone)
    }

    /// Its session is about to send this archive.
    ///
    /// # Errors
    /// When another session has the profile.
    pub fn announced(&self, archive: Archive, now: Timestamp) -> Result<Self, NotTheHolder> {
        self.must_be_held_by(&archive.session)?;
        let mut after = self.changed(now);
        after.coming = Some(archive);
        Ok(after)
    }

    /// Activates this archive; the previous one is kept. Also returns what need not be kept any
    /// more. The caller has verified that it is complete.
    ///
    /// # Errors
    /// When another session has the profile.
    pub fn replaced(
        &self,
        archive: Archive,
        now: Timestamp,
    ) -> Result<(Self, Vec<Archive>), NotTheHolder> {
        self.must_be_held_by(&archive.session)?;
        let mut after = self.changed(now);
        after.coming = after
            .coming
            .take()
            .filter(|coming| coming.name() != archive.name());
        let gone = after.put(archive);
        Ok((after, gone))
    }

    /// The earlier archive of this name holds again, and the one that did becomes an earlier one;
    /// `None` when there is none of this name.
    pub fn restored(&self, name: &str, now: Timestamp) -> Option<Self> {
        let mut after = self.changed(now);
        let at = after
            .older
            .iter()
            .position(|archive| archive.name() == name)?;
        let chosen = after.older.remove(at);
        if let Some(before) = after.current.replace(chosen) {
            after.older.insert(0, before);
        }
        Some(after)
    }

    fn put(&mut self, archive: Archive) -> Vec<Archive> {
        let name = archive.name();
        if self
            .current
            .as_ref()
            .is_some_and(|current| current.name() == name)
        {
            return Vec::new();
        }
        self.older.retain(|older| older.name() != name);
        if let Some(before) = self.current.replace(archive) {
            self.older.insert(0, before);
        }
        self.older.split_off(self.older.len().min(KEPT))
    }

    fn changed(&self, now: Timestamp) -> Self {
        Self {
            version: self.version + 1,
            updated_at: now,
            ..self.clone()
        }
    }

    fn must_be_held_by(&self, session: &SessionId) -> Result<(), NotTheHolder> {
        if self.holder.as_ref() == Some(session) {
            Ok(())
        } else {
            Err(NotTheHolder)
        }
    }

    /// The profile as the API shows it.
    pub fn view(&self) -> Value {
        let archive = |archive: &Archive| {
            json!({
                "name": archive.name(), "session_id": archive.session, "bytes": archive.bytes, "sha256": archive.sha256,
                "saved_at": archive.at.to_string(),
            })
        };
        json!({
            "id": self.id,
            "user_id": self.user,
            "image_id": self.image,
            "image_name": self.image_name,
            "session_id": self.holder,
            "current": self.current.as_ref().map(archive),
            "older": self.older.iter().map(archive).collect::<Vec<_>>(),
            "version": self.version,
            "updated_at": self.updated_at.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOON, cast, image, user};

    fn session(n: u8) -> SessionId {
        SessionId::from_bytes([n; 16])
    }

    fn archive(n: u8) -> Archive {
        Archive {
            session: session(n),
            bytes: u64::from(n),
            sha256: format!("{n:064x}"),
            at: NOON,
        }
    }

    fn empty() -> PersistentProfile {
        PersistentProfile::new(&user(1).id, &image(1).id, "Image", NOON)
    }

    #[test]
    fn note_of_incomplete_profile_is_short_and_plain() {
        let names: Vec<String> = (0..9).map(|n| format!("{n}\u{1b}")).collect();
        assert_eq!(
            incomplete_note(&names),
            "profile-incomplete: 0?, 1?, 2?, 3?, 4?"
        );
        let long = incomplete_note(&["x".repeat(4096)]);
        assert_eq!(long.len(), "profile-incomplete: ".len() + 80);
    }

    #[test]
    fn only_logged_in_users_have_a_profile() {
        for (name, logged_in, allow_anonymous, path, expected) in [
            ("a user of a link for users", true, false, true, true),
            ("a user of a link for everybody", true, true, true, false),
            ("somebody anonymous", false, true, true, false),
            ("nobody has logged in", false, false, true, false),
            ("an image that keeps nothing", true, false, false, false),
        ] {
            let (mut cast, mut image, user) = (cast(1), image(1), user(1));
            cast.settings.allow_anonymous = allow_anonymous;
            image.settings.profile.path = path.then(|| "/home/app".to_owned());
            assert_eq!(
                carried(&cast, &image, logged_in.then_some(&user)).is_some(),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn profile_id_names_user_and_image_and_round_trips() {
        let id = empty().id;
        assert_eq!(ProfileId::parse(id.as_str()), Some(id.clone()));
        for foreign in [
            "",
            "-",
            id.as_str()
                .trim_end_matches('q')
                .get(1..)
                .unwrap_or_default(),
            &format!("{id}-"),
            "../x",
        ] {
            assert_eq!(ProfileId::parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn only_the_holding_session_replaces_a_profile() {
        let held = empty().taken_by(&session(1), "Image", NOON);
        assert_eq!(held.replaced(archive(2), NOON), Err(NotTheHolder));
        assert_eq!(held.announced(archive(2), NOON), Err(NotTheHolder));
        let (saved, gone) = held.replaced(archive(1), NOON).expect("its own");
        assert_eq!((saved.current.clone(), gone), (Some(archive(1)), vec![]));
        let next = saved.taken_by(&session(2), "Image", NOON);
        assert_eq!(
            next.replaced(archive(1), NOON),
            Err(NotTheHolder),
            "too late"
        );
    }

    #[test]
    fn five_earlier_archives_are_kept() {
        let mut profile = empty();
        let mut all_gone = Vec::new();
        for n in 1..=8 {
            let (after, gone) = profile
                .taken_by(&session(n), "Image", NOON)
                .replaced(archive(n), NOON)
                .expect("its own");
            profile = after;
            all_gone.extend(gone);
        }
        let older: Vec<u64> = profile.older.iter().map(|archive| archive.bytes).collect();
        assert_eq!(
            (profile.current.as_ref().map(|archive| archive.bytes), older),
            (Some(8), vec![7, 6, 5, 4, 3])
        );
        assert_eq!(all_gone, [archive(1), archive(2)]);
        let (again, gone) = profile.replaced(archive(8), NOON).expect("its own");
        assert_eq!(
            (again.older, gone),
            (profile.older, vec![]),
            "the same again changes nothing"
        );
    }

    #[test]
    fn announced_archive_counts_only_if_complete() {
        let (first, _) = empty()
            .taken_by(&session(1), "Image", NOON)
            .replaced(archive(1), NOON)
            .expect("its own");
        let on_its_way = first
            .taken_by(&session(2), "Image", NOON)
            .announced(archive(2), NOON)
            .expect("its own");
        assert_eq!(
            on_its_way.current,
            Some(archive(1)),
            "nothing is replaced by an announcement"
        );
        let (torn, gone) = on_its_way.settled(false, NOON);
        assert_eq!(
            (torn.current, torn.coming, gone),
            (Some(archive(1)), None, vec![archive(2)])
        );
        let (whole, gone) = on_its_way.settled(true, NOON);
        assert_eq!(
            (whole.current, whole.older, whole.coming, gone),
            (Some(archive(2)), vec![archive(1)], None, vec![])
        );
    }

    #[test]
    fn earlier_archive_can_be_restored() {
        let mut profile = empty().taken_by(&session(1), "Image", NOON);
        profile = profile.replaced(archive(1), NOON).expect("its own").0;
        profile = profile
            .taken_by(&session(2), "Image", NOON)
            .replaced(archive(2), NOON)
            .expect("its own")
            .0;
        assert_eq!(
            profile.restored(&archive(2).name(), NOON),
            None,
            "it holds already"
        );
        let back = profile.restored(&archive(1).name(), NOON).expect("is kept");
        assert_eq!(
            (back.current, back.older),
            (Some(archive(1)), vec![archive(2)])
        );
    }
}

//! Owns how persistent profiles travel: what a session's gate asks and reports of the profile that
//! it carries, and what administrators do with one. An archive takes the place of another only
//! after it was seen to be whole, in one conditional write. Must not know S3 (see
//! [`ProfileFiles`]).

use casting_protocol::report::{Download, ProfileDirectives, ProfileReport};

use super::{ControlPlane, FlowError, Refusal, TRIES};
use crate::audit::Audit;
use crate::denial::DenialCode;
use crate::ids::{SessionId, UserId};
use crate::persistent_profile::{
    Archive, CarriedProfile, PROFILE_SAVED, PersistentProfile, ProfileId, USUAL_EXCLUDE,
    incomplete_note,
};
use crate::ports::{Fault, FaultKind, ProfileFiles, Saved, Stored};
use crate::quota::{Quota, QuotaKind};
use crate::session::Session;

impl ControlPlane {
    /// Answers a gate about the profile of its session. Every request is idempotent.
    ///
    /// # Errors
    /// `NotYourSession` for a wrong secret, `UnknownSession` when it has no profile, `SessionEnded`
    /// when the profile is no longer this session's.
    pub async fn report_profile(
        &self,
        id: &SessionId,
        secret: &str,
        report: ProfileReport,
    ) -> Result<Option<ProfileDirectives>, Refusal> {
        self.take_profile_report(id, secret, report)
            .await
            .map_err(|error| self.refuse_quietly(error))
    }

    async fn take_profile_report(
        &self,
        id: &SessionId,
        secret: &str,
        report: ProfileReport,
    ) -> Result<Option<ProfileDirectives>, FlowError> {
        if !self
            .keys
            .sessions()
            .secrets(id)
            .any(|known| known.matches(secret))
        {
            return Err(DenialCode::NotYourSession.into());
        }
        let session = self
            .store
            .session(id)
            .await?
            .ok_or(DenialCode::UnknownSession)?;
        let Some(carried) = session.profile.clone() else {
            return Err(DenialCode::UnknownSession.into());
        };
        if !session.is_live() {
            return Err(DenialCode::SessionEnded.into());
        }
        match report {
            ProfileReport::Restore if !session.can_be_entered() => {
                Err(DenialCode::SessionEnded.into())
            }
            ProfileReport::Restore => self.give_profile(&session, &carried).await.map(Some),
            ProfileReport::Save { bytes, sha256 } => self
                .expect_archive(&session, &carried, bytes, sha256)
                .await
                .map(Some),
            ProfileReport::Saved {
                bytes,
                sha256,
                left_out,
            } => {
                self.take_archive(&session, &carried, bytes, sha256).await?;
                let note = match left_out.as_slice() {
                    [] => PROFILE_SAVED.to_owned(),
                    names => incomplete_note(names),
                };
                self.note(session, &note).await?;
                Ok(None)
            }
            ProfileReport::NotSaved { why } => {
                tracing::warn!(session.id = %id, profile = %carried.id, ?why,
                    "The profile of session {id} was not saved");
                self.note(session, why.note()).await?;
                Ok(None)
            }
        }
    }

    /// The session has the profile from now on, and learns what is in it.
    async fn give_profile(
        &self,
        session: &Session,
        carried: &CarriedProfile,
    ) -> Result<ProfileDirectives, FlowError> {
        let files = self.files()?;
        let user = session.owner.id().ok_or(DenialCode::UnknownSession)?;
        let name = &session.launch.image_name;
        let begin =
            || PersistentProfile::new(user, &session.launch.image_id, name, self.clock.now());
        for _ in 0..TRIES {
            let before: Option<PersistentProfile> = self.store.record(carried.id.as_str()).await?;
            let known = before.as_ref().map(|profile| profile.version);
            let (settled, gone) = self
                .settle_coming(files, before.unwrap_or_else(begin))
                .await?;
            let mut after = settled.taken_by(&session.id, name, self.clock.now());
            after.version = known.map_or(1, |version| version + 1);
            if self.store.put_record(&after, known, None).await? == Saved::Done {
                self.clear(files, &after, &gone).await;
                let fetch = |archive: &Archive| -> Result<Download, Fault> {
                    Ok(Download {
                        url: files.download(&after.key(archive))?,
                        bytes: archive.bytes,
                        sha256: archive.sha256.clone(),
                    })
                };
                let archive = after.current.as_ref().map(fetch).transpose()?;
                return Ok(ProfileDirectives {
                    max_bytes: carried.max_bytes(),
                    exclude: USUAL_EXCLUDE
                        .into_iter()
                        .map(str::to_owned)
                        .chain(carried.exclude.iter().cloned())
                        .collect(),
                    archive,
                    upload: None,
                });
            }
        }
        Err(contention("give a profile to a session", &carried.id).into())
    }

    /// Writes down which archive will come, so that it is found wherever its gate is cut off, and
    /// says where it is sent.
    async fn expect_archive(
        &self,
        session: &Session,
        carried: &CarriedProfile,
        bytes: u64,
        sha256: String,
    ) -> Result<ProfileDirectives, FlowError> {
        let files = self.files()?;
        if !is_sha256(&sha256) || bytes > carried.max_bytes() {
            return Err(DenialCode::ParameterInvalid.into());
        }
        for _ in 0..TRIES {
            let now = self.clock.now();
            let before = self.profile_of(carried).await?;
            let archive = Archive {
                session: session.id.clone(),
                bytes,
                sha256: sha256.clone(),
                at: now,
            };
            let after = before
                .announced(archive.clone(), now)
                .map_err(|_| DenialCode::SessionEnded)?;
            if before
                .current
                .as_ref()
                .is_some_and(|current| current.sha256 == archive.sha256 && current.bytes == bytes)
            {
                // Nothing has changed since it was restored.
                return Ok(ProfileDirectives::default());
            }
            if self
                .store
                .put_record(&after, Some(before.version), None)
                .await?
                == Saved::Done
            {
                let replaced = before
                    .coming
                    .filter(|coming| coming.name() != archive.name());
                self.clear(files, &after, replaced.as_slice()).await;
                let upload = Some(files.upload(&after.key(&archive), bytes, &archive.sha256)?);
                return Ok(ProfileDirectives {
                    upload,
                    ..ProfileDirectives::default()
                });
            }
        }
        Err(contention("expect an archive", &carried.id).into())
    }

    /// Looks whether the archive has arrived whole, and only then lets it hold.
    async fn take_archive(
        &self,
        session: &Session,
        carried: &CarriedProfile,
        bytes: u64,
        sha256: String,
    ) -> Result<(), FlowError> {
        let files = self.files()?;
        for _ in 0..TRIES {
            let now = self.clock.now();
            let before = self.profile_of(carried).await?;
            if before.holder.as_ref() == Some(&session.id)
                && before
                    .current
                    .as_ref()
                    .is_some_and(|current| current.sha256 == sha256 && current.bytes == bytes)
            {
                return Ok(());
            }
            let archive = Archive {
                session: session.id.clone(),
                bytes,
                sha256: sha256.clone(),
                at: now,
            };
            let (after, gone) = before
                .replaced(archive.clone(), now)
                .map_err(|_| DenialCode::SessionEnded)?;
            if !is_whole(files, &before, &archive).await? {
                tracing::warn!(session.id = %session.id, profile = %carried.id, "An archive of profile {} is not whole", carried.id);
                return Err(DenialCode::ParameterInvalid.into());
            }
            if self
                .store
                .put_record(&after, Some(before.version), None)
                .await?
                == Saved::Done
            {
                tracing::info!(session.id = %session.id, profile = %carried.id, bytes, "Profile {} was saved", carried.id);
                self.clear(files, &after, &gone).await;
                return Ok(());
            }
        }
        Err(contention("take an archive", &carried.id).into())
    }

    /// The profiles of a user.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn profiles_of(&self, user: &UserId) -> Result<Vec<PersistentProfile>, Fault> {
        // Their ids begin with the user's, and come after it.
        let (mut found, mut after) = (Vec::new(), user.as_str().to_owned());
        loop {
            let page = self
                .store
                .records::<PersistentProfile>(Some(&after), 100)
                .await?;
            let total = page.items.len();
            found.extend(
                page.items
                    .into_iter()
                    .take_while(|profile| profile.user == *user),
            );
            match page.next {
                Some(next)
                    if total > 0 && found.last().is_some_and(|last| last.id.as_str() == next) =>
                {
                    after = next;
                }
                _ => return Ok(found),
            }
        }
    }

    /// Whether a live session has the profile, so that it will be replaced soon.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn is_profile_in_use(&self, id: &ProfileId) -> Result<bool, Fault> {
        Ok(self
            .store
            .quota(&Quota::new(QuotaKind::Profile, id.as_str(), 1).key)
            .await?
            > 0)
    }

    /// Restores an earlier archive; `None` when there is none of this name, or another write came
    /// first. `audit` records it.
    ///
    /// # Errors
    /// When the store or the archives' place does not answer.
    pub async fn restore_profile(
        &self,
        before: &PersistentProfile,
        archive: &str,
        audit: impl FnOnce(&PersistentProfile) -> Audit + Send,
    ) -> Result<Option<PersistentProfile>, Fault> {
        let files = self.files()?;
        let (settled, gone) = self.settle_coming(files, before.clone()).await?;
        let Some(mut after) = settled.restored(archive, self.clock.now()) else {
            return Ok(None);
        };
        after.version = before.version + 1;
        if self
            .store
            .put_record(&after, Some(before.version), Some(&audit(&after)))
            .await?
            == Saved::Stale
        {
            return Ok(None);
        }
        self.clear(files, &after, &gone).await;
        Ok(Some(after))
    }

    /// Deletes a profile and all of its archives: these first, so that none is left behind that
    /// nothing names.
    ///
    /// # Errors
    /// When the store or the archives' place does not answer; the same again then goes on.
    pub async fn delete_profile(
        &self,
        profile: &PersistentProfile,
        audit: Option<&Audit>,
    ) -> Result<Saved, Fault> {
        let files = self.files()?;
        for archive in profile.archives() {
            files.delete(&profile.key(archive)).await?;
        }
        self.store.delete_record(profile, audit).await
    }

    /// Finds out what became of an archive that was on its way when its session ended.
    async fn settle_coming(
        &self,
        files: &dyn ProfileFiles,
        profile: PersistentProfile,
    ) -> Result<(PersistentProfile, Vec<Archive>), Fault> {
        let Some(coming) = profile.coming.clone() else {
            return Ok((profile, Vec::new()));
        };
        let whole = is_whole(files, &profile, &coming).await?;
        tracing::info!(profile = %profile.id, whole,
            "An archive of profile {} was on its way when its session ended", profile.id);
        Ok(profile.settled(whole, self.clock.now()))
    }

    /// Deletes what nothing names any more. What cannot be deleted now costs its storage and does
    /// no harm.
    async fn clear(&self, files: &dyn ProfileFiles, profile: &PersistentProfile, gone: &[Archive]) {
        for archive in gone {
            if let Err(fault) = files.delete(&profile.key(archive)).await {
                tracing::warn!(%fault, "Could not delete {}", profile.key(archive));
            }
        }
    }

    async fn profile_of(&self, carried: &CarriedProfile) -> Result<PersistentProfile, FlowError> {
        self.store
            .record(carried.id.as_str())
            .await?
            .ok_or_else(|| DenialCode::SessionEnded.into())
    }

    async fn note(&self, session: Session, note: &str) -> Result<(), Fault> {
        let id = session.id.clone();
        self.move_session(&id, Some(session), |row| row.noted(note))
            .await
            .map(drop)
    }

    /// Where archives are kept.
    fn files(&self) -> Result<&dyn ProfileFiles, Fault> {
        let missing =
            || "this deployment has no place for profiles (CASTING_PROFILE_BUCKET)".to_owned();
        self.profiles.as_deref().ok_or_else(|| Fault {
            kind: FaultKind::Refused,
            what: "keep profiles",
            detail: missing(),
        })
    }
}

/// Whether what is stored has the size and the checksum that were announced.
async fn is_whole(
    files: &dyn ProfileFiles,
    profile: &PersistentProfile,
    archive: &Archive,
) -> Result<bool, Fault> {
    let stored = files.stat(&profile.key(archive)).await?;
    Ok(stored
        == Some(Stored {
            bytes: archive.bytes,
            sha256: Some(archive.sha256.clone()),
        }))
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn contention(what: &'static str, id: &ProfileId) -> Fault {
    Fault {
        kind: FaultKind::Contention,
        what,
        detail: format!("{TRIES} tries on {id}"),
    }
}

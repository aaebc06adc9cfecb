//! Owns what administrators do to a running session: end it, extend it, tell its owner something.
//! Must not know who they are. Its gate is pushed, so that the visitor sees it at once.

use super::{ControlPlane, FlowError, Refusal};
use crate::cast::{Cast, CastSettings, Counter};
use crate::denial::DenialCode;
use crate::ids::SessionId;
use crate::policy::budget;
use crate::ports::Fault;
use crate::quota::Held;
use crate::session::{EndReason, Session, State};
use crate::session_options::Message;
use crate::time::Timestamp;

/// For how long the gate of a session is asked who watches, in seconds.
const LOOK_SECONDS: u64 = 30;

/// What keeps a repeated extension from extending twice.
#[derive(Clone, Copy, Debug, Default)]
pub struct OnlyOnce<'a> {
    /// When the session ends, as the administrator saw it.
    pub seen: Option<Timestamp>,
    /// The fingerprint of the request, which the session's row remembers.
    pub request: Option<&'a str>,
}

impl ControlPlane {
    /// An administrator ends the session; its visitor reads the note.
    ///
    /// # Errors
    /// `UnknownSession` when there is none.
    pub async fn end_as_administrator(
        &self,
        id: &SessionId,
        note: Option<String>,
    ) -> Result<Session, Refusal> {
        let ended = async {
            let session = self.store.session(id).await?;
            let session = session.ok_or(DenialCode::UnknownSession)?;
            Box::pin(self.stop_session(session, EndReason::Administrator { note }))
                .await
                .map_err(FlowError::from)
        };
        ended.await.map_err(|error| self.refuse_quietly(error))
    }

    /// An administrator extends a session by so many seconds, if `only_once` holds: a repeated
    /// request extends it once. Returns it as it is now, also when the same request has extended it
    /// before; `Err` inside when this one did not extend it.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn extend_as_administrator(
        &self,
        session: Session,
        seconds: u32,
        only_once: OnlyOnce<'_>,
    ) -> Result<Result<Session, Session>, Fault> {
        let (id, known, now) = (session.id.clone(), session.clone(), self.clock.now());
        let money = self.money_of_extension(&session, seconds, now).await?;
        let mut is_ours = false;
        let OnlyOnce { seen, request } = only_once;
        let is_seen = |row: &Session| match &row.state {
            State::Ready { ends_at, .. } => seen.is_none_or(|seen| seen == *ends_at),
            _ => false,
        };
        let is_done = |row: &Session| request.is_some_and(|request| row.was_extended_by(request));
        let row = self
            .move_session(&id, Some(session), |row| {
                let after = (is_seen(row) && !is_done(row))
                    .then(|| row.extended_by_administrator(seconds, &money, request, now))
                    .flatten();
                is_ours = after.is_some();
                after
            })
            .await?;
        let row = row.unwrap_or(known);
        if !is_ours {
            return Ok(if is_done(&row) { Ok(row) } else { Err(row) });
        }
        self.refresh_gate(&row).await;
        Ok(Ok(row))
    }

    /// What so much more of a session takes of the budgets of its link and of the deployment;
    /// nothing where its image is gone, of which the price is not known any more.
    async fn money_of_extension(
        &self,
        session: &Session,
        seconds: u32,
        now: Timestamp,
    ) -> Result<Vec<Held>, Fault> {
        let store = &*self.store;
        let found = store.cast_in_force(&session.cast_id).await?;
        // A link that is gone has no budget of its own.
        let cast = found.unwrap_or_else(|| Cast {
            id: session.cast_id.clone(),
            version: 0,
            settings: CastSettings::default(),
            counter: Counter::default(),
            created_at: now,
            updated_at: now,
        });
        let deployment = self.cache.deployment(store, now).await?;
        let image = self
            .cache
            .image(store, &session.launch.image_id, now)
            .await?;
        let of = |image| budget::of_extension(image, &cast, &deployment.settings, seconds, now);
        Ok(image.as_deref().map_or_else(Vec::new, of))
    }

    /// An administrator tells the owner of a session something.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn message_owner(&self, session: Session, text: &str) -> Result<Session, Fault> {
        let (id, known, now) = (session.id.clone(), session.clone(), self.clock.now());
        let message = Message {
            at: now,
            text: text.to_owned(),
        };
        let row = self
            .move_session(&id, Some(session), |row| {
                row.with_message(message.clone()).ok()
            })
            .await?;
        let row = row.unwrap_or(known);
        self.refresh_gate(&row).await;
        Ok(row)
    }

    /// The names of those who watch a session now, as its gate says; `None` when it was not
    /// reached, or the session is not shared and ready.
    pub async fn watchers(&self, session: &Session) -> Option<Vec<String>> {
        let (Some(gates), State::Ready { endpoint, .. }, true) =
            (&self.gates, &session.state, session.sharing.token.is_some())
        else {
            return None;
        };
        let expires = self.clock.now().plus_seconds(LOOK_SECONDS);
        let enter = self.way_to_gate(session, endpoint, expires);
        match gates.watchers(&session.id, &enter).await {
            Ok(names) => Some(names),
            Err(why) => {
                tracing::warn!(session.id = %session.id, why, "A gate was not asked who watches");
                None
            }
        }
    }
}

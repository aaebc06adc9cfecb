//! Owns how a gate's reports are handled and answered. Must not know how they arrive; they are
//! authenticated by the session's secret.

use std::net::IpAddr;

use casting_protocol::report::{GateEndReason, Report};

use super::launch::assigned_environment;
use super::{ControlPlane, FlowError, Refusal};
use crate::denial::DenialCode;
use crate::excerpt::{Excerpt, Speaker};
use crate::ids::{Reference, SessionId};
use crate::session::{EndReason, Endpoint, Owner, PoolRole, Session, State};
use crate::session_options::{Assignment, CpuLimit, SessionDirectives, Watermark};
use crate::time::Timestamp;
use crate::urls;

impl From<GateEndReason> for EndReason {
    fn from(cause: GateEndReason) -> Self {
        match cause {
            GateEndReason::TimeLimit => Self::TimeLimit,
            GateEndReason::Abandoned => Self::Abandoned,
            GateEndReason::NotEntered => Self::NotEntered,
            GateEndReason::Idle => Self::Idle,
            GateEndReason::UnattendedCpu => Self::UnattendedCpu,
            GateEndReason::Owner => Self::Owner,
            GateEndReason::Reclaimed => Self::Reclaimed,
            GateEndReason::ProfileNotRestored => Self::ProfileNotRestored,
        }
    }
}

impl ControlPlane {
    /// Handles a report and returns the directives of a session that goes on. Repeating a report
    /// changes nothing.
    ///
    /// # Errors
    /// `NotYourSession` for a wrong secret; `SessionEnded` when the session is over and the gate
    /// must end too.
    pub async fn report(
        &self,
        id: &SessionId,
        secret: &str,
        report: Report,
        reporter: IpAddr,
    ) -> Result<Option<SessionDirectives>, Refusal> {
        self.take_report(id, secret, report, reporter)
            .await
            .map_err(|error| self.refuse_quietly(error))
    }

    async fn take_report(
        &self,
        id: &SessionId,
        secret: &str,
        report: Report,
        reporter: IpAddr,
    ) -> Result<Option<SessionDirectives>, FlowError> {
        if !self
            .keys
            .sessions()
            .secrets(id)
            .any(|known| known.matches(secret))
        {
            return Err(DenialCode::NotYourSession.into());
        }
        let now = self.clock.now();
        let row = match report {
            Report::Ready { port } => {
                let host = self.launcher.gate_address(id).await?.unwrap_or(reporter);
                let endpoint = Endpoint {
                    host: host.to_canonical().to_string(),
                    port,
                };
                let row = self.move_session(id, None, |row| {
                    let known = matches!(&row.state, State::Ready { endpoint: known, .. } if *known == endpoint);
                    if known { None } else { row.ready(endpoint.clone(), now).ok() }
                })
                .await?;
                match row {
                    Some(row) => Some(self.catch_up(row).await?),
                    None => None,
                }
            }
            Report::Alive => self.store.session(id).await?,
            Report::Share { on } => {
                self.move_session(id, None, |row| {
                    let is_on = row.sharing.token.is_some();
                    let allowed = !on || row.options.may_share;
                    let sharing = || {
                        if on {
                            row.sharing.begun(&*self.entropy)
                        } else {
                            row.sharing.ended()
                        }
                    };
                    if is_on == on || !allowed {
                        None
                    } else {
                        row.shared(sharing()).ok()
                    }
                })
                .await?
            }
            Report::Lobby { on } => {
                self.move_session(id, None, |row| row.with_lobby(on))
                    .await?
            }
            Report::Answer { id: request, admit } => {
                self.move_session(id, None, |row| row.answered(&request, admit, now))
                    .await?
            }
            Report::Extend { used } => {
                self.move_session(id, None, |row| row.extended(used, now))
                    .await?
            }
            Report::Failed { command, said } => {
                self.move_session(id, None, |row| row.heard(Excerpt::of(command, &said)?))
                    .await?
            }
            Report::Ended {
                exit_code,
                because,
                said,
            } => {
                let said = said.and_then(|said| Excerpt::of(Speaker::App, &said));
                let ended_by_itself = || EndReason::TaskStopped {
                    detail: "the app ended".into(),
                    exit_code,
                };
                let reason = because.map_or_else(ended_by_itself, EndReason::from);
                // The task is still stopping; ECS's event closes the row.
                let decide = |row: &Session| ending(row, reason.clone(), said.clone(), now);
                let row = Box::pin(self.move_or_exchange(id, now, decide)).await?;
                return row
                    .map(|_| None)
                    .ok_or_else(|| DenialCode::UnknownSession.into());
            }
        };
        match row {
            None => Err(DenialCode::UnknownSession.into()),
            Some(row) if matches!(row.state, State::Stopping { .. } | State::Ended { .. }) => {
                Err(DenialCode::SessionEnded.into())
            }
            Some(row) => Ok(Some(self.directives(row))),
        }
    }

    /// The directives for the gate of a session.
    pub(super) fn directives(&self, session: Session) -> SessionDirectives {
        let assignment = session
            .pooled
            .as_ref()
            .is_some_and(|pooled| pooled.role == PoolRole::Assigned)
            .then(|| Assignment {
                time_limit_seconds: session.time_limit_seconds,
                keepalive_seconds: session.keepalive_seconds(),
                environment: assigned_environment(&session),
            });
        let waits = session.is_unassigned();
        let watermark = session.options.watermark.then(|| Watermark {
            owner: match &session.owner {
                Owner::User { name, .. } => Some(name.clone()),
                Owner::Anonymous { .. } | Owner::Anonymised | Owner::Unassigned => None,
            },
            session: format!("{} \u{b7} {}", session.cast_key, Reference::of(&session.id)),
        });
        let unattended_cpu = session
            .grant
            .unattended_cpu_minutes
            .map(|minutes| CpuLimit {
                window_seconds: minutes.saturating_mul(60),
                cpu_units: session.launch.cpu,
            });
        let usual = session.options.lobby;
        let lobby = session.sharing.lobby.directives(usual, self.clock.now());
        let share_link = session
            .sharing
            .token
            .map(|token| self.urls.absolute(&urls::share(&session.id, &token)));
        SessionDirectives {
            session_page: self.urls.absolute(&urls::session(&session.id)),
            title: session.launch.image_name,
            share_link,
            share_round: session.sharing.round,
            lobby,
            idle_seconds: session
                .grant
                .idle_minutes
                .map(|minutes| minutes.saturating_mul(60)),
            unattended_cpu,
            entry_timeout_seconds: session.grant.entry_timeout_seconds,
            extensions: session.extensions,
            language: session.origin.language,
            added_seconds: session.added_seconds,
            message: session.message,
            watermark,
            waits,
            assignment,
            options: session.options,
        }
    }
}

/// The move of a session whose app has ended, or is about to. If it has ended already, the last
/// output is added.
fn ending(
    row: &Session,
    reason: EndReason,
    said: Option<Excerpt>,
    now: Timestamp,
) -> Option<Session> {
    let stopping = row.stopping(reason, now).ok();
    let Some(heard) = said.and_then(|said| stopping.as_ref().unwrap_or(row).heard(said)) else {
        return stopping;
    };
    // One move.
    Some(Session {
        rev: row.rev + 1,
        ..heard
    })
}

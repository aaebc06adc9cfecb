//! Owns what a gate says of its session. Must not know how it is said; the session's secret proves who says it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Casting, Refusal, Stop};
use crate::denial::DenialCode;
use crate::ids::SessionId;
use crate::ports::{Launcher, Store};
use crate::session::{EndReason, Endpoint, Session, State};

/// A gate's report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Report {
    /// The app answers, and the gate listens on `port` of the address that the report comes from.
    Ready {
        /// TCP port.
        port: u16,
    },
    /// The app has ended.
    Ended {
        /// Its exit code, unless a signal ended it.
        exit_code: Option<i32>,
        /// Why the gate ended it; `None` when it ended by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        because: Option<Cause>,
    },
}

/// Why a gate ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Its time was up.
    TimeLimit,
    /// No browser had been connected for long.
    Abandoned,
}

impl<S: Store, L: Launcher> Casting<S, L> {
    /// Takes a report. Repeating one changes nothing.
    ///
    /// # Errors
    /// `NotYourSession` for a wrong secret; `SessionEnded` when the session is over and the gate must end too.
    pub async fn report(&self, id: &SessionId, secret: &str, report: Report, reporter: IpAddr) -> Result<(), Refusal> {
        self.take_report(id, secret, report, reporter).await.map_err(|stop| self.refuse_quietly(stop))
    }

    async fn take_report(&self, id: &SessionId, secret: &str, report: Report, reporter: IpAddr) -> Result<(), Stop> {
        if !self.keys.sessions().secrets(id).any(|known| known.matches(secret)) {
            return Err(DenialCode::NotYourSession.into());
        }
        let now = self.clock.now();
        let row = match report {
            Report::Ready { port } => {
                let endpoint = Endpoint { host: reporter.to_canonical().to_string(), port };
                self.move_session(id, None, |row| {
                    let known = matches!(&row.state, State::Ready { endpoint: known, .. } if *known == endpoint);
                    if known { None } else { row.ready(endpoint.clone(), now).ok() }
                })
                .await?
            }
            Report::Ended { exit_code, because } => {
                let reason = match because {
                    Some(Cause::TimeLimit) => EndReason::TimeLimit,
                    Some(Cause::Abandoned) => EndReason::Abandoned,
                    None => EndReason::TaskStopped { detail: "the app ended".into(), exit_code },
                };
                // The task is still on its way down; ECS's event closes the row.
                self.move_session(id, None, |row| row.stopping(reason.clone(), now).ok()).await?
            }
        };
        match row {
            None => Err(DenialCode::UnknownSession.into()),
            Some(Session { state: State::Stopping { .. } | State::Ended { .. }, .. }) if matches!(report, Report::Ready { .. }) => {
                Err(DenialCode::SessionEnded.into())
            }
            Some(_) => Ok(()),
        }
    }
}

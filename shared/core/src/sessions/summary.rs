//! Owns the summary of a session: the part of its row that lists are searched, ordered and counted
//! by. DynamoDB charges for the whole row, but less is carried and parsed. Must not decide anything
//! about a session.

use serde::{Deserialize, Serialize};

use crate::ids::{CastId, CastKey, ImageId, SessionId};
use crate::invitation::Invited;
use crate::network::NetworkName;
use crate::session::{
    Origin, Owner, PoolMembership, PoolRole, QueuedStart, Session, State, TaskRef,
};
use crate::time::Timestamp;

/// Part of a session, under the names of its row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSummary {
    /// See [`Session::id`].
    pub id: SessionId,
    /// See [`Session::cast_id`].
    pub cast_id: CastId,
    /// See [`Session::cast_key`].
    pub cast_key: CastKey,
    /// See [`Session::cast_name`].
    pub cast_name: String,
    /// See [`Session::owner`].
    pub owner: Owner,
    /// Of [`Session::launch`].
    pub launch: LaunchSummary,
    /// See [`Session::origin`].
    pub origin: Origin,
    /// See [`Session::invitation`].
    #[serde(default)]
    pub invitation: Option<Invited>,
    /// See [`Session::created_at`].
    pub created_at: Timestamp,
    /// See [`Session::ready_at`].
    #[serde(default)]
    pub ready_at: Option<Timestamp>,
    /// See [`Session::left_address`].
    #[serde(default)]
    pub left_address: Option<String>,
    /// See [`Session::state`].
    pub state: State,
    /// See [`Session::task`].
    #[serde(default)]
    pub task: Option<TaskRef>,
    /// See [`Session::pooled`].
    #[serde(default)]
    pub pooled: Option<PoolMembership>,
    /// See [`Session::queued`].
    #[serde(default)]
    pub queued: Option<QueuedStart>,
    /// See [`Session::due_at`].
    #[serde(default)]
    pub due_at: Option<Timestamp>,
}

/// What a session was started with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchSummary {
    /// Its image.
    pub image_id: ImageId,
    /// The image's name at the time of the claim.
    pub image_name: String,
    /// Its network; `None` is the deployment's own.
    #[serde(default)]
    pub network: Option<NetworkSummary>,
}

/// The network of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSummary {
    /// Its name.
    pub name: NetworkName,
}

impl SessionSummary {
    /// The attributes of a session's row that a summary is read from.
    pub const ATTRIBUTES: &[&str] = &[
        "id",
        "cast_id",
        "cast_key",
        "cast_name",
        "owner",
        "launch.image_id",
        "launch.image_name",
        "launch.network.name",
        "origin",
        "invitation",
        "created_at",
        "ready_at",
        "left_address",
        "state",
        "task",
        "pooled",
        "queued",
        "due_at",
    ];

    /// See [`Session::is_live`].
    pub const fn is_live(&self) -> bool {
        self.state.is_live()
    }

    /// See [`Session::is_refunded`].
    pub const fn is_refunded(&self) -> bool {
        self.state.is_refunded()
    }

    /// See [`Session::is_unassigned`].
    pub fn is_unassigned(&self) -> bool {
        self.pooled
            .as_ref()
            .is_some_and(|pooled| pooled.role == PoolRole::Waiting)
    }

    /// See [`Session::is_unscheduled`].
    pub const fn is_unscheduled(&self) -> bool {
        self.is_live() && self.due_at.is_none()
    }

    /// See [`Session::start_began`].
    pub fn start_began(&self) -> Timestamp {
        self.queued
            .as_ref()
            .map_or(self.created_at, |queued| queued.at)
    }

    /// See [`Session::task_address`].
    pub fn task_address(&self) -> Option<&str> {
        match &self.state {
            State::Ready { endpoint, .. } => Some(&endpoint.host),
            _ => self.left_address.as_deref(),
        }
    }
}

impl From<&Session> for SessionSummary {
    fn from(session: &Session) -> Self {
        Self {
            id: session.id.clone(),
            cast_id: session.cast_id.clone(),
            cast_key: session.cast_key.clone(),
            cast_name: session.cast_name.clone(),
            owner: session.owner.clone(),
            launch: LaunchSummary {
                image_id: session.launch.image_id.clone(),
                image_name: session.launch.image_name.clone(),
                network: session
                    .launch
                    .network
                    .as_ref()
                    .map(|network| NetworkSummary {
                        name: network.name.clone(),
                    }),
            },
            origin: session.origin.clone(),
            invitation: session.invitation.clone(),
            created_at: session.created_at,
            ready_at: session.ready_at,
            left_address: session.left_address.clone(),
            state: session.state.clone(),
            task: session.task.clone(),
            pooled: session.pooled.clone(),
            queued: session.queued.clone(),
            due_at: session.due_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::testing::{cast, session};

    #[test]
    fn attributes_are_the_fields_of_a_summary() {
        let summary = SessionSummary::from(&session(&cast(1), 1));
        let fields = serde_json::to_value(&summary).expect("JSON");
        let fields: BTreeSet<&str> = fields
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        let read: BTreeSet<&str> = SessionSummary::ATTRIBUTES
            .iter()
            .filter_map(|path| path.split('.').next())
            .collect();
        assert_eq!(fields, read);
    }

    #[test]
    fn summary_reads_what_its_session_says() {
        use crate::session::{EndReason, Endpoint};
        let endpoint = Endpoint {
            host: "10.0.0.1".into(),
            port: 18080,
        };
        let reserved = session(&cast(1), 1);
        let at = reserved.created_at.plus_seconds(9);
        let ready = reserved.ready(endpoint, at).expect("gets ready");
        let ended = ready.ended(EndReason::Owner, at).expect("ends");
        let refunded = reserved.ended(EndReason::NoCapacity, at).expect("ends");
        for session in [reserved, ready, ended, refunded] {
            let summary = SessionSummary::from(&session);
            assert_eq!(
                (
                    summary.is_live(),
                    summary.is_refunded(),
                    summary.is_unassigned(),
                    summary.is_unscheduled(),
                    summary.start_began(),
                    summary.task_address(),
                ),
                (
                    session.is_live(),
                    session.is_refunded(),
                    session.is_unassigned(),
                    session.is_unscheduled(),
                    session.start_began(),
                    session.task_address(),
                ),
                "{}",
                session.state.as_str()
            );
        }
    }
}

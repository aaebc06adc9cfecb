//! Owns what ECS says of when a task was started, step by step. Must not know whose task it is.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// The times of a task's start, as far as ECS has told them. Kept in the session's row, which the
/// news that brings them writes anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskTimes {
    /// When ECS took the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// When it began to fetch the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pulling: Option<Timestamp>,
    /// When it had the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pulled: Option<Timestamp>,
    /// When its containers ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
}

impl TaskTimes {
    /// Whether ECS has told none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what is told now and was not known.
    pub fn learn(&mut self, known: &Self) {
        self.created = self.created.or(known.created);
        self.pulling = self.pulling.or(known.pulling);
        self.pulled = self.pulled.or(known.pulled);
        self.started = self.started.or(known.started);
    }
}

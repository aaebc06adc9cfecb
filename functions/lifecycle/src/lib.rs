//! The lifecycle function: handles ECS task events, refills pools when the sessions' table reports
//! that one has lost a session, sends events to hooks when it reports one, and on a schedule does
//! all of that and sweeps. Owns parsing the kinds of event; must not decide what they mean for a
//! session.

use std::pin::Pin;
use std::time::Duration;

use casting_boot::is_delivery;
use casting_core::ports::{Fault, Task};
use casting_core::{ControlPlane, Refilled, Sent, Swept};
use casting_ecs::events::TaskStateChange;
use serde_json::Value;

/// Rounds of starts in one invocation; the next sweep goes on.
const ROUNDS: u32 = 30;
/// The interval between rounds of starts.
const ROUND: Duration = Duration::from_secs(1);

/// What an event means.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    /// A task changed.
    Task(Box<Task>),
    /// The schedule: sweep and refill.
    Sweep,
    /// What the table of sessions reports. Which row does not matter: a round covers all pools, or
    /// all hooks.
    News {
        /// A session has left its pool.
        left_pool: bool,
        /// An event waits for its hook.
        to_send: bool,
    },
    /// To be ignored, and why.
    Ignored(String),
}

/// Handles one event. Events arrive more than once and in any order; on an error the sender
/// retries.
///
/// # Errors
/// When the store or ECS does not answer.
pub async fn handle(control_plane: &ControlPlane, event: Value) -> Result<(), Fault> {
    match read(event) {
        Event::Task(task) => control_plane.task_changed(*task).await,
        Event::Sweep => {
            // Pools first: visitors wait for them. What fails there must not keep the rest waiting.
            let refilled = refill(control_plane).await;
            // Receivers take their time, which the sweep need not wait for.
            let swept: Work<'_, Swept> = Box::pin(control_plane.sweep());
            let sent: Work<'_, ()> = Box::pin(deliver(control_plane));
            let (swept, sent) = tokio::join!(swept, sent);
            let swept = swept?;
            let refilled = refilled?;
            sent?;
            let hours = control_plane.write_hours().await?;
            tracing::info!(
                looked_at = swept.looked_at,
                started = swept.started,
                released = swept.released,
                stopped = swept.stopped,
                hours,
                staged = refilled.started,
                unstaged = refilled.stopped,
                "Swept"
            );
            Ok(())
        }
        Event::News { left_pool, to_send } => {
            if left_pool {
                let refilled = refill(control_plane).await?;
                tracing::info!(
                    staged = refilled.started,
                    unstaged = refilled.stopped,
                    "Filled the pools"
                );
            }
            if to_send {
                deliver(control_plane).await?;
            }
            Ok(())
        }
        Event::Ignored(why) => {
            tracing::warn!(why, "An event was ignored");
            Ok(())
        }
    }
}

/// What is done beside something else.
type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

/// Sends the events that are due.
async fn deliver(control_plane: &ControlPlane) -> Result<(), Fault> {
    let sent = control_plane.deliver().await?;
    if sent != Sent::default() {
        tracing::info!(
            delivered = sent.delivered,
            failed = sent.failed,
            "Sent events"
        );
    }
    Ok(())
}

/// Refills the pools round by round, because ECS accepts only so many starts in a second.
async fn refill(control_plane: &ControlPlane) -> Result<Refilled, Fault> {
    let mut all = Refilled::default();
    for _ in 0..ROUNDS {
        let round = control_plane.refill().await?;
        all.started += round.started;
        all.stopped += round.stopped;
        if !round.more {
            break;
        }
        tokio::time::sleep(ROUND).await;
    }
    Ok(all)
}

fn read(event: Value) -> Event {
    let kind = event
        .get("detail-type")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    match kind.as_str() {
        "ECS Task State Change" => match serde_json::from_value::<TaskStateChange>(event) {
            Ok(change) if change.detail.task_arn.is_empty() => {
                Event::Ignored("it names no task".to_owned())
            }
            Ok(change) => Event::Task(Box::new(change.into())),
            // Retrying does not help an event that cannot be parsed; the sweep takes care of its
            // session.
            Err(error) => Event::Ignored(format!("it is no task's event: {error}")),
        },
        "Scheduled Event" => Event::Sweep,
        _ if event.get("sweep") == Some(&Value::Bool(true)) => Event::Sweep,
        // The template's filter passes nothing else of the stream (see `casting_dynamo::stream`).
        _ if event
            .pointer("/Records/0/eventSource")
            .and_then(Value::as_str)
            == Some("aws:dynamodb") =>
        {
            let records = event["Records"].as_array();
            let mut records = records.into_iter().flatten();
            let to_send = records.clone().any(is_delivery);
            let left_pool = records.any(|record| !is_delivery(record));
            Event::News { left_pool, to_send }
        }
        _ => Event::Ignored(format!("it is a {kind:?}")),
    }
}

#[cfg(test)]
mod tests {
    use casting_core::ids::SessionId;
    use casting_core::session::{TaskRef, TaskStatus, TaskTimes};
    use casting_core::time::Timestamp;

    use super::*;

    macro_rules! event {
        ($name:literal) => {
            read(
                serde_json::from_str(include_str!(concat!("../events/", $name, ".json")))
                    .expect($name),
            )
        };
    }

    fn task(event: Event) -> Task {
        match event {
            Event::Task(task) => *task,
            other => panic!("no task: {other:?}"),
        }
    }

    fn ours() -> Option<SessionId> {
        SessionId::parse(&format!("s{}", "a".repeat(26)))
    }

    #[test]
    fn running_event_yields_session_and_version() {
        let arn =
            "arn:aws:ecs:eu-central-1:111122223333:task/casting/0123456789abcdef0123456789abcdef"
                .to_owned();
        let expected = Task {
            task: TaskRef {
                arn,
                status: TaskStatus::Running,
                version: 4,
                times: TaskTimes {
                    created: Some(Timestamp::from_millis(1_795_435_205_100)),
                    started: Some(Timestamp::from_millis(1_795_435_241_000)),
                    ..TaskTimes::default()
                },
            },
            session: ours(),
            stop_detail: String::new(),
            exit_code: None,
            app_reason: None,
            start_failed: false,
        };
        assert_eq!(task(event!("task_running")), expected);
    }

    #[test]
    fn unusual_task_events_are_parsed() {
        for (name, event, status, session, exit_code, detail) in [
            (
                "stopped",
                event!("task_stopped"),
                TaskStatus::Stopped,
                ours(),
                Some(137),
                "EssentialContainerExited: Essential container",
            ),
            (
                "a Spot warning",
                event!("task_stopping_spot"),
                TaskStatus::Stopping,
                ours(),
                None,
                "TerminationNotice: Your Spot Task",
            ),
            (
                "never started",
                event!("task_failed_to_start"),
                TaskStatus::Stopped,
                ours(),
                None,
                "TaskFailedToStart: CannotPullContainer",
            ),
            (
                "startedBy null",
                event!("task_null_started_by"),
                TaskStatus::Running,
                None,
                None,
                "",
            ),
            (
                "startedBy missing",
                event!("task_no_started_by"),
                TaskStatus::Running,
                None,
                None,
                "",
            ),
            (
                "startedBy a service",
                event!("task_foreign_started_by"),
                TaskStatus::Running,
                None,
                None,
                "",
            ),
            (
                "fields from the future",
                event!("task_unknown_fields"),
                TaskStatus::Pending,
                ours(),
                None,
                "",
            ),
            (
                "on its way down",
                event!("task_deprovisioning"),
                TaskStatus::Stopping,
                ours(),
                None,
                "UserInitiated: The owner",
            ),
        ] {
            let task = task(event);
            assert_eq!(
                (task.task.status, task.session, task.exit_code),
                (status, session, exit_code),
                "{name}"
            );
            assert!(
                task.stop_detail.starts_with(detail),
                "{name}: {}",
                task.stop_detail
            );
        }
    }

    #[test]
    fn schedule_event_runs_the_sweep() {
        assert_eq!(event!("schedule"), Event::Sweep);
        assert_eq!(event!("sweep"), Event::Sweep);
    }

    #[test]
    fn stream_record_reports_a_session_leaving_its_pool() {
        let (left_pool, to_send) = (true, false);
        assert_eq!(
            event!("session_left_pool"),
            Event::News { left_pool, to_send }
        );
    }

    #[test]
    fn stream_record_reports_an_event_for_a_hook() {
        let (left_pool, to_send) = (false, true);
        assert_eq!(event!("event_to_send"), Event::News { left_pool, to_send });
    }

    #[test]
    fn foreign_events_are_ignored() {
        for (name, event) in [
            ("another ECS event", event!("deployment_state_change")),
            (
                "a task's event without a task",
                event!("task_without_detail"),
            ),
            ("an empty object", read(serde_json::json!({}))),
            ("null", read(Value::Null)),
            ("no records", read(serde_json::json!({"Records": []}))),
            (
                "another queue's records",
                read(serde_json::json!({"Records": [{"eventSource": "aws:sqs"}]})),
            ),
            (
                "a sweep that is off",
                read(serde_json::json!({"sweep": false})),
            ),
            (
                "no ARN",
                read(serde_json::json!({"detail-type": "ECS Task State Change", "detail": {}})),
            ),
        ] {
            assert!(matches!(event, Event::Ignored(_)), "{name}: {event:?}");
        }
    }
}

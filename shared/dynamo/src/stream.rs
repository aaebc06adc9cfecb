//! Owns which news of the table `sessions` reach the lifecycle function by the table's stream: that
//! a session has left its pool, so that another one is started in its place at once and not a
//! minute later, and that an event waits for its hook, so that it is sent at once. Must not know
//! what is done then.

use serde_json::{Value, json};

use crate::names;

/// What Lambda's event source mapping is to let through, one pattern each: a session that waited
/// was given to a visitor, or is about to end. The template says the same (`LeftPool`).
pub fn departures() -> [Value; 2] {
    let kind = |word: &str| json!({ "S": [word] });
    let states = |words: &[&str]| json!({ "M": { "is": { "S": words } } });
    let given_away = json!({ "dynamodb": {
        "OldImage": { names::KIND: kind(names::STAGED) },
        "NewImage": { names::KIND: kind(names::SESSION) },
    } });
    let ending = json!({ "dynamodb": {
        "OldImage": { names::KIND: kind(names::STAGED), "state": states(&["reserved", "starting", "ready"]) },
        "NewImage": { "state": states(&["stopping", "ended"]) },
    } });
    [given_away, ending]
}

/// The same of deliveries: one waits for its first try (`HookEvent`).
pub fn to_send() -> Value {
    json!({ "dynamodb": { "NewImage": { names::SEND: { "S": [names::NOW] } } } })
}

/// Whether a record of the stream reports a delivery, and no session.
pub fn is_delivery(record: &Value) -> bool {
    record["dynamodb"]["NewImage"][names::SEND]["S"] == names::NOW
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::types::AttributeValue;
    use casting_core::session::{EndReason, Endpoint, Session, TaskRef, TaskStatus};
    use casting_core::testing::{NOON, cast, session};

    use super::*;
    use crate::rows::tests::staged;
    use crate::rows::{Item, SessionRow, to_item};

    /// As Lambda reads a pattern: every leaf is a list of which one must be there.
    fn matches(pattern: &Value, item: &Item) -> bool {
        let fits = |pattern: &Value, value: &AttributeValue| match (
            pattern.get("S"),
            pattern.get("M"),
            value,
        ) {
            (Some(words), _, AttributeValue::S(text)) => {
                words.as_array().expect("a list").contains(&json!(text))
            }
            (_, Some(fields), AttributeValue::M(map)) => matches(fields, map),
            _ => false,
        };
        pattern
            .as_object()
            .expect("an object")
            .iter()
            .all(|(name, pattern)| item.get(name).is_some_and(|value| fits(pattern, value)))
    }

    fn is_news(before: &Session, after: &Session) -> bool {
        let row = |session: &Session| to_item("test", &SessionRow::from(session)).expect("written");
        let (before, after) = (row(before), row(after));
        departures().iter().any(|pattern| {
            let images = &pattern["dynamodb"];
            matches(&images["OldImage"], &before) && matches(&images["NewImage"], &after)
        })
    }

    #[test]
    fn stream_reports_exactly_pool_departures() {
        let endpoint = || Endpoint {
            host: "10.0.0.1".into(),
            port: 8080,
        };
        let task = TaskRef {
            arn: "a".into(),
            status: TaskStatus::Running,
            version: 1,
            times: casting_core::session::TaskTimes::default(),
        };
        let reserved = staged();
        let starting = reserved.started(task).expect("starts");
        let ready = starting.ready(endpoint(), NOON).expect("gets ready");
        let stopping = ready.stopping(EndReason::NotNeeded, NOON).expect("stops");
        let assigned = ready
            .assigned(&session(&cast(1), 1))
            .expect("is given away");
        let given_up = assigned.given_up(NOON).expect("is given up");
        let lost = |row: &Session| row.ended(EndReason::TaskLost, NOON).expect("ends");
        let own = session(&cast(1), 2);
        let own_ready = own.ready(endpoint(), NOON).expect("gets ready");
        let rows = [
            &reserved, &starting, &ready, &stopping, &assigned, &given_up, &own,
        ];
        for (name, before, after) in [
            ("starts", &reserved, &starting),
            ("gets ready", &starting, &ready),
            ("is given away", &ready, &assigned),
            ("stops", &ready, &stopping),
            ("ends while it starts", &starting, &lost(&starting)),
            ("is refused", &reserved, &lost(&reserved)),
            ("ends at once", &ready, &lost(&ready)),
            ("ends after it was stopped", &stopping, &lost(&stopping)),
            ("is given up", &assigned, &given_up),
            ("ends after it was given up", &given_up, &lost(&given_up)),
            ("ends, of a visitor", &assigned, &lost(&assigned)),
            ("a visitor's own gets ready", &own, &own_ready),
            ("a visitor's own ends", &own_ready, &lost(&own_ready)),
        ] {
            let left = before.idle_pool().is_some() && after.idle_pool().is_none();
            assert_eq!(is_news(before, after), left, "{name}");
        }
        assert!(
            rows.iter().all(|row| !is_news(row, row)),
            "what does not change is none"
        );
    }
}

//! Owns event buses (EventBridge) as receivers of events: how one is named, which of them hooks may
//! name, and what a bus gets. Must not know how it is called.

use std::fmt;

use crate::delivery::Delivery;
use crate::time::Timestamp;

/// The `source` of every event on a bus.
pub const SOURCE: &str = "session-casting";

/// What the ARN of anything in AWS begins with.
const ARN: &str = "arn:";
/// The longest name of an event bus, in characters.
const NAME_CHARS: usize = 256;
const NOT_A_BUS: &str = "must be the ARN of an event bus, such as \
                         arn:aws:events:eu-central-1:111122223333:event-bus/casting.";

/// The ARN of an event bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventBusArn(String);

impl EventBusArn {
    /// Reads `arn:PARTITION:events:REGION:ACCOUNT:event-bus/NAME`.
    ///
    /// # Errors
    /// One plain sentence that follows on the field's name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "events", region, account, bus] = parts[..] else {
            return Err(NOT_A_BUS.to_owned());
        };
        let name = bus.strip_prefix("event-bus/").unwrap_or_default();
        let is_word = |text: &str, fits: fn(u8) -> bool| !text.is_empty() && text.bytes().all(fits);
        let of_region = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let of_name =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'/');
        let fits = is_word(partition, of_region)
            && is_word(region, of_region)
            && is_word(account, |byte| byte.is_ascii_digit())
            && account.len() == 12
            && is_word(name, of_name)
            && name.len() <= NAME_CHARS;
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(NOT_A_BUS.to_owned())
        }
    }

    /// The region that the bus is in.
    pub fn region(&self) -> &str {
        self.0.split(':').nth(3).unwrap_or_default()
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventBusArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a receiver is meant as an event bus, and not as a server.
pub fn is_bus(receiver: &str) -> bool {
    receiver.starts_with(ARN)
}

/// Whether a hook may name this receiver in a deployment that may send to the bus `allowed`. Where
/// servers may be is judged when they are called.
///
/// # Errors
/// One plain sentence that follows on the field's name.
pub fn check(receiver: &str, allowed: Option<&EventBusArn>) -> Result<(), String> {
    match allowed {
        _ if !is_bus(receiver) => Ok(()),
        Some(bus) if bus.as_str() == receiver => Ok(()),
        Some(bus) => Err(format!(
            "is not the event bus that this deployment sends to: give {bus}, or an https address."
        )),
        None => Err(
            "is an event bus, and this deployment sends to none: name it in the stack's parameter \
             EventBusArn, or give an https address."
                .to_owned(),
        ),
    }
}

/// One event as a bus gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusEvent {
    /// Its type (`detail-type`).
    pub kind: &'static str,
    /// When it happened.
    pub at: Timestamp,
    /// JSON: the body of a webhook, and the id of the event.
    pub detail: String,
}

impl BusEvent {
    /// The event of this delivery, the same at every try.
    pub fn of(row: &Delivery) -> Self {
        Self {
            kind: row.kind.as_str(),
            at: row.at,
            detail: row.detail(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::hook::{HookEvent, HookId};
    use crate::testing::NOON;

    const BUS: &str = "arn:aws:events:eu-central-1:111122223333:event-bus/casting";

    #[test]
    fn arn_of_an_event_bus_is_read_and_no_other() {
        let longest = format!("{}{}", &BUS[..BUS.len() - 7], "n".repeat(NAME_CHARS));
        let longer = format!("{longest}n");
        for (name, text, region) in [
            ("a bus", BUS, Some("eu-central-1")),
            (
                "the account's own",
                "arn:aws:events:us-east-1:111122223333:event-bus/default",
                Some("us-east-1"),
            ),
            (
                "China",
                "arn:aws-cn:events:cn-north-1:111122223333:event-bus/a",
                Some("cn-north-1"),
            ),
            (
                "all characters of names",
                "arn:aws:events:us-gov-west-1:111122223333:event-bus/a/B.c-d_9",
                Some("us-gov-west-1"),
            ),
            ("the longest name", &longest, Some("eu-central-1")),
            ("a longer name", &longer, None),
            ("no name", &BUS[..BUS.len() - 7], None),
            (
                "a rule",
                "arn:aws:events:eu-central-1:111122223333:rule/casting",
                None,
            ),
            (
                "another service",
                "arn:aws:sqs:eu-central-1:111122223333:event-bus/casting",
                None,
            ),
            (
                "no region",
                "arn:aws:events::111122223333:event-bus/casting",
                None,
            ),
            (
                "no account",
                "arn:aws:events:eu-central-1::event-bus/casting",
                None,
            ),
            (
                "a short account",
                "arn:aws:events:eu-central-1:1111:event-bus/casting",
                None,
            ),
            (
                "a wildcard",
                "arn:aws:events:eu-central-1:111122223333:event-bus/*",
                None,
            ),
            (
                "a region that spells a host",
                "arn:aws:events:example.com/:111122223333:event-bus/casting",
                None,
            ),
            ("a server", "https://example.com/hook", None),
            ("nothing", "", None),
        ] {
            let read = EventBusArn::parse(text).ok();
            assert_eq!(read.as_ref().map(EventBusArn::region), region, "{name}");
        }
        let spaced = EventBusArn::parse(&format!(" {BUS}\n")).expect("a bus");
        assert_eq!(spaced.as_str(), BUS);
    }

    #[test]
    fn only_the_bus_of_the_deployment_may_be_named() {
        let own = EventBusArn::parse(BUS).expect("a bus");
        let other = "arn:aws:events:eu-central-1:111122223333:event-bus/other";
        let longer = format!("{BUS}2");
        for (name, receiver, allowed, says) in [
            ("a server", "https://example.com/", None, None),
            (
                "a server beside a bus",
                "https://example.com/",
                Some(&own),
                None,
            ),
            ("its own bus", BUS, Some(&own), None),
            ("another bus", other, Some(&own), Some(BUS)),
            (
                "a bus whose name goes on",
                longer.as_str(),
                Some(&own),
                Some(BUS),
            ),
            ("a bus where none is", BUS, None, Some("EventBusArn")),
            ("no bus at all", "arn:aws:sqs:a:1:b", Some(&own), Some(BUS)),
        ] {
            let checked = check(receiver, allowed);
            assert_eq!(checked.is_err(), says.is_some(), "{name}");
            let sentence = checked.err().unwrap_or_default();
            assert!(
                sentence.contains(says.unwrap_or_default()),
                "{name}: {sentence}"
            );
        }
    }

    #[test]
    fn event_on_a_bus_has_the_body_of_a_webhook_and_its_id() {
        let (hook, data) = (HookId::Deployment, json!({"session": "s1"}));
        let row = Delivery::new(hook, "s1-claimed".into(), HookEvent::Claimed, NOON, data);
        let event = BusEvent::of(&row);
        assert_eq!((event.kind, event.at), ("session.claimed", NOON));
        let mut detail: Value = serde_json::from_str(&event.detail).expect("JSON");
        let id = detail.as_object_mut().and_then(|all| all.remove("id"));
        assert_eq!(id, Some(json!("s1-claimed")));
        let body: Value = serde_json::from_str(&row.body()).expect("JSON");
        assert_eq!(detail, body);
    }
}

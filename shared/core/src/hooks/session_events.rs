//! Owns which events a move of a session is, and what is in them. Must not know who receives them or how.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cast::Cast;
use crate::delivery::Delivery;
use crate::deployment::DeploymentSettings;
use crate::hook::{HookEvent, HookId};
use crate::image::Image;
use crate::pricing;
use crate::session::{Owner, Session, State};
use crate::time::Timestamp;

/// The events of a session that hooks subscribe to, as they were set at its claim. Empty for nearly all: then
/// its moves write nothing for hooks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscriptions {
    /// Those of the link's hook.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    link: Vec<HookEvent>,
    /// Those of the deployment's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deployment: Vec<HookEvent>,
    /// What an hour of the session costs, in millionths of a dollar, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hour: Option<u64>,
}

/// The events of sessions.
const OF_SESSIONS: [HookEvent; 4] = [
    HookEvent::Claimed,
    HookEvent::Ready,
    HookEvent::Entered,
    HookEvent::Ended,
];

impl Subscriptions {
    /// Of a claim of this link now.
    pub(crate) fn of(cast: &Cast, deployment: &DeploymentSettings, image: &Image) -> Self {
        let chosen = |hook: &crate::hook::Hook| -> Vec<HookEvent> {
            let wanted = OF_SESSIONS.into_iter().filter(|event| hook.wants(*event));
            wanted.collect()
        };
        let mut subscribed = Self {
            link: chosen(&cast.settings.hook),
            deployment: chosen(&deployment.hook),
            hour: None,
        };
        if !subscribed.is_empty() {
            subscribed.hour = pricing::session_hour(image);
        }
        subscribed
    }

    /// Whether no hook subscribes to any.
    pub fn is_empty(&self) -> bool {
        self.link.is_empty() && self.deployment.is_empty()
    }
}

impl Session {
    /// The deliveries that the move from `before` to this row begins; `None` is its claim. They are
    /// written with the row, so that no event is lost and none is invented.
    pub fn deliveries(&self, before: Option<&Self>) -> Vec<Delivery> {
        if self.subscriptions.is_empty() {
            return Vec::new();
        }
        let events = self.events(before);
        let link = HookId::Cast(self.cast_id.clone());
        let of = |hook: HookId, wanted: &[HookEvent]| {
            let events = events.iter().filter(|(event, _)| wanted.contains(event));
            let delivery = |(event, at): &(HookEvent, Timestamp)| {
                // A claim keeps its id when it is given another session.
                let name = event.as_str().rsplit('.').next().unwrap_or_default();
                let id = format!("{}-{name}", self.claim_id());
                Delivery::new(hook.clone(), id, *event, *at, self.event_data(*at))
            };
            events.map(delivery).collect::<Vec<_>>()
        };
        let mut all = of(link, &self.subscriptions.link);
        all.extend(of(HookId::Deployment, &self.subscriptions.deployment));
        all
    }

    fn events(&self, before: Option<&Self>) -> Vec<(HookEvent, Timestamp)> {
        let mut events = Vec::new();
        if before.is_none() {
            events.push((HookEvent::Claimed, self.created_at));
        }
        let was = |is: fn(&State) -> bool| before.is_some_and(|before| is(&before.state));
        if let State::Ready { at, .. } = &self.state
            && !was(|state| matches!(state, State::Ready { .. }))
        {
            events.push((HookEvent::Ready, *at));
        }
        if let Some(at) = self.entered_at
            && before.is_none_or(|before| before.entered_at.is_none())
        {
            events.push((HookEvent::Entered, at));
        }
        if let State::Ended { at, .. } = &self.state
            && !was(|state| matches!(state, State::Ended { .. }))
        {
            events.push((HookEvent::Ended, *at));
        }
        events
    }

    /// The session as a receiver gets it: no key of the link, no token, and of the address the
    /// hash that the ledger has.
    fn event_data(&self, now: Timestamp) -> Value {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
        let (user, is_anonymous) = match &self.owner {
            Owner::User { id, name } => (Some(json!({ "id": id, "name": name })), false),
            owner => (owner.id().map(|id| json!({ "id": id })), true),
        };
        let (ended_at, reason, refunded) = match &self.state {
            State::Ended {
                at,
                reason,
                refunded,
            } => (Some(*at), Some(reason.as_str()), Some(*refunded)),
            _ => (None, None, None),
        };
        let invitation = self.invitation.as_ref();
        let cost = self.subscriptions.hour.map(|hour| {
            let millionths = pricing::cost_so_far(&self.into(), hour, now);
            // Exact to a hundredth of a cent.
            (millionths / 100) as f64 / 100.0
        });
        json!({
            "session": self.id,
            "claim": self.claim_id(),
            "link": { "id": self.cast_id, "name": self.cast_name },
            "image": { "id": self.launch.image_id, "name": self.launch.image_name },
            "user": user,
            "anonymous": is_anonymous,
            "address": self.origin.address,
            "referrer": self.origin.referrer,
            "invitation": invitation.map(|one| json!({ "name": one.name, "label": one.label })),
            "state": self.state.as_str(),
            "claimed_at": self.created_at.to_string(),
            "ready_at": time(self.ready_at),
            "entered_at": time(self.entered_at),
            "ended_at": time(ended_at),
            "reason": reason,
            "refunded": refunded,
            "cost_cents": cost,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook::Hook;
    use crate::session::{EndReason, Endpoint};
    use crate::testing::{NOON, cast, image, session};

    fn on(events: &[HookEvent]) -> Hook {
        Hook {
            enabled: true,
            url: Some("https://example.com/".into()),
            events: events.iter().copied().collect(),
        }
    }

    /// A session of a link that wants everything, in a deployment that wants ends.
    fn subscribed() -> Session {
        let mut cast = cast(1);
        cast.settings.hook = on(&[]);
        let deployment = DeploymentSettings {
            hook: on(&[HookEvent::Ended]),
            ..DeploymentSettings::default()
        };
        Session {
            subscriptions: Subscriptions::of(&cast, &deployment, &image(1)),
            ..session(&cast, 1)
        }
    }

    fn said(after: &Session, before: Option<&Session>) -> Vec<String> {
        let deliveries = after.deliveries(before);
        deliveries
            .iter()
            .map(|one| {
                let hook = match one.hook {
                    HookId::Deployment => "deployment",
                    HookId::Cast(_) => "link",
                };
                format!("{hook} {}", one.kind.as_str())
            })
            .collect()
    }

    #[test]
    fn each_move_tells_its_own_event_once() {
        let endpoint = Endpoint {
            host: "10.0.0.1".into(),
            port: 8080,
        };
        let claimed = subscribed();
        let ready = claimed.ready(endpoint, NOON).expect("gets ready");
        let entered = ready.entered(NOON).expect("is entered");
        let looked = entered.checked(NOON);
        let stopping = entered.stopping(EndReason::Owner, NOON).expect("stops");
        let ended = stopping.ended(EndReason::Owner, NOON).expect("ends");
        let refused = claimed.ended(EndReason::NoCapacity, NOON).expect("ends");
        let ends: &[&str] = &["link session.ended", "deployment session.ended"];
        for (name, before, after, expected) in [
            ("claimed", None, &claimed, &["link session.claimed"][..]),
            ("ready", Some(&claimed), &ready, &["link session.ready"]),
            ("entered", Some(&ready), &entered, &["link session.entered"]),
            ("looked after", Some(&entered), &looked, &[]),
            ("stopping", Some(&entered), &stopping, &[]),
            ("ended", Some(&stopping), &ended, ends),
            ("ended before it was ready", Some(&claimed), &refused, ends),
            ("nothing", Some(&ended), &ended, &[]),
        ] {
            assert_eq!(said(after, before), expected, "{name}");
        }
        let plain = session(&cast(1), 1);
        assert!(plain.deliveries(None).is_empty(), "no hook, no event");
    }

    #[test]
    fn id_of_an_event_follows_from_claim_and_event() {
        let claimed = subscribed();
        let ended = claimed.ended(EndReason::NoCapacity, NOON).expect("ends");
        let [link, deployment] = &ended.deliveries(Some(&claimed))[..] else {
            panic!("two hooks");
        };
        assert_eq!(link.event, format!("{}-ended", claimed.id));
        assert_eq!(link.event, deployment.event);
        assert_ne!(link.id, deployment.id);
        let of_pool = Session {
            id: session(&cast(1), 9).id,
            claim: Some(claimed.id.clone()),
            ..ended.clone()
        };
        assert_eq!(of_pool.deliveries(Some(&claimed))[0].event, link.event);
    }

    #[test]
    fn data_names_no_key_and_no_token() {
        let claimed = subscribed();
        let ended = claimed.ended(EndReason::NoCapacity, NOON).expect("ends");
        let data = ended.deliveries(Some(&claimed))[0].data.clone();
        assert_eq!(
            (&data["reason"], &data["refunded"], &data["state"]),
            (&json!("no-capacity"), &json!(true), &json!("ended"))
        );
        assert_eq!(data["link"]["name"], json!(claimed.cast_name));
        assert!(
            !data.to_string().contains(claimed.cast_key.as_str()),
            "{data}"
        );
    }
}

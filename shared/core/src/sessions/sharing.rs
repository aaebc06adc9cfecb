//! Owns whether a session is shared, and its lobby: who asks to watch, and what the owner has
//! answered. Must not know how anybody is told, or what a gate allows those who are let in.
//!
//! The lobby is a part of the session's row, so each change is one conditional write of that row,
//! and it is bounded: strangers fill it.

use serde::{Deserialize, Serialize};

use crate::ids::{Entropy, random_bytes};
use crate::session_options::{LobbyDirectives, WaitingViewer};
use crate::time::Timestamp;

/// How many can wait at a time. More than an owner reads, and less than a flood.
pub const MOST_WAITING: usize = 10;
/// For how long a request waits for its answer, in seconds.
pub const WAITING_SECONDS: u64 = 300;
/// For how long somebody who was turned away is told so before they can ask again, in seconds.
pub const TURNED_AWAY_SECONDS: u64 = 60;
/// How many answers of each kind are remembered: as many as may watch at a time.
const MOST_ANSWERED: usize = 20;

/// Whether a session is shared now (seed: Enable Sharing).
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sharing {
    /// The round of sharing, which grows whenever sharing is turned on: tickets of earlier rounds
    /// are invalid.
    pub round: u32,
    /// The token in the share link; `None` while the session is not shared.
    #[serde(default)]
    pub token: Option<String>,
    /// Who asks to watch.
    #[serde(default, skip_serializing_if = "Lobby::is_unused")]
    pub lobby: Lobby,
}

impl Sharing {
    /// Starts sharing with a new link.
    #[must_use]
    pub fn begun(&self, entropy: &dyn Entropy) -> Self {
        Self {
            round: self.round + 1,
            token: Some(format!(
                "{:032x}",
                u128::from_be_bytes(random_bytes(entropy))
            )),
            lobby: self.lobby.emptied(),
        }
    }

    /// Not shared any more.
    #[must_use]
    pub fn ended(&self) -> Self {
        Self {
            round: self.round,
            token: None,
            lobby: self.lobby.emptied(),
        }
    }

    /// The same with this lobby.
    #[must_use]
    pub fn with_lobby(&self, lobby: Lobby) -> Self {
        Self {
            lobby,
            ..self.clone()
        }
    }
}

/// What has become of a request to watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestState {
    /// The owner has not answered yet.
    Waiting,
    /// The owner has let them in.
    Admitted,
    /// The owner has turned them away, or removed them.
    TurnedAway,
}

/// One request to watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct WatchRequest {
    #[serde(flatten)]
    viewer: WaitingViewer,
    state: RequestState,
    /// Since when it is in this state.
    since: Timestamp,
}

impl WatchRequest {
    /// Whether it is over because of its age.
    fn is_over(&self, now: Timestamp) -> bool {
        let seconds = match self.state {
            RequestState::Waiting => WAITING_SECONDS,
            RequestState::TurnedAway => TURNED_AWAY_SECONDS,
            RequestState::Admitted => return false,
        };
        self.since.plus_seconds(seconds) <= now
    }
}

/// The lobby of a shared session.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lobby {
    /// What the owner has switched it to; `None`: as the link has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    switched: Option<bool>,
    /// Grows with each change.
    #[serde(default)]
    version: u64,
    /// In the order in which they came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    requests: Vec<WatchRequest>,
}

/// What came of a request to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It waits from now on, in this lobby.
    Waits(Lobby),
    /// It was made before.
    Known,
    /// As many wait as may.
    Full,
}

impl Lobby {
    /// Whether it has never been used.
    pub(crate) fn is_unused(&self) -> bool {
        *self == Self::default()
    }

    /// Whether viewers wait until they are let in. `usual`: as the link has it.
    pub fn is_on(&self, usual: bool) -> bool {
        self.switched.unwrap_or(usual)
    }

    /// The owner switches it; `None` when it is so already.
    pub fn switched(&self, on: bool, usual: bool) -> Option<Self> {
        (self.is_on(usual) != on).then(|| Self {
            switched: Some(on),
            version: self.version + 1,
            requests: self.requests.clone(),
        })
    }

    /// What has become of the request with this id, and the name in it; `None` when there is none,
    /// or none any more.
    pub fn find(&self, id: &str, now: Timestamp) -> Option<(RequestState, &WaitingViewer)> {
        let found = self.requests.iter().find(|one| one.viewer.id == id);
        found
            .filter(|one| !one.is_over(now))
            .map(|one| (one.state, &one.viewer))
    }

    /// Somebody asks to watch.
    pub fn asked(&self, viewer: WaitingViewer, now: Timestamp) -> Asked {
        if self.find(&viewer.id, now).is_some() {
            return Asked::Known;
        }
        let mut requests = self.current(now);
        let is_waiting = |one: &&WatchRequest| one.state == RequestState::Waiting;
        if requests.iter().filter(is_waiting).count() >= MOST_WAITING {
            return Asked::Full;
        }
        requests.push(WatchRequest {
            viewer,
            state: RequestState::Waiting,
            since: now,
        });
        Asked::Waits(self.with(requests))
    }

    /// The owner lets somebody in who waits, or turns them away; who was let in can be removed.
    /// `None` when there is nobody to answer.
    pub fn answered(&self, id: &str, admit: bool, now: Timestamp) -> Option<Self> {
        let mut requests = self.current(now);
        let one = requests.iter_mut().find(|one| one.viewer.id == id)?;
        one.state = match (one.state, admit) {
            (RequestState::Waiting, true) => RequestState::Admitted,
            (RequestState::Waiting | RequestState::Admitted, false) => RequestState::TurnedAway,
            (RequestState::Admitted | RequestState::TurnedAway, _) => return None,
        };
        one.since = now;
        for state in [RequestState::Admitted, RequestState::TurnedAway] {
            keep_newest(&mut requests, state);
        }
        Some(self.with(requests))
    }

    /// Nobody waits, and nobody has been let in: a new round of sharing, or the end.
    #[must_use]
    pub fn emptied(&self) -> Self {
        if self.requests.is_empty() {
            return self.clone();
        }
        self.with(Vec::new())
    }

    /// What the gate shows to the owner. `usual`: as the link has it.
    pub fn directives(&self, usual: bool, now: Timestamp) -> LobbyDirectives {
        let on = self.is_on(usual);
        let waiting = self
            .requests
            .iter()
            .filter(|one| on && one.state == RequestState::Waiting && !one.is_over(now));
        LobbyDirectives {
            on,
            version: self.version,
            waiting: waiting.map(|one| one.viewer.clone()).collect(),
        }
    }

    fn current(&self, now: Timestamp) -> Vec<WatchRequest> {
        let current = self.requests.iter().filter(|one| !one.is_over(now));
        current.cloned().collect()
    }

    fn with(&self, requests: Vec<WatchRequest>) -> Self {
        Self {
            switched: self.switched,
            version: self.version + 1,
            requests,
        }
    }
}

/// Forgets the oldest answers of this kind, when there are too many.
fn keep_newest(requests: &mut Vec<WatchRequest>, state: RequestState) {
    let of_kind = requests.iter().filter(|one| one.state == state);
    let Some(too_many) = of_kind.clone().count().checked_sub(MOST_ANSWERED) else {
        return;
    };
    let mut times: Vec<Timestamp> = of_kind.map(|one| one.since).collect();
    times.sort_unstable();
    let mut left = too_many;
    for time in times.into_iter().take(too_many) {
        requests.retain(|one| {
            let goes = left > 0 && one.state == state && one.since == time;
            left -= usize::from(goes);
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOON, SeededEntropy};
    use crate::ticket::WatcherKind;

    fn viewer(id: &str) -> WaitingViewer {
        WaitingViewer {
            id: id.into(),
            name: id.to_uppercase(),
            kind: WatcherKind::Guest,
        }
    }

    fn asked(lobby: &Lobby, id: &str, now: Timestamp) -> Lobby {
        match lobby.asked(viewer(id), now) {
            Asked::Waits(lobby) => lobby,
            other => panic!("{id}: {other:?}"),
        }
    }

    fn waiting(lobby: &Lobby, now: Timestamp) -> Vec<String> {
        let shown = lobby.directives(true, now).waiting;
        shown.into_iter().map(|one| one.id).collect()
    }

    #[test]
    fn each_share_has_its_own_link_and_an_empty_lobby() {
        let entropy = SeededEntropy::new(1);
        let first = Sharing::default().begun(&entropy);
        let first = first.with_lobby(asked(&first.lobby, "ann", NOON));
        let second = first.ended().begun(&entropy);
        assert_eq!(
            (first.round, second.round, first.ended().token),
            (1, 2, None)
        );
        assert!(first.token.is_some() && first.token != second.token);
        assert_eq!(waiting(&first.lobby, NOON), ["ann"]);
        assert!(waiting(&second.lobby, NOON).is_empty());
        assert_eq!(second.lobby.find("ann", NOON), None);
        assert!(second.lobby.version > first.lobby.version);
    }

    #[test]
    fn request_is_answered_by_its_owner_in_time() {
        use RequestState::{Admitted, TurnedAway, Waiting};
        const IN: (bool, u64) = (true, 1);
        const AWAY: (bool, u64) = (false, 1);
        // The answers with their seconds after the last step, whether the last one counts, then
        // how many seconds later the request is looked at, and what has become of it.
        for (case, answers, counts, later, state) in [
            ("nobody has answered", vec![], true, 299, Some(Waiting)),
            ("nobody has answered for long", vec![], true, 300, None),
            ("let in", vec![IN], true, 1, Some(Admitted)),
            ("let in, hours ago", vec![IN], true, 20_000, Some(Admitted)),
            (
                "let in at the last second",
                vec![(true, 299)],
                true,
                0,
                Some(Admitted),
            ),
            ("let in too late", vec![(true, 300)], false, 0, None),
            ("turned away", vec![AWAY], true, 59, Some(TurnedAway)),
            ("turned away before", vec![AWAY], true, 60, None),
            ("turned away too late", vec![(false, 300)], false, 0, None),
            ("let in twice", vec![IN, IN], false, 0, Some(Admitted)),
            ("removed", vec![IN, AWAY], true, 0, Some(TurnedAway)),
            (
                "removed twice",
                vec![IN, AWAY, AWAY],
                false,
                0,
                Some(TurnedAway),
            ),
            (
                "let in after all",
                vec![AWAY, IN],
                false,
                0,
                Some(TurnedAway),
            ),
        ] {
            let (mut lobby, mut now) = (asked(&Lobby::default(), "ann", NOON), NOON);
            let mut counted = true;
            for (admit, after) in answers {
                now = now.plus_seconds(after);
                let answered = lobby.answered("ann", admit, now);
                counted = answered.is_some();
                assert!(
                    answered
                        .as_ref()
                        .is_none_or(|after| after.version > lobby.version)
                );
                lobby = answered.unwrap_or(lobby);
            }
            let now = now.plus_seconds(later);
            let found = lobby.find("ann", now).map(|(state, _)| state);
            assert_eq!((counted, found), (counts, state), "{case}");
            let waits = state == Some(Waiting);
            assert_eq!(!waiting(&lobby, now).is_empty(), waits, "{case}");
            assert_eq!(lobby.answered("bob", true, now), None, "{case}: another");
        }
    }

    #[test]
    fn flood_fills_only_its_places_until_they_are_answered_or_over() {
        let ids: Vec<String> = (0..MOST_WAITING).map(|n| n.to_string()).collect();
        let full = ids
            .iter()
            .fold(Lobby::default(), |lobby, id| asked(&lobby, id, NOON));
        assert_eq!(waiting(&full, NOON), ids, "in their order");
        assert_eq!(full.asked(viewer("late"), NOON), Asked::Full);
        assert_eq!(
            full.asked(viewer("0"), NOON),
            Asked::Known,
            "a second click"
        );
        let over = NOON.plus_seconds(WAITING_SECONDS);
        for (case, lobby, now) in [
            ("one is let in", full.answered("3", true, NOON), NOON),
            ("one is turned away", full.answered("3", false, NOON), NOON),
            ("all are over", Some(full.clone()), over),
        ] {
            let lobby = asked(&lobby.expect("answered"), "late", now);
            assert!(waiting(&lobby, now).contains(&"late".to_owned()), "{case}");
            assert!(lobby.requests.len() <= MOST_WAITING + 1, "{case}");
        }
    }

    #[test]
    fn oldest_answers_are_forgotten() {
        for (admit, state) in [
            (true, RequestState::Admitted),
            (false, RequestState::TurnedAway),
        ] {
            let mut lobby = asked(&Lobby::default(), "kept", NOON);
            lobby = lobby.answered("kept", !admit, NOON).expect("waits");
            for n in 0..=MOST_ANSWERED {
                let id = n.to_string();
                lobby = asked(&lobby, &id, NOON);
                lobby = lobby.answered(&id, admit, NOON).expect("waits");
            }
            assert_eq!(lobby.requests.len(), MOST_ANSWERED + 1);
            assert_eq!(lobby.find("0", NOON), None, "{state:?}");
            assert_eq!(lobby.find("1", NOON).map(|(state, _)| state), Some(state));
            assert!(
                lobby.find("kept", NOON).is_some(),
                "{state:?}: of the other kind"
            );
        }
    }

    #[test]
    fn owner_switches_what_the_link_has_set() {
        for (usual, switched, on) in [
            (false, None, false),
            (true, None, true),
            (false, Some(true), true),
            (true, Some(false), false),
        ] {
            let lobby = asked(&Lobby::default(), "ann", NOON);
            let lobby = switched.map_or(lobby.clone(), |on| {
                lobby.switched(on, usual).expect("a change")
            });
            let shown = lobby.directives(usual, NOON);
            assert_eq!(shown.on, on, "{usual} {switched:?}");
            assert_eq!(shown.waiting.len(), usize::from(on), "{usual} {switched:?}");
            assert_eq!(
                lobby.switched(on, usual),
                None,
                "{usual} {switched:?}: as it is"
            );
        }
        let unused = serde_json::to_value(Sharing::default()).expect("JSON");
        assert!(unused.get("lobby").is_none(), "{unused}");
    }
}

//! Owns the list of a cast's claims: the accepted ones are its sessions, the refused ones are counted by the hour. Must not know why any was refused.

use casting_core::denial::DenialCode;
use casting_core::ports::{RefusalCount, Store};
use casting_core::time::Timestamp;
use casting_web::{Mistake, Problem, Reply, reply};
use http::StatusCode;
use serde_json::{Value, json};

use crate::call::Call;
use crate::casts;
use crate::failure::Failure;
use crate::paging::{self, Paging};
use crate::sessions;

/// How far back refusals are shown when nobody says how far, in seconds.
const DAY: u64 = 86_400;

/// `/casts/{id}/claims`: `accepted` is a page of sessions, the newest first; `refused` has the hourly counts since `?since=` (a day ago), with a
/// few samples each. Works for deleted casts too. The id `unknown` stands for keys that no cast has.
pub(crate) async fn list<S: Store, L>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let store = &call.casting.store;
    let paging = Paging::of(call.visit)?;
    let since = since(call.visit.query("since").as_deref(), call.casting.clock.now())?;
    let hour = since.seconds().div_euclid(3600) * 3600;
    let (accepted, refused) = if call.id == "unknown" {
        (json!({ "items": [], "next": null }), store.refusals(None, hour).await?)
    } else {
        let cast = casts::parse_id(call.id)?;
        let page = paging.checked(store.sessions(Some(&cast), paging.cursor.as_deref(), paging.limit).await)?;
        // The refusals are the same on every page of the sessions, so only the first one carries them.
        let refused = if paging.cursor.is_none() { store.refusals(Some(&cast), hour).await? } else { Vec::new() };
        (paging::document(&page, sessions::view), refused)
    };
    let refused: Vec<Value> = refused.iter().map(view).collect();
    Ok(reply::json(StatusCode::OK, &json!({ "accepted": accepted, "refused": refused })))
}

fn since(text: Option<&str>, now: Timestamp) -> Result<Timestamp, Problem> {
    match text {
        None => Ok(now.minus_seconds(DAY)),
        Some(text) => Timestamp::parse(text)
            .ok_or_else(|| Problem::new(Mistake::BadRequest).detail("\u{201c}since\u{201d} must be a time such as 2026-12-31T18:00:00Z.")),
    }
}

fn view(refused: &RefusalCount) -> Value {
    let samples = refused.samples.iter().map(|sample| {
        json!({
            "at": sample.at.to_string(),
            "ref": sample.reference,
            "address_hash": sample.address,
            "referrer": sample.referrer,
        })
    });
    json!({
        "hour": Timestamp::from_millis(refused.hour * 1000).to_string(),
        "code": refused.code,
        "title": DenialCode::parse(&refused.code).map(DenialCode::title),
        "count": refused.count,
        "samples": samples.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use casting_core::ids::Reference;
    use casting_core::ports::RefusalSample;
    use casting_core::testing::NOON;

    use super::*;

    #[test]
    fn an_hour_of_refusals_is_shown_with_its_samples() {
        let sample = RefusalSample {
            at: NOON,
            reference: Reference::parse("k3f7-2mqa").expect("a reference"),
            address: "hash".into(),
            referrer: Some("acme.com".into()),
        };
        let refused = RefusalCount { cast_id: None, hour: NOON.seconds(), code: "ip-limit".into(), count: 12, samples: vec![sample] };
        let expected = json!({
            "hour": "2026-11-23T12:00:00Z",
            "code": "ip-limit",
            "title": "Too many sessions from your network",
            "count": 12,
            "samples": [{ "at": "2026-11-23T12:00:00Z", "ref": "k3f7-2mqa", "address_hash": "hash", "referrer": "acme.com" }],
        });
        assert_eq!(view(&refused), expected);
    }

    #[test]
    fn the_last_day_is_shown_unless_another_time_is_named() {
        assert_eq!(since(None, NOON), Ok(NOON.minus_seconds(DAY)));
        assert_eq!(since(Some("2026-11-23T12:00:00Z"), Timestamp::from_millis(0)), Ok(NOON));
        assert!(since(Some("yesterday"), NOON).is_err());
    }
}

//! Owns the administrators' view of claims: accepted ones are sessions, refused ones are counted by
//! the hour with a few samples. Must not know why any was refused.

use crate::FoundRefusal;
use crate::denial::DenialCode;
use crate::form::TextType;
use crate::ids::{CastId, Reference};
use crate::json_schema;
use crate::ports::{Page, RefusalCount, RefusalSample};
use crate::queries::{SessionQuery, SessionsOf};
use crate::session::Session;
use crate::time::Timestamp;
use futures_util::try_join;
use serde_json::{Value, json};

use crate::admin::error::AdminError;
use crate::admin::sessions::{self, Outcome, SessionsAsked};
use crate::admin::{AdminService, filtered};

/// How many hourly rows of refusals one answer has at most.
const REFUSED_ROWS: usize = 1000;

/// Whose claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimsOf {
    /// All.
    All,
    /// Of one cast.
    Cast(CastId),
    /// With keys that no cast has; none of them was accepted.
    Unknown,
}

/// The outcome of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// It was accepted, with this outcome of its session.
    Accepted(Outcome),
    /// It was refused.
    Refused,
}

/// The filters of a list of claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimsAsked {
    /// Whose.
    pub of: ClaimsOf,
    /// At or after this time; for refusals, in or after its hour.
    pub since: Timestamp,
    /// Before this time.
    pub until: Timestamp,
    /// Only those with this outcome.
    pub outcome: Option<ClaimOutcome>,
    /// Only the one with this reference.
    pub reference: Option<Reference>,
    /// Only those that have all of these words in what identifies their session; of refused ones, in
    /// the sample's reference or referring host.
    pub search: Option<String>,
    /// Only those from the address with this hash; refused ones as far as they were sampled.
    pub address: Option<String>,
}

impl ClaimsAsked {
    /// All of them in a time.
    pub const fn between(of: ClaimsOf, since: Timestamp, until: Timestamp) -> Self {
        Self {
            of,
            since,
            until,
            outcome: None,
            reference: None,
            search: None,
            address: None,
        }
    }

    /// Whether a refusal that was sampled is asked for, by its words and address.
    fn has_sample(&self, sample: &RefusalSample) -> bool {
        let reference = std::iter::once(sample.reference.as_str());
        let known = reference.chain(sample.referrer.as_deref());
        let has = |search: &String| filtered::has_words(known.clone(), search);
        self.search.as_ref().is_none_or(has)
            && (self.address.as_ref()).is_none_or(|address| sample.address == *address)
    }
}

/// A page of accepted claims, and the refused ones of the same time.
pub struct Claims {
    /// The newest first.
    pub accepted: Page<Session>,
    /// The newest hour first; only with the first page, because they are the same on every one.
    pub refused: Vec<RefusalCount>,
}

impl Claims {
    /// As the API shows them.
    pub fn view(&self, service: &AdminService<'_>) -> Value {
        let accepted = self.accepted.items.iter();
        let accepted: Vec<Value> = accepted
            .map(|session| sessions::view_of(service, session))
            .collect();
        let refused: Vec<Value> = self.refused.iter().map(view_refused).collect();
        json!({ "accepted": { "items": accepted, "next": self.accepted.next }, "refused": refused })
    }
}

/// Until when claims were looked through, as the cursor of the page that follows says.
pub fn reached(next: &str) -> Option<Timestamp> {
    let (millis, _) = next.split_once('-')?;
    Some(Timestamp::from_millis(millis.parse().ok()?))
}

/// The claims. Works for deleted casts too.
pub async fn list(
    service: &AdminService<'_>,
    asked: &ClaimsAsked,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Claims, AdminError> {
    let wants_accepted =
        asked.outcome != Some(ClaimOutcome::Refused) && asked.of != ClaimsOf::Unknown;
    let wants_refused =
        cursor.is_none() && !matches!(asked.outcome, Some(ClaimOutcome::Accepted(_)));
    let accepted = async {
        if wants_accepted {
            accepted(service, asked, cursor, limit).await
        } else {
            Ok(Page {
                items: Vec::new(),
                next: None,
            })
        }
    };
    let refused = async {
        if wants_refused {
            refused(service, asked).await
        } else {
            Ok(Vec::new())
        }
    };
    let (accepted, refused) = try_join!(accepted, refused)?;
    Ok(Claims { accepted, refused })
}

/// A page of accepted claims.
pub async fn accepted(
    service: &AdminService<'_>,
    asked: &ClaimsAsked,
    cursor: Option<&str>,
    limit: u32,
) -> Result<Page<Session>, AdminError> {
    let of = if let ClaimsOf::Cast(cast) = &asked.of {
        SessionsOf::Cast(cast.clone())
    } else {
        SessionsOf::All
    };
    let cast = if let ClaimsOf::Cast(cast) = &asked.of {
        Some(cast)
    } else {
        None
    };
    let outcome = if let Some(ClaimOutcome::Accepted(outcome)) = asked.outcome {
        Some(outcome)
    } else {
        None
    };
    let query = SessionQuery {
        of,
        ..SessionQuery::default()
    }
    .between(asked.since, asked.until);
    if let Some(reference) = &asked.reference {
        // A reference contains its time, so a search by one needs no time range.
        let mut items = service
            .control_plane
            .store
            .sessions_by_reference(reference)
            .await?;
        items.retain(|session| {
            cast.is_none_or(|cast| session.cast_id == *cast)
                && outcome.is_none_or(|outcome| Outcome::of(&session.state) == outcome)
        });
        return Ok(Page { items, next: None });
    }
    let asked = SessionsAsked {
        query,
        outcome,
        search: asked.search.clone(),
        address: asked.address.clone(),
        ..SessionsAsked::default()
    };
    sessions::list(service, &asked, cursor, limit).await
}

async fn refused(
    service: &AdminService<'_>,
    asked: &ClaimsAsked,
) -> Result<Vec<RefusalCount>, AdminError> {
    if let Some(reference) = &asked.reference
        && let Some(found) = service.control_plane.find_refusal(reference).await?
    {
        return Ok(rows_of_refusal(found, reference, &asked.of));
    }
    let store = &service.control_plane.store;
    let hour = crate::hourly_stats::hour_of;
    let (since, until) = (
        hour(asked.since),
        hour(asked.until) + crate::hourly_stats::HOUR_SECONDS,
    );
    let mut rows = match &asked.of {
        ClaimsOf::Cast(cast) => store.refusals(Some(cast), since).await?,
        ClaimsOf::Unknown => store.refusals(None, since).await?,
        ClaimsOf::All => {
            let (mut rows, mut after) = (Vec::new(), None::<String>);
            while rows.len() < REFUSED_ROWS {
                let page = store
                    .all_refusals(since, until, after.as_deref(), 100)
                    .await?;
                rows.extend(page.items);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            rows
        }
    };
    rows.retain(|row| row.hour < until);
    if let Some(reference) = &asked.reference {
        // References of two groups were drawn at random until version 0.1; those that were sampled
        // are found in the rows.
        for row in &mut rows {
            row.samples.retain(|sample| sample.reference == *reference);
        }
        rows.retain(|row| !row.samples.is_empty());
    }
    if asked.search.is_some() || asked.address.is_some() {
        for row in &mut rows {
            row.samples.retain(|sample| asked.has_sample(sample));
            row.count = row.samples.len() as u64;
        }
        rows.retain(|row| !row.samples.is_empty());
    }
    rows.truncate(REFUSED_ROWS);
    Ok(rows)
}

/// One refusal that was found by its reference, as a row of its own: of each link that it may be of
/// (nearly always one), as far as these are asked for.
fn rows_of_refusal(found: FoundRefusal, reference: &Reference, of: &ClaimsOf) -> Vec<RefusalCount> {
    let FoundRefusal {
        facts,
        casts,
        sample,
    } = found;
    let sample = sample.unwrap_or_else(|| RefusalSample {
        at: facts.at,
        reference: reference.clone(),
        address: String::new(),
        referrer: None,
    });
    let mut links: Vec<Option<CastId>> = casts.into_iter().map(Some).collect();
    if links.is_empty() {
        links.push(None);
    }
    links.retain(|link| match of {
        ClaimsOf::All => true,
        ClaimsOf::Cast(cast) => link.as_ref() == Some(cast),
        ClaimsOf::Unknown => facts.link.is_none(),
    });
    let row = |cast_id| RefusalCount {
        cast_id,
        hour: crate::hourly_stats::hour_of(facts.at),
        code: facts.code.as_str().to_owned(),
        count: 1,
        samples: vec![sample.clone()],
    };
    links.into_iter().map(row).collect()
}

/// An hour's refusals for one reason, as the API shows them.
pub fn view_refused(refused: &RefusalCount) -> Value {
    let samples = refused.samples.iter().map(|sample| {
        json!({
            "at": sample.at.to_string(),
            "ref": sample.reference,
            "address_hash": Some(&sample.address).filter(|hash| !hash.is_empty()),
            "referrer": sample.referrer,
        })
    });
    json!({
        "cast_id": refused.cast_id,
        "hour": Timestamp::from_millis(refused.hour * 1000).to_string(),
        "code": refused.code,
        "title": DenialCode::parse(&refused.code).map(DenialCode::title),
        "count": refused.count,
        "samples": samples.collect::<Vec<_>>(),
    })
}

/// The JSON Schema of [`Claims::view`]; `session` is the schema of an accepted one.
pub fn schema(session: &Value) -> Value {
    let or_null = || json!({ "type": ["string", "null"] });
    let sample = json_schema::object(json!({
        "at": json_schema::time(), "ref": Reference::SYNTAX.schema(), "referrer": or_null(),
        "address_hash": {
            "type": ["string", "null"],
            "description": "A keyed hash of the address; null when only what the reference says is \
                            known.",
        },
    }));
    let refused = json_schema::object(json!({
        "cast_id": {
            "anyOf": [CastId::SYNTAX.schema(), { "type": "null" }],
            "description": "Null for keys that no cast has, and where a reference names a cast \
                            that is gone.",
        },
        "hour": json_schema::time(),
        "code": { "type": "string", "description": "Why, as in a problem document." },
        "title": or_null(),
        "count": { "type": "integer", "minimum": 0 },
        "samples": { "type": "array", "items": sample },
    }));
    json_schema::object(json!({
        "accepted": json_schema::object(json!({ "items": { "type": "array", "items": session }, "next": or_null() })),
        "refused": { "type": "array", "items": refused, "description": "By the hour; with the first page only." },
    }))
}

#[cfg(test)]
mod tests {
    use crate::reference::RefusalFacts;
    use crate::testing::NOON;

    use super::*;

    #[test]
    fn hourly_refusals_are_listed_with_samples() {
        let sample = RefusalSample {
            at: NOON,
            reference: Reference::parse("k3f7-2mqa").expect("a reference"),
            address: "hash".into(),
            referrer: Some("acme.com".into()),
        };
        let refused = RefusalCount {
            cast_id: None,
            hour: NOON.seconds(),
            code: "ip-limit".into(),
            count: 12,
            samples: vec![sample],
        };
        let expected = json!({
            "cast_id": null,
            "hour": "2026-11-23T12:00:00Z",
            "code": "ip-limit",
            "title": "Too many sessions from your network",
            "count": 12,
            "samples": [{ "at": "2026-11-23T12:00:00Z", "ref": "k3f7-2mqa", "address_hash": "hash", "referrer": "acme.com" }],
        });
        assert_eq!(view_refused(&refused), expected);
    }

    #[test]
    fn reference_lookup_lists_each_possible_link() {
        let reference = Reference::parse("k3f7-2mqa-x5cd-7b2e").expect("a reference");
        let (one, two) = (CastId::from_bytes([1; 16]), CastId::from_bytes([2; 16]));
        let rows_of = |link: Option<&str>, casts: &[&CastId], of: &ClaimsOf| {
            let facts = RefusalFacts {
                code: DenialCode::IpLimit,
                at: NOON,
                link: link.map(str::to_owned),
            };
            let casts = casts.iter().copied().cloned().collect();
            let (sample, found) = (None, casts);
            let found = FoundRefusal {
                facts,
                casts: found,
                sample,
            };
            let rows = rows_of_refusal(found, &reference, of);
            rows.into_iter().map(|row| row.cast_id).collect::<Vec<_>>()
        };
        let named = Some("caeae");
        for (name, link, casts, of, expected) in [
            (
                "of a link",
                named,
                vec![&one],
                ClaimsOf::All,
                vec![Some(&one)],
            ),
            ("of no link", None, vec![], ClaimsOf::All, vec![None]),
            (
                "of one that is gone",
                named,
                vec![],
                ClaimsOf::All,
                vec![None],
            ),
            (
                "of one of two",
                named,
                vec![&one, &two],
                ClaimsOf::All,
                vec![Some(&one), Some(&two)],
            ),
            (
                "asked for by link",
                named,
                vec![&one, &two],
                ClaimsOf::Cast(two.clone()),
                vec![Some(&two)],
            ),
            (
                "of another link",
                named,
                vec![&one],
                ClaimsOf::Cast(two.clone()),
                vec![],
            ),
            (
                "of unknown keys",
                None,
                vec![],
                ClaimsOf::Unknown,
                vec![None],
            ),
            (
                "not of unknown keys",
                named,
                vec![&one],
                ClaimsOf::Unknown,
                vec![],
            ),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|id| id.cloned()).collect();
            assert_eq!(rows_of(link, &casts, &of), expected, "{name}");
        }
    }
}

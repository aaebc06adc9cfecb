//! Owns the list of references: rows of table `claims` that name many claims each by what their
//! visitors quote, so that one is found among millions. They are written with the batches of
//! `listing`, and a claim pays for no index. Must not know what a reference is quoted for.

use std::collections::BTreeMap;

use casting_core::ports::Fault;
use casting_core::time::Timestamp;
use futures_util::try_join;

use crate::fault::corrupt;
use crate::listing::{Claim, end_of};
use crate::names;
use crate::read::QueryRange;
use crate::rows::{ReferencesRow, from_item, text};
use crate::store::DynamoStore;

/// From so many claims on a batch has a row for each letter that references begin with; a smaller
/// one is one row.
const MANY: usize = 32;
/// So many letters of a session's id are its reference.
const LETTERS: usize = 8;
/// The most claims that one row names: some 80 kB.
const OF_A_ROW: usize = 5000;
/// How many answers of a megabyte are read: claims of some ten million.
const MOST_ANSWERS: u32 = 20;
const WHAT: &str = "find a session by its reference";

/// The rows of a batch that ends at `until`.
pub fn rows(until: Timestamp, claims: &[Claim], expires_at: Timestamp) -> Vec<ReferencesRow> {
    let mut by_letter: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for claim in claims {
        if let Some(letters) = letters(claim.id.as_str()) {
            let before = until.millis() - claim.at.millis();
            let first = letters.get(..1).filter(|_| claims.len() >= MANY);
            let of_letter = by_letter.entry(first.unwrap_or("")).or_default();
            of_letter.push(format!("{letters}{before}"));
        }
    }
    let mut rows = Vec::new();
    for (letter, quoted) in by_letter {
        for (part, quoted) in quoted.chunks(OF_A_ROW).enumerate() {
            rows.push(ReferencesRow {
                link: names::references(letter),
                hour_code: names::batch_part(until, part),
                quoted: quoted.join(" "),
                expires_at: expires_at.seconds(),
            });
        }
    }
    rows
}

/// The reference of the session with this id, or of those whose ids begin like this.
fn letters(id: &str) -> Option<&str> {
    id.get(1..=LETTERS)
}

/// When the claims were accepted whose sessions' ids begin like this, as far as they are in
/// batches: of the newest of the answers that have any.
pub async fn find(store: &DynamoStore, prefix: &str) -> Result<Vec<Timestamp>, Fault> {
    let Some(letters) = letters(prefix) else {
        return Ok(Vec::new());
    };
    let of = |letter: &str| {
        let range = QueryRange::new(&store.tables.claims, None, names::OF_LINK)
            .value(":link", text(names::references(letter)));
        QueryRange {
            newest_first: true,
            ..range
        }
    };
    let find = async |range: QueryRange<'_>| {
        let mut found = Vec::new();
        store
            .answers(WHAT, &range, MOST_ANSWERS, |rows| {
                for row in rows {
                    let until = end_of(&row)?;
                    let row: ReferencesRow = from_item(WHAT, row)?;
                    found.extend(times(&row.quoted, letters, until)?);
                }
                Ok(found.is_empty())
            })
            .await?;
        Ok::<_, Fault>(found)
    };
    let (of_small, of_large) =
        try_join!(find(of("")), find(of(letters.get(..1).unwrap_or_default())))?;
    let mut times = of_small;
    times.extend(of_large);
    times.sort();
    times.dedup();
    Ok(times)
}

/// The times of the claims of a row that have this reference.
fn times(quoted: &str, letters: &str, until: Timestamp) -> Result<Vec<Timestamp>, Fault> {
    let of_reference = quoted
        .split(' ')
        .filter_map(|claim| claim.strip_prefix(letters));
    let time = |before: &str| {
        let before = before.parse::<i64>();
        let before = before.map_err(|_| corrupt(WHAT, "a time that is not ours"))?;
        Ok(Timestamp::from_millis(until.millis() - before))
    };
    of_reference.map(time).collect()
}

#[cfg(test)]
mod tests {
    use casting_core::ids::SessionId;
    use casting_core::testing::NOON;

    use super::*;

    fn claims(count: u8) -> Vec<Claim> {
        let claim = |n: u8| Claim {
            at: NOON.plus_seconds(u64::from(n)),
            id: SessionId::from_bytes([n.wrapping_mul(37); 16]),
        };
        (0..count).map(claim).collect()
    }

    #[test]
    fn each_claim_of_a_batch_is_named_with_its_time() {
        let until = NOON.plus_seconds(900);
        for count in [1, 31, 32, 200] {
            let claims = claims(count);
            let rows = rows(until, &claims, until);
            for claim in &claims {
                let letters = letters(claim.id.as_str()).expect("a reference");
                let found = rows.iter().filter(|row| {
                    let of = [names::references(""), names::references(&letters[..1])];
                    of.contains(&row.link)
                });
                let found: Vec<Timestamp> = found
                    .flat_map(|row| times(&row.quoted, letters, until).expect("ours"))
                    .collect();
                assert_eq!(found, [claim.at], "{count}");
            }
        }
    }

    #[test]
    fn small_batch_is_one_row_and_a_large_one_a_row_a_letter() {
        assert_eq!(rows(NOON, &claims(0), NOON).len(), 0);
        assert_eq!(rows(NOON, &claims(31), NOON).len(), 1);
        let many = rows(NOON, &claims(255), NOON);
        assert_eq!(many.len(), 32);
        assert!(many.iter().all(|row| row.quoted.len() < 600));
    }

    #[test]
    fn foreign_text_is_no_time() {
        assert!(times("aaaaaaaax", "aaaaaaaa", NOON).is_err());
        assert_eq!(times("", "aaaaaaaa", NOON), Ok(Vec::new()));
    }
}

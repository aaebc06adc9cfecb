//! Owns the references of refusals: reason, time and link, enciphered into sixteen letters, so that
//! a refusal can be looked up without a row for it. Must not know where references are shown.
//!
//! 80 bits: 7 of the code, 1 whether a link is named, 30 of the second, 20 of the link's id, 12
//! that tell refusals of one second apart, and 10 that are zero, by which a made-up or mistyped
//! reference is detected. They are enciphered as one block (a Feistel network of eight rounds over
//! HMAC-SHA256), so equal refusals look different and a visitor learns nothing from them.

use ring::hmac;

use crate::denial::DenialCode;
use crate::ids::{CastId, Reference};
use crate::keys::Keyring;
use crate::time::Timestamp;

/// The second that times are counted from: 2026-01-01T00:00:00Z. 30 bits of seconds last until
/// 2060.
const EPOCH_SECONDS: i64 = 1_767_225_600;
const TIME_BITS: u32 = 30;
const LINK_BITS: u32 = 20;
const NUMBER_BITS: u32 = 12;
const CHECK_BITS: u32 = 10;
/// How many letters of a link's id stand in a reference: five bits each.
const LINK_LETTERS: usize = 4;
/// How old a reference may be, in seconds (400 days). Older ones are taken for mistyped.
const MOST_AGE_SECONDS: u64 = 400 * 86_400;
/// How far the clock of the process that refused may be ahead, in seconds.
const SKEW_SECONDS: u64 = 300;
const ROUNDS: u8 = 8;
const HALF_BITS: u32 = 40;

/// The content of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalFacts {
    /// Why.
    pub code: DenialCode,
    /// When, to the second.
    pub at: Timestamp,
    /// The first letters of the link's id; `None` when no link was found, or none was requested.
    pub link: Option<String>,
}

/// The reference of a refusal. `number` distinguishes refusals that are otherwise equal; its lowest
/// twelve bits are used.
pub fn seal(
    code: DenialCode,
    cast: Option<&CastId>,
    at: Timestamp,
    number: u32,
    keys: &Keyring,
) -> Reference {
    let mut block = u128::from(code.number());
    let mut push = |value: u128, bits: u32| block = (block << bits) | (value & mask(bits));
    push(u128::from(cast.is_some()), 1);
    push(seconds_since_epoch(at), TIME_BITS);
    push(cast.map_or(0, link_bits), LINK_BITS);
    push(u128::from(number), NUMBER_BITS);
    push(0, CHECK_BITS);
    let mut halves = split(block);
    let key = keys.references().current();
    for round in 0..ROUNDS {
        halves = (halves.1, halves.0 ^ scramble(key, round, halves.1));
    }
    Reference::from_bytes(&join(halves).to_be_bytes()[6..])
}

/// The content of a reference, if one of `keys` made it in the last 400 days.
pub fn open(reference: &Reference, keys: &Keyring, now: Timestamp) -> Option<RefusalFacts> {
    let bytes = reference.bytes().filter(|bytes| bytes.len() == 10)?;
    let block = bytes
        .iter()
        .fold(0, |block, byte| block << 8 | u128::from(*byte));
    keys.references().keys().find_map(|key| {
        let mut halves = split(block);
        for round in (0..ROUNDS).rev() {
            halves = (halves.1 ^ scramble(key, round, halves.0), halves.0);
        }
        read(join(halves), now)
    })
}

fn read(mut block: u128, now: Timestamp) -> Option<RefusalFacts> {
    let mut pop = |bits: u32| {
        let value = block & mask(bits);
        block >>= bits;
        value
    };
    let (check, _number, link, seconds) = (
        pop(CHECK_BITS),
        pop(NUMBER_BITS),
        pop(LINK_BITS),
        pop(TIME_BITS),
    );
    let (names_link, code) = (pop(1) == 1, pop(7));
    let at = i64::try_from(seconds).ok()?.saturating_add(EPOCH_SECONDS);
    let at = Timestamp::from_millis(at.saturating_mul(1000));
    let is_plausible = check == 0
        && (names_link || link == 0)
        && at >= now.minus_seconds(MOST_AGE_SECONDS)
        && at <= now.plus_seconds(SKEW_SECONDS);
    let code = DenialCode::of_number(u8::try_from(code).ok()?)?;
    is_plausible.then(|| RefusalFacts {
        code,
        at,
        link: names_link.then(|| link_prefix(link)),
    })
}

fn seconds_since_epoch(at: Timestamp) -> u128 {
    u128::from(
        at.seconds()
            .saturating_sub(EPOCH_SECONDS)
            .max(0)
            .unsigned_abs(),
    )
}

const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The first letters of a link's id, as a number.
fn link_bits(cast: &CastId) -> u128 {
    let letters = cast.as_str().bytes().skip(CastId::PREFIX.len());
    letters.take(LINK_LETTERS).fold(0, |bits, letter| {
        let value = LETTERS.iter().position(|one| *one == letter);
        bits << 5 | value.unwrap_or_default() as u128
    })
}

/// What the id of the link with these first letters begins with.
fn link_prefix(bits: u128) -> String {
    let letters = (0..LINK_LETTERS)
        .rev()
        .map(|index| char::from(LETTERS[(bits >> (5 * index) & mask(5)) as usize]));
    CastId::PREFIX.chars().chain(letters).collect()
}

const fn mask(bits: u32) -> u128 {
    (1 << bits) - 1
}

const fn split(block: u128) -> (u128, u128) {
    (block >> HALF_BITS, block & mask(HALF_BITS))
}

const fn join(halves: (u128, u128)) -> u128 {
    halves.0 << HALF_BITS | halves.1
}

/// The round function: 40 bits that follow from half a block.
fn scramble(key: &hmac::Key, round: u8, half: u128) -> u128 {
    let mut message = [0; 6];
    message[0] = round;
    message[1..].copy_from_slice(&half.to_be_bytes()[11..]);
    let tag = hmac::sign(key, &message);
    let bytes = tag.as_ref().iter().take(5);
    bytes.fold(0, |bits, byte| bits << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::testing::NOON;

    #[test]
    fn reference_encodes_reason_time_and_link() {
        let keys = Keyring::new(&[1; 32]);
        let cast = CastId::from_bytes([0xA7; 16]);
        let later = NOON.plus_seconds(399 * 86_400);
        for code in DenialCode::ALL {
            for link in [Some(&cast), None] {
                for number in [0, 1, 4095, u32::MAX] {
                    let reference = seal(code, link, NOON, number, &keys);
                    let expected = RefusalFacts {
                        code,
                        at: NOON,
                        link: link.map(|cast| cast.as_str()[..5].to_owned()),
                    };
                    let read = Reference::parse(reference.as_str());
                    assert_eq!(read, Some(reference.clone()), "{reference}");
                    assert_eq!(open(&reference, &keys, later), Some(expected), "{code}");
                }
            }
        }
    }

    #[test]
    fn equal_refusals_of_one_second_have_distinct_references() {
        let keys = Keyring::new(&[1; 32]);
        let references: HashSet<String> = (0..4096)
            .map(|number| seal(DenialCode::IpLimit, None, NOON, number, &keys).to_string())
            .collect();
        assert_eq!(references.len(), 4096);
    }

    #[test]
    fn foreign_text_is_no_reference() {
        let keys = Keyring::new(&[1; 32]);
        let ours = seal(DenialCode::IpLimit, None, NOON, 1, &keys);
        let session = Reference::parse("k3f7-2mqa").expect("a session's reference");
        let day = |days: u64| days * 86_400;
        for (name, reference, keys, now, says) in [
            ("ours", &ours, &keys, NOON, true),
            ("a session's", &session, &keys, NOON, false),
            (
                "another deployment's",
                &ours,
                &Keyring::new(&[2; 32]),
                NOON,
                false,
            ),
            (
                "after a change of keys",
                &ours,
                &Keyring::changing(&[2; 32], Some(&[1; 32])),
                NOON,
                true,
            ),
            ("too old", &ours, &keys, NOON.plus_seconds(day(401)), false),
            (
                "of the future",
                &ours,
                &keys,
                NOON.minus_seconds(301),
                false,
            ),
        ] {
            assert_eq!(open(reference, keys, now).is_some(), says, "{name}");
        }
        // One letter wrong: the whole block is another, and the zeros tell.
        let mut taken = 0;
        for (index, letter) in ours.as_str().char_indices().filter(|(_, c)| *c != '-') {
            for wrong in ('a'..='z').chain('2'..='7').filter(|c| *c != letter) {
                let mut text = ours.as_str().to_owned();
                text.replace_range(index..=index, &wrong.to_string());
                let typed = Reference::parse(&text).expect("looks like one");
                taken += usize::from(open(&typed, &keys, NOON).is_some());
            }
        }
        assert_eq!(taken, 0, "of 496 mistyped ones");
    }
}

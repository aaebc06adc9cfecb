//! Gives every target the kept inputs, and changes of them. The changes follow from a seed
//! (`CASTING_TEST_SEED`), so that a failure can be repeated; `FUZZ_ROUNDS` says how many changes
//! of each input there are.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's settings come from its environment, and what breaks it is a panic"
)]

use std::fs;
use std::path::Path;

use casting_fuzz::{TARGETS, Target};
use casting_protocol::ids::SessionId;
use casting_protocol::keys::Keyring;
use casting_protocol::testing::NOON;
use casting_protocol::ticket::SessionTicket;

/// How many changes of each kept input are tried. Those of an archive write files.
fn rounds(target: &Target) -> usize {
    let asked = std::env::var("FUZZ_ROUNDS").ok();
    let rounds = asked.and_then(|text| text.parse().ok()).unwrap_or(400);
    if target.name == "archives" {
        rounds / 10
    } else {
        rounds
    }
}

fn seed() -> u64 {
    let seed = std::env::var("CASTING_TEST_SEED").ok();
    seed.and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// The kept inputs of a target, by their names.
fn kept(target: &Target) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target.name);
    let files = fs::read_dir(&folder).unwrap_or_else(|_| panic!("no inputs in {folder:?}"));
    let mut inputs: Vec<_> = files
        .map(|file| {
            let path = file.expect("a file").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            (name.into_owned(), fs::read(&path).expect("can be read"))
        })
        .collect();
    inputs.sort();
    inputs
}

/// Changes an input in one to four places, as fuzzers do.
fn change(input: &[u8], others: &[(String, Vec<u8>)], random: &mut fastrand::Rng) -> Vec<u8> {
    /// Numbers at which lengths and counters overflow.
    const EDGES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, b'%', b'/', b'.'];
    let mut changed = input.to_vec();
    for _ in 0..random.usize(1..=4) {
        let at = random.usize(0..=changed.len());
        let until = random.usize(at..=changed.len().min(at + 32));
        match random.u8(0..7) {
            0 if at < changed.len() => changed[at] ^= 1 << random.u8(0..8),
            1 if at < changed.len() => changed[at] = random.choice(EDGES).unwrap_or_default(),
            2 => changed.insert(at, random.u8(..)),
            3 => drop(changed.drain(at..until)),
            4 => {
                let copy = changed[at..until].to_vec();
                let to = random.usize(0..=changed.len());
                changed.splice(to..to, copy);
            }
            5 => changed.truncate(at),
            _ => {
                let (_, other) = &others[random.usize(..others.len())];
                let from = random.usize(0..=other.len());
                changed.truncate(at);
                changed.extend_from_slice(&other[from..]);
            }
        }
    }
    changed
}

/// Runs a target; a panic names the input.
fn run(target: &Target, name: &str, input: &[u8]) {
    let run = std::panic::AssertUnwindSafe(|| (target.run)(input));
    if std::panic::catch_unwind(run).is_err() {
        let hex: String = input.iter().map(|byte| format!("{byte:02x}")).collect();
        panic!("{} breaks on {name}, in hexadecimal: {hex}", target.name);
    }
}

#[test]
fn kept_inputs_break_no_promise() {
    for target in TARGETS {
        let inputs = kept(target);
        assert!(!inputs.is_empty(), "{} has no inputs", target.name);
        for (name, input) in inputs {
            run(target, &name, &input);
        }
    }
}

#[test]
fn changed_inputs_break_no_promise() {
    let mut random = fastrand::Rng::with_seed(seed());
    for target in TARGETS {
        let inputs = kept(target);
        for (name, input) in &inputs {
            for round in 0..rounds(target) {
                let changed = change(input, &inputs, &mut random);
                run(target, &format!("{name}, change {round}"), &changed);
            }
        }
    }
}

#[test]
fn kept_ticket_opens() {
    let target = casting_fuzz::named("tickets").expect("a target");
    let keyring = Keyring::new(&[1; 32]);
    let session = SessionId::from_bytes([1; 16]);
    let opens = |text: &str| {
        SessionTicket::open(text, keyring.sessions(), NOON)
            .is_ok_and(|(ticket, _)| ticket.session == session)
    };
    let inputs = kept(target);
    let mut texts = inputs
        .iter()
        .filter_map(|(_, input)| std::str::from_utf8(input).ok());
    assert!(
        texts.any(opens),
        "changes of a good ticket are worth more than chance"
    );
}

//! Owns the contract of *reserve*: all or nothing, and never more than there is.

#![expect(
    missing_docs,
    reason = "the name of a case says what it holds the store to"
)]

use super::{Charges, Fixture, NOON, quota, refunded, together, window_claim};
use crate::cast::{Cast, CounterChange};
use crate::ids::SessionId;
use crate::ports::{Fault, Replaced, Reservation, Reserved, Saved};
use crate::rate_window::RateWindow;

pub async fn a_claim_takes_what_it_charges_and_nothing_else(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    for charges in Charges::ALL {
        let cast = fixture.cast(3).await?;
        let key = fixture.window_key(&cast);
        let claim = fixture.claim(&cast, charges.count, charges.window.then_some(&key));
        assert_eq!(
            fixture.store.session(&claim.session.id).await?,
            None,
            "{charges:?}"
        );
        let session = fixture.place(&claim).await?;
        assert_eq!(
            fixture.store.session(&session.id).await?,
            Some(session.clone()),
            "{charges:?}"
        );
        let mut expected = cast.clone();
        expected.counter.remaining -= u64::from(charges.count);
        assert_eq!(
            fixture.store.cast(&cast.id).await?,
            Some(expected),
            "{charges:?}"
        );
        let slots: Vec<_> = fixture.window(&key).await?.slots.into_iter().collect();
        assert_eq!(
            slots,
            if charges.window {
                vec![(session.id, NOON)]
            } else {
                vec![]
            },
            "{charges:?}"
        );
    }
    Ok(())
}

/// What may stand in the way at the cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CastTrouble {
    None,
    Changed,
    Gone,
    SoldOut,
    CounterSet,
}

/// Every combination of a session that exists or not, what may be wrong with the cast, and a window
/// that moved or not.
pub async fn a_claim_takes_all_or_nothing(fixture: &Fixture<'_>) -> Result<(), Fault> {
    use CastTrouble::{Changed, CounterSet, Gone, None, SoldOut};
    for charges in Charges::ALL {
        for exists in [false, true] {
            for cast_trouble in [None, Changed, Gone, SoldOut, CounterSet] {
                for moved in [false, true] {
                    // What a claim does not take cannot stand in its way.
                    let ignored = (cast_trouble == SoldOut && !charges.count)
                        || (cast_trouble != None && !charges.count && !charges.window)
                        || (moved && !charges.window);
                    if !ignored {
                        all_or_nothing(fixture, charges, exists, cast_trouble, moved).await?;
                    }
                }
            }
        }
    }
    Ok(())
}

async fn all_or_nothing(
    fixture: &Fixture<'_>,
    charges: Charges,
    exists: bool,
    trouble: CastTrouble,
    moved: bool,
) -> Result<(), Fault> {
    let name =
        format!("{charges:?}, session exists: {exists}, cast: {trouble:?}, window moved: {moved}");
    let cast = fixture
        .cast(if trouble == CastTrouble::SoldOut {
            0
        } else {
            3
        })
        .await?;
    let key = fixture.window_key(&cast);
    let claim = fixture.claim(&cast, charges.count, charges.window.then_some(&key));
    if exists {
        // The same session, reserved before without a charge.
        let mut earlier = Reservation {
            window: None,
            ..claim.clone()
        };
        earlier.session.charge = Default::default();
        earlier.session.created_at = NOON.plus_seconds(1);
        fixture.place(&earlier).await?;
    }
    if moved {
        fixture
            .place(&fixture.claim(&cast, false, Some(&key)))
            .await?;
    }
    spoil(fixture, &cast, trouble).await?;
    let (cast_before, window_before) = (
        fixture.store.cast(&cast.id).await?,
        fixture.window(&key).await?,
    );
    let session_before = fixture.store.session(&claim.session.id).await?;

    let answer = fixture.store.reserve(&claim).await?;

    let expected = match (session_before.clone(), trouble, moved) {
        (Some(session), _, _) => Reserved::Already(Box::new(session)),
        (None, CastTrouble::SoldOut, _) => Reserved::SoldOut,
        (None, CastTrouble::None, true) => Reserved::WindowMoved(window_before.clone()),
        (None, CastTrouble::None, false) => Reserved::Placed,
        (None, _, _) => Reserved::ConfigChanged,
    };
    assert_eq!(answer, expected, "{name}");
    if answer != Reserved::Placed {
        assert_eq!(
            fixture.store.session(&claim.session.id).await?,
            session_before,
            "{name}"
        );
        assert_eq!(fixture.store.cast(&cast.id).await?, cast_before, "{name}");
        assert_eq!(fixture.window(&key).await?, window_before, "{name}");
    }
    Ok(())
}

/// Makes trouble at a cast that a decision was made on.
async fn spoil(fixture: &Fixture<'_>, cast: &Cast, trouble: CastTrouble) -> Result<(), Fault> {
    let mut after = cast.clone();
    after.version += 1;
    match trouble {
        CastTrouble::None | CastTrouble::SoldOut => {}
        CastTrouble::Gone => assert_eq!(fixture.store.delete_cast(cast, None).await?, Saved::Done),
        CastTrouble::Changed => assert_eq!(
            fixture
                .store
                .replace_cast(cast, &after, CounterChange::Keep, None)
                .await?,
            Replaced::Done
        ),
        CastTrouble::CounterSet => {
            let set = CounterChange::Set(cast.counter.remaining);
            after.counter = cast.counter.changed(set);
            assert_eq!(
                fixture.store.replace_cast(cast, &after, set, None).await?,
                Replaced::Done
            );
        }
    }
    Ok(())
}

pub async fn a_session_that_exists_is_shown_as_it_is_now(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    for charges in Charges::ALL {
        let cast = fixture.cast(1).await?;
        let key = fixture.window_key(&cast);
        let claim = fixture.claim(&cast, charges.count, charges.window.then_some(&key));
        let session = fixture.place(&claim).await?;
        // Decided on by itself, so a little different: after a lost answer a store cannot tell its
        // own row from one exactly like it.
        let mut again = claim.clone();
        again.session.created_at = NOON.plus_seconds(1);
        assert_eq!(
            fixture.store.reserve(&again).await?,
            Reserved::Already(Box::new(session.clone())),
            "{charges:?}: at once"
        );
        let after = refunded(&session, NOON);
        assert_eq!(
            fixture.store.save_session(&session, &after).await?,
            Saved::Done,
            "{charges:?}"
        );
        assert_eq!(
            fixture.store.reserve(&claim).await?,
            Reserved::Already(Box::new(after)),
            "{charges:?}: after it ended"
        );
        assert_eq!(fixture.remaining(&cast).await?, 1, "{charges:?}");
    }
    Ok(())
}

pub async fn fifty_claims_at_once_on_twenty_places_get_exactly_twenty(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let cast = fixture.cast(20).await?;
    let claims: Vec<Reservation> = (0..50).map(|_| fixture.claim(&cast, true, None)).collect();
    let answers = together(claims.iter().map(|claim| fixture.store.reserve(claim))).await;
    assert_eq!(
        (
            quota(&answers, &Reserved::Placed),
            quota(&answers, &Reserved::SoldOut)
        ),
        (20, 30),
        "{answers:?}"
    );
    assert_eq!(fixture.remaining(&cast).await?, 0);
    for (claim, answer) in claims.iter().zip(answers) {
        assert_eq!(
            fixture.store.session(&claim.session.id).await?.is_some(),
            answer? == Reserved::Placed
        );
    }
    Ok(())
}

pub async fn one_claim_sent_twenty_times_at_once_takes_one_place(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    for charges in Charges::ALL {
        let cast = fixture.cast(5).await?;
        let key = fixture.window_key(&cast);
        // Each was decided on by itself, so each is a little different.
        let mut claims =
            vec![fixture.claim(&cast, charges.count, charges.window.then_some(&key)); 20];
        for (n, claim) in (0..).zip(&mut claims) {
            claim.session.created_at = NOON.plus_seconds(n);
        }
        let answers = together(claims.iter().map(|claim| fixture.store.reserve(claim))).await;
        let stored = fixture.session_now(&claims[0].session).await?;
        assert_eq!(
            quota(&answers, &Reserved::Placed),
            1,
            "{charges:?}: {answers:?}"
        );
        assert_eq!(
            quota(&answers, &Reserved::Already(Box::new(stored))),
            19,
            "{charges:?}: {answers:?}"
        );
        assert_eq!(
            fixture.remaining(&cast).await?,
            5 - u64::from(charges.count),
            "{charges:?}"
        );
        assert_eq!(
            fixture.window(&key).await?.slots.len(),
            usize::from(charges.window),
            "{charges:?}"
        );
    }
    Ok(())
}

pub async fn a_window_that_nobody_looked_at_is_taken_only_when_idle(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    // The first claim is at noon, and slots count for a minute.
    for (name, seconds_later, idle) in [
        ("at once", 0, false),
        ("a second early", 59, false),
        ("just in time", 60, true),
        ("later", 900, true),
    ] {
        let cast = fixture.cast(0).await?;
        let key = fixture.window_key(&cast);
        let first = fixture
            .place(&fixture.claim(&cast, false, Some(&key)))
            .await?;
        let seen = fixture.window(&key).await?;
        let mut second = fixture.claim(&cast, false, Some(&key));
        second.session.created_at = NOON.plus_seconds(seconds_later);
        let empty = RateWindow::empty(key.clone(), String::new());
        second.window = Some(window_claim(&second.session, None, &empty));
        let expected = if idle {
            Reserved::Placed
        } else {
            Reserved::WindowMoved(seen)
        };
        assert_eq!(fixture.store.reserve(&second).await?, expected, "{name}");
        let holder = if idle { second.session.id } else { first.id };
        let slots: Vec<SessionId> = fixture.window(&key).await?.slots.into_keys().collect();
        assert_eq!(slots, [holder], "{name}");
    }
    Ok(())
}

pub async fn a_window_that_was_seen_is_taken_only_as_seen(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let cast = fixture.cast(0).await?;
    let key = fixture.window_key(&cast);
    let one = fixture
        .place(&fixture.claim(&cast, false, Some(&key)))
        .await?;
    let seen = fixture.window(&key).await?;

    let second = fixture.claim_after(&cast, &seen);
    let two = fixture.place(&second).await?;
    let both = fixture.window(&key).await?;
    assert_eq!(
        both.slots,
        [(one.id.clone(), NOON), (two.id.clone(), NOON)].into()
    );
    assert_ne!(both.stamp, seen.stamp);

    let mut third = fixture.claim_after(&cast, &seen);
    assert_eq!(
        fixture.store.reserve(&third).await?,
        Reserved::WindowMoved(both.clone()),
        "an old stamp"
    );
    third.window = Some(window_claim(&third.session, Some(&both.stamp), &both));
    fixture.place(&third).await?;
    assert_eq!(fixture.window(&key).await?.slots.len(), 3);
    Ok(())
}

pub async fn two_claims_that_saw_one_window_do_not_both_get_in(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    for looked in [false, true] {
        let cast = fixture.cast(5).await?;
        let key = fixture.window_key(&cast);
        let seen = if looked {
            Some(fixture.window(&key).await?.stamp)
        } else {
            None
        };
        let mut claims = vec![
            fixture.claim(&cast, true, Some(&key)),
            fixture.claim(&cast, true, Some(&key)),
        ];
        for claim in &mut claims {
            if let Some(claim) = &mut claim.window {
                claim.seen.clone_from(&seen);
            }
        }
        let answers = together(claims.iter().map(|claim| fixture.store.reserve(claim))).await;
        let window = fixture.window(&key).await?;
        assert_eq!(
            quota(&answers, &Reserved::Placed),
            1,
            "looked: {looked}: {answers:?}"
        );
        assert_eq!(
            quota(&answers, &Reserved::WindowMoved(window.clone())),
            1,
            "looked: {looked}: {answers:?}"
        );
        assert_eq!(window.slots.len(), 1, "looked: {looked}");
        assert_eq!(fixture.remaining(&cast).await?, 4, "looked: {looked}");
    }
    Ok(())
}

pub async fn a_window_that_vanished_is_empty_and_can_be_taken(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let cast = fixture.cast(0).await?;
    let key = fixture.window_key(&cast);
    let mut claim = fixture.claim(&cast, false, Some(&key));
    claim.window = claim.window.map(|window| crate::ports::WindowClaim {
        seen: Some("forgotten".into()),
        ..window
    });
    let answer = fixture.store.reserve(&claim).await?;
    let Reserved::WindowMoved(window) = answer else {
        return Err(super::gone(&format!(
            "the empty window (instead: {answer:?})"
        )));
    };
    assert_eq!((window.key.as_str(), window.slots.len()), (key.as_str(), 0));
    claim.window = Some(window_claim(&claim.session, Some(&window.stamp), &window));
    fixture.place(&claim).await?;
    let late = fixture.claim_after(&cast, &window);
    assert_eq!(
        fixture.store.reserve(&late).await?,
        Reserved::WindowMoved(fixture.window(&key).await?),
        "it is no longer empty"
    );
    Ok(())
}

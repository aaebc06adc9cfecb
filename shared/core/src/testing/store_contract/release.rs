//! Owns the contract of moves and of *release*: over the right revision only, and never twice.

#![expect(
    missing_docs,
    reason = "the name of a case says what it holds the store to"
)]

use super::{Charges, Fixture, NOON, ended, quota, refunded, together, window_claim};
use crate::cast::CounterChange;
use crate::ports::{Fault, Replaced, Saved};
use crate::rate_window::RateWindow;
use crate::session::{EndReason, Endpoint, Session, TaskRef, TaskStatus};

/// The session after ECS took it.
fn started(session: &Session, arn: &str) -> Session {
    let task = TaskRef {
        arn: arn.to_owned(),
        status: TaskStatus::Provisioning,
        version: 1,
        times: crate::session::TaskTimes::default(),
    };
    session.started(task).unwrap_or_else(|_| session.clone())
}

pub async fn a_refund_gives_back_place_and_slot(fixture: &Fixture<'_>) -> Result<(), Fault> {
    for charges in Charges::ALL {
        let cast = fixture.cast(3).await?;
        let key = fixture.window_key(&cast);
        let session = fixture
            .place(&fixture.claim(&cast, charges.count, charges.window.then_some(&key)))
            .await?;
        let taken = fixture.window(&key).await?;
        let after = refunded(&session, NOON);
        assert_eq!(
            fixture.store.save_session(&session, &after).await?,
            Saved::Done,
            "{charges:?}"
        );
        assert_eq!(
            fixture.store.session(&session.id).await?,
            Some(after),
            "{charges:?}"
        );
        assert_eq!(
            fixture.store.cast(&cast.id).await?,
            Some(cast),
            "{charges:?}"
        );
        let window = fixture.window(&key).await?;
        assert_eq!(window.slots.len(), 0, "{charges:?}");
        assert_eq!(
            window.stamp != taken.stamp,
            charges.window,
            "{charges:?}: a window that changed has another stamp"
        );
    }
    Ok(())
}

pub async fn a_freed_slot_can_be_taken_again(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let cast = fixture.cast(0).await?;
    let key = fixture.window_key(&cast);
    let one = fixture
        .place(&fixture.claim(&cast, false, Some(&key)))
        .await?;
    let seen = fixture.window(&key).await?;
    let second = fixture.claim_after(&cast, &seen);
    let two = fixture.place(&second).await?;
    assert_eq!(
        fixture
            .store
            .save_session(&one, &refunded(&one, NOON))
            .await?,
        Saved::Done
    );
    let freed = fixture.window(&key).await?;
    assert_eq!(
        freed.slots,
        [(two.id.clone(), NOON)].into(),
        "the other's slot stays"
    );
    let third = fixture.claim_after(&cast, &freed);
    let three = fixture.place(&third).await?;
    assert_eq!(
        fixture.window(&key).await?.slots,
        [(two.id, NOON), (three.id, NOON)].into()
    );
    Ok(())
}

pub async fn a_session_that_was_served_gives_nothing_back(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let cast = fixture.cast(3).await?;
    let key = fixture.window_key(&cast);
    let session = fixture
        .place(&fixture.claim(&cast, true, Some(&key)))
        .await?;
    let taken = fixture.window(&key).await?;
    let endpoint = Endpoint {
        host: "10.0.0.1".into(),
        port: 8080,
    };
    let ready = session
        .ready(endpoint, NOON.plus_seconds(2))
        .unwrap_or_else(|_| session.clone());
    let over = ended(&ready, EndReason::Owner, NOON.plus_seconds(9));
    for (before, after) in [(&session, &ready), (&ready, &over)] {
        assert_eq!(
            fixture.store.save_session(before, after).await?,
            Saved::Done
        );
    }
    assert_eq!(fixture.store.session(&session.id).await?, Some(over));
    assert_eq!(fixture.remaining(&cast).await?, 2);
    assert_eq!(fixture.window(&key).await?, taken);
    Ok(())
}

pub async fn a_refund_is_given_at_most_once(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let cast = fixture.cast(9).await?;
    let key = fixture.window_key(&cast);
    let session = fixture
        .place(&fixture.claim(&cast, true, Some(&key)))
        .await?;
    let after = refunded(&session, NOON);
    let answers = together((0..10).map(|_| fixture.store.save_session(&session, &after))).await;
    assert_eq!(
        (
            quota(&answers, &Saved::Done),
            quota(&answers, &Saved::Stale)
        ),
        (1, 9),
        "{answers:?}"
    );
    assert_eq!(fixture.remaining(&cast).await?, 9);
    assert_eq!(
        fixture.store.save_session(&session, &after).await?,
        Saved::Stale,
        "once more, later"
    );
    assert_eq!(
        fixture
            .store
            .save_session(&session, &refunded(&session, NOON.plus_seconds(5)))
            .await?,
        Saved::Stale,
        "as if decided again"
    );
    assert_eq!(fixture.remaining(&cast).await?, 9);
    assert_eq!(fixture.window(&key).await?.slots.len(), 0);
    Ok(())
}

pub async fn a_place_is_not_given_back_into_another_epoch(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let cast = fixture.cast(9).await?;
    let key = fixture.window_key(&cast);
    let session = fixture
        .place(&fixture.claim(&cast, true, Some(&key)))
        .await?;
    let cast = fixture.cast_now(&cast).await?;
    let mut after = cast.clone();
    after.version += 1;
    let set = CounterChange::Set(4);
    after.counter = cast.counter.changed(set);
    assert_eq!(
        fixture.store.replace_cast(&cast, &after, set, None).await?,
        Replaced::Done
    );
    let over = refunded(&session, NOON);
    assert_eq!(
        fixture.store.save_session(&session, &over).await?,
        Saved::Done
    );
    assert_eq!(fixture.store.session(&session.id).await?, Some(over));
    assert_eq!(fixture.cast_now(&cast).await?.counter, after.counter);
    assert_eq!(
        fixture.window(&key).await?.slots.len(),
        0,
        "the slot is free all the same"
    );
    Ok(())
}

pub async fn refund_is_written_when_its_cast_and_window_are_gone(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    for (name, cast_gone, slot_gone) in [
        ("cast", true, false),
        ("slot", false, true),
        ("both", true, true),
    ] {
        let cast = fixture.cast(9).await?;
        let key = fixture.window_key(&cast);
        let session = fixture
            .place(&fixture.claim(&cast, true, Some(&key)))
            .await?;
        if slot_gone {
            // A later claim finds the window idle and begins a new one.
            let mut later = fixture.claim(&cast, false, Some(&key));
            later.session.created_at = NOON.plus_seconds(600);
            let empty = RateWindow::empty(key.clone(), String::new());
            later.window = Some(window_claim(&later.session, None, &empty));
            fixture.place(&later).await?;
        }
        if cast_gone {
            assert_eq!(
                fixture
                    .store
                    .delete_cast(&fixture.cast_now(&cast).await?, None)
                    .await?,
                Saved::Done,
                "{name}"
            );
        }
        let window = fixture.window(&key).await?;
        let over = refunded(&session, NOON);
        assert_eq!(
            fixture.store.save_session(&session, &over).await?,
            Saved::Done,
            "{name}"
        );
        assert_eq!(
            fixture.store.session(&session.id).await?,
            Some(over),
            "{name}"
        );
        let places = fixture
            .store
            .cast(&cast.id)
            .await?
            .map(|cast| cast.counter.remaining);
        assert_eq!(places, (!cast_gone).then_some(9), "{name}");
        if slot_gone {
            assert_eq!(
                fixture.window(&key).await?,
                window,
                "{name}: the newer window is left alone"
            );
        } else {
            assert_eq!(fixture.window(&key).await?.slots.len(), 0, "{name}");
        }
    }
    Ok(())
}

pub async fn claims_counted_together_are_given_back_to_their_bucket(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let cast = fixture.cast(0).await?;
    let key = fixture.window_key(&cast);
    let [first, second] = [10, 20].map(|seconds| NOON.plus_seconds(seconds));
    let mut sessions = Vec::new();
    for bucket in [first, first, second] {
        let seen = fixture.window(&key).await?;
        let mut claim = fixture.claim_after(&cast, &seen);
        claim.session.charge.bucket = Some(bucket);
        let Some(window) = &mut claim.window else {
            return Ok(());
        };
        window.seen = (!seen.stamp.is_empty()).then_some(seen.stamp);
        window.after.slots.clear();
        *window.after.buckets.entry(bucket).or_default() += 1;
        sessions.push(fixture.place(&claim).await?);
    }
    let buckets = || async { Ok::<_, Fault>(fixture.window(&key).await?.buckets) };
    assert_eq!(buckets().await?, [(first, 2), (second, 1)].into());
    for (name, session, expected) in [
        ("the first", &sessions[0], [(first, 1), (second, 1)]),
        (
            "of the other bucket",
            &sessions[2],
            [(first, 1), (second, 0)],
        ),
        ("all", &sessions[1], [(first, 0), (second, 0)]),
    ] {
        let stamp = fixture.window(&key).await?.stamp;
        let after = refunded(session, NOON);
        let answers = together((0..5).map(|_| fixture.store.save_session(session, &after))).await;
        assert_eq!(quota(&answers, &Saved::Done), 1, "{name}: {answers:?}");
        assert_eq!(buckets().await?, expected.into(), "{name}");
        assert_ne!(fixture.window(&key).await?.stamp, stamp, "{name}");
    }
    // What is no longer there is not given back to, and does not stop the end.
    let seen = fixture.window(&key).await?;
    let mut late = fixture.claim_after(&cast, &seen);
    late.session.charge.bucket = Some(NOON);
    let session = fixture.place(&late).await?;
    let over = refunded(&session, NOON);
    assert_eq!(
        fixture.store.save_session(&session, &over).await?,
        Saved::Done
    );
    assert_eq!(buckets().await?, [(first, 0), (second, 0)].into());
    Ok(())
}

pub async fn a_move_is_written_over_its_revision_only(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let cast = fixture.cast(1).await?;
    let session = fixture.place(&fixture.claim(&cast, true, None)).await?;
    let starting = started(&session, "task/1");
    assert_eq!(
        fixture.store.save_session(&session, &starting).await?,
        Saved::Done
    );
    assert_eq!(
        fixture.store.session(&session.id).await?,
        Some(starting.clone())
    );
    for (name, late) in [
        ("another move", started(&session, "task/2")),
        ("a refund", refunded(&session, NOON)),
    ] {
        assert_eq!(
            fixture.store.save_session(&session, &late).await?,
            Saved::Stale,
            "{name}"
        );
        assert_eq!(
            fixture.store.session(&session.id).await?,
            Some(starting.clone()),
            "{name}"
        );
        assert_eq!(fixture.remaining(&cast).await?, 0, "{name}");
    }
    let nobody = fixture.session(&cast);
    assert_eq!(
        fixture
            .store
            .save_session(&nobody, &started(&nobody, "task/3"))
            .await?,
        Saved::Stale,
        "a session that never was"
    );
    assert_eq!(fixture.store.session(&nobody.id).await?, None);
    Ok(())
}

pub async fn of_two_moves_at_once_one_is_written(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let cast = fixture.cast(1).await?;
    let session = fixture.place(&fixture.claim(&cast, true, None)).await?;
    let mut moves: Vec<Session> = (0..6)
        .map(|n| started(&session, &format!("task/{n}")))
        .collect();
    moves.push(refunded(&session, NOON));
    let answers = together(
        moves
            .iter()
            .map(|after| fixture.store.save_session(&session, after)),
    )
    .await;
    assert_eq!(
        (
            quota(&answers, &Saved::Done),
            quota(&answers, &Saved::Stale)
        ),
        (1, 6),
        "{answers:?}"
    );
    let now = fixture.session_now(&session).await?;
    let winner = answers
        .iter()
        .position(|answer| *answer == Ok(Saved::Done))
        .and_then(|index| moves.get(index));
    assert_eq!(Some(&now), winner);
    assert_eq!(
        fixture.remaining(&cast).await?,
        u64::from(now.is_refunded())
    );
    Ok(())
}

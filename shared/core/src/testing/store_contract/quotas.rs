//! Owns the contract of counts and proofs: taken in the claim's own transaction, given back in the
//! session's.

#![expect(
    missing_docs,
    reason = "the name of a case says what it holds the store to"
)]

use super::quota as count_answers;
use super::{Fixture, NOON, ended, refunded, together};
use crate::captcha::Proof;
use crate::cast::Cast;
use crate::ids::{SessionId, random_bytes};
use crate::ports::{Fault, Reservation, Reserved, Saved};
use crate::quota::{Quota, QuotaKind, Tally};
use crate::session::{EndReason, Endpoint, Session};

/// A count that no other test uses.
fn fresh(fixture: &Fixture<'_>, kind: QuotaKind, most: u32) -> Quota {
    Quota::new(
        kind,
        SessionId::from_bytes(random_bytes(&fixture.entropy)).as_str(),
        most,
    )
}

fn claim(fixture: &Fixture<'_>, cast: &Cast, quotas: &[&Quota]) -> Reservation {
    let mut claim = fixture.claim(cast, false, None);
    claim.session.charge.held = quotas.iter().map(|quota| quota.held()).collect();
    claim.quotas = quotas.iter().map(|quota| (*quota).clone()).collect();
    claim
}

fn ready(session: &Session) -> Session {
    session
        .ready(
            Endpoint {
                host: "10.0.0.1".into(),
                port: 8080,
            },
            NOON,
        )
        .unwrap_or_else(|_| session.clone())
}

pub async fn a_count_is_taken_only_while_there_is_room(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let cast = fixture.cast(3).await?;
    let (wide, narrow) = (
        fresh(fixture, QuotaKind::Deployment, 9),
        fresh(fixture, QuotaKind::Cast, 1),
    );
    fixture
        .place(&claim(fixture, &cast, &[&wide, &narrow]))
        .await?;
    let mut second = claim(fixture, &cast, &[&wide, &narrow]);
    second.session.charge.count = Some(cast.counter.epoch);
    assert_eq!(
        fixture.store.reserve(&second).await?,
        Reserved::Full(QuotaKind::Cast)
    );
    assert_eq!(
        (
            fixture.store.quota(&wide.key).await?,
            fixture.store.quota(&narrow.key).await?
        ),
        (1, 1),
        "all or nothing"
    );
    assert_eq!(
        (
            fixture.remaining(&cast).await?,
            fixture.store.session(&second.session.id).await?
        ),
        (3, None),
        "all or nothing"
    );
    let closed = fresh(fixture, QuotaKind::User, 0);
    assert_eq!(
        fixture
            .store
            .reserve(&claim(fixture, &cast, &[&closed]))
            .await?,
        Reserved::Placed,
        "the first of a count is the rules' to refuse"
    );
    Ok(())
}

pub async fn a_closed_count_takes_no_claim_and_is_given_back(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let (cast, store) = (fixture.cast(0).await?, fixture.store);
    let (quota, untouched) = (
        fresh(fixture, QuotaKind::Invitation, 3),
        fresh(fixture, QuotaKind::Invitation, 3),
    );
    let session = fixture.place(&claim(fixture, &cast, &[&quota])).await?;
    for closed in [&quota, &untouched, &quota] {
        store.close_tally(&closed.key).await?;
        let late = claim(fixture, &cast, &[closed]);
        assert_eq!(
            store.reserve(&late).await?,
            Reserved::Full(QuotaKind::Invitation)
        );
        assert_eq!(store.session(&late.session.id).await?, None);
    }
    let refunded = refunded(&session, NOON);
    assert_eq!(store.save_session(&session, &refunded).await?, Saved::Done);
    assert_eq!(
        store.quota(&quota.key).await?,
        0,
        "what was taken comes back"
    );
    let again = store.reserve(&claim(fixture, &cast, &[&quota])).await?;
    assert_eq!(
        again,
        Reserved::Full(QuotaKind::Invitation),
        "and stays closed"
    );
    Ok(())
}

pub async fn a_count_is_opened_once(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let (cast, store) = (fixture.cast(0).await?, fixture.store);
    let quota = fresh(fixture, QuotaKind::Invitation, 1);
    assert_eq!(store.tally(&quota.key).await?, Tally::default());
    let opened = |taken| Tally {
        taken,
        opened_at: Some(NOON),
    };
    let later = NOON.plus_seconds(60);
    let times = [NOON, later, later].map(|at| store.open_tally(&quota.key, at));
    for time in times {
        assert_eq!(time.await?, opened(0), "the first time counts");
    }
    fixture.place(&claim(fixture, &cast, &[&quota])).await?;
    assert_eq!(store.tally(&quota.key).await?, opened(1));
    assert_eq!(store.open_tally(&quota.key, later).await?, opened(1));
    let taken = fresh(fixture, QuotaKind::Invitation, 1);
    fixture.place(&claim(fixture, &cast, &[&taken])).await?;
    let found = store.open_tally(&taken.key, NOON).await?;
    assert_eq!(found, opened(1), "also after the first claim");
    Ok(())
}

pub async fn a_count_that_began_late_takes_claims_once_it_is_complete(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let cast = fixture.cast(0).await?;
    let late = |version| fresh(fixture, QuotaKind::Cast, 2).counted_since(version);
    let (quota, later) = (late(3), |quota: &Quota| quota.clone().counted_since(5));
    let earlier = fixture.place(&claim(fixture, &cast, &[])).await?;
    let ask = async |quota: &Quota| {
        fixture
            .store
            .reserve(&claim(fixture, &cast, &[quota]))
            .await
    };
    let uncounted = Reserved::Uncounted(QuotaKind::Cast);
    assert_eq!(ask(&quota).await?, uncounted, "never counted");
    let held = earlier
        .holding(vec![quota.held()])
        .unwrap_or_else(|| earlier.clone());
    assert_eq!(
        fixture.store.save_session(&earlier, &held).await?,
        Saved::Done,
        "one that lives takes one"
    );
    assert_eq!(
        fixture.store.save_session(&earlier, &held).await?,
        Saved::Stale,
        "once"
    );
    assert_eq!(fixture.store.quota(&quota.key).await?, 1);
    assert_eq!(ask(&quota).await?, uncounted, "counted and not complete");
    fixture.store.complete_quota(&quota).await?;
    assert_eq!(ask(&quota).await?, Reserved::Placed);
    assert_eq!(ask(&quota).await?, Reserved::Full(QuotaKind::Cast));
    assert_eq!(ask(&later(&quota)).await?, uncounted, "a later limit");
    fixture.store.complete_quota(&later(&quota)).await?;
    fixture.store.complete_quota(&quota).await?;
    assert_eq!(
        ask(&later(&quota)).await?,
        Reserved::Full(QuotaKind::Cast),
        "what is complete stays so"
    );
    let over = ended(&ready(&held), EndReason::Owner, NOON);
    assert_eq!(fixture.store.save_session(&held, &over).await?, Saved::Done);
    assert_eq!(
        fixture.store.quota(&quota.key).await?,
        1,
        "it gave its one back"
    );
    assert_eq!(ask(&quota).await?, Reserved::Placed);
    let empty = late(1);
    fixture.store.complete_quota(&empty).await?;
    assert_eq!(fixture.store.quota(&empty.key).await?, 0, "nothing lives");
    assert_eq!(ask(&empty).await?, Reserved::Placed);
    let unlimited = Quota {
        most: None,
        ..fresh(fixture, QuotaKind::User, 0)
    };
    for _ in 0..3 {
        assert_eq!(ask(&unlimited).await?, Reserved::Placed);
    }
    assert_eq!(fixture.store.quota(&unlimited.key).await?, 3);
    Ok(())
}

pub async fn fifty_claims_at_once_on_a_count_of_twenty_get_exactly_twenty(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let (cast, quota) = (fixture.cast(0).await?, fresh(fixture, QuotaKind::Cast, 20));
    let claims: Vec<_> = (0..50).map(|_| claim(fixture, &cast, &[&quota])).collect();
    let mut waiting: Vec<&Reservation> = claims.iter().collect();
    let (mut placed, mut full) = (0, 0);
    // After too much contention the claim is repeated, as a visitor does.
    for _ in 0..50 {
        let answers = together(waiting.iter().map(|claim| fixture.store.reserve(claim))).await;
        // A repetition after a lost answer finds the session in its place.
        placed += answers
            .iter()
            .filter(|answer| matches!(answer, Ok(Reserved::Placed | Reserved::Already(_))))
            .count();
        full += count_answers(&answers, &Reserved::Full(QuotaKind::Cast));
        waiting = waiting
            .into_iter()
            .zip(answers)
            .filter(|(_, answer)| answer.is_err())
            .map(|(claim, _)| claim)
            .collect();
        if waiting.is_empty() {
            break;
        }
    }
    assert_eq!(
        (placed, full, fixture.store.quota(&quota.key).await?),
        (20, 30, 20)
    );
    Ok(())
}

pub async fn refund_returns_all_counts_served_end_live_ones(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let cast = fixture.cast(0).await?;
    let hour = Quota {
        forgotten_at: Some(NOON.plus_seconds(7200)),
        ..fresh(fixture, QuotaKind::Minted, 9)
    };
    let live = fresh(fixture, QuotaKind::Cast, 9);
    let unserved = fixture
        .place(&claim(fixture, &cast, &[&hour, &live]))
        .await?;
    let served = fixture
        .place(&claim(fixture, &cast, &[&hour, &live]))
        .await?;
    let taken = || async {
        Ok::<_, Fault>((
            fixture.store.quota(&hour.key).await?,
            fixture.store.quota(&live.key).await?,
        ))
    };
    assert_eq!(taken().await?, (2, 2));
    assert_eq!(
        fixture
            .store
            .save_session(&unserved, &refunded(&unserved, NOON))
            .await?,
        Saved::Done
    );
    assert_eq!(taken().await?, (1, 1), "a refund gives everything back");
    let inside = ready(&served);
    assert_eq!(
        fixture.store.save_session(&served, &inside).await?,
        Saved::Done
    );
    assert_eq!(
        taken().await?,
        (1, 1),
        "nothing is given back while it lives"
    );
    let over = ended(&inside, EndReason::Owner, NOON);
    assert_eq!(
        fixture.store.save_session(&inside, &over).await?,
        Saved::Done
    );
    assert_eq!(taken().await?, (1, 0), "who has been served has come");
    assert_eq!(
        fixture.store.save_session(&inside, &over).await?,
        Saved::Stale
    );
    assert_eq!(taken().await?, (1, 0), "once");
    Ok(())
}

pub async fn money_is_taken_by_amount_and_comes_back_unused_once(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let cast = fixture.cast(0).await?;
    // A window of its own, in which three sessions of 400 find 1,000.
    let ends = NOON.plus_seconds(3600);
    let money = Quota {
        key: format!(
            "{}/{}",
            fresh(fixture, QuotaKind::BudgetHour, 0).key,
            ends.seconds()
        ),
        ..Quota::money(QuotaKind::BudgetHour, ends, 400, 1000)
    };
    let taken = || fixture.store.quota(&money.key);
    let unserved = fixture.place(&claim(fixture, &cast, &[&money])).await?;
    let served = fixture.place(&claim(fixture, &cast, &[&money])).await?;
    assert_eq!(
        fixture
            .store
            .reserve(&claim(fixture, &cast, &[&money]))
            .await?,
        Reserved::Full(QuotaKind::BudgetHour)
    );
    assert_eq!(taken().await?, 800);
    let over = refunded(&unserved, NOON);
    assert_eq!(
        fixture.store.save_session(&unserved, &over).await?,
        Saved::Done
    );
    assert_eq!(
        fixture.store.save_session(&unserved, &over).await?,
        Saved::Stale
    );
    assert_eq!(taken().await?, 400, "no task ever ran");
    let inside = ready(&served);
    assert_eq!(
        fixture.store.save_session(&served, &inside).await?,
        Saved::Done
    );
    let over = ended(&inside, EndReason::Owner, NOON.plus_seconds(396));
    assert_eq!(
        fixture.store.save_session(&inside, &over).await?,
        Saved::Done
    );
    assert_eq!(
        fixture.store.save_session(&inside, &over).await?,
        Saved::Stale
    );
    assert_eq!(taken().await?, 40, "a tenth of its longest life");
    Ok(())
}

pub async fn a_count_that_was_forgotten_does_not_stop_a_release(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let cast = fixture.cast(1).await?;
    // A session whose row names a count from which nothing was ever taken.
    let mut claim = fixture.claim(&cast, true, None);
    claim.session.charge.held = vec![fresh(fixture, QuotaKind::Minted, 9).held()];
    let session = fixture.place(&claim).await?;
    assert_eq!(
        fixture
            .store
            .save_session(&session, &refunded(&session, NOON))
            .await?,
        Saved::Done
    );
    assert_eq!(
        fixture.remaining(&cast).await?,
        1,
        "the rest is given back all the same"
    );
    assert_eq!(fixture.store.quota(&session.charge.held[0].key).await?, 0);
    Ok(())
}

pub async fn a_proof_is_used_once(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let cast = fixture.cast(2).await?;
    let proof = Proof {
        id: SessionId::from_bytes(random_bytes(&fixture.entropy)).to_string(),
        until: NOON.plus_seconds(60),
    };
    let with_proof = || {
        let mut claim = fixture.claim(&cast, true, None);
        claim.proof = Some(proof.clone());
        claim
    };
    let first = with_proof();
    fixture.place(&first).await?;
    assert_eq!(
        fixture.store.reserve(&with_proof()).await?,
        Reserved::ProofUsed
    );
    assert_eq!(fixture.remaining(&cast).await?, 1, "all or nothing");
    assert_eq!(
        fixture.store.reserve(&first).await?,
        Reserved::Already(Box::new(first.session.clone())),
        "the claim that used it is found"
    );
    Ok(())
}

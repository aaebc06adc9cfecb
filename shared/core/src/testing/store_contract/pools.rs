//! Owns the contract of pools: never more wait than may, and a session that was started ahead is
//! given away at most once, with all a claim takes.

#![expect(
    missing_docs,
    reason = "the name of a case says what it holds the store to"
)]

use super::{Fixture, NOON, ended, quota, refunded, together};
use crate::cast::Cast;
use crate::ids::{SessionId, StagingId, random_bytes};
use crate::permission::Grant;
use crate::pooled::waiting;
use crate::ports::{Exchanged, Fault, Reservation, Reserved, Saved, Staged};
use crate::session::{EndReason, Endpoint, LaunchSpec, Session};
use crate::staging::{StagingConfig, StagingSettings};

/// A pool that no other test uses.
fn pool(fixture: &Fixture<'_>) -> StagingConfig {
    let settings = StagingSettings {
        name: "Monday".into(),
        description: String::new(),
        enabled: true,
        image_id: super::super::image(1).id,
        network: None,
        group_id: None,
        desired_sessions: 3,
        expiration_hours: 24,
        schedule: None,
        daily_budget_cents: None,
    };
    StagingConfig {
        id: StagingId::from_bytes(random_bytes(&fixture.entropy)),
        version: 1,
        settings,
        created_at: NOON,
        updated_at: NOON,
    }
}

fn staged(fixture: &Fixture<'_>, pool: &StagingConfig) -> Session {
    let (id, image) = (
        SessionId::from_bytes(random_bytes(&fixture.entropy)),
        super::super::image(1),
    );
    Session::staged(
        id,
        pool,
        &image,
        LaunchSpec::of(&image, None, None),
        Grant::default(),
        "",
        NOON,
    )
}

/// A session that is ready in the pool.
async fn ready(fixture: &Fixture<'_>, pool: &StagingConfig) -> Result<Session, Fault> {
    let session = staged(fixture, pool);
    assert_eq!(fixture.store.stage(&session, 9).await?, Staged::Placed);
    let ready = session
        .ready(
            Endpoint {
                host: "10.0.0.1".into(),
                port: 8080,
            },
            NOON,
        )
        .unwrap_or_else(|_| session.clone());
    assert_eq!(
        fixture.store.save_session(&session, &ready).await?,
        Saved::Done
    );
    Ok(ready)
}

/// A claim that charges a place and a slot in a window of its own, and takes this session.
fn taking(fixture: &Fixture<'_>, cast: &Cast, staged: &Session) -> Reservation {
    let mut claim = fixture.claim(cast, true, Some(&fixture.window_key(cast)));
    claim.session = staged
        .assigned(&claim.session)
        .unwrap_or_else(|_| claim.session.clone());
    claim.staged = Some(Box::new(staged.clone()));
    claim
}

async fn count(fixture: &Fixture<'_>, pool: &StagingConfig) -> Result<u64, Fault> {
    fixture.store.quota(&waiting(&pool.id, 0).key).await
}

async fn listed(
    fixture: &Fixture<'_>,
    pool: &StagingConfig,
    expected: &[&Session],
    name: &str,
) -> Result<(), Fault> {
    let ids: Vec<_> = expected.iter().map(|session| session.id.clone()).collect();
    let ask = async || {
        Ok(fixture
            .store
            .pool(&pool.id)
            .await?
            .into_iter()
            .map(|session| session.id)
            .collect::<Vec<_>>())
    };
    fixture.soon(ids, ask, name).await
}

pub async fn a_pool_takes_no_more_than_it_may_however_many_come_at_once(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let pool = pool(fixture);
    let sessions: Vec<_> = (0..12).map(|_| staged(fixture, &pool)).collect();
    let mut left: Vec<&Session> = sessions.iter().collect();
    let (mut placed, mut full) = (0, 0);
    for _ in 0..50 {
        let answers = together(left.iter().map(|session| fixture.store.stage(session, 5))).await;
        placed += quota(&answers, &Staged::Placed);
        full += quota(&answers, &Staged::Full);
        left = left
            .into_iter()
            .zip(answers)
            .filter(|(_, answer)| answer.is_err())
            .map(|(session, _)| session)
            .collect();
        if left.is_empty() {
            break;
        }
    }
    assert_eq!((placed, full, count(fixture, &pool).await?), (5, 7, 5));
    Ok(())
}

pub async fn a_session_waits_in_its_pool_until_it_is_given_away_or_stops(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let (cast, pool) = (fixture.cast(3).await?, pool(fixture));
    let (one, two) = (ready(fixture, &pool).await?, staged(fixture, &pool));
    let mut two = Session {
        created_at: NOON.plus_seconds(1),
        ..two
    };
    fixture.store.stage(&two, 9).await?;
    listed(fixture, &pool, &[&one, &two], "both wait, the oldest first").await?;
    fixture.place(&taking(fixture, &cast, &one)).await?;
    listed(fixture, &pool, &[&two], "the other one waits").await?;
    assert_eq!(count(fixture, &pool).await?, 1);
    for (step, held) in [
        (two.stopping(EndReason::NotNeeded, NOON), 0),
        (Ok(ended(&two, EndReason::TaskLost, NOON)), 0),
    ] {
        let after = step.unwrap_or_else(|_| two.clone());
        let after = Session {
            rev: two.rev + 1,
            ..after
        };
        assert_eq!(fixture.store.save_session(&two, &after).await?, Saved::Done);
        assert_eq!(
            count(fixture, &pool).await?,
            held,
            "what stops leaves its pool once"
        );
        two = after;
    }
    listed(fixture, &pool, &[], "nobody waits").await
}

pub async fn claim_takes_a_staged_session_and_finds_it_again(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let (cast, pool) = (fixture.cast(3).await?, pool(fixture));
    let one = ready(fixture, &pool).await?;
    let claim = taking(fixture, &cast, &one);
    let taken = fixture.place(&claim).await?;
    assert_eq!(taken.id, one.id);
    for id in [&taken.id, taken.claim_id()] {
        assert_eq!(
            fixture.store.session(id).await?.as_ref(),
            Some(&taken),
            "by its own id and by its claim's"
        );
    }
    assert_eq!(
        fixture.store.reserve(&claim).await?,
        Reserved::Already(Box::new(taken.clone()))
    );
    let cold = Reservation {
        session: taken.claim_alone(NOON),
        staged: None,
        ..claim.clone()
    };
    assert_eq!(
        fixture.store.reserve(&cold).await?,
        Reserved::Already(Box::new(taken.clone())),
        "whatever it would take now"
    );
    assert_eq!(
        (
            fixture.remaining(&cast).await?,
            count(fixture, &pool).await?
        ),
        (2, 0)
    );
    let endpoint = taken
        .pending_notification()
        .cloned()
        .unwrap_or_else(|| Endpoint {
            host: String::new(),
            port: 0,
        });
    let notified = taken
        .ready(endpoint, NOON)
        .unwrap_or_else(|_| taken.clone());
    fixture.store.save_session(&taken, &notified).await?;
    assert_eq!(
        fixture.store.session(taken.claim_id()).await?.as_ref(),
        Some(&notified)
    );
    fixture
        .store
        .save_session(&notified, &refunded(&notified, NOON))
        .await?;
    let key = taken.charge.window.clone().unwrap_or_default();
    assert_eq!(fixture.remaining(&cast).await?, 2, "it was served");
    assert_eq!(fixture.window(&key).await?.slots.len(), 1);
    Ok(())
}

pub async fn of_two_claims_at_once_one_gets_the_session(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let (cast, pool) = (fixture.cast(9).await?, pool(fixture));
    let one = ready(fixture, &pool).await?;
    let claims: Vec<_> = (0..4).map(|_| taking(fixture, &cast, &one)).collect();
    let mut left: Vec<&Reservation> = claims.iter().collect();
    let (mut placed, mut late) = (0, 0);
    for _ in 0..50 {
        let answers = together(left.iter().map(|claim| fixture.store.reserve(claim))).await;
        placed += answers
            .iter()
            .filter(|answer| matches!(answer, Ok(Reserved::Placed | Reserved::Already(_))))
            .count();
        late += quota(&answers, &Reserved::StagedGone);
        left = left
            .into_iter()
            .zip(answers)
            .filter(|(_, answer)| answer.is_err())
            .map(|(claim, _)| claim)
            .collect();
        if left.is_empty() {
            break;
        }
    }
    assert_eq!(
        (
            placed,
            late,
            fixture.remaining(&cast).await?,
            count(fixture, &pool).await?
        ),
        (1, 3, 8, 0),
        "the others took nothing"
    );
    Ok(())
}

pub async fn exchange_moves_all_that_a_claim_took_once(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let (cast, pool) = (fixture.cast(3).await?, pool(fixture));
    let (one, two) = (ready(fixture, &pool).await?, ready(fixture, &pool).await?);
    let first = fixture.place(&taking(fixture, &cast, &one)).await?;
    let key = first.charge.window.clone().unwrap_or_default();
    let given_up = |session: &Session| session.given_up(NOON).unwrap_or_else(|_| session.clone());

    let alone = first.claim_alone(NOON);
    let second = two.assigned(&alone).unwrap_or_else(|_| alone.clone());
    assert_eq!(
        fixture
            .store
            .exchange(&first, &given_up(&first), &second, Some(&two))
            .await?,
        Exchanged::Done
    );
    assert_eq!(
        fixture.store.session(first.claim_id()).await?.as_ref(),
        Some(&second)
    );
    assert_eq!(
        fixture.store.session(&first.id).await?.as_ref(),
        Some(&given_up(&first))
    );
    assert_eq!(
        (
            fixture.remaining(&cast).await?,
            count(fixture, &pool).await?
        ),
        (2, 0)
    );
    assert_eq!(
        fixture
            .store
            .exchange(&first, &given_up(&first), &alone, None)
            .await?,
        Exchanged::Stale,
        "again"
    );

    let three = ready(fixture, &pool).await?;
    fixture.place(&taking(fixture, &cast, &three)).await?;
    let gone = three
        .assigned(&second.claim_alone(NOON))
        .unwrap_or_else(|_| second.clone());
    assert_eq!(
        fixture
            .store
            .exchange(&second, &given_up(&second), &gone, Some(&three))
            .await?,
        Exchanged::StagedGone
    );
    assert_eq!(
        fixture.store.session(second.claim_id()).await?.as_ref(),
        Some(&second),
        "nothing was written"
    );

    let alone = second.claim_alone(NOON);
    assert_eq!(
        fixture
            .store
            .exchange(&second, &given_up(&second), &alone, None)
            .await?,
        Exchanged::Done
    );
    assert_eq!(
        fixture.store.session(&alone.id).await?.as_ref(),
        Some(&alone)
    );
    assert_eq!(fixture.remaining(&cast).await?, 1, "one for each claim");
    fixture
        .store
        .save_session(&alone, &refunded(&alone, NOON))
        .await?;
    assert_eq!(
        (
            fixture.remaining(&cast).await?,
            fixture.window(&key).await?.slots.len()
        ),
        (2, 0),
        "a refund gives back what the claim took"
    );
    Ok(())
}

pub async fn sessions_that_are_nobodys_are_no_claims(fixture: &Fixture<'_>) -> Result<(), Fault> {
    use crate::queries::SessionQuery;
    let (cast, pool) = (fixture.cast(3).await?, pool(fixture));
    let (one, two) = (ready(fixture, &pool).await?, ready(fixture, &pool).await?);
    let taken = fixture.place(&taking(fixture, &cast, &one)).await?;
    let of_all = async || {
        let page = fixture
            .store
            .sessions(
                &SessionQuery::default().between(NOON, NOON.plus_seconds(1)),
                None,
                100,
            )
            .await?;
        let ours = |session: &&Session| [&taken.id, &two.id].contains(&&session.id);
        Ok(page
            .items
            .iter()
            .filter(ours)
            .map(|session| session.id.clone())
            .collect::<Vec<_>>())
    };
    // Other cases claim at the same time, a hundred of them at most matter here.
    let of_cast = async || {
        Ok(fixture
            .store
            .sessions(&SessionQuery::cast(&cast.id), None, 10)
            .await?
            .items
            .len())
    };
    fixture.soon(1, of_cast, "of the link").await?;
    assert!(!of_all().await?.contains(&two.id), "nobody has claimed it");
    Ok(())
}

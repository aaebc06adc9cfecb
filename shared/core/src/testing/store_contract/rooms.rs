//! Waiting rooms: how they are entered, kept and left, alone and together with a claim.

#![expect(
    missing_docs,
    reason = "the name of a case says what it holds the store to"
)]

use super::{Fixture, together};
use crate::captcha::Proof;
use crate::cast::Cast;
use crate::ids::{SessionId, random_bytes};
use crate::ports::{Fault, QueueClaim, QueueSaved, Reservation, Reserved};
use crate::testing::NOON;
use crate::waiting_queue::{GONE_SECONDS, QueuePosition, WaitingQueue};

fn entry(fixture: &Fixture<'_>) -> SessionId {
    SessionId::from_bytes(random_bytes(&fixture.entropy))
}

/// The room after this place was taken in it; the stamp is the place.
fn joined(queue: &WaitingQueue, entry: &SessionId) -> WaitingQueue {
    queue
        .joined(entry, entry.to_string(), NOON)
        .unwrap_or_else(|| queue.clone())
}

/// A stored room of one place.
async fn queue_of_one(
    fixture: &Fixture<'_>,
    cast: &Cast,
    entry: &SessionId,
) -> Result<WaitingQueue, Fault> {
    let queue = joined(&WaitingQueue::empty(cast.id.clone()), entry);
    assert_eq!(
        fixture.store.save_queue("", &queue, None).await?,
        QueueSaved::Done,
        "the first one"
    );
    Ok(queue)
}

pub async fn a_room_is_written_only_as_seen(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let (cast, one, two) = (fixture.cast(1).await?, entry(fixture), entry(fixture));
    let empty = WaitingQueue::empty(cast.id.clone());
    assert_eq!(fixture.store.queue(&cast.id).await?, empty, "never entered");
    let first = queue_of_one(fixture, &cast, &one).await?;
    assert_eq!(fixture.store.queue(&cast.id).await?, first);
    assert_eq!(
        fixture
            .store
            .save_queue("", &joined(&empty, &two), None)
            .await?,
        QueueSaved::Moved(first.clone()),
        "somebody was faster"
    );
    let second = joined(&first, &two);
    assert_eq!(
        fixture
            .store
            .save_queue(&first.stamp, &second, None)
            .await?,
        QueueSaved::Done
    );
    let late = first.left(&one, "late".into(), NOON);
    assert_eq!(
        fixture.store.save_queue(&first.stamp, &late, None).await?,
        QueueSaved::Moved(second.clone())
    );
    let left = second.left(&one, "left".into(), NOON);
    assert_eq!(
        fixture.store.save_queue(&second.stamp, &left, None).await?,
        QueueSaved::Done
    );
    assert_eq!(fixture.store.queue(&cast.id).await?, left);
    Ok(())
}

pub async fn a_sign_of_life_changes_nothing_else(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let (cast, one) = (fixture.cast(1).await?, entry(fixture));
    let touch = async |entry: &SessionId, after: u64| {
        let now = NOON.plus_seconds(after);
        fixture
            .store
            .touch_entry(&cast.id, entry, now.minus_seconds(GONE_SECONDS), now)
            .await
    };
    assert_eq!(touch(&one, 0).await?, None, "there is no room");
    let queue = queue_of_one(fixture, &cast, &one).await?;
    let seen = touch(&one, 59).await?;
    assert_eq!(
        seen,
        Some(queue.touched(&one, NOON.plus_seconds(59))),
        "the stamp too is what it was"
    );
    assert_eq!(touch(&entry(fixture), 59).await?, None, "a place of nobody");
    assert_eq!(touch(&one, 59 + GONE_SECONDS).await?, None, "too late");
    assert_eq!(
        fixture.store.queue(&cast.id).await?,
        queue.touched(&one, NOON.plus_seconds(59))
    );
    Ok(())
}

pub async fn whoever_joins_uses_a_proof_up_or_stays_outside(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let (cast, one, two) = (fixture.cast(1).await?, entry(fixture), entry(fixture));
    let proof = Proof {
        id: entry(fixture).to_string(),
        until: NOON.plus_seconds(60),
    };
    let first = joined(&WaitingQueue::empty(cast.id.clone()), &one);
    assert_eq!(
        fixture.store.save_queue("", &first, Some(&proof)).await?,
        QueueSaved::Done
    );
    assert_eq!(
        fixture
            .store
            .save_queue(&first.stamp, &joined(&first, &two), Some(&proof))
            .await?,
        QueueSaved::ProofUsed
    );
    assert_eq!(
        fixture.store.queue(&cast.id).await?,
        first,
        "all or nothing"
    );
    let mut claim = fixture.claim(&cast, true, None);
    claim.proof = Some(proof);
    assert_eq!(
        fixture.store.reserve(&claim).await?,
        Reserved::ProofUsed,
        "it opens no session any more"
    );
    Ok(())
}

fn serving(claim: &Reservation, queue: &WaitingQueue, entry: &SessionId) -> QueueClaim {
    let after = queue.served(entry, &claim.session.id, claim.session.id.to_string(), NOON);
    QueueClaim {
        cast: queue.cast.clone(),
        seen: queue.stamp.clone(),
        after: Some(after),
    }
}

pub async fn claim_gives_up_its_queue_entry_atomically(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let (cast, one) = (fixture.cast(2).await?, entry(fixture));
    // A claim that takes nothing but its session is held to the room as well.
    let mut stranger = fixture.claim(&cast, false, None);
    stranger.queue = Some(QueueClaim {
        cast: cast.id.clone(),
        seen: String::new(),
        after: None,
    });
    assert_eq!(
        fixture.store.reserve(&stranger).await?,
        Reserved::Placed,
        "nobody has ever waited"
    );
    let queue = queue_of_one(fixture, &cast, &one).await?;
    let mut late = fixture.claim(&cast, true, None);
    late.queue = stranger.queue.clone();
    assert_eq!(
        fixture.store.reserve(&late).await?,
        Reserved::QueueMoved(queue.clone()),
        "somebody waits by now"
    );

    let mut claim = fixture.claim(&cast, true, None);
    claim.queue = Some(serving(
        &claim,
        &WaitingQueue {
            stamp: "another".into(),
            ..queue.clone()
        },
        &one,
    ));
    assert_eq!(
        fixture.store.reserve(&claim).await?,
        Reserved::QueueMoved(queue.clone())
    );
    assert_eq!(
        (
            fixture.remaining(&cast).await?,
            fixture.store.session(&claim.session.id).await?
        ),
        (2, None),
        "all or nothing"
    );
    let mut stale = claim.clone();
    stale.queue = Some(serving(&claim, &queue, &one));
    stale.cast_version += 1;
    assert_eq!(
        fixture.store.reserve(&stale).await?,
        Reserved::ConfigChanged
    );
    assert_eq!(
        fixture.store.queue(&cast.id).await?,
        queue,
        "all or nothing"
    );

    fixture
        .store
        .touch_entry(&cast.id, &one, NOON.minus_seconds(GONE_SECONDS), NOON)
        .await?;
    claim.queue = Some(serving(&claim, &queue, &one));
    assert_eq!(
        fixture.store.reserve(&claim).await?,
        Reserved::Placed,
        "a sign of life is in nobody's way"
    );
    assert_eq!(
        (
            fixture.remaining(&cast).await?,
            fixture.store.queue(&cast.id).await?.position(&one, NOON)
        ),
        (1, QueuePosition::Served)
    );
    assert_eq!(
        fixture.store.reserve(&claim).await?,
        Reserved::Already(Box::new(claim.session.clone())),
        "once"
    );
    Ok(())
}

pub async fn of_fifty_who_come_at_once_each_gets_a_number_of_their_own(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let cast = fixture.cast(1).await?;
    let places: Vec<SessionId> = (0..50).map(|_| entry(fixture)).collect();
    let come = async |entry: SessionId| {
        let mut queue = WaitingQueue::empty(cast.id.clone());
        loop {
            match fixture
                .store
                .save_queue(&queue.stamp, &joined(&queue, &entry), None)
                .await?
            {
                QueueSaved::Done => return Ok::<(), Fault>(()),
                QueueSaved::Moved(seen) => queue = seen,
                QueueSaved::ProofUsed => return Err(super::gone("a proof that nobody brought")),
            }
        }
    };
    for answer in together(places.into_iter().map(come)).await {
        answer?;
    }
    let mut numbers: Vec<u64> = fixture
        .store
        .queue(&cast.id)
        .await?
        .places
        .values()
        .map(|entry| entry.number)
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=50).collect::<Vec<_>>());
    Ok(())
}

//! Waiting rooms: how they are entered, kept and left, alone and together with a claim.

#![expect(
    missing_docs,
    reason = "the name of a case says what it holds the store to"
)]

use super::{Fixture, together};
use crate::captcha::Proof;
use crate::cast::Cast;
use crate::ids::{SessionId, draw};
use crate::ports::{Fault, Reservation, Reserved, RoomClaim, Seated};
use crate::room::{GONE_SECONDS, Room, Standing};
use crate::testing::NOON;

fn place(fixture: &Fixture<'_>) -> SessionId {
    SessionId::from_bytes(draw(&fixture.entropy))
}

/// The room after this place was taken in it; the stamp is the place.
fn joined(room: &Room, place: &SessionId) -> Room {
    room.joined(place, place.to_string(), NOON)
        .unwrap_or_else(|| room.clone())
}

/// A stored room of one place.
async fn room_of_one(fixture: &Fixture<'_>, cast: &Cast, place: &SessionId) -> Result<Room, Fault> {
    let room = joined(&Room::empty(cast.id.clone()), place);
    assert_eq!(
        fixture.store.save_room("", &room, None).await?,
        Seated::Done,
        "the first one"
    );
    Ok(room)
}

pub async fn a_room_is_written_only_as_seen(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let (cast, one, two) = (fixture.cast(1).await?, place(fixture), place(fixture));
    let empty = Room::empty(cast.id.clone());
    assert_eq!(fixture.store.room(&cast.id).await?, empty, "never entered");
    let first = room_of_one(fixture, &cast, &one).await?;
    assert_eq!(fixture.store.room(&cast.id).await?, first);
    assert_eq!(
        fixture
            .store
            .save_room("", &joined(&empty, &two), None)
            .await?,
        Seated::Moved(first.clone()),
        "somebody was faster"
    );
    let second = joined(&first, &two);
    assert_eq!(
        fixture.store.save_room(&first.stamp, &second, None).await?,
        Seated::Done
    );
    let late = first.left(&one, "late".into(), NOON);
    assert_eq!(
        fixture.store.save_room(&first.stamp, &late, None).await?,
        Seated::Moved(second.clone())
    );
    let left = second.left(&one, "left".into(), NOON);
    assert_eq!(
        fixture.store.save_room(&second.stamp, &left, None).await?,
        Seated::Done
    );
    assert_eq!(fixture.store.room(&cast.id).await?, left);
    Ok(())
}

pub async fn a_sign_of_life_changes_nothing_else(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let (cast, one) = (fixture.cast(1).await?, place(fixture));
    let touch = async |place: &SessionId, after: u64| {
        let now = NOON.plus_seconds(after);
        fixture
            .store
            .touch_place(&cast.id, place, now.minus_seconds(GONE_SECONDS), now)
            .await
    };
    assert_eq!(touch(&one, 0).await?, None, "there is no room");
    let room = room_of_one(fixture, &cast, &one).await?;
    let seen = touch(&one, 59).await?;
    assert_eq!(
        seen,
        Some(room.touched(&one, NOON.plus_seconds(59))),
        "the stamp too is what it was"
    );
    assert_eq!(touch(&place(fixture), 59).await?, None, "a place of nobody");
    assert_eq!(touch(&one, 59 + GONE_SECONDS).await?, None, "too late");
    assert_eq!(
        fixture.store.room(&cast.id).await?,
        room.touched(&one, NOON.plus_seconds(59))
    );
    Ok(())
}

pub async fn whoever_joins_uses_a_proof_up_or_stays_outside(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let (cast, one, two) = (fixture.cast(1).await?, place(fixture), place(fixture));
    let proof = Proof {
        id: place(fixture).to_string(),
        until: NOON.plus_seconds(60),
    };
    let first = joined(&Room::empty(cast.id.clone()), &one);
    assert_eq!(
        fixture.store.save_room("", &first, Some(&proof)).await?,
        Seated::Done
    );
    assert_eq!(
        fixture
            .store
            .save_room(&first.stamp, &joined(&first, &two), Some(&proof))
            .await?,
        Seated::ProofUsed
    );
    assert_eq!(fixture.store.room(&cast.id).await?, first, "all or nothing");
    let mut claim = fixture.claim(&cast, true, None);
    claim.proof = Some(proof);
    assert_eq!(
        fixture.store.reserve(&claim).await?,
        Reserved::ProofUsed,
        "it opens no session any more"
    );
    Ok(())
}

fn serving(claim: &Reservation, room: &Room, place: &SessionId) -> RoomClaim {
    let after = room.served(place, &claim.session.id, claim.session.id.to_string(), NOON);
    RoomClaim {
        cast: room.cast.clone(),
        seen: room.stamp.clone(),
        after: Some(after),
    }
}

pub async fn a_claim_gives_up_its_place_with_everything_else_or_not_at_all(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    let (cast, one) = (fixture.cast(2).await?, place(fixture));
    // A claim that takes nothing but its session is held to the room as well.
    let mut stranger = fixture.claim(&cast, false, None);
    stranger.room = Some(RoomClaim {
        cast: cast.id.clone(),
        seen: String::new(),
        after: None,
    });
    assert_eq!(
        fixture.store.reserve(&stranger).await?,
        Reserved::Placed,
        "nobody has ever waited"
    );
    let room = room_of_one(fixture, &cast, &one).await?;
    let mut late = fixture.claim(&cast, true, None);
    late.room = stranger.room.clone();
    assert_eq!(
        fixture.store.reserve(&late).await?,
        Reserved::RoomMoved(room.clone()),
        "somebody waits by now"
    );

    let mut claim = fixture.claim(&cast, true, None);
    claim.room = Some(serving(
        &claim,
        &Room {
            stamp: "another".into(),
            ..room.clone()
        },
        &one,
    ));
    assert_eq!(
        fixture.store.reserve(&claim).await?,
        Reserved::RoomMoved(room.clone())
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
    stale.room = Some(serving(&claim, &room, &one));
    stale.cast_version += 1;
    assert_eq!(
        fixture.store.reserve(&stale).await?,
        Reserved::ConfigChanged
    );
    assert_eq!(fixture.store.room(&cast.id).await?, room, "all or nothing");

    fixture
        .store
        .touch_place(&cast.id, &one, NOON.minus_seconds(GONE_SECONDS), NOON)
        .await?;
    claim.room = Some(serving(&claim, &room, &one));
    assert_eq!(
        fixture.store.reserve(&claim).await?,
        Reserved::Placed,
        "a sign of life is in nobody's way"
    );
    assert_eq!(
        (
            fixture.remaining(&cast).await?,
            fixture.store.room(&cast.id).await?.standing(&one, NOON)
        ),
        (1, Standing::Served)
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
    let places: Vec<SessionId> = (0..50).map(|_| place(fixture)).collect();
    let come = async |place: SessionId| {
        let mut room = Room::empty(cast.id.clone());
        loop {
            match fixture
                .store
                .save_room(&room.stamp, &joined(&room, &place), None)
                .await?
            {
                Seated::Done => return Ok::<(), Fault>(()),
                Seated::Moved(seen) => room = seen,
                Seated::ProofUsed => return Err(super::gone("a proof that nobody brought")),
            }
        }
    };
    for answer in together(places.into_iter().map(come)).await {
        answer?;
    }
    let mut numbers: Vec<u64> = fixture
        .store
        .room(&cast.id)
        .await?
        .places
        .values()
        .map(|place| place.number)
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=50).collect::<Vec<_>>());
    Ok(())
}

//! Owns what the store says when the wire fails it: every write that is sent twice is written once,
//! and what is given up says what is known.

use std::sync::atomic::Ordering;

use casting_core::cast::CounterChange;
use casting_core::ports::{
    Created, FaultKind, RefusalCount, Replaced, Reservation, Reserved, Saved, Store,
};
use casting_core::session::{Charge, EndReason};
use casting_core::testing::{NOON, cast, image, session};

use crate::database::Database;
use crate::wire::{InjectedFault, Plan};

use InjectedFault::{Conflict, InternalError, LoseAnswer, LoseRequest, Refuse, Throttle};

/// What can go wrong with a write that is then tried again.
const PASSING: [&[InjectedFault]; 7] = [
    &[LoseAnswer],
    &[LoseRequest],
    &[InternalError],
    &[Throttle, Conflict],
    &[LoseAnswer, LoseAnswer],
    &[LoseAnswer, Conflict],
    &[Conflict, LoseAnswer, Throttle],
];

#[tokio::test]
async fn lost_answer_of_a_write_is_recovered_exactly_once() {
    let database = Database::open().await;
    let still = database.store(Plan::default());
    for (n, injected) in (0..).zip(PASSING) {
        let store = || database.store(Plan::next(injected));
        let mut cast = cast(n);
        cast.counter.remaining = 5;
        assert_eq!(
            store().create_cast(&cast, None).await,
            Ok(Created::Done),
            "{injected:?}: create"
        );

        let mut after = cast.clone();
        after.version += 1;
        after.settings.key =
            casting_core::ids::CastKey::parse(&format!("moved-{n}")).expect("a key");
        assert_eq!(
            store()
                .replace_cast(&cast, &after, CounterChange::Keep, None)
                .await,
            Ok(Replaced::Done),
            "{injected:?}: replace"
        );

        for (count, m) in [(None, n), (Some(0), n + 100)] {
            let mut session = session(&after, m);
            session.charge = Charge {
                count,
                ..Charge::default()
            };
            let reservation = Reservation {
                session: session.clone(),
                cast_version: after.version,
                window: None,
                quotas: Vec::new(),
                proof: None,
                staged: None,
                queue: None,
            };
            assert_eq!(
                store().reserve(&reservation).await,
                Ok(Reserved::Placed),
                "{injected:?}: reserve"
            );
            let over = session
                .ended(EndReason::NoCapacity, NOON)
                .expect("it lives");
            let taken = 5 - u64::from(count.is_some());
            assert_eq!(
                still
                    .cast(&cast.id)
                    .await
                    .expect("read")
                    .expect("there")
                    .counter
                    .remaining,
                taken,
                "{injected:?}"
            );
            assert_eq!(
                store().save_session(&session, &over).await,
                Ok(Saved::Done),
                "{injected:?}: save"
            );
            assert_eq!(
                still
                    .cast(&cast.id)
                    .await
                    .expect("read")
                    .expect("there")
                    .counter
                    .remaining,
                5,
                "{injected:?}"
            );
        }
        assert_eq!(
            store().delete_cast(&after, None).await,
            Ok(Saved::Done),
            "{injected:?}: delete"
        );

        let image = image(n);
        assert_eq!(
            (&store() as &dyn Store)
                .put_record(&image, None, None)
                .await,
            Ok(Saved::Done),
            "{injected:?}: image"
        );
        assert_eq!(
            (&store() as &dyn Store).delete_record(&image, None).await,
            Ok(Saved::Done),
            "{injected:?}: no image"
        );

        let refusals = [RefusalCount {
            cast_id: Some(cast.id),
            hour: 3600,
            code: "ip-limit".into(),
            count: 3,
            samples: vec![],
        }];
        assert_eq!(
            store().add_refusals(&refusals).await,
            Ok(()),
            "{injected:?}: count"
        );
        assert_eq!(
            still.refusals(refusals[0].cast_id.as_ref(), 0).await,
            Ok(refusals.to_vec()),
            "{injected:?}: counted once"
        );
    }
}

#[tokio::test]
async fn abandoned_write_reports_what_is_known() {
    let database = Database::open().await;
    let mut running = Vec::new();
    for (name, injected, kind, calls) in [
        ("always busy", vec![Conflict; 99], FaultKind::Contention, 20),
        (
            "always throttled",
            vec![Throttle; 99],
            FaultKind::Contention,
            20,
        ),
        (
            "no answer ever",
            vec![LoseRequest; 99],
            FaultKind::Unavailable,
            5,
        ),
        ("broken", vec![InternalError; 99], FaultKind::Unavailable, 5),
        (
            "lost once, then busy",
            [vec![LoseAnswer], vec![Conflict; 98]].concat(),
            FaultKind::Unavailable,
            21,
        ),
        ("not allowed", vec![Refuse], FaultKind::Refused, 1),
    ] {
        let plan = Plan::next(&injected);
        let store = database.store(plan.clone());
        running.push(tokio::spawn(async move {
            let answer = store.create_cast(&cast(1), None).await;
            assert_eq!(answer.map_err(|fault| fault.kind), Err(kind), "{name}");
            assert_eq!(plan.calls.load(Ordering::SeqCst), calls, "{name}");
        }));
    }
    for case in running {
        case.await.expect("as it should be");
    }
}

#[tokio::test]
async fn claim_and_link_cost_one_call_each() {
    let database = Database::open().await;
    let plan = Plan::default();
    let store = database.store(plan.clone());
    let cast = cast(1);
    store.create_cast(&cast, None).await.expect("created");
    let calls = || plan.calls.swap(0, Ordering::SeqCst);
    calls();
    assert!(
        store
            .cast_by_key(&cast.settings.key)
            .await
            .expect("read")
            .is_some()
    );
    assert_eq!(calls(), 1, "a link");
    let mut limited = casting_core::testing::cast(2);
    limited.settings.limit_total_sessions = true;
    store.create_cast(&limited, None).await.expect("created");
    calls();
    let read = store.cast_by_key(&limited.settings.key).await;
    assert_eq!(read, Ok(Some(limited)));
    assert_eq!(calls(), 2, "a link with a counter");
    for count in [None, Some(0)] {
        let mut session = session(&cast, 1);
        session.charge.count = count;
        store
            .reserve(&Reservation {
                session,
                cast_version: 1,
                window: None,
                quotas: Vec::new(),
                proof: None,
                staged: None,
                queue: None,
            })
            .await
            .expect("an answer");
        assert_eq!(calls(), 1, "a claim that charges {count:?}");
    }
}

#[tokio::test]
async fn a_thousand_claims_for_a_hundred_sessions_all_complete() {
    let database = Database::open().await;
    let store = database.store(Plan {
        conflict: 0.5,
        ..Plan::default()
    });
    let mut cast = cast(2);
    cast.counter.remaining = 100;
    store.create_cast(&cast, None).await.expect("created");
    let claims = (0..1000u32).map(|n| {
        let mut session = session(&cast, 0);
        let mut nonce = [0; 16];
        nonce[..4].copy_from_slice(&n.to_be_bytes());
        session.id = casting_core::ids::SessionId::from_bytes(nonce);
        session.charge.count = Some(0);
        let (store, reservation) = (
            store.clone(),
            Reservation {
                session,
                cast_version: 1,
                window: None,
                quotas: Vec::new(),
                proof: None,
                staged: None,
                queue: None,
            },
        );
        tokio::spawn(async move { store.reserve(&reservation).await })
    });
    let (mut placed, mut sold_out) = (0, 0);
    for claim in claims.collect::<Vec<_>>() {
        match claim.await.expect("no panic").expect("no fault") {
            Reserved::Placed => placed += 1,
            Reserved::SoldOut => sold_out += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((placed, sold_out), (100, 900));
    assert_eq!(
        store
            .cast(&cast.id)
            .await
            .expect("read")
            .expect("there")
            .counter
            .remaining,
        0
    );
}

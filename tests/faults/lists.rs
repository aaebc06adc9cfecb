//! The lists of a link's claims hold each of them once, and each is found by its reference, wherever
//! a sweep dies that writes them.

use casting_core::ids::{Reference, SessionId};
use casting_core::ports::Store;
use casting_core::session::Session;
use casting_core::testing::session;
use casting_tests::faults::{CallFault, FaultPlan, run_actor};
use casting_tests::sim_world::{Limits, SharedDb, SimWorld};

/// More calls than a sweep makes.
const MOST_CALLS: usize = 60;

#[tokio::test(start_paused = true)]
async fn list_of_a_link_survives_a_crash_at_every_call() {
    let shared_db = SharedDb::new().await.expect("a database");
    for fault in [CallFault::CrashBefore, CallFault::CrashAfter] {
        let mut died = 0;
        for call in 0..MOST_CALLS {
            let world = SimWorld::new(&shared_db, 800, Limits::default())
                .await
                .expect("a world");
            let process = world.stable_process();
            let now = process.clock.now();
            let claims: Vec<Session> = (0u8..30)
                .map(|n| {
                    let mut session = session(&world.cast, n);
                    session.id = SessionId::from_bytes([n + 1; 16]);
                    session.created_at = now.plus_seconds(u64::from(n / 2) * 60);
                    session
                })
                .collect();
            let store = shared_db.store();
            store.import_sessions(&claims).await.expect("are there");
            let later = now.plus_seconds(4500);
            let due = later.minus_seconds(90);
            let swept = run_actor(
                call as u64,
                FaultPlan::At(call, fault.clone()),
                process.store.list_claims(due, later),
            )
            .await;
            died += usize::from(swept.result.is_none());
            let mut expected: Vec<&Session> = claims.iter().collect();
            expected.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
            let expected: Vec<&SessionId> = expected.iter().map(|session| &session.id).collect();
            for again in [later, later.plus_seconds(3600), later.plus_seconds(9000)] {
                let listed = world.listed().await.expect("a list");
                assert!(
                    listed.iter().eq(expected.iter().copied()),
                    "{fault:?} at {call}"
                );
                for claim in &claims {
                    let found = store.sessions_by_reference(&Reference::of(&claim.id)).await;
                    let found = found.expect("a list");
                    assert!(
                        found.iter().any(|session| session.id == claim.id),
                        "{fault:?} at {call}: {}",
                        claim.id
                    );
                }
                let due = again.minus_seconds(90);
                store.list_claims(due, again).await.expect("goes on");
            }
            if swept.result.is_some() {
                break;
            }
        }
        assert!(died >= 5, "{fault:?}: {died}");
    }
}

//! A thousand visitors at once on a hundred places.

use casting_core::Visitor;
use casting_core::denial::DenialCode;
use casting_tests::faults::{FaultPlan, run_actor};
use casting_tests::sim_world::{Limits, SharedDb, SimWorld, claim, open};

#[tokio::test(start_paused = true)]
async fn a_thousand_claims_get_exactly_a_hundred_sessions() {
    let shared_db = SharedDb::new().await.expect("a database");
    let mut world = SimWorld::new(
        &shared_db,
        5,
        Limits {
            total: Some(100),
            ..Limits::default()
        },
    )
    .await
    .expect("a world");
    let key = world.cast.settings.key.as_str().to_owned();
    let visitors: Vec<Visitor> = (0..1000u32)
        .map(|n| Visitor::from(std::net::Ipv4Addr::from(0x0a00_0000 + n).into()))
        .collect();
    let mut crowd = tokio::task::JoinSet::new();
    for (n, visitor) in visitors.into_iter().enumerate() {
        let (process, key) = (world.processes[n % 3].clone(), key.clone());
        crowd.spawn(async move {
            // Calls take their time, so that the visitors really meet.
            let claim = async {
                let opened = open(&process, &key, &visitor).await?;
                claim(&process, &key, &opened, &visitor).await
            };
            run_actor(n as u64, FaultPlan::Random { percent: 0 }, claim)
                .await
                .result
                .expect("nobody crashes")
        });
    }
    let (mut given, mut refused) = (0, 0);
    while let Some(result) = crowd.join_next().await {
        match result.expect("does not panic") {
            Ok(claimed) => {
                given += 1;
                world.given.insert(claimed.session.id);
            }
            Err(refusal) => {
                assert_eq!(
                    refusal.denial().code,
                    DenialCode::NoSessionsLeft,
                    "{refusal:?}"
                );
                refused += 1;
            }
        }
    }
    assert_eq!((given, refused), (100, 900));
    assert_eq!(
        world.cast_now().await.expect("is there").counter.remaining,
        0
    );
    assert_eq!(world.given.len(), 100);
    assert_eq!(world.ecs.tasks().len(), 100);
    world.check_ledger().await.expect("holds");
    world
        .check_tasks()
        .await
        .expect("every task has its session");
}

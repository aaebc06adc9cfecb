//! The endpoint's answers, without processes behind them.

use std::collections::BTreeSet;

use casting_boot::system::SystemEntropy;
use casting_core::ports::{Launcher, Run};
use casting_core::session::TaskStatus;
use casting_ecs::contract::Stage;
use casting_local::ecs::InjectedFault;
use serde_json::json;

use crate::fixture::{EcsFixture, image, read, spec};

async fn keeps_the_contract(fixture: &EcsFixture) {
    let stage = Stage {
        launcher: &fixture.launcher,
        image: image("exec sleep 1000"),
        fill_up: || fixture.ecs.inject_faults([InjectedFault::NoCapacity]),
        entropy: &SystemEntropy::new(),
    };
    stage.play().await.unwrap();
    assert_eq!(
        fixture.ecs.live(),
        0,
        "the contract clears away what it starts"
    );
}

#[tokio::test]
async fn simulated_tasks_pass_the_launcher_contract() {
    keeps_the_contract(&EcsFixture::simulated().await).await;
}

#[tokio::test]
async fn process_tasks_pass_the_launcher_contract() {
    keeps_the_contract(&EcsFixture::processes().await).await;
}

#[tokio::test]
async fn failed_starts_leave_at_most_one_task() {
    use InjectedFault::{LostAnswer, NoCapacity, ServerError, Throttled};
    for (name, troubles, is_started) in [
        ("a lost answer", vec![LostAnswer], true),
        ("two lost answers", vec![LostAnswer, LostAnswer], true),
        (
            "an error, then throttled",
            vec![ServerError, Throttled],
            true,
        ),
        (
            "a lost answer, then throttled",
            vec![LostAnswer, Throttled],
            true,
        ),
        ("throttled", vec![Throttled], false),
        ("no room", vec![NoCapacity], false),
    ] {
        let fixture = EcsFixture::simulated().await;
        let definition = fixture
            .launcher
            .register(&image("true"))
            .await
            .unwrap()
            .unwrap();
        fixture.ecs.inject_faults(troubles);
        let run = fixture.launcher.run(&spec(&definition)).await;
        assert_eq!(
            matches!(run, Run::Started(_)),
            is_started,
            "{name}: {run:?}"
        );
        assert_eq!(fixture.ecs.live(), usize::from(is_started), "{name}");
    }
}

#[tokio::test]
async fn concurrent_starts_fill_the_limit_exactly() {
    let fixture = EcsFixture::simulated().await;
    let definition = fixture
        .launcher
        .register(&image("true"))
        .await
        .unwrap()
        .unwrap();
    fixture.ecs.set_max_tasks(Some(20));
    let starts = (0..60).map(|_| {
        let (launcher, spec) = (fixture.launcher.clone(), spec(&definition));
        tokio::spawn(async move { matches!(launcher.run(&spec).await, Run::Started(_)) })
    });
    let mut started = 0;
    for start in starts.collect::<Vec<_>>() {
        started += usize::from(start.await.unwrap());
    }
    assert_eq!((started, fixture.ecs.live()), (20, 20));
}

#[tokio::test]
async fn simulated_task_emits_an_event_per_transition() {
    let mut fixture = EcsFixture::simulated().await;
    let definition = fixture
        .launcher
        .register(&image("true"))
        .await
        .unwrap()
        .unwrap();
    let started = fixture.start(&definition).await;
    assert_eq!(
        started.task.status,
        TaskStatus::Provisioning,
        "the answer comes before the task runs"
    );
    let arn = &started.task.arn;
    fixture.ecs.exit(arn, 3);
    let ended = fixture
        .launcher
        .describe(std::slice::from_ref(arn))
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        (ended.task.status, ended.exit_code),
        (TaskStatus::Stopped, Some(3))
    );
    let mut events = Vec::new();
    while let Ok(event) = fixture.events.try_recv() {
        events.push(read(event));
    }
    let statuses: Vec<_> = events.iter().map(|task| task.task.status).collect();
    assert_eq!(
        statuses,
        [
            TaskStatus::Provisioning,
            TaskStatus::Running,
            TaskStatus::Stopping,
            TaskStatus::Stopped
        ]
    );
    let versions: BTreeSet<_> = events.iter().map(|task| task.task.version).collect();
    assert_eq!(versions.len(), events.len(), "each change has its version");
    assert_eq!(events.last(), Some(&ended), "events and API tell the same");
}

#[tokio::test]
async fn requests_that_ecs_refuses_are_refused() {
    let fixture = EcsFixture::simulated().await;
    let run = || {
        fixture
            .client
            .run_task()
            .cluster("casting")
            .task_definition("x")
    };
    let codes = [
        (
            "another cluster",
            run()
                .cluster("other")
                .send()
                .await
                .err()
                .map(|e| e.into_service_error().is_cluster_not_found_exception()),
        ),
        (
            "no network",
            run()
                .send()
                .await
                .err()
                .map(|e| e.into_service_error().is_invalid_parameter_exception()),
        ),
        (
            "too many",
            run()
                .count(11)
                .send()
                .await
                .err()
                .map(|e| e.into_service_error().is_invalid_parameter_exception()),
        ),
    ];
    for (name, is_right) in codes {
        assert_eq!(is_right, Some(true), "{name}");
    }
    let mut image = image("true");
    image.settings.container = String::new();
    assert!(
        fixture.launcher.register(&image).await.unwrap().is_err(),
        "a container without a name"
    );
}

#[tokio::test]
async fn lists_are_paged_and_clusters_described() {
    let fixture = EcsFixture::simulated().await;
    let definition = fixture
        .launcher
        .register(&image("true"))
        .await
        .unwrap()
        .unwrap();
    for _ in 0..5 {
        fixture.start(&definition).await;
    }
    let mut pages = fixture
        .client
        .list_tasks()
        .cluster("casting")
        .max_results(2)
        .into_paginator()
        .send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(page.unwrap().task_arns().len());
    }
    assert_eq!(sizes, [2, 2, 1]);
    let clusters = fixture
        .client
        .describe_clusters()
        .clusters("casting")
        .clusters("other")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            clusters.clusters()[0].running_tasks_count(),
            clusters.failures().len()
        ),
        (5, 1)
    );
}

#[tokio::test]
async fn definition_is_described_until_deregistered() {
    let fixture = EcsFixture::simulated().await;
    let arn = fixture
        .launcher
        .register(&image("true"))
        .await
        .unwrap()
        .unwrap();
    assert!(arn.ends_with(":1"), "{arn}");
    let shown = fixture
        .client
        .describe_task_definition()
        .task_definition(&arn)
        .send()
        .await
        .unwrap();
    let shown = shown.task_definition().unwrap().clone();
    assert_eq!(
        json!(shown.container_definitions()[0].command()),
        json!(["--", "sh", "-c", "true"])
    );
    fixture
        .client
        .deregister_task_definition()
        .task_definition(&arn)
        .send()
        .await
        .unwrap();
    assert!(matches!(
        fixture.launcher.run(&spec(&arn)).await,
        Run::Refused(_)
    ));
    assert!(
        fixture
            .launcher
            .register(&image("true"))
            .await
            .unwrap()
            .unwrap()
            .ends_with(":2")
    );
}

#[tokio::test]
async fn stopped_task_is_dropped_after_an_hour() {
    let fixture = EcsFixture::simulated().await;
    let definition = fixture
        .launcher
        .register(&image("true"))
        .await
        .unwrap()
        .unwrap();
    let (stopped, live) = (
        fixture.start(&definition).await.task.arn,
        fixture.start(&definition).await.task.arn,
    );
    fixture.ecs.exit(&stopped, 0);
    for (seconds, is_known) in [(3600, true), (1, false)] {
        fixture.clock.advance(seconds);
        fixture.start(&definition).await;
        assert_eq!(
            !fixture
                .launcher
                .describe(std::slice::from_ref(&stopped))
                .await
                .unwrap()
                .is_empty(),
            is_known,
            "{seconds} seconds later"
        );
    }
    let live = fixture.launcher.describe(&[live]).await.unwrap();
    assert_eq!(live.len(), 1);
}

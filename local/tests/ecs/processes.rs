//! Tasks as process trees: how they end, and that nothing of them is left.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_ecs::types::ContainerDefinition;
use casting_core::ports::Launcher;
use casting_core::session::TaskStatus;
use casting_local::ecs::supervisor;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::fixture::{EcsFixture, Folder, eventually, exists};

/// Registers a definition with a command, and a second between SIGTERM and SIGKILL.
async fn define(fixture: &EcsFixture, command: &[&str]) -> String {
    let command = command.iter().map(|part| (*part).to_owned()).collect();
    let container = ContainerDefinition::builder()
        .name("session")
        .image("local/app")
        .set_command(Some(command))
        .stop_timeout(1)
        .build();
    let answer = fixture
        .client
        .register_task_definition()
        .family("script")
        .container_definitions(container)
        .send()
        .await
        .unwrap();
    answer
        .task_definition()
        .unwrap()
        .task_definition_arn()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn task_has_environment_log_and_exit_code() {
    let mut fixture = EcsFixture::processes().await;
    let arn = fixture
        .script(
            "echo name=$CAST_NAME listen=$CAST_GATE_LISTEN cargo=$CARGO_PKG_NAME; echo oh >&2; \
                 exit 3",
        )
        .await;
    let ended = fixture.until(&arn, TaskStatus::Stopped).await;
    assert_eq!(ended.exit_code, Some(3));
    assert!(
        ended.stop_detail.starts_with("EssentialContainerExited"),
        "{ended:?}"
    );
    let log = fixture.log(&arn);
    assert!(
        log.starts_with("name=a name listen= cargo=\noh\n[task] exited with code 3; peak memory "),
        "{log}"
    );
    assert!(
        fixture.ecs.tasks()[0]["local"]["peakMemoryKib"]
            .as_u64()
            .unwrap()
            > 0
    );
}

#[tokio::test]
async fn stopped_task_may_exit_gracefully() {
    let mut fixture = EcsFixture::processes().await;
    let arn = fixture
        .script(
            "trap 'echo bye; exit 7' TERM; echo $$ > $FOLDER/pids; while :; do sleep 0.02; done",
        )
        .await;
    eventually("it runs", || !fixture.folder.pids("pids").is_empty()).await;
    fixture.launcher.stop(&arn, "enough").await.unwrap();
    let ended = fixture.until(&arn, TaskStatus::Stopped).await;
    assert_eq!(
        (ended.exit_code, ended.stop_detail.as_str()),
        (Some(7), "UserInitiated: enough")
    );
    assert!(fixture.log(&arn).contains("bye"));
}

#[tokio::test]
async fn task_ignoring_sigterm_is_killed_after_grace() {
    let mut fixture = EcsFixture::processes().await;
    let script = "trap '' TERM; echo $$ > $FOLDER/pids; while :; do sleep 0.02; done";
    let definition = define(&fixture, &["sh", "-c", script]).await;
    let arn = fixture.start(&definition).await.task.arn;
    eventually("it runs", || !fixture.folder.pids("pids").is_empty()).await;
    let asked = Instant::now();
    fixture.launcher.stop(&arn, "enough").await.unwrap();
    assert_eq!(
        fixture.until(&arn, TaskStatus::Stopped).await.exit_code,
        Some(137)
    );
    assert!(
        (1000..4000).contains(&asked.elapsed().as_millis()),
        "{:?}",
        asked.elapsed()
    );
}

#[tokio::test]
async fn child_processes_end_with_their_task() {
    let mut fixture = EcsFixture::processes().await;
    let script = "sleep 1000 & echo $! >> $FOLDER/pids; setsid sleep 1000 & echo $! >> $FOLDER/pids; \
                  (trap '' TERM HUP; setsid sh -c 'sleep 1000 & echo $! >> $FOLDER/pids; wait') & sleep 0.3; exit 0";
    let arn = fixture.script(script).await;
    let ended = fixture.until(&arn, TaskStatus::Stopped).await;
    assert_eq!(ended.exit_code, Some(0));
    let pids = fixture.folder.pids("pids");
    assert_eq!(pids.len(), 3);
    assert_eq!(pids.into_iter().filter(|pid| exists(*pid)).count(), 0);
}

#[tokio::test]
async fn missing_command_exits_with_127() {
    let mut fixture = EcsFixture::processes().await;
    let definition = define(&fixture, &["no-such-command"]).await;
    let arn = fixture.start(&definition).await.task.arn;
    let ended = fixture.until(&arn, TaskStatus::Stopped).await;
    assert_eq!(ended.exit_code, Some(127), "{ended:?}");
    let log = fixture.log(&arn);
    assert!(log.contains("no-such-command: No such file"), "{log}");
}

#[tokio::test]
async fn task_stopped_while_starting_ends() {
    let mut fixture = EcsFixture::processes().await;
    let definition = define(
        &fixture,
        &["sh", "-c", "echo $$ >> $FOLDER/pids; exec sleep 1000"],
    )
    .await;
    for _ in 0..10 {
        let arn = fixture.start(&definition).await.task.arn;
        fixture
            .launcher
            .stop(&arn, "changed my mind")
            .await
            .unwrap();
        fixture.until(&arn, TaskStatus::Stopped).await;
    }
    assert!(!fixture.folder.pids("pids").into_iter().any(exists));
}

#[tokio::test]
async fn closed_pipe_makes_the_supervisor_kill_its_tree() {
    let folder = Folder::new();
    let script = "sleep 1000 & echo $! >> $FOLDER/pids; trap '' TERM; echo $$ >> $FOLDER/pids; \
                  while :; do sleep 0.02; done";
    let mut supervisor = Command::new(env!("CARGO_BIN_EXE_casting"))
        .arg0(supervisor::NAME)
        .args(["200", "sh", "-c", script])
        .env("FOLDER", &folder.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    eventually("it runs", || folder.pids("pids").len() == 2).await;
    drop(supervisor.stdin.take());
    let status = tokio::task::spawn_blocking(move || supervisor.wait())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(status.code(), Some(137));
    assert!(!folder.pids("pids").into_iter().any(exists));
}

#[tokio::test]
async fn killed_supervisor_takes_its_task_down() {
    let mut fixture = EcsFixture::processes().await;
    let arn = fixture.script("echo $$ >> $FOLDER/pids; sleep 1000").await;
    eventually("it runs", || !fixture.folder.pids("pids").is_empty()).await;
    let main = fixture.ecs.tasks()[0]["local"]["process"]["pid"]
        .as_i64()
        .unwrap();
    kill(Pid::from_raw(parent_of(main)), Signal::SIGKILL).unwrap();
    assert_eq!(
        fixture.until(&arn, TaskStatus::Stopped).await.exit_code,
        Some(137)
    );
    let pid = fixture.folder.pids("pids")[0];
    // It has no parent of ours any more: init collects it.
    eventually("it is gone", || !exists(pid) || is_zombie(pid)).await;
}

fn parent_of(pid: i64) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, behind_name) = stat.rsplit_once(") ").unwrap();
    behind_name.split(' ').nth(1).unwrap().parse().unwrap()
}

fn is_zombie(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|line| line.contains(") Z "))
}

#[tokio::test]
async fn shutdown_leaves_no_process_and_reports_each_end() {
    let mut fixture = EcsFixture::processes().await;
    let definition = define(
        &fixture,
        &[
            "sh",
            "-c",
            "trap '' TERM; echo $$ >> $FOLDER/pids; while :; do sleep 0.05; done",
        ],
    )
    .await;
    for _ in 0..5 {
        fixture.start(&definition).await;
    }
    eventually("all run", || fixture.folder.pids("pids").len() == 5).await;
    let ecs = fixture.ecs.clone();
    tokio::time::timeout(Duration::from_secs(8), ecs.shutdown())
        .await
        .unwrap();
    assert!(!fixture.folder.pids("pids").into_iter().any(exists));
    let mut ends = 0;
    while let Ok(event) = fixture.events.try_recv() {
        ends += usize::from(
            event["detail"]["lastStatus"] == "STOPPED"
                && event["detail"]["stopCode"] == "TerminationNotice",
        );
    }
    assert_eq!(ends, 5);
    assert!(
        fixture
            .client
            .run_task()
            .cluster("casting")
            .task_definition(definition)
            .send()
            .await
            .is_err(),
        "nothing starts any more"
    );
}

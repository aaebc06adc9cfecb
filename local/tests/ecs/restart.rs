//! What survives when the stack is killed and started again.

use std::io::Write;

use casting_core::ports::{Launcher, Run};
use casting_core::session::TaskStatus;

use crate::fixture::{EcsFixture, Folder, eventually, exists, image, spec};

#[test]
fn crash_recovery_stops_tasks_and_keeps_definitions() {
    // The first run ends without a goodbye: its runtime is dropped with everything in it, as when
    // the process is killed.
    let first = tokio::runtime::Runtime::new().unwrap();
    let (folder, definition, spec, before, done) = first.block_on(async {
        let mut fixture = EcsFixture::kept(Folder::new()).await;
        let script = "test -e $FOLDER/once && { trap '' TERM; echo $$ >> $FOLDER/pids; while :; do sleep 0.05; done; }; exit 4";
        let definition = fixture.launcher.register(&image(script)).await.unwrap().unwrap();
        let done = fixture.start(&definition).await.task.arn;
        fixture.until(&done, TaskStatus::Stopped).await;
        std::fs::write(fixture.folder.0.join("once"), "").unwrap();
        let spec = spec(&definition);
        let Run::Started(task) = fixture.launcher.run(&spec).await else { panic!("not started") };
        eventually("it runs", || !fixture.folder.pids("pids").is_empty()).await;
        let before = fixture.until(&task.task.arn, TaskStatus::Running).await;
        (fixture.folder, definition, spec, before, done)
    });
    drop(first);
    let torn = r#"{"progress":{"arn":"arn:aws:ecs"#;
    std::fs::OpenOptions::new()
        .append(true)
        .open(folder.0.join("ecs.jsonl"))
        .unwrap()
        .write_all(torn.as_bytes())
        .unwrap();

    let second = tokio::runtime::Runtime::new().unwrap();
    second.block_on(async {
        let mut fixture = EcsFixture::kept(folder).await;
        let event = fixture.until(&before.task.arn, TaskStatus::Stopped).await;
        assert!(
            event.stop_detail.starts_with("TerminationNotice"),
            "{event:?}"
        );
        assert!(event.task.version > before.task.version);
        assert_eq!(event.session.as_ref(), Some(&spec.session));
        let pid = fixture.folder.pids("pids")[0];
        eventually("its process is gone", || !exists(pid)).await;
        assert_eq!(
            fixture
                .launcher
                .describe(std::slice::from_ref(&done))
                .await
                .unwrap()
                .pop()
                .and_then(|task| task.exit_code),
            Some(4)
        );
        let Run::Started(same) = fixture.launcher.run(&spec).await else {
            panic!("the token is forgotten")
        };
        assert_eq!(same, event, "the client token still stands for the task");
        std::fs::remove_file(fixture.folder.0.join("once")).unwrap();
        let other = fixture.start(&definition).await.task.arn;
        assert_eq!(
            fixture.until(&other, TaskStatus::Stopped).await.exit_code,
            Some(4),
            "the definition is still known"
        );
    });
}

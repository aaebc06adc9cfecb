//! Owns what these tests share: an endpoint on loopback, a launcher that calls it, a folder, and
//! the events. Must not know any test.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use casting_boot::settings::AwsSettings;
use casting_boot::system::SystemEntropy;
use casting_boot::{clients, http};
use casting_core::ids::{SessionId, random_bytes};
use casting_core::image::{Architecture, ContainerSource, Image, ImageSource};
use casting_core::ports::{Launcher, Run, Task, TaskSpec};
use casting_core::session::TaskStatus;
use casting_core::testing::{self, NOON, SetClock};
use casting_ecs::events::TaskStateChange;
use casting_ecs::{EcsLauncher, EcsSettings};
use casting_local::confine::{self, Confinement, Level};
use casting_local::ecs::{Ecs, EcsOptions, GatePorts, Processes, Runtime};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

/// How long anything here may take.
const LONG: Duration = Duration::from_secs(20);

/// An endpoint and all around it.
pub struct EcsFixture {
    pub ecs: Ecs,
    pub events: UnboundedReceiver<Value>,
    pub launcher: EcsLauncher,
    pub client: aws_sdk_ecs::Client,
    pub clock: Arc<SetClock>,
    pub folder: Folder,
}

/// A folder that is deleted at the end, and seen by tasks as `$FOLDER`.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!(
            "casting-ecs-{}",
            SessionId::from_bytes(random_bytes(&SystemEntropy::new()))
        ));
        std::fs::create_dir_all(path.join("bin")).unwrap();
        // A gate that is nothing but the app behind it: `gate run -- app…`.
        let gate = path.join("bin/gate");
        std::fs::write(&gate, "#!/bin/sh\nshift 2\nexec \"$@\"\n").unwrap();
        std::fs::set_permissions(&gate, std::fs::Permissions::from_mode(0o755)).unwrap();
        let confine = path.join("bin").join(confine::NAME);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_casting"), confine).unwrap();
        Self(path)
    }

    /// The process ids that a task wrote into `name`, one a line.
    pub fn pids(&self, name: &str) -> Vec<i32> {
        std::fs::read_to_string(self.0.join(name))
            .unwrap_or_default()
            .lines()
            .map(|line| line.trim().parse().unwrap())
            .collect()
    }

    pub fn runtime(&self) -> Runtime {
        let path = std::env::var_os("PATH").unwrap().into_string().unwrap();
        let folder = self.0.display().to_string();
        Runtime::Processes(Box::new(Processes {
            supervisor: env!("CARGO_BIN_EXE_casting").into(),
            logs: self.0.join("tasks"),
            bin: self.0.join("bin"),
            environment: BTreeMap::from([("PATH".into(), path), ("FOLDER".into(), folder)]),
            containers: None,
            // These tests need scripts that write to paths from their arguments.
            confinement: Some(Confinement {
                level: Level::Unconfined,
                shown: Vec::new(),
                streaming: Vec::new(),
                reach: Vec::new(),
                own_users: false,
            }),
            gate_ports: GatePorts::default(),
        }))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl EcsFixture {
    pub async fn simulated() -> Self {
        Self::open(
            Folder::new(),
            |_| Runtime::Simulated { run_at_once: true },
            None,
        )
        .await
    }

    pub async fn processes() -> Self {
        Self::open(Folder::new(), Folder::runtime, None).await
    }

    /// A fixture whose tasks are kept in the folder.
    pub async fn kept(folder: Folder) -> Self {
        let journal = folder.0.join("ecs.jsonl");
        Self::open(folder, Folder::runtime, Some(&journal)).await
    }

    async fn open(
        folder: Folder,
        runtime: impl Fn(&Folder) -> Runtime,
        journal: Option<&Path>,
    ) -> Self {
        let options = EcsOptions {
            region: "local".into(),
            account: "000000000000".into(),
            cluster: "casting".into(),
            journal: journal.map(Path::to_owned),
            runtime: runtime(&folder),
            max_tasks: None,
        };
        let clock = Arc::new(SetClock::at(NOON));
        let (ecs, events) =
            Ecs::open(options, clock.clone(), Arc::new(SystemEntropy::new())).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = ecs.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        let client = clients::ecs(
            &AwsSettings::local(&url, &url),
            &http::shared_client(None).unwrap(),
        );
        Self {
            launcher: EcsLauncher::new(client.clone(), EcsSettings::local("casting")),
            client,
            clock,
            ecs,
            events,
            folder,
        }
    }

    /// Starts a task that runs this script, and gives its ARN.
    pub async fn script(&self, script: &str) -> String {
        let definition = self
            .launcher
            .register(&image(script))
            .await
            .unwrap()
            .unwrap();
        self.start(&definition).await.task.arn
    }

    pub async fn start(&self, definition: &str) -> Task {
        match self.launcher.run(&spec(definition)).await {
            Run::Started(task) => task,
            other => panic!("not started: {other:?}"),
        }
    }

    /// Waits for the event that says so, and gives the task as a lifecycle function reads it.
    pub async fn until(&mut self, arn: &str, status: TaskStatus) -> Task {
        let wait = async {
            loop {
                let task = read(self.events.recv().await.unwrap());
                if task.task.arn == arn && task.task.status >= status {
                    return task;
                }
            }
        };
        timeout(LONG, wait)
            .await
            .unwrap_or_else(|_| panic!("{arn} never comes to {status:?}: {:?}", self.ecs.tasks()))
    }

    pub fn log(&self, arn: &str) -> String {
        std::fs::read_to_string(self.ecs.log(arn).unwrap()).unwrap_or_default()
    }
}

pub fn read(event: Value) -> Task {
    serde_json::from_value::<TaskStateChange>(event)
        .unwrap()
        .into()
}

pub fn image(script: &str) -> Image {
    let command = ["sh", "-c", script].map(str::to_owned).into();
    let mut image = testing::image(1);
    image.settings.source = ImageSource::Container(ContainerSource {
        image: "local/app".into(),
        command,
        cpu: 256,
        memory: 512,
        ephemeral_storage: None,
        architecture: Architecture::X86_64,
        registry_secret: None,
    });
    image
}

/// A spec for a new session.
pub fn spec(definition: &str) -> TaskSpec {
    let session = SessionId::from_bytes(random_bytes(&SystemEntropy::new()));
    TaskSpec {
        client_token: format!("{session}-1"),
        attempt: 1,
        session,
        task_definition: definition.to_owned(),
        container: "session".into(),
        environment: vec![("CAST_NAME".into(), "a name".into())],
        gate_environment: None,
        placement: None,
    }
}

/// Waits until a condition holds.
pub async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(timeout(LONG, wait).await.is_ok(), "never: {what}");
}

/// Whether a process exists, even as a zombie.
pub fn exists(pid: i32) -> bool {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_ok()
}

//! Owns the contract of the launcher port: what this crate promises together with any ECS endpoint,
//! as cases that run against it. Must not know which endpoint that is.

use std::time::Duration;

use casting_core::ids::{Entropy, SessionId, random_bytes};
use casting_core::image::Image;
use casting_core::ports::{Fault, Launcher, Run, Task, TaskSpec};
use casting_core::session::TaskStatus;

/// How long a task may take to stop.
const STOP_TRIES: u32 = 400;
const PAUSE: Duration = Duration::from_millis(50);

/// What the cases run on.
pub struct Stage<'a, L, F> {
    /// The launcher.
    pub launcher: &'a L,
    /// An image with a container source whose command runs until it is stopped.
    pub image: Image,
    /// Makes the endpoint have no room for the very next start.
    pub fill_up: F,
    /// Draws sessions that the endpoint has not seen.
    pub entropy: &'a dyn Entropy,
}

impl<L: Launcher, F: Fn()> Stage<'_, L, F> {
    /// Plays every case.
    ///
    /// # Errors
    /// When ECS is out of reach.
    ///
    /// # Panics
    /// When a promise is broken.
    pub async fn play(&self) -> Result<(), Fault> {
        let definition = self
            .launcher
            .register(&self.image)
            .await?
            .unwrap_or_else(|words| unreachable!("not registered: {words}"));
        self.a_repeated_start_is_one_task(&definition).await?;
        self.a_start_with_other_parameters_finds_the_first_task(&definition)
            .await?;
        self.no_room_starts_nothing_and_the_token_stays_good(&definition)
            .await?;
        self.what_cannot_run_is_refused().await;
        self.a_stopped_task_can_still_be_seen(&definition).await?;
        self.running_and_stopped_tasks_are_found(&definition)
            .await?;
        self.an_unknown_task_is_none(&definition).await
    }

    fn spec(&self, definition: &str) -> TaskSpec {
        let session = SessionId::from_bytes(random_bytes(self.entropy));
        TaskSpec {
            client_token: format!("{session}-1"),
            attempt: 1,
            session,
            task_definition: definition.to_owned(),
            container: self.image.settings.container.clone(),
            environment: vec![("CAST_NAME".to_owned(), "Ünïcode \"quoted\"".to_owned())],
            gate_environment: None,
            placement: None,
        }
    }

    async fn start(&self, spec: &TaskSpec) -> Task {
        match self.launcher.run(spec).await {
            Run::Started(task) => task,
            other => unreachable!("not started: {other:?}"),
        }
    }

    async fn stop(&self, arn: &str) -> Result<Task, Fault> {
        self.launcher.stop(arn, "the contract says so").await?;
        for _ in 0..STOP_TRIES {
            match self.launcher.describe(&[arn.to_owned()]).await?.pop() {
                Some(task) if task.task.status == TaskStatus::Stopped => return Ok(task),
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
        unreachable!("{arn} does not stop")
    }

    async fn a_repeated_start_is_one_task(&self, definition: &str) -> Result<(), Fault> {
        let spec = self.spec(definition);
        let first = self.start(&spec).await;
        assert_eq!(
            first.session.as_ref(),
            Some(&spec.session),
            "the task says whose it is"
        );
        let (again, at_once) = (self.start(&spec).await, self.start(&spec).await);
        assert_eq!([&again.task.arn, &at_once.task.arn], [&first.task.arn; 2]);
        assert_eq!(self.launcher.find(&spec.session).await?.len(), 1);
        let stopped = self.stop(&first.task.arn).await?;
        assert!(
            stopped.task.version > first.task.version,
            "the version counts up"
        );
        assert_eq!(
            self.start(&spec).await.task.arn,
            first.task.arn,
            "even when it has stopped"
        );
        Ok(())
    }

    async fn a_start_with_other_parameters_finds_the_first_task(
        &self,
        definition: &str,
    ) -> Result<(), Fault> {
        let spec = self.spec(definition);
        let first = self.start(&spec).await;
        let other = TaskSpec {
            environment: Vec::new(),
            ..spec
        };
        assert_eq!(self.start(&other).await.task.arn, first.task.arn);
        self.stop(&first.task.arn).await.map(drop)
    }

    async fn no_room_starts_nothing_and_the_token_stays_good(
        &self,
        definition: &str,
    ) -> Result<(), Fault> {
        let spec = self.spec(definition);
        (self.fill_up)();
        let run = self.launcher.run(&spec).await;
        assert!(matches!(run, Run::NoCapacity(_)), "{run:?}");
        assert_eq!(self.launcher.find(&spec.session).await?, []);
        let task = self.start(&spec).await;
        self.stop(&task.task.arn).await.map(drop)
    }

    async fn what_cannot_run_is_refused(&self) {
        let run = self
            .launcher
            .run(&self.spec("casting-no-such-definition"))
            .await;
        assert!(matches!(run, Run::Refused(_)), "{run:?}");
    }

    async fn a_stopped_task_can_still_be_seen(&self, definition: &str) -> Result<(), Fault> {
        let spec = self.spec(definition);
        let arn = self.start(&spec).await.task.arn;
        let asked = self.launcher.stop(&arn, "the contract says so").await?;
        assert!(
            asked.is_some_and(|task| task.task.status >= TaskStatus::Stopping),
            "it is on its way down"
        );
        let stopped = self.stop(&arn).await?;
        assert!(
            stopped.stop_detail.contains("the contract says so"),
            "{stopped:?}"
        );
        assert_eq!(
            self.launcher
                .stop(&arn, "again")
                .await?
                .map(|task| task.task.status),
            Some(TaskStatus::Stopped)
        );
        Ok(())
    }

    async fn running_and_stopped_tasks_are_found(&self, definition: &str) -> Result<(), Fault> {
        let first = self.spec(definition);
        let second = TaskSpec {
            client_token: format!("{}-2", first.session),
            ..first.clone()
        };
        let arns = [
            self.start(&first).await.task.arn,
            self.start(&second).await.task.arn,
        ];
        self.stop(&arns[0]).await?;
        let mut found: Vec<_> = self
            .launcher
            .find(&first.session)
            .await?
            .into_iter()
            .map(|task| task.task.arn)
            .collect();
        found.sort();
        let mut expected = arns.clone();
        expected.sort();
        assert_eq!(found, expected);
        self.stop(&arns[1]).await.map(drop)
    }

    async fn an_unknown_task_is_none(&self, definition: &str) -> Result<(), Fault> {
        let known = self.start(&self.spec(definition)).await.task.arn;
        let unknown = known
            .rsplit_once('/')
            .map(|(cluster, _)| format!("{cluster}/{}", "0".repeat(32)))
            .unwrap_or_default();
        let both = [unknown.clone(), known.clone()];
        let found = self.launcher.describe(&both).await?;
        let arns: Vec<_> = found.iter().map(|task| &task.task.arn).collect();
        assert_eq!(arns, [&known]);
        assert_eq!(self.launcher.stop(&unknown, "").await?, None);
        assert_eq!(
            self.launcher
                .find(&SessionId::from_bytes(random_bytes(self.entropy)))
                .await?,
            []
        );
        self.stop(&known).await.map(drop)
    }
}

impl<L, F> std::fmt::Debug for Stage<'_, L, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage")
            .field("image", &self.image)
            .finish_non_exhaustive()
    }
}

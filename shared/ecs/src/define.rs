//! Owns the task definition that an image with a container source gets. Must not know how the image
//! is stored or edited.

use std::collections::HashMap;

use aws_sdk_ecs::error::{BuildError, ProvideErrorMetadata};
use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionFluentBuilder;
use aws_sdk_ecs::types::builders::{ContainerDefinitionBuilder, LinuxParametersBuilder};
use aws_sdk_ecs::types::{
    Compatibility, ContainerCondition, ContainerDefinition, ContainerDependency, CpuArchitecture,
    EphemeralStorage, KernelCapabilities, KeyValuePair, LinuxParameters, LogConfiguration,
    LogDriver, MountPoint, NetworkMode, OsFamily, PortMapping, RepositoryCredentials,
    RuntimePlatform, Tag, TransportProtocol, Volume,
};
use casting_core::image::{
    Architecture, BROUGHT_FOLDER, BROUGHT_GATE, ContainerSource, GATE_CONTAINER, GATE_PORT, Image,
    ImageSource,
};
use casting_core::ports::{Fault, FaultKind};
use casting_core::session::Session;

use crate::EcsLauncher;
use crate::failure::Kind;
use crate::retry::{self, WhenThrottled};
use crate::settings::LogSettings;

const WHAT: &str = "register a task definition";
/// The prefix of the containers' log streams; ECS adds the container's name and the task's id.
const STREAMS: &str = "session";
/// The volume that carries the gate's program from its own image into the app's container.
const VOLUME: &str = "casting";
/// The volume that gives an app more shared memory than the 64 MiB of Fargate.
const SHARED_MEMORY: &str = "shared-memory";
/// Where that is.
const SHARED_MEMORY_PATH: &str = "/dev/shm";
/// The user of the gate in its own container: one that no image has.
const GATE_USER: &str = "65532:65532";
/// What no app needs of the capabilities that containers begin with: the others are what an init
/// needs to give files away and to become another user. Fargate lets none be added that matter, and
/// has no bound on processes and no `no-new-privileges` to be set.
const DROPPED: [&str; 6] = [
    "AUDIT_WRITE",
    "MKNOD",
    "NET_RAW",
    "SETFCAP",
    "SETPCAP",
    "SYS_CHROOT",
];
/// How long ECS waits between asking a container to end and killing it, in seconds. Fargate has 120
/// at most.
const STOP_SECONDS: i32 = 120;
/// How much of that visitors get when their machine is taken back, in seconds.
const RECLAIM_SECONDS: u32 = 90;

impl EcsLauncher {
    pub(crate) async fn register_task_definition(
        &self,
        image: &Image,
    ) -> Result<Result<String, String>, Fault> {
        let source = match &image.settings.source {
            ImageSource::TaskDefinition(name) => return Ok(Ok(name.clone())),
            ImageSource::Container(source) => source,
        };
        if image.settings.has_gate_beside() && self.settings.gate_image.is_none() {
            let words = "An image without a command needs the gate's own container image, and this \
                         deployment names none (CASTING_GATE_IMAGE).";
            return Ok(Err(words.to_owned()));
        }
        let request = match self.definition(image, source) {
            Ok(request) => request,
            Err(error) => return Ok(Err(error.to_string())),
        };
        match retry::call(WhenThrottled::Repeat, || request.clone().send())
            .await
            .result
        {
            Ok(output) => match output
                .task_definition()
                .and_then(|definition| definition.task_definition_arn())
            {
                Some(arn) => Ok(Ok(arn.to_owned())),
                None => Err(Fault {
                    kind: FaultKind::Corrupt,
                    what: WHAT,
                    detail: "ECS gave no ARN".to_owned(),
                }),
            },
            Err(failure) => match failure.error.as_ref().and_then(ProvideErrorMetadata::code) {
                Some("ClientException" | "InvalidParameterException")
                    if failure.kind == Kind::Refused =>
                {
                    Ok(Err(failure.words))
                }
                _ => Err(failure.into_fault(WHAT)),
            },
        }
    }

    /// The definition. There is never a task role: a visitor could read its credentials in the
    /// session.
    fn definition(
        &self,
        image: &Image,
        source: &ContainerSource,
    ) -> Result<RegisterTaskDefinitionFluentBuilder, BuildError> {
        let request = self
            .client
            .register_task_definition()
            .family(format!("casting-{}", image.id))
            .network_mode(NetworkMode::Awsvpc)
            .set_requires_compatibilities(Some(self.compatibilities(source)))
            .cpu(source.cpu.to_string())
            .memory(source.memory.to_string())
            .set_ephemeral_storage(source.ephemeral_storage.map(storage).transpose()?)
            .runtime_platform(platform(source.architecture))
            .set_execution_role_arn(self.settings.execution_role_arn.clone())
            .tags(
                Tag::builder()
                    .key("project")
                    .value("session-casting")
                    .build(),
            );
        let credentials = source.registry_secret.as_ref().map(|secret| {
            RepositoryCredentials::builder()
                .credentials_parameter(secret)
                .build()
        });
        let app = self
            .container(&image.settings.container, &source.image)?
            .set_repository_credentials(credentials.transpose()?)
            .linux_parameters(held(&DROPPED).build());
        // The gate is the entry point, so that it comes first whatever entry point the container
        // image has of its own.
        let command = [&["--".to_owned()], source.command.as_slice()].concat();
        let Some(gate_image) = &self.settings.gate_image else {
            return Ok(request.container_definitions(
                self.door(app)
                    .entry_point("gate")
                    .entry_point("run")
                    .set_command(Some(command))
                    .build(),
            ));
        };
        // The gate's own container writes nothing to its image, and may do nothing that a
        // capability is for.
        let gate = self
            .container(GATE_CONTAINER, gate_image)?
            .readonly_root_filesystem(true)
            .linux_parameters(held(&["ALL"]).build());
        if image.settings.has_gate_beside() {
            let gate = self
                .door(gate)
                .user(GATE_USER)
                .entry_point("/gate")
                .command("run")
                .build();
            return Ok(request
                .container_definitions(app.essential(true).stop_timeout(STOP_SECONDS).build())
                .container_definitions(gate));
        }
        // A container that ends at once brings the gate; the app's own container runs it from
        // there. It stays root, without capabilities: the volume belongs to root.
        let mount = || {
            MountPoint::builder()
                .source_volume(VOLUME)
                .container_path(BROUGHT_FOLDER)
        };
        let bring = gate
            .essential(false)
            .entry_point("/gate")
            .command("install")
            .command(BROUGHT_FOLDER)
            .mount_points(mount().build());
        let shared_memory = image.settings.shared_memory.then(|| {
            MountPoint::builder()
                .source_volume(SHARED_MEMORY)
                .container_path(SHARED_MEMORY_PATH)
                .build()
        });
        // A new volume is root's alone.
        let bring = match &shared_memory {
            Some(mount) => bring
                .command("--open")
                .command(SHARED_MEMORY_PATH)
                .mount_points(mount.clone()),
            None => bring,
        };
        let brought = ContainerDependency::builder()
            .container_name(GATE_CONTAINER)
            .condition(ContainerCondition::Success)
            .build()?;
        let app = self
            .door(app)
            .entry_point(BROUGHT_GATE)
            .entry_point("run")
            .set_command(Some(command))
            .mount_points(mount().read_only(true).build())
            .depends_on(brought)
            // Processes that the app leaves behind are reaped by an init that ECS adds.
            .linux_parameters(held(&DROPPED).init_process_enabled(true).build());
        let app = match &shared_memory {
            Some(mount) => app.mount_points(mount.clone()),
            None => app,
        };
        let volume = |name: &str| Volume::builder().name(name).build();
        let request = request.volumes(volume(VOLUME));
        let request = match shared_memory {
            Some(_) => request.volumes(volume(SHARED_MEMORY)),
            None => request,
        };
        Ok(request
            .container_definitions(app.build())
            .container_definitions(bring.build()))
    }

    /// What ECS checks the definition for. Disks of a size of their own exist on Fargate alone.
    fn compatibilities(&self, source: &ContainerSource) -> Vec<Compatibility> {
        let on_instances =
            self.settings.capacity.has_instances() && source.ephemeral_storage.is_none();
        let instances = on_instances.then_some(Compatibility::Ec2);
        [Compatibility::Fargate]
            .into_iter()
            .chain(instances)
            .collect()
    }

    /// A container with its log.
    fn container(&self, name: &str, image: &str) -> Result<ContainerDefinitionBuilder, BuildError> {
        let logs = self
            .settings
            .logs
            .as_ref()
            .map(log_configuration)
            .transpose()?;
        Ok(ContainerDefinition::builder()
            .name(name)
            .image(image)
            .set_log_configuration(logs))
    }

    /// The container with the gate in it: the one door, and the one whose end is the task's. On
    /// machines that may be taken back, the gate uses most of the warning to let people save their
    /// work.
    fn door(&self, container: ContainerDefinitionBuilder) -> ContainerDefinitionBuilder {
        let port = PortMapping::builder()
            .container_port(i32::from(GATE_PORT))
            .protocol(TransportProtocol::Tcp)
            .build();
        let container = container
            .essential(true)
            .port_mappings(port)
            .stop_timeout(STOP_SECONDS);
        if !self.settings.capacity.is_reclaimed() {
            return container;
        }
        container.environment(
            KeyValuePair::builder()
                .name("CAST_RECLAIM_SECONDS")
                .value(RECLAIM_SECONDS.to_string())
                .build(),
        )
    }
}

/// A container without these capabilities.
fn held(dropped: &[&str]) -> LinuxParametersBuilder {
    let dropped = dropped.iter().map(ToString::to_string).collect();
    let capabilities = KernelCapabilities::builder()
        .set_drop(Some(dropped))
        .build();
    LinuxParameters::builder().capabilities(capabilities)
}

fn storage(gib: u32) -> Result<EphemeralStorage, BuildError> {
    Ok(EphemeralStorage::builder()
        .size_in_gib(i32::try_from(gib).unwrap_or(i32::MAX))
        .build())
}

fn platform(architecture: Architecture) -> RuntimePlatform {
    RuntimePlatform::builder()
        .operating_system_family(OsFamily::Linux)
        .cpu_architecture(match architecture {
            Architecture::X86_64 => CpuArchitecture::X8664,
            Architecture::Arm64 => CpuArchitecture::Arm64,
        })
        .build()
}

/// Where CloudWatch's console shows what the app of a session has written, for tasks of definitions
/// of ours; where others write is not known.
pub(crate) fn log_url(logs: &LogSettings, session: &Session) -> Option<String> {
    let arn = &session.task.as_ref()?.arn;
    let launch = &session.launch;
    let family = format!("task-definition/casting-{}:", launch.image_id);
    let is_ours = launch.task_definition.contains(&family);
    let (partition, task) = (arn.split(':').nth(1)?, arn.rsplit('/').next()?);
    let host = match partition {
        "aws" => "console.aws.amazon.com",
        "aws-cn" => "console.amazonaws.cn",
        "aws-us-gov" => "console.amazonaws-us-gov.com",
        _ => return None,
    };
    let stream = format!("{STREAMS}/{}/{task}", launch.container);
    // The console takes names in its fragment escaped twice, with a dollar sign for the second.
    let escaped = |name: &str| name.replace('/', "$252F");
    let (group, region) = (escaped(&logs.group), &logs.region);
    is_ours.then(|| {
        format!(
            "https://{region}.{host}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{group}/log-events/{}",
            escaped(&stream)
        )
    })
}

fn log_configuration(logs: &LogSettings) -> Result<LogConfiguration, BuildError> {
    let options = [
        ("awslogs-group", logs.group.as_str()),
        ("awslogs-region", &logs.region),
        ("awslogs-stream-prefix", STREAMS),
    ];
    let options: HashMap<_, _> = options
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    LogConfiguration::builder()
        .log_driver(LogDriver::Awslogs)
        .set_options(Some(options))
        .build()
}

#[cfg(test)]
mod tests {
    use casting_core::testing;
    use serde_json::{Value, json};

    use super::*;
    use crate::Capacity;
    use crate::scripted::{self, Reply};

    #[test]
    fn own_definition_has_a_log_stream() {
        use casting_core::session::{TaskRef, TaskStatus};
        let logs = LogSettings {
            group: "/casting/sessions".into(),
            region: "eu-central-1".into(),
        };
        let url = |definition: &str, arn: Option<&str>| {
            let mut session = testing::session(&testing::cast(1), 1);
            session.launch.task_definition =
                definition.replace("IMAGE", session.launch.image_id.as_str());
            session.launch.container = "session".into();
            session.task = arn.map(|arn| TaskRef {
                arn: arn.into(),
                status: TaskStatus::Stopped,
                version: 1,
                times: casting_core::session::TaskTimes::default(),
            });
            log_url(&logs, &session)
        };
        let ours = "arn:aws:ecs:eu-central-1:1:task-definition/casting-IMAGE:3";
        let task = Some("arn:aws:ecs:eu-central-1:1:task/casting/0123abcd");
        assert_eq!(
            url(ours, task).as_deref(),
            Some(
                "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#logsV2:log-groups/log-group/$252Fcasting$252Fsessions/log-events/session$252Fsession$252F0123abcd"
            )
        );
        assert_eq!(url(ours, None), None, "no task");
        assert_eq!(url("desk:1", task), None, "a definition of somebody else's");
        let elsewhere = Some("arn:local:ecs:here:1:task/casting/0123abcd");
        assert_eq!(url(ours, elsewhere), None, "no console");
    }

    #[tokio::test]
    async fn definition_puts_the_gate_first_without_task_role() {
        let reply = Reply::ok(json!({ "taskDefinition": { "taskDefinitionArn": "arn:def:1" } }));
        let (launcher, script) = scripted::launcher(vec![reply]);
        let image = testing::image(1);
        assert_eq!(
            launcher.register_task_definition(&image).await,
            Ok(Ok("arn:def:1".to_owned()))
        );
        let body: Value = serde_json::from_str(&script.calls()[0].1).unwrap();
        assert_eq!(
            body,
            json!({
                "family": format!("casting-{}", image.id), "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
                "cpu": "256", "memory": "512", "executionRoleArn": "arn:role:execution",
                "runtimePlatform": { "cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX" },
                "containerDefinitions": [{
                    "name": "session", "image": "example/app:1", "cpu": 0, "essential": true,
                    "entryPoint": ["gate", "run"], "command": ["--", "app"], "stopTimeout": 120,
                    "portMappings": [{ "containerPort": 18_080, "protocol": "tcp" }],
                    "linuxParameters": { "capabilities": { "drop": DROPPED } },
                    "logConfiguration": { "logDriver": "awslogs", "options": {
                        "awslogs-group": "sessions", "awslogs-region": "eu-central-1", "awslogs-stream-prefix": "session",
                    } },
                }],
                "tags": [{ "key": "project", "value": "session-casting" }],
            })
        );
    }

    /// The definition for an image that contains the gate.
    async fn registered(change: impl FnOnce(&mut Image), capacity: &str) -> Value {
        let reply = Reply::ok(json!({ "taskDefinition": { "taskDefinitionArn": "arn:def:1" } }));
        let (mut launcher, script) = scripted::launcher(vec![reply]);
        launcher.settings.gate_image = Some("example/gate:1".into());
        (launcher.settings.logs, launcher.settings.capacity) =
            (None, Capacity::parse(capacity).expect(capacity));
        let mut image = testing::image(1);
        change(&mut image);
        launcher
            .register_task_definition(&image)
            .await
            .unwrap()
            .unwrap();
        serde_json::from_str(&script.calls()[0].1).unwrap()
    }

    #[tokio::test]
    async fn gate_is_injected_into_the_app_container() {
        let body = registered(|_| {}, "FARGATE_SPOT").await;
        let mount = |read_only: Option<bool>| match read_only {
            Some(read_only) => {
                json!([{ "sourceVolume": "casting", "containerPath": "/casting", "readOnly": read_only }])
            }
            None => json!([{ "sourceVolume": "casting", "containerPath": "/casting" }]),
        };
        assert_eq!(body["volumes"], json!([{ "name": "casting" }]));
        assert_eq!(
            body["containerDefinitions"],
            json!([
                {
                    "name": "session", "image": "example/app:1", "cpu": 0, "essential": true, "stopTimeout": 120,
                    "entryPoint": ["/casting/gate", "run"], "command": ["--", "app"],
                    "environment": [{ "name": "CAST_RECLAIM_SECONDS", "value": "90" }],
                    "mountPoints": mount(Some(true)), "linuxParameters": { "capabilities": { "drop": DROPPED }, "initProcessEnabled": true },
                    "dependsOn": [{ "containerName": "casting-gate", "condition": "SUCCESS" }],
                    "portMappings": [{ "containerPort": 18_080, "protocol": "tcp" }],
                },
                {
                    "name": "casting-gate", "image": "example/gate:1", "cpu": 0, "essential": false,
                    "entryPoint": ["/gate"], "command": ["install", "/casting"], "mountPoints": mount(None),
                    "readonlyRootFilesystem": true, "linuxParameters": { "capabilities": { "drop": ["ALL"] } },
                },
            ])
        );
        assert_eq!(body.get("taskRoleArn"), None);
    }

    #[tokio::test]
    async fn architecture_and_registry_secret_of_the_image_are_set() {
        let secret = "arn:aws:secretsmanager:eu-central-1:1:secret:registry-AbCdEf";
        let usual = registered(|_| {}, "FARGATE").await;
        let wanted = registered(
            |image| {
                if let ImageSource::Container(source) = &mut image.settings.source {
                    source.architecture = Architecture::Arm64;
                    source.registry_secret = Some(secret.to_owned());
                }
            },
            "FARGATE",
        )
        .await;
        for (body, architecture, credentials) in [
            (usual, "X86_64", json!(null)),
            (wanted, "ARM64", json!({ "credentialsParameter": secret })),
        ] {
            let platform =
                json!({ "cpuArchitecture": architecture, "operatingSystemFamily": "LINUX" });
            assert_eq!(body["runtimePlatform"], platform);
            let [app, gate] = [0, 1].map(|at| &body["containerDefinitions"][at]);
            assert_eq!(app["repositoryCredentials"], credentials, "{architecture}");
            assert_eq!(
                gate["repositoryCredentials"],
                json!(null),
                "the gate's is public"
            );
        }
    }

    #[tokio::test]
    async fn named_capacity_providers_are_checked_for() {
        let disk = |image: &mut Image| {
            if let ImageSource::Container(source) = &mut image.settings.source {
                source.ephemeral_storage = Some(50);
            }
        };
        for (name, capacity, body) in [
            (
                "Fargate",
                json!(["FARGATE"]),
                registered(|_| {}, "FARGATE_SPOT,FARGATE").await,
            ),
            (
                "instances",
                json!(["FARGATE", "EC2"]),
                registered(|_| {}, "warm,FARGATE").await,
            ),
            (
                "a large disk",
                json!(["FARGATE"]),
                registered(disk, "warm,FARGATE").await,
            ),
        ] {
            assert_eq!(body["requiresCompatibilities"], capacity, "{name}");
        }
    }

    #[tokio::test]
    async fn shared_memory_is_a_volume_open_to_everybody() {
        let wants = |image: &mut Image| image.settings.shared_memory = true;
        let body = registered(wants, "FARGATE").await;
        let volumes = json!([{ "name": "casting" }, { "name": "shared-memory" }]);
        assert_eq!(body["volumes"], volumes);
        let mount = json!({ "sourceVolume": "shared-memory", "containerPath": "/dev/shm" });
        let [app, bring] = [0, 1].map(|at| &body["containerDefinitions"][at]);
        assert_eq!(app["mountPoints"][1], mount);
        assert_eq!(bring["mountPoints"][1], mount);
        let opened = json!(["install", "/casting", "--open", "/dev/shm"]);
        assert_eq!(bring["command"], opened);
    }

    #[tokio::test]
    async fn image_with_its_own_entrypoint_gets_a_sidecar_gate() {
        let beside = |image: &mut Image| {
            if let ImageSource::Container(source) = &mut image.settings.source {
                (source.command, source.ephemeral_storage) = (Vec::new(), Some(50));
            }
        };
        let body = registered(beside, "FARGATE").await;
        assert_eq!(body["ephemeralStorage"], json!({ "sizeInGiB": 50 }));
        assert_eq!(
            body["containerDefinitions"],
            json!([
                {
                    "name": "session", "image": "example/app:1", "cpu": 0, "essential": true, "stopTimeout": 120,
                    "linuxParameters": { "capabilities": { "drop": DROPPED } },
                },
                {
                    "name": "casting-gate", "image": "example/gate:1", "cpu": 0, "essential": true, "stopTimeout": 120,
                    "entryPoint": ["/gate"], "command": ["run"], "portMappings": [{ "containerPort": 18_080, "protocol": "tcp" }],
                    "user": "65532:65532", "readonlyRootFilesystem": true, "linuxParameters": { "capabilities": { "drop": ["ALL"] } },
                },
            ])
        );
        let (launcher, script) = scripted::launcher(vec![]);
        let mut image = testing::image(1);
        beside(&mut image);
        let refused = launcher.register_task_definition(&image).await;
        assert!(
            refused
                .is_ok_and(|inner| inner.is_err_and(|words| words.contains("CASTING_GATE_IMAGE")))
        );
        assert!(script.calls().is_empty());
    }

    #[tokio::test]
    async fn ecs_validation_errors_are_shown_and_others_are_faults() {
        for (code, words) in [
            ("ClientException", true),
            ("InvalidParameterException", true),
            ("AccessDeniedException", false),
        ] {
            let (launcher, _) = scripted::launcher(vec![Reply::error(
                code,
                "Invalid 'cpu' setting for task.",
                json!({}),
            )]);
            let answer = launcher.register_task_definition(&testing::image(1)).await;
            assert_eq!(answer.is_ok_and(|inner| inner.is_err()), words, "{code}");
        }
    }

    #[tokio::test]
    async fn existing_definition_needs_no_call() {
        let (launcher, script) = scripted::launcher(vec![]);
        let mut image = testing::image(1);
        image.settings.source = ImageSource::TaskDefinition("mine:3".into());
        assert_eq!(
            launcher.register_task_definition(&image).await,
            Ok(Ok("mine:3".to_owned()))
        );
        assert!(script.calls().is_empty());
    }
}

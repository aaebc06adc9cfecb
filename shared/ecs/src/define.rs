//! Owns the task definition that an image with a container source gets. Must not know how the image is stored or edited.

use std::collections::HashMap;

use aws_sdk_ecs::error::{BuildError, ProvideErrorMetadata};
use aws_sdk_ecs::operation::register_task_definition::builders::RegisterTaskDefinitionFluentBuilder;
use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, LogConfiguration, LogDriver, NetworkMode, PortMapping, Tag, TransportProtocol,
};
use casting_core::image::{ContainerSource, GATE_PORT, Image, ImageSource};
use casting_core::ports::{Fault, FaultKind};

use crate::failure::Kind;
use crate::settings::LogSettings;
use crate::{EcsLauncher, retry};

const WHAT: &str = "register a task definition";

impl EcsLauncher {
    pub(crate) async fn register_task_definition(&self, image: &Image) -> Result<Result<String, String>, Fault> {
        let source = match &image.settings.source {
            ImageSource::TaskDefinition(name) => return Ok(Ok(name.clone())),
            ImageSource::Container(source) => source,
        };
        let request = match self.definition(image, source) {
            Ok(request) => request,
            Err(error) => return Ok(Err(error.to_string())),
        };
        match retry::call(|| request.clone().send()).await.result {
            Ok(output) => match output.task_definition().and_then(|definition| definition.task_definition_arn()) {
                Some(arn) => Ok(Ok(arn.to_owned())),
                None => Err(Fault { kind: FaultKind::Corrupt, what: WHAT, detail: "ECS gave no ARN".to_owned() }),
            },
            Err(failure) => match failure.error.as_ref().and_then(ProvideErrorMetadata::code) {
                Some("ClientException" | "InvalidParameterException") if failure.kind == Kind::Refused => Ok(Err(failure.words)),
                _ => Err(failure.into_fault(WHAT)),
            },
        }
    }

    /// The definition. There is never a task role: whoever uses the session could read its credentials.
    fn definition(&self, image: &Image, source: &ContainerSource) -> Result<RegisterTaskDefinitionFluentBuilder, BuildError> {
        let logs = self.settings.logs.as_ref().map(log_configuration).transpose()?;
        let port = PortMapping::builder().container_port(i32::from(GATE_PORT)).protocol(TransportProtocol::Tcp).build();
        // The gate is the entry point, so that it comes first whatever entry point the container image has of its own.
        let app = (!source.command.is_empty()).then(|| [&["--".to_owned()], source.command.as_slice()].concat());
        let container = ContainerDefinition::builder()
            .name(&image.settings.container)
            .image(&source.image)
            .essential(true)
            .entry_point("gate")
            .entry_point("run")
            .set_command(app)
            .port_mappings(port)
            .set_log_configuration(logs)
            .build();
        Ok(self
            .client
            .register_task_definition()
            .family(format!("casting-{}", image.id))
            .network_mode(NetworkMode::Awsvpc)
            .requires_compatibilities(Compatibility::Fargate)
            .cpu(source.cpu.to_string())
            .memory(source.memory.to_string())
            .set_execution_role_arn(self.settings.execution_role_arn.clone())
            .container_definitions(container)
            .tags(Tag::builder().key("project").value("session-casting").build()))
    }
}

fn log_configuration(logs: &LogSettings) -> Result<LogConfiguration, BuildError> {
    let options = [("awslogs-group", logs.group.as_str()), ("awslogs-region", &logs.region), ("awslogs-stream-prefix", "session")];
    let options: HashMap<_, _> = options.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    LogConfiguration::builder().log_driver(LogDriver::Awslogs).set_options(Some(options)).build()
}

#[cfg(test)]
mod tests {
    use casting_core::testing;
    use serde_json::{Value, json};

    use super::*;
    use crate::scripted::{self, Reply};

    #[tokio::test]
    async fn a_container_becomes_a_definition_with_the_gate_first_and_no_task_role() {
        let reply = Reply::ok(json!({ "taskDefinition": { "taskDefinitionArn": "arn:def:1" } }));
        let (launcher, script) = scripted::launcher(vec![reply]);
        let image = testing::image(1);
        assert_eq!(launcher.register_task_definition(&image).await, Ok(Ok("arn:def:1".to_owned())));
        let body: Value = serde_json::from_str(&script.calls()[0].1).unwrap();
        assert_eq!(
            body,
            json!({
                "family": format!("casting-{}", image.id), "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
                "cpu": "256", "memory": "512", "executionRoleArn": "arn:role:execution",
                "containerDefinitions": [{
                    "name": "session", "image": "example/app:1", "cpu": 0, "essential": true,
                    "entryPoint": ["gate", "run"], "command": ["--", "app"],
                    "portMappings": [{ "containerPort": 18_080, "protocol": "tcp" }],
                    "logConfiguration": { "logDriver": "awslogs", "options": {
                        "awslogs-group": "sessions", "awslogs-region": "eu-central-1", "awslogs-stream-prefix": "session",
                    } },
                }],
                "tags": [{ "key": "project", "value": "session-casting" }],
            })
        );
    }

    #[tokio::test]
    async fn what_ecs_says_against_a_definition_is_for_the_administrator_and_the_rest_is_a_fault() {
        for (code, words) in [("ClientException", true), ("InvalidParameterException", true), ("AccessDeniedException", false)] {
            let (launcher, _) = scripted::launcher(vec![Reply::error(code, "Invalid 'cpu' setting for task.", json!({}))]);
            let answer = launcher.register_task_definition(&testing::image(1)).await;
            assert_eq!(answer.is_ok_and(|inner| inner.is_err()), words, "{code}");
        }
    }

    #[tokio::test]
    async fn a_definition_that_exists_needs_no_call() {
        let (launcher, script) = scripted::launcher(vec![]);
        let mut image = testing::image(1);
        image.settings.source = ImageSource::TaskDefinition("mine:3".into());
        assert_eq!(launcher.register_task_definition(&image).await, Ok(Ok("mine:3".to_owned())));
        assert!(script.calls().is_empty());
    }
}

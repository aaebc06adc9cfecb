//! Owns what holds between the fields of an image: which source it has, what goes with it, and what
//! fits into a task. Must not know how a single field is read. The JSON Schema of this is in
//! `image_rules`.

use std::collections::BTreeMap;

use serde_json::json;

use super::MAX_ENVIRONMENT_BYTES;
use super::fields::ImageFields;
use crate::form::Form;
use crate::image::KASM_URL_PLACEHOLDER;
use crate::image::{AppAccess, ContainerSource, ImageSettings, ImageSource};
use crate::image_rules;
use crate::session_options::{ExecConfig, ViewOnly};

/// The longest command, in bytes of all its words.
const MAX_COMMAND_BYTES: usize = 4096;

/// The settings that the fields make. `None` only after a mistake was noted.
pub(super) fn judge(form: &mut Form, fields: ImageFields) -> Option<ImageSettings> {
    let source = judge_source(form, &fields);
    let settings = fields.settings;
    if override_bytes(&settings.environment) > MAX_ENVIRONMENT_BYTES {
        form.mistake(
            "environment",
            format!("is longer than {MAX_ENVIRONMENT_BYTES} characters as ECS counts them."),
        );
    }
    let with_address = |value: &&String| value.contains(KASM_URL_PLACEHOLDER);
    let places = settings.environment.values().filter(with_address);
    if places
        .map(|value| value.matches(KASM_URL_PLACEHOLDER).count())
        .sum::<usize>()
        > 1
    {
        form.mistake(
            "environment",
            format!(
                "contains {KASM_URL_PLACEHOLDER} more than once: a task has no room for \
                     several addresses."
            ),
        );
    }
    if matches!(&source, Some(ImageSource::Container(source)) if source.command.is_empty()) {
        judge_gate_beside(form, &settings);
    }
    judge_app(form, &settings.app);
    Some(ImageSettings {
        source: source?,
        ..settings
    })
}

/// What does not go with an image that starts its app itself.
fn judge_gate_beside(form: &mut Form, settings: &ImageSettings) {
    if settings.port.is_none() && !form.is_wrong("port") {
        form.require(
            "port",
            "is required without a command: the gate must know where the image's own app listens.",
        );
    }
    if settings.exec != ExecConfig::default() {
        form.refuse(
            "exec_config",
            "needs a command: what is run inside a session is run by the gate that started its \
             app.",
        );
    }
    if settings.view_only == Some(ViewOnly::Selkies) {
        form.refuse(
            "view_only",
            "needs a command: only a gate that starts Selkies can send it the roles.",
        );
    }
    if settings.profile.path.is_some() {
        form.refuse(
            "profile_path",
            "needs a command: files are brought back before the app starts, by the gate that \
             starts it.",
        );
    }
}

/// How the gate speaks to the app: a user and a password, or neither.
fn judge_app(form: &mut Form, app: &AppAccess) {
    if app.password_variable.is_some() && app.user.is_none() {
        form.refuse("app_user", "is required with app_password_variable.");
    }
    if app.user.is_some() && app.password_variable.is_none() {
        form.refuse(
            "app_password_variable",
            "is required with app_user: the variable with the password.",
        );
    }
}

/// Either a task definition that exists, or a container image to register one for.
fn judge_source(form: &mut Form, fields: &ImageFields) -> Option<ImageSource> {
    if fields.command.iter().map(String::len).sum::<usize>() > MAX_COMMAND_BYTES {
        form.mistake(
            "command",
            format!("is longer than {MAX_COMMAND_BYTES} characters."),
        );
    }
    match (&fields.task_definition, &fields.container_image) {
        (Some(task_definition), None) => {
            for name in image_rules::OF_CONTAINERS {
                if form.names(name) && !(name == "command" && fields.command.is_empty()) {
                    form.refuse(
                        name,
                        "goes with container_image only; a task definition brings its own.",
                    );
                }
            }
            Some(ImageSource::TaskDefinition(task_definition.clone()))
        }
        (None, Some(image)) => Some(ImageSource::Container(judge_size(form, image, fields))),
        (Some(_), Some(_)) => {
            form.refuse(
                "container_image",
                "must be null while task_definition is set: a session runs one or the other.",
            );
            None
        }
        (None, None) => {
            if !form.is_wrong("task_definition") {
                form.require(
                    "container_image",
                    "is required, or task_definition: a session runs one of the two.",
                );
            }
            None
        }
    }
}

/// A container image with its size, which must be one that Fargate offers.
fn judge_size(form: &mut Form, image: &str, fields: &ImageFields) -> ContainerSource {
    let cpu = fields.cpu.unwrap_or(image_rules::USUAL.0);
    let memory = fields.memory.unwrap_or(image_rules::USUAL.1);
    if let Some(range) = image_rules::memory_for(cpu) {
        if !range.contains(&memory) {
            let (least, most) = (range.first().unwrap_or(&0), range.last().unwrap_or(&0));
            form.refuse(
                "memory",
                format!(
                    "does not go with {cpu} CPU units, which take {least} to {most} MiB in \
                         Fargate's steps."
                ),
            );
        }
    } else {
        form.refuse("cpu", "must be 256, 512, 1024, 2048, 4096, 8192 or 16384.");
    }
    ContainerSource {
        image: image.to_owned(),
        command: fields.command.clone(),
        cpu,
        memory,
        ephemeral_storage: fields.ephemeral_storage,
        architecture: fields.architecture.unwrap_or_default(),
        registry_secret: fields.registry_secret.clone(),
    }
}

/// How long these variables are in the overrides of RunTask: `{"name":…,"value":…},` each.
pub(super) fn override_bytes(environment: &BTreeMap<String, String>) -> usize {
    const FRAME: usize = r#"{"name":,"value":},"#.len();
    environment
        .iter()
        .map(|(name, value)| FRAME + json!(name).to_string().len() + json!(value).to_string().len())
        .sum()
}

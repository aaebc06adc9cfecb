//! Owns how an image is written and read over the API: which fields there are and what they may hold.
//! Creating and changing go through one validator. Must not know the store, ECS or HTTP.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::exec_form;
use crate::form::{FieldErrors, Form, escape, flag, line, spelled, text, whole};
use crate::image::{AppAccess, ContainerSource, GATE_PORT, Image, ImageSettings, ImageSource};
use crate::network_form;
use crate::preset;
use crate::viewing::{ExecConfig, ViewOnly};

/// How much of the 8,192 characters of a task's overrides an image's environment may use, as JSON. The rest is for the longest
/// session URL (2,048), the longest names, the session's secret and our own variables.
pub const MAX_ENVIRONMENT_BYTES: usize = 3584;

/// What a read shows besides the settings. It may be sent back, and is left out then.
const READ_ONLY: [&str; 5] = ["id", "registered_task_definition", "version", "created_at", "updated_at"];

/// Reads a new image.
///
/// # Errors
/// Every mistake in the document.
pub fn create(input: &Value) -> Result<ImageSettings, FieldErrors> {
    let (preset, input) = preset::take(input)?;
    read(Form::over(preset, &input, &[])?)
}

/// Reads a change: what is not named stays, and null clears what may be empty.
///
/// # Errors
/// Every mistake in the document.
pub fn patch(image: &Image, input: &Value) -> Result<ImageSettings, FieldErrors> {
    read(Form::over(fields(&image.settings), input, &READ_ONLY)?)
}

fn read(mut form: Form) -> Result<ImageSettings, FieldErrors> {
    let name = form.required("name", line(1..=100));
    let description = form.defaulted("description", String::new(), text(0..=2000));
    let enabled = form.defaulted("enabled", true, flag);
    let source = read_source(&mut form);
    let container = form.defaulted("container", "session".to_owned(), spelled(read_container));
    let port = form.nullable("port", |value| match whole(1..=65_535)(value)? {
        GATE_PORT => Err(format!("must not be {GATE_PORT}: the gate in front of the app listens there.")),
        port => Ok(port),
    });
    let environment = form.defaulted("environment", Map::new(), |value| match value {
        Value::Object(entries) => Ok(entries.clone()),
        _ => Err("must be an object of texts.".to_owned()),
    });
    let environment = read_environment(&mut form, environment);
    let start_timeout_seconds = form.defaulted("start_timeout_seconds", 180, whole(10..=1800));
    let session_time_limit_seconds = form.defaulted("session_time_limit_seconds", 14_400, whole(60..=604_800));
    let network = form.nullable("network", spelled(network_form::read_name));
    let allow_network_selection = form.defaulted("allow_network_selection", false, flag);
    let restrict_to_networks = form.list("restrict_to_networks", 100, network_form::read_name);
    let beside = matches!(&source, Some(ImageSource::Container(source)) if source.command.is_empty());
    if beside && port.is_none() && !form.is_wrong("port") {
        form.require("port", "is required without a command: the gate must know where the image's own app listens.");
    }
    let (view_only, exec, app) = (read_view_only(&mut form), exec_form::read(&mut form, "exec_config"), read_app(&mut form));
    if beside && exec != ExecConfig::default() {
        form.refuse("exec_config", "needs a command: what is run inside a session is run by the gate that started its app.");
    }
    form.finish()?;

    // A missing one of these was noted by the form, which has returned by now.
    let (Some(name), Some(source)) = (name, source) else { return Err(FieldErrors(Vec::new())) };
    Ok(ImageSettings {
        name,
        description,
        enabled,
        source,
        container,
        port,
        environment,
        start_timeout_seconds,
        session_time_limit_seconds,
        network,
        allow_network_selection,
        restrict_to_networks,
        view_only,
        exec,
        app,
    })
}

fn read_view_only(form: &mut Form) -> Option<ViewOnly> {
    let read = |text: &str| ViewOnly::ALL.into_iter().find(|known| known.as_str() == text);
    form.nullable("view_only", spelled(|text| read(text).ok_or_else(|| "must be rfb, kasmvnc, requests or null.".to_owned())))
}

/// How the gate speaks to the app: whether over https, and as whom.
fn read_app(form: &mut Form) -> AppAccess {
    let https = form.defaulted("app_https", false, flag);
    let user = form.nullable("app_user", spelled(read_app_user));
    let password_variable = form.nullable("app_password_variable", spelled(read_variable));
    if password_variable.is_some() && user.is_none() {
        form.refuse("app_user", "is required with app_password_variable.");
    }
    if user.is_some() && password_variable.is_none() {
        form.refuse("app_password_variable", "is required with app_user: the variable in which the app is told the password.");
    }
    AppAccess { https, user, password_variable }
}

fn read_app_user(text: &str) -> Result<String, String> {
    let fits = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() && b != b':');
    if fits { Ok(text.to_owned()) } else { Err("must be 1 to 64 letters without spaces and colons.".to_owned()) }
}

fn read_variable(text: &str) -> Result<String, String> {
    let fits = is_variable(text) && text.len() <= 64 && !text.starts_with("CAST_");
    if fits { Ok(text.to_owned()) } else { Err("must be the name of a variable such as VNC_PW.".to_owned()) }
}

/// Whether a variable of the environment can have this name.
pub(crate) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

/// Either a task definition that exists, or a container image to register one for.
fn read_source(form: &mut Form) -> Option<ImageSource> {
    let task_definition = form.nullable("task_definition", spelled(read_task_definition));
    let image = form.nullable("container_image", spelled(read_container_image));
    let command =
        form.list("command", 64, |word| if word.contains('\0') { Err("must not contain NUL.".to_owned()) } else { Ok(word.to_owned()) });
    if command.iter().map(String::len).sum::<usize>() > 4096 {
        form.refuse("command", "is longer than 4096 characters.");
    }
    let cpu = form.nullable("cpu", whole(256..=16_384));
    let memory = form.nullable("memory", whole(512..=122_880));
    let ephemeral_storage = form.nullable("ephemeral_storage", whole(21..=200));
    match (task_definition, image) {
        (Some(task_definition), None) => {
            for name in ["command", "cpu", "memory", "ephemeral_storage"] {
                if form.names(name) && !(name == "command" && command.is_empty()) {
                    form.refuse(name, "goes with container_image only; a task definition brings its own.");
                }
            }
            Some(ImageSource::TaskDefinition(task_definition))
        }
        (None, Some(image)) => {
            let (cpu, memory) = (cpu.unwrap_or(1024), memory.unwrap_or(2048));
            if let Some(range) = memory_for(cpu) {
                if !range.contains(&memory) {
                    let (least, most) = (range.first().unwrap_or(&0), range.last().unwrap_or(&0));
                    form.refuse(
                        "memory",
                        format!("does not go with {cpu} CPU units, which take {least} to {most} MiB in Fargate's steps."),
                    );
                }
            } else {
                form.refuse("cpu", "must be 256, 512, 1024, 2048, 4096, 8192 or 16384.");
            }
            Some(ImageSource::Container(ContainerSource { image, command, cpu, memory, ephemeral_storage }))
        }
        (Some(_), Some(_)) => {
            form.refuse("container_image", "must be null while task_definition is set: a session runs one or the other.");
            None
        }
        (None, None) => {
            if !form.is_wrong("task_definition") {
                form.require("container_image", "is required, or task_definition: a session runs one of the two.");
            }
            None
        }
    }
}

/// The memory sizes, in MiB, that Fargate offers with so many CPU units; `None` when it offers no such CPU.
fn memory_for(cpu: u32) -> Option<Vec<u32>> {
    let steps = |least: u32, most: u32, step: usize| (least..=most).step_by(step).collect();
    match cpu {
        256 => Some(vec![512, 1024, 2048]),
        512 => Some(steps(1024, 4096, 1024)),
        1024 => Some(steps(2048, 8192, 1024)),
        2048 => Some(steps(4096, 16_384, 1024)),
        4096 => Some(steps(8192, 30_720, 1024)),
        8192 => Some(steps(16_384, 61_440, 4096)),
        16_384 => Some(steps(32_768, 122_880, 8192)),
        _ => None,
    }
}

fn read_task_definition(text: &str) -> Result<String, String> {
    let fits = (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_:/".contains(&b));
    if fits { Ok(text.to_owned()) } else { Err("must be a family, family:revision or ARN of a task definition.".to_owned()) }
}

fn read_container_image(text: &str) -> Result<String, String> {
    let fits = (1..=255).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/@".contains(&b))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric());
    if fits { Ok(text.to_owned()) } else { Err("must be the name of a container image such as registry.example/app:1.2.".to_owned()) }
}

fn read_container(text: &str) -> Result<String, String> {
    let fits = (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if fits { Ok(text.to_owned()) } else { Err("must be the name of a container: letters, digits, hyphens and underscores.".to_owned()) }
}

fn read_environment(form: &mut Form, entries: Map<String, Value>) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    for (name, value) in entries {
        let pointer = format!("environment/{}", escape(&name));
        if !is_variable(&name) {
            form.refuse(&pointer, "must be named with capital letters, digits and underscores, not beginning with a digit.");
        } else if name.starts_with("CAST_") {
            form.refuse(&pointer, "must not begin with CAST_: those are set for each session.");
        }
        match value {
            Value::String(value) if !value.contains('\0') => {
                environment.insert(name, value);
            }
            _ => form.refuse(&pointer, "must be a text without NUL."),
        }
    }
    if override_bytes(&environment) > MAX_ENVIRONMENT_BYTES {
        form.refuse("environment", format!("is longer than {MAX_ENVIRONMENT_BYTES} characters as ECS counts them."));
    }
    environment
}

/// How long these variables are in the overrides of RunTask: `{"name":…,"value":…},` each.
fn override_bytes(environment: &BTreeMap<String, String>) -> usize {
    const FRAME: usize = r#"{"name":,"value":},"#.len();
    environment.iter().map(|(name, value)| FRAME + json!(name).to_string().len() + json!(value).to_string().len()).sum()
}

/// The settings as an administrator would write them.
fn fields(settings: &ImageSettings) -> Map<String, Value> {
    let (task_definition, container) = match &settings.source {
        ImageSource::TaskDefinition(name) => (Some(name), None),
        ImageSource::Container(container) => (None, Some(container)),
    };
    let fields = json!({
        "name": settings.name,
        "description": settings.description,
        "enabled": settings.enabled,
        "task_definition": task_definition,
        "container_image": container.map(|container| &container.image),
        "command": container.map(|container| container.command.as_slice()).unwrap_or_default(),
        "cpu": container.map(|container| container.cpu),
        "memory": container.map(|container| container.memory),
        "ephemeral_storage": container.and_then(|container| container.ephemeral_storage),
        "container": settings.container,
        "port": settings.port,
        "environment": settings.environment,
        "start_timeout_seconds": settings.start_timeout_seconds,
        "session_time_limit_seconds": settings.session_time_limit_seconds,
        "network": settings.network,
        "allow_network_selection": settings.allow_network_selection,
        "restrict_to_networks": settings.restrict_to_networks,
        "view_only": settings.view_only.map(ViewOnly::as_str),
        "exec_config": exec_form::view(&settings.exec),
        "app_https": settings.app.https,
        "app_user": settings.app.user,
        "app_password_variable": settings.app.password_variable,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The image as the API shows it; what is read can be sent back as a change. `registered_task_definition` is the one that was registered
/// for `container_image`.
pub fn view(image: &Image) -> Value {
    let registered = matches!(image.settings.source, ImageSource::Container(_)).then_some(&image.task_definition);
    let mut view = Map::new();
    view.insert("id".into(), json!(image.id));
    view.extend(fields(&image.settings));
    view.insert("registered_task_definition".into(), json!(registered));
    view.insert("version".into(), json!(image.version));
    view.insert("created_at".into(), json!(image.created_at.to_string()));
    view.insert("updated_at".into(), json!(image.updated_at.to_string()));
    Value::Object(view)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::image;

    fn pointers(errors: FieldErrors) -> Vec<String> {
        errors.0.into_iter().map(|error| error.pointer).collect()
    }

    fn created(fields: &Value) -> Result<ImageSettings, Vec<String>> {
        let mut input = json!({"name": "Demo", "container_image": "example/app:1", "port": 8080});
        for (name, value) in fields.as_object().expect("an object") {
            input[name] = value.clone();
        }
        create(&input).map_err(pointers)
    }

    #[test]
    fn each_field_is_judged() {
        for (name, fields, wrong) in [
            ("the least", json!({}), vec![]),
            ("an empty name", json!({"name": ""}), vec!["/name"]),
            ("a task definition", json!({"container_image": null, "task_definition": "family:7"}), vec![]),
            (
                "a task definition by ARN",
                json!({"container_image": null, "task_definition": "arn:aws:ecs:eu-central-1:123456789012:task-definition/family:7"}),
                vec![],
            ),
            ("both sources", json!({"task_definition": "family"}), vec!["/container_image"]),
            ("no source", json!({"container_image": null}), vec!["/container_image"]),
            ("a source that is wrong", json!({"container_image": "-rm"}), vec!["/container_image"]),
            (
                "a command for a task definition",
                json!({"container_image": null, "task_definition": "family", "command": ["app"], "cpu": 256}),
                vec!["/command", "/cpu"],
            ),
            ("a command", json!({"command": ["app", "--port", "80"]}), vec![]),
            ("a command in one text", json!({"command": "app"}), vec!["/command"]),
            ("a number in a command", json!({"command": ["app", 80]}), vec!["/command/1"]),
            ("CPU units that are not offered", json!({"cpu": 300}), vec!["/cpu"]),
            ("memory that goes with the CPU", json!({"cpu": 256, "memory": 512}), vec![]),
            ("memory that does not", json!({"cpu": 256, "memory": 4096}), vec!["/memory"]),
            ("memory between two steps", json!({"cpu": 512, "memory": 1500}), vec!["/memory"]),
            ("the largest task", json!({"cpu": 16_384, "memory": 122_880}), vec![]),
            ("a container's name with spaces", json!({"container": "a b"}), vec!["/container"]),
            ("no port, though the image starts its app itself", json!({"port": null}), vec!["/port"]),
            ("no port, because the gate picks one", json!({"port": null, "command": ["app"]}), vec![]),
            ("a disk", json!({"ephemeral_storage": 100}), vec![]),
            ("a disk too large", json!({"ephemeral_storage": 500}), vec!["/ephemeral_storage"]),
            ("a preset", json!({"preset": "kasmweb"}), vec![]),
            ("a preset that there is not", json!({"preset": "magic"}), vec!["/preset"]),
            ("port 0", json!({"port": 0}), vec!["/port"]),
            ("a port", json!({"port": 65_535}), vec![]),
            ("a port that many apps have", json!({"port": 8080}), vec![]),
            ("the gate's own port", json!({"port": GATE_PORT}), vec!["/port"]),
            ("a port too high", json!({"port": 65_536}), vec!["/port"]),
            ("an environment", json!({"environment": {"MOOD": "good", "_A1": ""}}), vec![]),
            ("small letters", json!({"environment": {"mood": "good"}}), vec!["/environment/mood"]),
            ("a name of ours", json!({"environment": {"CAST_SESSION_ID": "x"}}), vec!["/environment/CAST_SESSION_ID"]),
            ("a number as a value", json!({"environment": {"A": 1}}), vec!["/environment/A"]),
            ("too much", json!({"environment": {"A": "a".repeat(4096)}}), vec!["/environment"]),
            ("too much once it is escaped", json!({"environment": {"A": "\"".repeat(2048)}}), vec!["/environment"]),
            ("no start timeout", json!({"start_timeout_seconds": 0}), vec!["/start_timeout_seconds"]),
            ("no time limit", json!({"session_time_limit_seconds": 0}), vec!["/session_time_limit_seconds"]),
            ("a null time limit", json!({"session_time_limit_seconds": null}), vec!["/session_time_limit_seconds"]),
            ("a way to watch", json!({"view_only": "rfb"}), vec![]),
            ("a way to watch that there is not", json!({"view_only": "promise"}), vec!["/view_only"]),
            ("an app with a user", json!({"app_https": true, "app_user": "kasm_user", "app_password_variable": "VNC_PW"}), vec![]),
            ("a user without a password", json!({"app_user": "kasm_user"}), vec!["/app_password_variable"]),
            ("a password without a user", json!({"app_password_variable": "VNC_PW"}), vec!["/app_user"]),
            ("a user with a colon", json!({"app_user": "a:b", "app_password_variable": "VNC_PW"}), vec!["/app_user", "/app_user"]),
            (
                "a variable of ours",
                json!({"app_user": "a", "app_password_variable": "CAST_X"}),
                vec!["/app_password_variable", "/app_password_variable"],
            ),
            ("a command to open addresses", json!({"command": ["app"], "exec_config": {"go": {"cmd": "open"}}}), vec![]),
            ("a command inside, without a gate there", json!({"exec_config": {"go": {"cmd": "open"}}}), vec!["/exec_config"]),
            ("a field that is not there", json!({"privileged": true}), vec!["/privileged"]),
        ] {
            assert_eq!(created(&fields).err().unwrap_or_default(), wrong, "{name}");
        }
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let settings = created(&json!({})).expect("is enough");
        assert_eq!((settings.container.as_str(), settings.port), ("session", Some(8080)));
        assert_eq!((settings.start_timeout_seconds, settings.session_time_limit_seconds), (180, 14_400));
        assert!(matches!(settings.source, ImageSource::Container(ContainerSource { cpu: 1024, memory: 2048, .. })));
    }

    #[test]
    fn what_is_read_can_be_sent_back_and_changes_nothing() {
        let mut defined = image(2);
        defined.settings.source = ImageSource::TaskDefinition("family".into());
        for before in [image(1), defined] {
            assert_eq!(patch(&before, &view(&before)).expect("its own view"), before.settings);
        }
    }

    #[test]
    fn a_change_touches_what_it_names_and_nothing_else() {
        let before = image(1);
        let mut after = before.settings.clone();
        after.port = Some(80);
        assert_eq!(patch(&before, &json!({"port": 80})), Ok(after));
        let moved = patch(&before, &json!({"container_image": null, "task_definition": "family"})).expect("another source");
        assert_eq!(moved.source, ImageSource::TaskDefinition("family".into()));
        assert_eq!(patch(&before, &json!({"task_definition": "family"})).map_err(pointers), Err(vec!["/container_image".to_owned()]));
    }
}

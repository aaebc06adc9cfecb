//! Owns how an image is written and read over the API: which fields there are and what they may hold.
//! Creating and changing go through one validator. Must not know the store, ECS or HTTP.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::exec_form;
use crate::field_words as words;
use crate::form::{FieldErrors, Form, Spelled, flag, line, plain, spelled, text, whole};
use crate::ids::ImageId;
use crate::image::{AppAccess, ContainerSource, GATE_PORT, Image, ImageSettings, ImageSource};
use crate::image_rules;
use crate::json_schema::{self, SchemaBuilder, Schemas};
use crate::network_form;
use crate::persistent_profile::{LARGEST_MIB, ProfileSettings};
use crate::preset;
use crate::shape;
use crate::viewing::{ExecConfig, ViewOnly};

/// How much of the 8,192 characters of a task's overrides an image's environment may use, as JSON. The rest is for the longest
/// session URL (2,048), the longest names, the session's secret and our own variables.
pub const MAX_ENVIRONMENT_BYTES: usize = 3584;

/// What a read shows besides the settings. It may be sent back, and is left out then.
fn read_only() -> Vec<(&'static str, Value)> {
    let mut fields = json_schema::read_only(ImageId::SPELLING.schema());
    let registered = "The task definition that was registered for `container_image`.";
    fields.insert(
        1,
        (
            "registered_task_definition",
            json!({ "type": ["string", "null"], "description": registered }),
        ),
    );
    fields
}

/// Reads a new image.
///
/// # Errors
/// Every mistake in the document.
pub fn create(input: &Value) -> Result<ImageSettings, FieldErrors> {
    let (preset, input) = preset::take(input)?;
    read(&mut Form::over(preset, &input, &[])?)
}

/// Reads a change: what is not named stays, and null clears what may be empty.
///
/// # Errors
/// Every mistake in the document.
pub fn patch(image: &Image, input: &Value) -> Result<ImageSettings, FieldErrors> {
    read(&mut Form::change(
        fields(&image.settings),
        input,
        &read_only(),
    )?)
}

/// What JSON Schema says of a new image, of a change and of what is shown.
pub fn schemas() -> Schemas {
    let schema_builder = SchemaBuilder::of(|form| _ = read(form)).described(words::IMAGE);
    let preset = json!({ "type": "string", "enum": preset::ALL, "description": "Fills in what a family of images needs; what is named besides wins." });
    let mut create = schema_builder.clone().with("preset", preset).whole();
    create["allOf"] = json!([image_rules::whole()]);
    Schemas {
        create,
        change: schema_builder.change(&read_only()),
        shown: schema_builder.shown(&read_only(), &[]),
    }
}

fn read(form: &mut Form) -> Result<ImageSettings, FieldErrors> {
    let name = form.required("name", line(1..=100));
    let description = form.defaulted("description", String::new(), text(0..=2000));
    let enabled = form.defaulted("enabled", true, flag);
    let source = read_source(form);
    let container = form.defaulted(
        "container",
        "session".to_owned(),
        plain(|| &shape::CONTAINER),
    );
    let gates = format!("must not be {GATE_PORT}: the gate in front of the app listens there.");
    let port = form.nullable("port", whole(1..=65_535).but(GATE_PORT, gates));
    let environment = form.map(
        "environment",
        || &shape::OWN_VARIABLE,
        &plain(|| &shape::WORD),
    );
    if override_bytes(&environment) > MAX_ENVIRONMENT_BYTES {
        form.mistake(
            "environment",
            format!("is longer than {MAX_ENVIRONMENT_BYTES} characters as ECS counts them."),
        );
    }
    let start_timeout_seconds = form.defaulted("start_timeout_seconds", 180, whole(10..=1800));
    let session_time_limit_seconds =
        form.defaulted("session_time_limit_seconds", 14_400, whole(60..=604_800));
    let network = form.nullable("network", spelled(network_form::read_name));
    let allow_network_selection = form.defaulted("allow_network_selection", false, flag);
    let restrict_to_networks = form.list("restrict_to_networks", 100, network_form::read_name);
    let beside =
        matches!(&source, Some(ImageSource::Container(source)) if source.command.is_empty());
    if beside && port.is_none() && !form.is_wrong("port") {
        form.require(
            "port",
            "is required without a command: the gate must know where the image's own app listens.",
        );
    }
    let (view_only, exec, app) = (
        read_view_only(form),
        exec_form::read(form, "exec_config"),
        read_app(form),
    );
    if beside && exec != ExecConfig::default() {
        form.refuse("exec_config", "needs a command: what is run inside a session is run by the gate that started its app.");
    }
    if beside && view_only == Some(ViewOnly::Selkies) {
        form.refuse(
            "view_only",
            "needs a command: the gate that starts Selkies tells it who may do what.",
        );
    }
    let profile = read_profile(form);
    if beside && profile.path.is_some() {
        form.refuse("profile_path", "needs a command: files are brought back before the app starts, by the gate that starts it.");
    }
    form.finish()?;

    // A missing one of these was noted by the form, which has returned by now.
    let (Some(name), Some(source)) = (name, source) else {
        return Err(FieldErrors(Vec::new()));
    };
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
        profile,
    })
}

fn read_view_only(form: &mut Form) -> Option<ViewOnly> {
    let read = |text: &str| {
        ViewOnly::ALL
            .into_iter()
            .find(|known| known.as_str() == text)
    };
    form.nullable(
        "view_only",
        spelled(move |text| {
            read(text).ok_or_else(|| "must be rfb, kasmvnc, selkies, requests or null.".to_owned())
        }),
    )
}

/// What is kept of its users' files.
fn read_profile(form: &mut Form) -> ProfileSettings {
    let usual = ProfileSettings::default();
    ProfileSettings {
        path: form.nullable("profile_path", plain(|| &shape::PROFILE_PATH)),
        max_mib: form.defaulted(
            "profile_max_mib",
            usual.max_mib,
            whole(1..=u64::from(LARGEST_MIB)),
        ),
        exclude: form.list_of("profile_exclude", 0..=32, &plain(|| &shape::PATTERN)),
    }
}

/// How the gate speaks to the app: whether over https, and as whom.
fn read_app(form: &mut Form) -> AppAccess {
    let https = form.defaulted("app_https", false, flag);
    let user = form.nullable("app_user", plain(|| &shape::APP_USER));
    let password_variable =
        form.nullable("app_password_variable", plain(|| &shape::PASSWORD_VARIABLE));
    if password_variable.is_some() && user.is_none() {
        form.refuse("app_user", "is required with app_password_variable.");
    }
    if user.is_some() && password_variable.is_none() {
        form.refuse(
            "app_password_variable",
            "is required with app_user: the variable in which the app is told the password.",
        );
    }
    AppAccess {
        https,
        user,
        password_variable,
    }
}

/// Either a task definition that exists, or a container image to register one for.
fn read_source(form: &mut Form) -> Option<ImageSource> {
    let task_definition = form.nullable("task_definition", plain(|| &shape::TASK_DEFINITION));
    let image = form.nullable("container_image", plain(|| &shape::CONTAINER_IMAGE));
    let command = form.list_of("command", 0..=64, &plain(|| &shape::WORD));
    if command.iter().map(String::len).sum::<usize>() > 4096 {
        form.mistake("command", "is longer than 4096 characters.");
    }
    let cpu = form.nullable("cpu", whole(256..=16_384));
    let memory = form.nullable("memory", whole(512..=122_880));
    let ephemeral_storage = form.nullable("ephemeral_storage", whole(21..=200));
    match (task_definition, image) {
        (Some(task_definition), None) => {
            for name in ["command", "cpu", "memory", "ephemeral_storage"] {
                if form.names(name) && !(name == "command" && command.is_empty()) {
                    form.refuse(
                        name,
                        "goes with container_image only; a task definition brings its own.",
                    );
                }
            }
            Some(ImageSource::TaskDefinition(task_definition))
        }
        (None, Some(image)) => {
            let (cpu, memory) = (
                cpu.unwrap_or(image_rules::USUAL.0),
                memory.unwrap_or(image_rules::USUAL.1),
            );
            if let Some(range) = image_rules::memory_for(cpu) {
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
            Some(ImageSource::Container(ContainerSource {
                image,
                command,
                cpu,
                memory,
                ephemeral_storage,
            }))
        }
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

/// How long these variables are in the overrides of RunTask: `{"name":…,"value":…},` each.
fn override_bytes(environment: &BTreeMap<String, String>) -> usize {
    const FRAME: usize = r#"{"name":,"value":},"#.len();
    environment
        .iter()
        .map(|(name, value)| FRAME + json!(name).to_string().len() + json!(value).to_string().len())
        .sum()
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
        "profile_path": settings.profile.path,
        "profile_max_mib": settings.profile.max_mib,
        "profile_exclude": settings.profile.exclude,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// The image as the API shows it; what is read can be sent back as a change. `registered_task_definition` is the one that was registered
/// for `container_image`.
pub fn view(image: &Image) -> Value {
    let registered = matches!(image.settings.source, ImageSource::Container(_))
        .then_some(&image.task_definition);
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
    fn each_field_is_validated() {
        for (name, fields, wrong) in [
            ("the least", json!({}), vec![]),
            ("an empty name", json!({"name": ""}), vec!["/name"]),
            (
                "a task definition",
                json!({"container_image": null, "task_definition": "family:7"}),
                vec![],
            ),
            (
                "a task definition by ARN",
                json!({"container_image": null, "task_definition": "arn:aws:ecs:eu-central-1:123456789012:task-definition/family:7"}),
                vec![],
            ),
            (
                "both sources",
                json!({"task_definition": "family"}),
                vec!["/container_image"],
            ),
            (
                "no source",
                json!({"container_image": null}),
                vec!["/container_image"],
            ),
            (
                "a source that is wrong",
                json!({"container_image": "-rm"}),
                vec!["/container_image"],
            ),
            (
                "a command for a task definition",
                json!({"container_image": null, "task_definition": "family", "command": ["app"], "cpu": 256}),
                vec!["/command", "/cpu"],
            ),
            (
                "a command",
                json!({"command": ["app", "--port", "80"]}),
                vec![],
            ),
            (
                "a command in one text",
                json!({"command": "app"}),
                vec!["/command"],
            ),
            (
                "a number in a command",
                json!({"command": ["app", 80]}),
                vec!["/command/1"],
            ),
            (
                "CPU units that are not offered",
                json!({"cpu": 300}),
                vec!["/cpu"],
            ),
            (
                "memory that goes with the CPU",
                json!({"cpu": 256, "memory": 512}),
                vec![],
            ),
            (
                "memory that does not",
                json!({"cpu": 256, "memory": 4096}),
                vec!["/memory"],
            ),
            (
                "memory between two steps",
                json!({"cpu": 512, "memory": 1500}),
                vec!["/memory"],
            ),
            (
                "the largest task",
                json!({"cpu": 16_384, "memory": 122_880}),
                vec![],
            ),
            (
                "a container's name with spaces",
                json!({"container": "a b"}),
                vec!["/container"],
            ),
            (
                "no port, though the image starts its app itself",
                json!({"port": null}),
                vec!["/port"],
            ),
            (
                "no port, because the gate picks one",
                json!({"port": null, "command": ["app"]}),
                vec![],
            ),
            ("a disk", json!({"ephemeral_storage": 100}), vec![]),
            (
                "a disk too large",
                json!({"ephemeral_storage": 500}),
                vec!["/ephemeral_storage"],
            ),
            ("a preset", json!({"preset": "kasmweb"}), vec![]),
            (
                "a preset that there is not",
                json!({"preset": "magic"}),
                vec!["/preset"],
            ),
            ("port 0", json!({"port": 0}), vec!["/port"]),
            ("a port", json!({"port": 65_535}), vec![]),
            ("a port that many apps have", json!({"port": 8080}), vec![]),
            (
                "the gate's own port",
                json!({"port": GATE_PORT}),
                vec!["/port"],
            ),
            ("a port too high", json!({"port": 65_536}), vec!["/port"]),
            (
                "an environment",
                json!({"environment": {"MOOD": "good", "_A1": ""}}),
                vec![],
            ),
            (
                "small letters",
                json!({"environment": {"mood": "good"}}),
                vec!["/environment/mood"],
            ),
            (
                "a name of ours",
                json!({"environment": {"CAST_SESSION_ID": "x"}}),
                vec!["/environment/CAST_SESSION_ID"],
            ),
            (
                "a number as a value",
                json!({"environment": {"A": 1}}),
                vec!["/environment/A"],
            ),
            (
                "too much",
                json!({"environment": {"A": "a".repeat(4096)}}),
                vec!["/environment"],
            ),
            (
                "too much once it is escaped",
                json!({"environment": {"A": "\"".repeat(2048)}}),
                vec!["/environment"],
            ),
            (
                "no start timeout",
                json!({"start_timeout_seconds": 0}),
                vec!["/start_timeout_seconds"],
            ),
            (
                "no time limit",
                json!({"session_time_limit_seconds": 0}),
                vec!["/session_time_limit_seconds"],
            ),
            (
                "a null time limit",
                json!({"session_time_limit_seconds": null}),
                vec!["/session_time_limit_seconds"],
            ),
            ("a way to watch", json!({"view_only": "rfb"}), vec![]),
            (
                "a way to watch that there is not",
                json!({"view_only": "promise"}),
                vec!["/view_only"],
            ),
            (
                "an app with a user",
                json!({"app_https": true, "app_user": "kasm_user", "app_password_variable": "VNC_PW"}),
                vec![],
            ),
            (
                "a user without a password",
                json!({"app_user": "kasm_user"}),
                vec!["/app_password_variable"],
            ),
            (
                "a password without a user",
                json!({"app_password_variable": "VNC_PW"}),
                vec!["/app_user"],
            ),
            (
                "a user with a colon",
                json!({"app_user": "a:b", "app_password_variable": "VNC_PW"}),
                vec!["/app_user", "/app_user"],
            ),
            (
                "a variable of ours",
                json!({"app_user": "a", "app_password_variable": "CAST_X"}),
                vec!["/app_password_variable", "/app_password_variable"],
            ),
            (
                "a command to open addresses",
                json!({"command": ["app"], "exec_config": {"go": {"cmd": "open"}}}),
                vec![],
            ),
            (
                "a command inside, without a gate there",
                json!({"exec_config": {"go": {"cmd": "open"}}}),
                vec!["/exec_config"],
            ),
            (
                "a streaming server",
                json!({"command": ["stream"], "view_only": "selkies"}),
                vec![],
            ),
            (
                "a streaming server that the gate does not start",
                json!({"view_only": "selkies"}),
                vec!["/view_only"],
            ),
            (
                "a profile",
                json!({"command": ["app"], "profile_path": "/home/app", "profile_exclude": ["**/*.tmp"]}),
                vec![],
            ),
            (
                "a profile without a gate inside",
                json!({"profile_path": "/home/app"}),
                vec!["/profile_path"],
            ),
            (
                "a profile in a relative folder",
                json!({"command": ["app"], "profile_path": "home"}),
                vec!["/profile_path"],
            ),
            (
                "everything as a profile",
                json!({"command": ["app"], "profile_path": "/"}),
                vec!["/profile_path"],
            ),
            (
                "a profile by a way round",
                json!({"command": ["app"], "profile_path": "/home/../etc"}),
                vec!["/profile_path"],
            ),
            (
                "a profile that one upload cannot take",
                json!({"profile_max_mib": 5121}),
                vec!["/profile_max_mib"],
            ),
            (
                "a pattern that is empty",
                json!({"profile_exclude": [""]}),
                vec!["/profile_exclude/0"],
            ),
            (
                "a field that is not there",
                json!({"privileged": true}),
                vec!["/privileged"],
            ),
        ] {
            assert_eq!(created(&fields).err().unwrap_or_default(), wrong, "{name}");
        }
    }

    #[test]
    fn omitted_fields_have_defaults() {
        let settings = created(&json!({})).expect("is enough");
        assert_eq!(
            (settings.container.as_str(), settings.port),
            ("session", Some(8080))
        );
        assert_eq!(
            (
                settings.start_timeout_seconds,
                settings.session_time_limit_seconds
            ),
            (180, 14_400)
        );
        assert!(matches!(
            settings.source,
            ImageSource::Container(ContainerSource {
                cpu: 1024,
                memory: 2048,
                ..
            })
        ));
    }

    #[test]
    fn sending_back_the_view_changes_nothing() {
        let mut defined = image(2);
        defined.settings.source = ImageSource::TaskDefinition("family".into());
        for before in [image(1), defined] {
            assert_eq!(
                patch(&before, &view(&before)).expect("its own view"),
                before.settings
            );
        }
    }

    #[test]
    fn patch_changes_only_named_fields() {
        let before = image(1);
        let mut after = before.settings.clone();
        after.port = Some(80);
        assert_eq!(patch(&before, &json!({"port": 80})), Ok(after));
        let moved = patch(
            &before,
            &json!({"container_image": null, "task_definition": "family"}),
        )
        .expect("another source");
        assert_eq!(moved.source, ImageSource::TaskDefinition("family".into()));
        assert_eq!(
            patch(&before, &json!({"task_definition": "family"})).map_err(pointers),
            Err(vec!["/container_image".to_owned()])
        );
    }
}

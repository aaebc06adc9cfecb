//! Owns the cases of reading and changing an image. Tests only.

use super::*;
use crate::image::{ContainerSource, GATE_PORT};
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
        ("an architecture", json!({"architecture": "arm64"}), vec![]),
        (
            "an architecture that Fargate has not",
            json!({"architecture": "riscv64"}),
            vec!["/architecture"],
        ),
        (
            "credentials of a registry",
            json!({"registry_secret": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:registry-AbCdEf"}),
            vec![],
        ),
        (
            "credentials in the open",
            json!({"registry_secret": "name:password"}),
            vec!["/registry_secret"],
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

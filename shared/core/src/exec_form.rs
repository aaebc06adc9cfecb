//! Owns how the commands of an image are written and read over the API (seed: exec config). A change replaces the whole object. Must not know who
//! runs them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::form::{Form, escape};
use crate::image_form::is_variable;
use crate::viewing::{Exec, ExecConfig};

/// How long the commands may be together, as JSON, in bytes.
const MAX_BYTES: usize = 4096;

/// Reads the object in field `name`: `{"go": {"cmd": "open \"$KASM_URL\"", "user": …, "workdir": …, "environment": {…}}}`. A command in one text is
/// for `sh`; a list is a program and its arguments. Mistakes are noted where they are.
pub fn read(form: &mut Form, name: &'static str) -> ExecConfig {
    let object = form.defaulted(name, Map::new(), |value| value.as_object().cloned().ok_or_else(|| "must be an object.".to_owned()));
    if Value::Object(object.clone()).to_string().len() > MAX_BYTES {
        form.refuse(name, format!("is longer than {MAX_BYTES} bytes."));
    }
    let mut config = ExecConfig::default();
    for (occasion, value) in object {
        let path = format!("{name}/{}", escape(&occasion));
        let place = match occasion.as_str() {
            "first_launch" => &mut config.first_launch,
            "go" => &mut config.go,
            "assign" => &mut config.assign,
            _ => {
                form.refuse(&path, "is not first_launch, go or assign.");
                continue;
            }
        };
        match value {
            Value::Null => {}
            Value::Object(fields) => *place = read_one(form, &path, fields),
            _ => form.refuse(&path, "must be an object."),
        }
    }
    config
}

fn read_one(form: &mut Form, path: &str, fields: Map<String, Value>) -> Option<Exec> {
    let mut exec = Exec { command: Vec::new(), user: None, working_directory: None, environment: BTreeMap::new() };
    for (field, value) in fields {
        let path = format!("{path}/{}", escape(&field));
        let mut text = || {
            let text = value.as_str().filter(|text| !text.is_empty() && text.len() <= 255 && !text.contains('\0')).map(str::to_owned);
            if text.is_none() && !value.is_null() {
                form.refuse(&path, "must be a text of 1 to 255 characters.");
            }
            text
        };
        match field.as_str() {
            "cmd" => match read_command(&value) {
                Some(command) => exec.command = command,
                None => form.refuse(&path, "must be a command for sh, or a list of a program and its arguments."),
            },
            "user" => {
                exec.user = text();
                if exec.user.as_ref().is_some_and(|user| user == "root" || user.trim_start_matches('0').is_empty()) {
                    form.refuse(&path, "must not be root: what is run in a session is never more than its visitor.");
                }
            }
            "workdir" => {
                exec.working_directory = text();
                if exec.working_directory.as_ref().is_some_and(|folder| !folder.starts_with('/')) {
                    form.refuse(&path, "must be an absolute path.");
                }
            }
            "environment" => exec.environment = read_environment(form, &path, &value),
            _ => form.refuse(&path, "is not a field that can be set here."),
        }
    }
    if exec.command.is_empty() {
        form.refuse(&format!("{path}/cmd"), "is required.");
        return None;
    }
    Some(exec)
}

fn read_command(value: &Value) -> Option<Vec<String>> {
    let command = match value {
        Value::String(line) if !line.trim().is_empty() => vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()],
        Value::Array(words) => words.iter().map(|word| word.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()?,
        _ => return None,
    };
    let runs = command.first().is_some_and(|program| !program.is_empty()) && command.iter().all(|word| !word.contains('\0'));
    runs.then_some(command)
}

fn read_environment(form: &mut Form, path: &str, value: &Value) -> BTreeMap<String, String> {
    let Some(object) = value.as_object() else {
        form.refuse(path, "must be an object of texts.");
        return BTreeMap::new();
    };
    let mut environment = BTreeMap::new();
    for (name, value) in object {
        match value.as_str() {
            Some(text) if is_variable(name) && !text.contains('\0') => {
                environment.insert(name.clone(), text.to_owned());
            }
            _ => {
                form.refuse(&format!("{path}/{}", escape(name)), "must be a text under a name of capital letters, digits and underscores.");
            }
        }
    }
    environment
}

/// The commands as the API shows them; what is read can be sent back.
pub fn view(config: &ExecConfig) -> Value {
    let one =
        |exec: &Exec| json!({"cmd": exec.command, "user": exec.user, "workdir": exec.working_directory, "environment": exec.environment});
    let ExecConfig { first_launch, go, assign } = config;
    let named = [("first_launch", first_launch), ("go", go), ("assign", assign)];
    Value::Object(named.into_iter().filter_map(|(name, exec)| Some((name.to_owned(), one(exec.as_ref()?)))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(value: &Value) -> Result<ExecConfig, Vec<String>> {
        let mut form = Form::over(Map::new(), &json!({"exec_config": value}), &[]).expect("an object");
        let config = read(&mut form, "exec_config");
        form.finish().map(|()| config).map_err(|errors| errors.0.into_iter().map(|error| error.pointer).collect())
    }

    #[test]
    fn each_mistake_in_a_command_is_named() {
        for (name, value, wrong) in [
            ("nothing", json!({}), vec![]),
            ("a line for sh", json!({"go": {"cmd": "open \"$KASM_URL\""}}), vec![]),
            ("a program with arguments", json!({"assign": {"cmd": ["open", "--now"], "user": "1000", "workdir": "/tmp"}}), vec![]),
            ("null", json!({"go": null}), vec![]),
            ("another occasion", json!({"stop": {"cmd": "x"}}), vec!["/exec_config/stop"]),
            ("no command", json!({"go": {}}), vec!["/exec_config/go/cmd"]),
            ("an empty command", json!({"go": {"cmd": " "}}), vec!["/exec_config/go/cmd", "/exec_config/go/cmd"]),
            ("root", json!({"go": {"cmd": "x", "user": "root"}}), vec!["/exec_config/go/user"]),
            ("root by number", json!({"go": {"cmd": "x", "user": "0"}}), vec!["/exec_config/go/user"]),
            ("privileged", json!({"go": {"cmd": "x", "privileged": true}}), vec!["/exec_config/go/privileged"]),
            ("a relative folder", json!({"go": {"cmd": "x", "workdir": "tmp"}}), vec!["/exec_config/go/workdir"]),
            ("a small variable", json!({"go": {"cmd": "x", "environment": {"a": "b"}}}), vec!["/exec_config/go/environment/a"]),
            ("too much", json!({"go": {"cmd": "x".repeat(5000)}}), vec!["/exec_config"]),
        ] {
            assert_eq!(reading(&value).err().unwrap_or_default(), wrong, "{name}");
        }
    }

    #[test]
    fn what_is_shown_can_be_sent_back() {
        let config =
            reading(&json!({"go": {"cmd": "x", "environment": {"A": "b"}}, "first_launch": {"cmd": ["y"], "user": "app"}})).expect("good");
        assert_eq!(config.go.as_ref().map(|go| go.command.as_slice()), Some(&["/bin/sh", "-c", "x"].map(str::to_owned)[..]));
        assert_eq!(reading(&view(&config)), Ok(config));
    }
}

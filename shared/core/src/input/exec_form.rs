//! Owns how the commands of an image are written and read over the API (seed: exec config). A
//! change replaces the whole object. Must not know who runs them.

use serde_json::{Value, json};

use crate::field::Field;
use crate::form::{FieldParser, Form, plain};
use crate::resource::Widget;
use crate::session_options::{Exec, ExecConfig};
use crate::text_format;

/// How long the commands may be together, as JSON, in bytes.
const MAX_BYTES: usize = 4096;

/// A field with the commands: `{"go": {"cmd": "open \"$KASM_URL\"", "user": …, "workdir": …,
/// "environment": {…}}}`. A command in one text is for `sh`; a list is a program and its arguments.
pub(crate) fn field<D>(name: &'static str, at: fn(&mut D) -> &mut ExecConfig) -> Field<D> {
    let read = move |form: &mut Form, record: &mut D| *at(record) = read(form, name);
    let show = move |record: &mut D| view(at(record));
    Field::custom(name, Widget::Json, read, show)
}

/// Mistakes are noted where they are.
fn read(form: &mut Form, name: &'static str) -> ExecConfig {
    form.object(name, |part| {
        if part.bytes() > MAX_BYTES {
            part.refuse_all(format!("is longer than {MAX_BYTES} bytes."));
        }
        ExecConfig {
            first_launch: part.nullable_object("first_launch", read_one),
            go: part.nullable_object("go", read_one),
            assign: part.nullable_object("assign", read_one),
        }
    })
}

fn read_one(part: &mut Form) -> Exec {
    let command = part.required("cmd", FieldParser::new(read_command, command_schema));
    if command.is_none() && part.names("cmd") {
        part.refuse("cmd", "is required.");
    }
    Exec {
        command: command.unwrap_or_default(),
        // What is run in a session is never more than its visitor.
        user: part.nullable("user", plain(|| &text_format::USER)),
        working_directory: part.nullable("workdir", plain(|| &text_format::FOLDER)),
        environment: part.map(
            "environment",
            || &text_format::VARIABLE,
            &plain(|| &text_format::WORD),
        ),
    }
}

fn read_command(value: &Value) -> Result<Vec<String>, String> {
    let otherwise =
        || "must be a command for sh, or a list of a program and its arguments.".to_owned();
    match value {
        Value::String(line) if text_format::COMMAND_LINE.check(line).is_ok() => {
            Ok(vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()])
        }
        Value::Array(words) => {
            let words = words
                .iter()
                .map(|word| word.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
                .ok_or_else(otherwise)?;
            let runs = words
                .first()
                .is_some_and(|program| text_format::PROGRAM.check(program).is_ok())
                && words
                    .iter()
                    .all(|word| text_format::WORD.check(word).is_ok());
            if runs { Ok(words) } else { Err(otherwise()) }
        }
        _ => Err(otherwise()),
    }
}

/// That the program is not empty stands only in the description: some schema libraries do not
/// support a rule for the first item of a list.
fn command_schema() -> Value {
    let words = json!({
        "type": "array", "minItems": 1, "items": text_format::WORD.schema(), "description":
            "A program, which is not empty, and its arguments.",
    });
    json!({ "anyOf": [text_format::COMMAND_LINE.schema(), words] })
}

/// The commands as the API shows them; what is read can be sent back.
fn view(config: &ExecConfig) -> Value {
    let one = |exec: &Exec| json!({"cmd": exec.command, "user": exec.user, "workdir": exec.working_directory, "environment": exec.environment});
    let ExecConfig {
        first_launch,
        go,
        assign,
    } = config;
    let named = [
        ("first_launch", first_launch),
        ("go", go),
        ("assign", assign),
    ];
    Value::Object(
        named
            .into_iter()
            .filter_map(|(name, exec)| Some((name.to_owned(), one(exec.as_ref()?))))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    fn reading(value: &Value) -> Result<ExecConfig, Vec<String>> {
        let mut form =
            Form::over(Map::new(), &json!({"exec_config": value}), &[]).expect("an object");
        let config = read(&mut form, "exec_config");
        form.finish()
            .map(|()| config)
            .map_err(|errors| errors.0.into_iter().map(|error| error.pointer).collect())
    }

    #[test]
    fn command_errors_are_named() {
        for (name, value, wrong) in [
            ("nothing", json!({}), vec![]),
            (
                "a line for sh",
                json!({"go": {"cmd": "open \"$KASM_URL\""}}),
                vec![],
            ),
            (
                "a program with arguments",
                json!({"assign": {"cmd": ["open", "--now"], "user": "1000", "workdir": "/tmp"}}),
                vec![],
            ),
            ("null", json!({"go": null}), vec![]),
            (
                "another occasion",
                json!({"stop": {"cmd": "x"}}),
                vec!["/exec_config/stop"],
            ),
            ("no command", json!({"go": {}}), vec!["/exec_config/go/cmd"]),
            (
                "an empty command",
                json!({"go": {"cmd": " "}}),
                vec!["/exec_config/go/cmd", "/exec_config/go/cmd"],
            ),
            (
                "root",
                json!({"go": {"cmd": "x", "user": "root"}}),
                vec!["/exec_config/go/user"],
            ),
            (
                "root by number",
                json!({"go": {"cmd": "x", "user": "0"}}),
                vec!["/exec_config/go/user"],
            ),
            (
                "privileged",
                json!({"go": {"cmd": "x", "privileged": true}}),
                vec!["/exec_config/go/privileged"],
            ),
            (
                "a relative folder",
                json!({"go": {"cmd": "x", "workdir": "tmp"}}),
                vec!["/exec_config/go/workdir"],
            ),
            (
                "a small variable",
                json!({"go": {"cmd": "x", "environment": {"a": "b"}}}),
                vec!["/exec_config/go/environment/a"],
            ),
            (
                "too much",
                json!({"go": {"cmd": "x".repeat(5000)}}),
                vec!["/exec_config"],
            ),
        ] {
            assert_eq!(reading(&value).err().unwrap_or_default(), wrong, "{name}");
        }
    }

    #[test]
    fn view_is_accepted_as_input() {
        let config =
            reading(&json!({"go": {"cmd": "x", "environment": {"A": "b"}}, "first_launch": {"cmd": ["y"], "user": "app"}})).expect("good");
        assert_eq!(
            config.go.as_ref().map(|go| go.command.as_slice()),
            Some(&["/bin/sh", "-c", "x"].map(str::to_owned)[..])
        );
        assert_eq!(reading(&view(&config)), Ok(config));
    }
}

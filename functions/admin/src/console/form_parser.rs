//! Owns how submitted form fields become a document of the API. Must not know which values are
//! possible: what cannot be read is passed on as it was typed, so that one validator says what is
//! wrong with it, and the form shows it again.

use casting_core::resource::{Empty, FormField, Resource, Widget};
use serde_json::{Map, Value, json};

use super::measure;
use super::schedule_field;
use super::tier_field;
use super::zone::Zone;

/// The fields of a form, as they were sent.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct FormData(Vec<(String, String)>);

impl FormData {
    /// These fields, in the order of the form.
    pub fn new(fields: Vec<(String, String)>) -> Self {
        Self(fields)
    }

    /// The first field of this name.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// Every field of this name.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// The text of a field, with line breaks as we write them.
    fn text(&self, name: &str) -> String {
        self.first(name).unwrap_or_default().replace("\r\n", "\n")
    }
}

/// The document that was filled in, with every field of the resource except secrets that were left
/// empty and fixed names.
pub fn document(resource: &Resource, form_data: &FormData) -> Value {
    let mut document = Map::new();
    for field in resource.fields() {
        if let Some(value) = read(field, form_data) {
            place(&mut document, &field.name, value);
        }
    }
    Value::Object(document)
}

/// Lays a value into the object, or into the objects in it that the name's dots lead to.
fn place(object: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None => {
            object.insert(name.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = object
                .entry(first)
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                place(inner, rest, value);
            }
        }
    }
}

fn read(field: &FormField, form_data: &FormData) -> Option<Value> {
    let text = form_data.text(&field.name);
    let line = text.trim();
    let value = match field.widget {
        Widget::Line(empty) => match (line.is_empty(), empty) {
            (true, Empty::LeftOut) => return None,
            (true, Empty::Null) => Value::Null,
            _ => json!(line),
        },
        Widget::Text => json!(line),
        Widget::Flag => json!(form_data.first(&field.name).is_some()),
        Widget::Number { .. } => {
            let unit = form_data.first(&format!("{}.unit", field.name));
            let factor = unit.and_then(|unit| unit.parse().ok());
            number(
                line,
                field.required,
                factor.filter(|unit| *unit > 0).unwrap_or(1),
            )
        }
        Widget::TaskCpu => number(line.split('/').next().unwrap_or_default(), false, 1),
        // The size stands in the field before this one, unless each was sent by itself.
        Widget::TaskMemory => {
            let size = form_data.first("cpu").and_then(|size| size.split_once('/'));
            number(size.map_or(line, |(_, memory)| memory.trim()), false, 1)
        }
        Widget::Time => time(line, form_data.first(&format!("{}.zone", field.name))),
        Widget::Lines => json!(
            line.lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .collect::<Vec<_>>()
        ),
        Widget::Words => words(&text),
        Widget::Choice(_) | Widget::Select(_) => {
            if line.is_empty() && !field.required {
                Value::Null
            } else {
                json!(line)
            }
        }
        Widget::SelectMany(_) | Widget::Ticks(_) => json!(
            form_data
                .all(&field.name)
                .filter(|value| !value.is_empty())
                .collect::<Vec<_>>()
        ),
        Widget::Permission => match line {
            "true" => json!(true),
            "false" => json!(false),
            "" => Value::Null,
            other => json!(other),
        },
        Widget::Pairs => pairs(&text),
        Widget::Json if line.is_empty() => json!({}),
        Widget::Json => serde_json::from_str(line).unwrap_or_else(|_| json!(line)),
        Widget::Secret => match (
            line.is_empty(),
            form_data.first(&format!("{}.clear", field.name)),
        ) {
            (_, Some(_)) => Value::Null,
            (true, None) => return None,
            (false, None) => json!(line),
        },
        Widget::OpenHours => schedule_field::read(&field.name, form_data),
        Widget::AccessTiers => tier_field::read(&field.name, form_data),
    };
    Some(value)
}

fn number(line: &str, required: bool, factor: u64) -> Value {
    if line.is_empty() && !required {
        return Value::Null;
    }
    measure::read(line, factor).map_or_else(|| json!(line), |number| json!(number))
}

/// Browsers send a time without a zone. It is meant in the one that the form names beside it, or
/// else in UTC.
pub fn time(line: &str, zone: Option<&str>) -> Value {
    if line.is_empty() {
        return Value::Null;
    }
    let local = |b: u8| b.is_ascii_digit() || b"-:.T".contains(&b);
    let at = (line.len() >= 16 && line.bytes().all(local))
        .then(|| zone.and_then(Zone::named).unwrap_or_default())
        .and_then(|zone| zone.read(line));
    at.map_or_else(|| json!(line), |at| json!(at.to_string()))
}

fn words(text: &str) -> Value {
    if text.trim_start().starts_with('[')
        && let Ok(Value::Array(words)) = serde_json::from_str(text)
    {
        return Value::Array(words);
    }
    json!(
        text.lines()
            .filter(|line| !line.trim().is_empty())
            .collect::<Vec<_>>()
    )
}

fn pairs(text: &str) -> Value {
    if text.trim_start().starts_with('{')
        && let Ok(Value::Object(pairs)) = serde_json::from_str(text)
    {
        return Value::Object(pairs);
    }
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    // A name without a value is null here, which the validator points at.
    let pair = |line: &str| match line.split_once('=') {
        Some((name, value)) => (name.trim().to_owned(), json!(value)),
        None => (line.trim().to_owned(), Value::Null),
    };
    Value::Object(lines.map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use casting_core::{cast_form, image_form, settings_form};

    fn answer(resource: &Resource, name: &str, typed: &str) -> Value {
        let pointer = resource
            .fields()
            .find(|field| field.name == name)
            .map(FormField::pointer)
            .unwrap_or_default();
        let form_data = FormData::new(vec![(name.to_owned(), typed.to_owned())]);
        document(resource, &form_data)
            .pointer(&pointer)
            .cloned()
            .unwrap_or(json!("left out"))
    }

    #[test]
    fn each_field_kind_is_parsed() {
        let cast = cast_form::resource();
        let image = image_form::resource();
        let settings = settings_form::resource();
        for (resource, name, typed, expected) in [
            (cast, "name", " Desk ", json!("Desk")),
            (cast, "name", "", json!("")),
            (cast, "key", "", json!("left out")),
            (cast, "kasm_url", " ", json!(null)),
            (cast, "enabled", "on", json!(true)),
            (cast, "sessions_remaining", "10", json!(10)),
            (cast, "sessions_remaining", "", json!(null)),
            (cast, "sessions_remaining", "ten", json!("ten")),
            (
                cast,
                "valid_until",
                "2026-12-31T18:00",
                json!("2026-12-31T18:00:00Z"),
            ),
            (
                cast,
                "valid_until",
                "2026-12-31T18:00:05",
                json!("2026-12-31T18:00:05Z"),
            ),
            (
                cast,
                "valid_until",
                "2026-12-31T18:00:00+01:00",
                json!("2026-12-31T18:00:00+01:00"),
            ),
            (cast, "valid_until", "soon", json!("soon")),
            (
                cast,
                "restrict_to_referrers",
                " acme.com\r\n\r\n=b.com ",
                json!(["acme.com", "=b.com"]),
            ),
            (
                cast,
                "client_settings.permissions.webcam",
                "false",
                json!(false),
            ),
            (cast, "client_settings.permissions.webcam", "", json!(null)),
            (
                image,
                "command",
                "/bin/sh\r\n-c\r\n ls  -l",
                json!(["/bin/sh", "-c", " ls  -l"]),
            ),
            (image, "command", "[\"a\\nb\", \"\"]", json!(["a\nb", ""])),
            (image, "command", "[", json!(["["])),
            (
                image,
                "environment",
                "A=b=c\r\nB=",
                json!({"A": "b=c", "B": ""}),
            ),
            (image, "environment", "A", json!({"A": null})),
            (
                image,
                "environment",
                "{\"A\": \"x\\ny\"}",
                json!({"A": "x\ny"}),
            ),
            (image, "exec_config", "", json!({})),
            (image, "exec_config", "{\"go\": null}", json!({"go": null})),
            (image, "exec_config", "{go", json!("{go")),
            (image, "start_timeout_seconds", "", json!("")),
            (settings, "captcha_secret_key", "", json!("left out")),
            (settings, "captcha_secret_key", "hush", json!("hush")),
        ] {
            assert_eq!(
                answer(resource, name, typed),
                expected,
                "{name} \u{201c}{typed}\u{201d}"
            );
        }
    }

    #[test]
    fn units_and_sizes_become_the_numbers_of_the_api() {
        for (resource, fields, pointer, expected) in [
            (
                image_form::resource(),
                &[
                    ("session_time_limit_seconds", "1.5"),
                    ("session_time_limit_seconds.unit", "3600"),
                ][..],
                "/session_time_limit_seconds",
                json!(5400),
            ),
            (
                image_form::resource(),
                &[
                    ("session_time_limit_seconds", "a while"),
                    ("session_time_limit_seconds.unit", "60"),
                ],
                "/session_time_limit_seconds",
                json!("a while"),
            ),
            (
                settings_form::resource(),
                &[
                    ("budget_per_hour_cents", "12.50"),
                    ("budget_per_hour_cents.unit", "100"),
                ],
                "/budget_per_hour_cents",
                json!(1250),
            ),
            (
                image_form::resource(),
                &[("cpu", "512/3072")],
                "/cpu",
                json!(512),
            ),
            (
                image_form::resource(),
                &[("cpu", "512/3072")],
                "/memory",
                json!(3072),
            ),
            (
                image_form::resource(),
                &[("cpu", "")],
                "/memory",
                json!(null),
            ),
            (
                image_form::resource(),
                &[("cpu", "/4096")],
                "/cpu",
                json!(null),
            ),
        ] {
            let sent = fields
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()));
            let document = document(resource, &FormData::new(sent.collect()));
            assert_eq!(document.pointer(pointer), Some(&expected), "{fields:?}");
        }
    }

    #[test]
    fn checkbox_removes_a_secret() {
        let form_data = FormData::new(vec![("captcha_secret_key.clear".into(), "on".into())]);
        assert_eq!(
            document(settings_form::resource(), &form_data)["captcha_secret_key"],
            Value::Null
        );
    }

    #[test]
    fn unticked_checkbox_means_false() {
        assert_eq!(
            document(cast_form::resource(), &FormData::default())["enabled"],
            json!(false)
        );
    }
}

//! Owns how open hours are read over the API. Must not know what is open then.

use serde_json::Value;

use crate::form::{Form, escape};
use crate::open_hours::{MAX_SPANS, OpenHours, Span};

/// Open hours: `{"time_zone": "Europe/Berlin", "spans": ["mon-fri 09:00-17:00"]}`, or null for always.
pub(crate) fn read(form: &mut Form, name: &'static str) -> Option<OpenHours> {
    let object = form.nullable(name, |value| value.as_object().cloned().ok_or_else(|| "must be an object.".to_owned()))?;
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let time_zone = OpenHours::read_time_zone(text("time_zone")).map_err(|detail| form.refuse(&format!("{name}/time_zone"), detail));
    let empty = Vec::new();
    let lines = object.get("spans").and_then(Value::as_array).unwrap_or(&empty);
    if lines.is_empty() || lines.len() > MAX_SPANS {
        form.refuse(&format!("{name}/spans"), format!("must be a list of 1 to {MAX_SPANS} spans such as mon-fri 09:00-17:00."));
    }
    let mut spans = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        match Span::parse(line.as_str().unwrap_or_default()) {
            Ok(span) => spans.push(span),
            Err(detail) => form.refuse(&format!("{name}/spans/{index}"), detail),
        }
    }
    for key in object.keys().filter(|key| !matches!(key.as_str(), "time_zone" | "spans")) {
        form.refuse(&format!("{name}/{}", escape(key)), "is not a field that can be set here.");
    }
    Some(OpenHours { time_zone: time_zone.ok()?, spans })
}

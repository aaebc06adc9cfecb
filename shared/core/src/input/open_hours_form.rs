//! Owns how open hours are read over the API. Must not know what is open then.

use serde_json::{Value, json};

use crate::field::Field;
use crate::form::{FieldParser, Form, parsed};
use crate::open_hours::{MAX_SPANS, OpenHours, Span};
use crate::resource::Widget;

/// Open hours: `{"time_zone": "Europe/Berlin", "spans": ["mon-fri 09:00-17:00"]}`, or null for
/// always.
pub(crate) fn field<D>(name: &'static str, at: fn(&mut D) -> &mut Option<OpenHours>) -> Field<D> {
    let read = move |form: &mut Form, record: &mut D| *at(record) = read(form, name);
    let show = move |record: &mut D| json!(at(record));
    Field::custom(name, Widget::OpenHours, read, show)
}

fn read(form: &mut Form, name: &'static str) -> Option<OpenHours> {
    form.nullable_object(name, |part| OpenHours {
        time_zone: part
            .required(
                "time_zone",
                FieldParser::new(read_time_zone, time_zone_schema),
            )
            .unwrap_or_default(),
        spans: part.list_of("spans", 1..=MAX_SPANS, &parsed(Span::parse)),
    })
}

/// A time zone is named as the list of them does; in other letters it would be another word for the
/// same one.
fn read_time_zone(value: &Value) -> Result<String, String> {
    let name = value.as_str().unwrap_or_default();
    OpenHours::read_time_zone(name).and_then(|known| {
        if known == name {
            Ok(known)
        } else {
            Err(format!("must be written as {known}."))
        }
    })
}

fn time_zone_schema() -> Value {
    json!({ "type": "string", "enum": OpenHours::time_zones() })
}

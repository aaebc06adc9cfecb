//! Owns the declaration of a read-only field: what a response has besides the fields that documents
//! set. Its JSON schema and its value in the response stand in one declaration. Must not know which
//! fields there are: every `*_form` has the list of its record.

use serde_json::{Map, Value, json};

use crate::json_schema;
use crate::time::Timestamp;

/// A field of a response that no document sets. A change may contain it, as it was read; it is
/// ignored then.
pub(crate) struct ReadOnlyField<R> {
    name: &'static str,
    schema: Value,
    value: Box<dyn Fn(&R) -> Value + Send + Sync>,
    is_leading: bool,
}

impl<R> ReadOnlyField<R> {
    /// A field of this schema, whose value follows from the record.
    pub(crate) fn new(
        name: &'static str,
        schema: Value,
        value: impl Fn(&R) -> Value + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            schema,
            value: Box::new(value),
            is_leading: false,
        }
    }

    /// The record's id, which stands before all other fields.
    pub(crate) fn id(schema: Value, value: impl Fn(&R) -> Value + Send + Sync + 'static) -> Self {
        Self::new("id", schema, value).leading()
    }

    /// The record's version.
    pub(crate) fn version(version: impl Fn(&R) -> u64 + Send + Sync + 'static) -> Self {
        let doc = "Grows with every change; it is the ETag too.";
        let schema = json!({ "type": "integer", "minimum": 0, "description": doc });
        Self::new("version", schema, move |record| json!(version(record)))
    }

    /// A point in time.
    pub(crate) fn time(
        name: &'static str,
        time: impl Fn(&R) -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, json_schema::time(), move |record| {
            json!(time(record).to_string())
        })
    }

    /// A point in time, or null.
    pub(crate) fn time_or_null(
        name: &'static str,
        time: impl Fn(&R) -> Option<Timestamp> + Send + Sync + 'static,
    ) -> Self {
        let schema = json_schema::nullable(json_schema::time());
        Self::new(name, schema, move |record| {
            json!(time(record).map(|time| time.to_string()))
        })
    }

    /// It stands before the settable fields in the response.
    #[must_use]
    pub(crate) fn leading(self) -> Self {
        Self {
            is_leading: true,
            ..self
        }
    }

    fn shown(&self, record: &R) -> (String, Value) {
        (self.name.to_owned(), (self.value)(record))
    }
}

/// The names and schemas of these fields.
pub(crate) fn schemas<R>(fields: &[ReadOnlyField<R>]) -> Vec<(&'static str, Value)> {
    let schema = |field: &ReadOnlyField<R>| (field.name, field.schema.clone());
    fields.iter().map(schema).collect()
}

/// A record as the API shows it: these fields around the settable ones.
pub(crate) fn view<R>(
    fields: &[ReadOnlyField<R>],
    record: &R,
    settable: Map<String, Value>,
) -> Value {
    let (leading, trailing): (Vec<_>, Vec<_>) = fields.iter().partition(|field| field.is_leading);
    let leading = leading.into_iter().map(|field| field.shown(record));
    let trailing = trailing.into_iter().map(|field| field.shown(record));
    Value::Object(leading.chain(settable).chain(trailing).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_only_fields_surround_the_settable_ones() {
        let fields = [
            ReadOnlyField::id(json!({ "type": "integer" }), |record: &u64| json!(record)),
            ReadOnlyField::version(|record| record + 1),
            ReadOnlyField::time("seen_at", |_| Timestamp::from_millis(0)),
        ];
        let settable = Map::from_iter([("name".to_owned(), json!("x"))]);
        let view = view(&fields, &7, settable);
        assert_eq!(
            view.to_string(),
            r#"{"id":7,"name":"x","version":8,"seen_at":"1970-01-01T00:00:00Z"}"#
        );
        let names: Vec<_> = schemas(&fields).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["id", "version", "seen_at"]);
    }
}

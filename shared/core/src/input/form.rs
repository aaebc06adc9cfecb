//! Owns how a document from an administrator is read: field by field, with every mistake collected
//! and none silently dropped. Must not know casts, images or HTTP; `cast_form` and `image_form` say
//! which fields there are.
//!
//! The same reading function also runs over a form that only [builds a schema](crate::json_schema):
//! it collects what would be asked for, as JSON Schema.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde::Serialize;
use serde_json::{Map, Value, json};

pub use crate::field_parser::{
    FieldParser, Parser, TextSyntax, TextType, flag, formatted, line, parsed, plain, text, whole,
};
use crate::json_schema::{Need, SchemaBuilder};
use crate::text_format::TextFormat;

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the field; empty for the document itself.
    pub pointer: String,
    /// One plain sentence that follows on the field's name.
    pub detail: String,
    /// Whether the document could be right elsewhere, and only does not go with what is there
    /// already.
    #[serde(skip)]
    pub clashes: bool,
}

impl FieldError {
    /// A mistake at this pointer.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            detail: detail.into(),
            clashes: false,
        }
    }
}

/// All that is wrong with a document, in the order of its fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(transparent)]
#[error("{} fields are not valid", self.0.len())]
pub struct FieldErrors(pub Vec<FieldError>);

impl FieldErrors {
    /// One mistake, found outside a form.
    pub fn one(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self(vec![FieldError::new(pointer, detail)])
    }

    /// One value that could be right elsewhere: it does not go with what is there.
    pub fn clash(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self(vec![FieldError {
            pointer: pointer.into(),
            detail: detail.into(),
            clashes: true,
        }])
    }

    /// Whether the document only does not go with what is there already.
    pub fn only_clashes(&self) -> bool {
        self.0.iter().all(|error| error.clashes)
    }
}

/// Something that may be meant, but is worth a second look; it blocks nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// JSON pointer to the field.
    pub pointer: &'static str,
    /// One plain sentence.
    pub detail: &'static str,
}

/// A document that is being read.
#[derive(Debug)]
pub struct Form {
    fields: Map<String, Value>,
    named: BTreeSet<String>,
    known: BTreeSet<&'static str>,
    errors: Vec<FieldError>,
    /// Whether this changes something that is there.
    is_change: bool,
    /// What is asked for, when nothing is read.
    schema_builder: Option<SchemaBuilder>,
}

impl Form {
    /// Lays the fields that `input` names over the `current` ones. Fields in `read_only` may be
    /// sent back and are left out.
    ///
    /// # Errors
    /// When `input` is not an object.
    pub fn over(
        current: Map<String, Value>,
        input: &Value,
        read_only: &[&'static str],
    ) -> Result<Self, FieldErrors> {
        let Value::Object(input) = input else {
            return Err(FieldErrors::one("", "must be a JSON object."));
        };
        let mut form = Self::part(current);
        form.fields.extend(
            input
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        form.named = input
            .keys()
            .filter(|name| !read_only.contains(&name.as_str()))
            .cloned()
            .collect();
        Ok(form)
    }

    /// As [`Form::over`], for a change of what is there: where two fields do not go together, the
    /// other one may be the stored one, so that is noted as a clash.
    ///
    /// # Errors
    /// When `input` is not an object.
    pub fn change(
        current: Map<String, Value>,
        input: &Value,
        read_only: &[(&'static str, Value)],
    ) -> Result<Self, FieldErrors> {
        let names: Vec<_> = read_only.iter().map(|(name, _)| *name).collect();
        Ok(Self {
            is_change: true,
            ..Self::over(current, input, &names)?
        })
    }

    /// Reads nothing, and collects what is asked for.
    pub(crate) fn building_schema() -> Self {
        Self {
            schema_builder: Some(SchemaBuilder::default()),
            ..Self::part(Map::new())
        }
    }

    pub(crate) fn into_schema_builder(self) -> SchemaBuilder {
        self.schema_builder.unwrap_or_default()
    }

    /// The fields of a document, or of an object in one.
    fn part(fields: Map<String, Value>) -> Self {
        let named = fields.keys().cloned().collect();
        Self {
            fields,
            named,
            known: BTreeSet::new(),
            errors: Vec::new(),
            is_change: false,
            schema_builder: None,
        }
    }

    /// Whether the administrator named this field, with a value other than null.
    pub fn names(&self, name: &str) -> bool {
        self.named.contains(name) && self.fields.get(name).is_some_and(|value| !value.is_null())
    }

    /// Whether this changes something that is there.
    pub fn is_change(&self) -> bool {
        self.is_change
    }

    /// How many bytes all fields are together, as JSON.
    pub fn bytes(&self) -> usize {
        json!(self.fields).to_string().len()
    }

    /// A field that must be there. `None` only after a mistake was noted.
    pub fn required<T>(&mut self, name: &'static str, read: impl Parser<T>) -> Option<T> {
        self.ask(name, &read, || Need::Required);
        if !self.fields.contains_key(name) {
            self.mistake(name, "is required.");
            return None;
        }
        self.present(name, move |value| read.read(value))
    }

    /// A field that may be left out, but not be null.
    pub fn defaulted<T: Serialize>(
        &mut self,
        name: &'static str,
        default: T,
        read: impl Parser<T>,
    ) -> T {
        self.ask(name, &read, || Need::Defaulted(json!(default)));
        if !self.fields.contains_key(name) {
            return default;
        }
        // After an error the default is used; it has no effect, because the form is refused.
        self.present(name, move |value| read.read(value))
            .unwrap_or(default)
    }

    /// A field that may be left out or null.
    pub fn nullable<T>(&mut self, name: &'static str, read: impl Parser<T>) -> Option<T> {
        self.ask(name, &read, || Need::Nullable);
        if self.fields.get(name).is_none_or(Value::is_null) {
            return None;
        }
        self.present(name, move |value| read.read(value))
    }

    /// A list of texts; may be left out, but not be null. Each item's mistakes are noted at the
    /// item.
    pub fn list<T: TextType>(
        &mut self,
        name: &'static str,
        most: usize,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let schema = || json!({ "type": "array", "items": T::SYNTAX.schema(), "maxItems": most });
        self.note(name, schema, || Need::Defaulted(json!([])));
        self.items(name, most, |item| {
            let text = item.as_str().ok_or("must be a text.")?;
            read(text).and_then(|value| T::SYNTAX.check(text).map(|()| value))
        })
    }

    /// A list of so many values that `read` reads; if it may be empty, it may be left out.
    pub fn list_of<T>(
        &mut self,
        name: &'static str,
        count: RangeInclusive<usize>,
        read: &FieldParser<T>,
    ) -> Vec<T> {
        let (least, most) = count.into_inner();
        let schema = || {
            let least = (least > 0).then(|| ("minItems".to_owned(), json!(least)));
            let rest = [
                ("type", json!("array")),
                ("items", read.schema()),
                ("maxItems", json!(most)),
            ];
            rest.into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .chain(least)
                .collect()
        };
        self.note(name, schema, || {
            if least > 0 {
                Need::Required
            } else {
                Need::Defaulted(json!([]))
            }
        });
        let items = self.items(name, most, |item| read.read(item));
        if items.len() < least && !self.is_wrong(name) {
            self.mistake(
                name,
                format!(
                    "must name at least {}.",
                    if least == 1 {
                        "one".to_owned()
                    } else {
                        least.to_string()
                    }
                ),
            );
        }
        items
    }

    fn items<T>(
        &mut self,
        name: &'static str,
        most: usize,
        read: impl Fn(&Value) -> Result<T, String>,
    ) -> Vec<T> {
        if !self.fields.contains_key(name) {
            return Vec::new();
        }
        let items = self.present(name, |value| match value {
            Value::Array(items) if items.len() <= most => Ok(items.clone()),
            Value::Array(_) => Err(format!("has more than {most} entries.")),
            _ => Err("must be a list.".to_owned()),
        });
        let items = items.unwrap_or_default();
        let mut read_items = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match read(item) {
                Ok(item) => read_items.push(item),
                Err(detail) => self.mistake(&format!("{name}/{index}"), detail),
            }
        }
        read_items
    }

    /// An object whose fields have names of this format; may be left out, but not be null.
    pub fn map<T>(
        &mut self,
        name: &'static str,
        names: fn() -> &'static TextFormat,
        read: &FieldParser<T>,
    ) -> BTreeMap<String, T> {
        let schema = || json!({ "type": "object", "propertyNames": names().schema(), "additionalProperties": read.schema() });
        self.note(name, schema, || Need::Defaulted(json!({})));
        let mut values = BTreeMap::new();
        for (key, value) in self.object_in(name).unwrap_or_default() {
            let path = format!("{name}/{}", escape(&key));
            if let Err(detail) = names().check(&key) {
                self.mistake(&path, detail);
            }
            match read.read(&value) {
                Ok(value) => _ = values.insert(key, value),
                Err(detail) => self.mistake(&path, detail),
            }
        }
        values
    }

    /// An object with fields of its own, which `read` asks for; may be left out, but not be null.
    pub fn object<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Form) -> T) -> T {
        let mut part = self.part_of(name);
        let value = read(&mut part);
        self.take_back(name, part, Need::Defaulted(json!({})));
        value
    }

    /// An object with fields of its own, which `read` asks for; may be left out or null.
    pub fn nullable_object<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Form) -> T,
    ) -> Option<T> {
        let is_there = self.schema_builder.is_some()
            || self.fields.get(name).is_some_and(|value| !value.is_null());
        self.known.insert(name);
        if !is_there {
            return None;
        }
        let mut part = self.part_of(name);
        let value = read(&mut part);
        self.take_back(name, part, Need::Nullable);
        Some(value)
    }

    /// A list of at most so many objects, for each of which `read` asks; may be left out, but not be
    /// null. Each object's mistakes are noted in it.
    pub fn objects<T>(
        &mut self,
        name: &'static str,
        most: usize,
        read: impl Fn(&mut Form) -> T,
    ) -> Vec<T> {
        let schema = || {
            let items = SchemaBuilder::of(|part| _ = read(part)).whole();
            json!({ "type": "array", "items": items, "maxItems": most })
        };
        self.note(name, schema, || Need::Defaulted(json!([])));
        let parts = self.items(name, most, |item| {
            let fields = item.as_object().cloned();
            fields
                .map(Self::part)
                .ok_or_else(|| "must be an object.".to_owned())
        });
        // A list with an item that is no object is refused already.
        let mut values = Vec::with_capacity(parts.len());
        for (index, mut part) in parts.into_iter().enumerate() {
            values.push(read(&mut part));
            let Err(FieldErrors(errors)) = part.finish() else {
                continue;
            };
            let within = |error: FieldError| FieldError {
                pointer: format!("/{name}/{index}{}", error.pointer),
                ..error
            };
            self.errors.extend(errors.into_iter().map(within));
        }
        values
    }

    fn part_of(&mut self, name: &'static str) -> Self {
        self.known.insert(name);
        if self.schema_builder.is_some() {
            Self::building_schema()
        } else {
            Self::part(self.object_in(name).unwrap_or_default())
        }
    }

    fn take_back(&mut self, name: &'static str, mut part: Form, need: Need) {
        if let Some(schema_builder) = &mut self.schema_builder {
            schema_builder.note(name, part.into_schema_builder().whole(), need);
        } else if let Err(FieldErrors(errors)) = part.finish()
            && !self.is_wrong(name)
        {
            self.errors
                .extend(errors.into_iter().map(|error| FieldError {
                    pointer: format!("/{name}{}", error.pointer),
                    ..error
                }));
        }
    }

    fn object_in(&mut self, name: &'static str) -> Option<Map<String, Value>> {
        if !self.fields.contains_key(name) {
            return None;
        }
        self.present(name, |value| {
            value
                .as_object()
                .cloned()
                .ok_or_else(|| "must be an object.".to_owned())
        })
    }

    fn present<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let outcome = match self.fields.get(name) {
            None | Some(Value::Null) => Err("must not be null.".to_owned()),
            Some(value) => read(value),
        };
        outcome.map_err(|detail| self.mistake(name, detail)).ok()
    }

    fn ask<T>(&mut self, name: &'static str, read: &impl Parser<T>, need: impl FnOnce() -> Need) {
        self.note(name, || read.schema(), need);
    }

    fn note(
        &mut self,
        name: &'static str,
        schema: impl FnOnce() -> Value,
        need: impl FnOnce() -> Need,
    ) {
        self.known.insert(name);
        if let Some(schema_builder) = &mut self.schema_builder {
            schema_builder.note(name, schema(), need());
        }
    }

    /// Says as JSON Schema what [`Form::refuse`] and [`Form::require`] say of fields that must go
    /// together.
    pub fn rule(&mut self, rule: impl FnOnce() -> Value) {
        if let Some(schema_builder) = &mut self.schema_builder {
            schema_builder.rule(rule());
        }
    }

    /// Notes what is wrong with the field at `path` whatever stands in the others.
    pub fn mistake(&mut self, path: &str, detail: impl Into<String>) {
        self.errors.push(FieldError {
            pointer: format!("/{path}"),
            detail: detail.into(),
            clashes: false,
        });
    }

    /// Notes that the document as a whole cannot be taken.
    pub fn refuse_all(&mut self, detail: impl Into<String>) {
        self.errors.push(FieldError {
            pointer: String::new(),
            detail: detail.into(),
            clashes: false,
        });
    }

    /// Notes that the field at `path`, which is written without the leading slash, does not go with
    /// others.
    pub fn refuse(&mut self, path: &str, detail: impl Into<String>) {
        self.errors.push(FieldError {
            pointer: format!("/{path}"),
            detail: detail.into(),
            clashes: self.is_change,
        });
    }

    /// Notes that `name` is missing for the reason in `detail`, unless something is wrong with it
    /// already.
    pub fn require(&mut self, name: &'static str, detail: impl Into<String>) {
        if !self.is_wrong(name) {
            self.refuse(name, detail);
        }
    }

    /// Whether a mistake in this field, or in a part of it, was noted.
    pub fn is_wrong(&self, name: &str) -> bool {
        let names = |pointer: &str| {
            pointer
                .strip_prefix('/')?
                .strip_prefix(name)
                .map(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.errors
            .iter()
            .any(|error| names(&error.pointer) == Some(true))
    }

    /// To be called when every field has been read.
    ///
    /// # Errors
    /// All mistakes that were noted, and every field that was named but never asked for. A schema
    /// has nothing that could be returned.
    pub fn finish(&mut self) -> Result<(), FieldErrors> {
        if self.schema_builder.is_some() {
            return Err(FieldErrors(Vec::new()));
        }
        let strays: Vec<_> = self
            .named
            .iter()
            .filter(|name| !self.known.contains(name.as_str()))
            .map(|name| escape(name))
            .collect();
        for name in strays {
            self.mistake(&name, "is not a field that can be set here.");
        }
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(FieldErrors(std::mem::take(&mut self.errors)))
        }
    }
}

/// A name as it stands in a JSON pointer.
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pointers(errors: FieldErrors) -> Vec<String> {
        errors.0.into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn all_errors_are_reported_at_once() {
        let input = json!({"name": " ", "count": 11, "on": "true", "list": ["a", 5], "else": 1, "a/b~c": 2});
        let mut form = Form::over(Map::new(), &input, &[]).expect("an object");
        form.required("name", line(1..=5));
        form.required("missing", flag);
        form.defaulted("count", 1, whole(1..=10));
        form.defaulted("on", false, flag);
        form.list("list", 5, |item| Ok(item.to_owned()));
        let errors = form.finish().expect_err("has mistakes");
        assert_eq!(
            pointers(errors),
            [
                "/name", "/missing", "/count", "/on", "/list/1", "/a~1b~0c", "/else"
            ]
        );
    }

    #[test]
    fn null_clears_only_optional_fields() {
        let current = json!({"a": 1, "b": 2, "c": 3})
            .as_object()
            .cloned()
            .expect("an object");
        let mut form =
            Form::over(current, &json!({"a": null, "b": null, "c": null}), &[]).expect("an object");
        assert_eq!(form.nullable::<u8>("a", whole(0..=9)), None);
        form.required::<u8>("b", whole(0..=9));
        form.defaulted::<u8>("c", 7, whole(0..=9));
        assert_eq!(
            pointers(form.finish().expect_err("has mistakes")),
            ["/b", "/c"]
        );
    }

    #[test]
    fn unnamed_fields_stay_and_read_only_fields_are_ignored() {
        let current = json!({"a": 1}).as_object().cloned().expect("an object");
        let mut form = Form::over(current, &json!({"id": "x"}), &["id"]).expect("an object");
        assert_eq!(form.required::<u8>("a", whole(0..=9)), Some(1));
        assert!(!form.names("a"));
        assert_eq!(form.finish(), Ok(()));
    }

    #[test]
    fn non_object_document_is_refused() {
        for input in [json!([]), json!("a"), json!(null), json!(1)] {
            assert_eq!(
                pointers(Form::over(Map::new(), &input, &[]).expect_err("no object")),
                [""]
            );
        }
    }

    #[test]
    fn values_are_parsed_strictly() {
        for (name, accepted) in [
            ("a number in range", whole::<u32>(1..=5)(&json!(5)).is_ok()),
            ("out of range", whole::<u32>(1..=5)(&json!(6)).is_err()),
            ("a fraction", whole::<u32>(1..=5)(&json!(1.5)).is_err()),
            (
                "a negative number",
                whole::<u32>(0..=5)(&json!(-1)).is_err(),
            ),
            (
                "a number in quotes",
                whole::<u32>(1..=5)(&json!("1")).is_err(),
            ),
            (
                "spaces around a text go",
                text(1..=3)(&json!(" abc ")) == Ok("abc".into()),
            ),
            (
                "characters count, not bytes",
                text(1..=3)(&json!("äöü")).is_ok(),
            ),
            (
                "an escape character",
                text(1..=3)(&json!("\u{1b}")).is_err(),
            ),
            ("two lines are a text", text(1..=3)(&json!("a\nb")).is_ok()),
            (
                "two lines are no line",
                line(1..=3)(&json!("a\nb")).is_err(),
            ),
        ] {
            assert!(accepted, "{name}");
        }
    }
}

//! Owns how a document from an administrator is read: field by field, with every mistake collected and none silently dropped.
//! Must not know casts, images or HTTP; `cast_form` and `image_form` say which fields there are.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde::Serialize;
use serde_json::{Map, Value};

/// One thing that is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the field; empty for the document itself.
    pub pointer: String,
    /// One plain sentence that follows on the field's name.
    pub detail: String,
}

/// All that is wrong with a document, in the order of its fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(transparent)]
#[error("{} fields are not valid", self.0.len())]
pub struct FieldErrors(pub Vec<FieldError>);

impl FieldErrors {
    /// One mistake, found outside a form.
    pub fn one(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
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
}

impl Form {
    /// Lays the fields that `input` names over the `current` ones. Fields in `read_only` may be sent back and are left out.
    ///
    /// # Errors
    /// When `input` is not an object.
    pub fn over(current: Map<String, Value>, input: &Value, read_only: &[&'static str]) -> Result<Self, FieldErrors> {
        let Value::Object(input) = input else {
            return Err(FieldErrors::one("", "must be a JSON object."));
        };
        let mut fields = current;
        fields.extend(input.iter().map(|(name, value)| (name.clone(), value.clone())));
        let named = input.keys().filter(|name| !read_only.contains(&name.as_str())).cloned().collect();
        Ok(Self { fields, named, known: BTreeSet::new(), errors: Vec::new() })
    }

    /// Whether the administrator named this field, with a value other than null.
    pub fn names(&self, name: &str) -> bool {
        self.named.contains(name) && self.fields.get(name).is_some_and(|value| !value.is_null())
    }

    /// A field that must be there. `None` only after a mistake was noted.
    pub fn required<T>(&mut self, name: &'static str, read: impl FnOnce(&Value) -> Result<T, String>) -> Option<T> {
        self.known.insert(name);
        if !self.fields.contains_key(name) {
            self.refuse(name, "is required.");
            return None;
        }
        self.present(name, read)
    }

    /// A field that may be left out, but not be null.
    pub fn defaulted<T>(&mut self, name: &'static str, default: T, read: impl FnOnce(&Value) -> Result<T, String>) -> T {
        self.known.insert(name);
        if !self.fields.contains_key(name) {
            return default;
        }
        // After a mistake the default stands in; nobody sees it, because the form is refused.
        self.present(name, read).unwrap_or(default)
    }

    /// A field that may be left out or null.
    pub fn nullable<T>(&mut self, name: &'static str, read: impl FnOnce(&Value) -> Result<T, String>) -> Option<T> {
        self.known.insert(name);
        if self.fields.get(name).is_none_or(Value::is_null) {
            return None;
        }
        self.present(name, read)
    }

    /// A list of texts; may be left out, but not be null. Each item's mistakes are noted at the item.
    pub fn list<T>(&mut self, name: &'static str, most: usize, read: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let items = self.defaulted(name, Vec::new(), |value| match value {
            Value::Array(items) if items.len() <= most => Ok(items.clone()),
            Value::Array(_) => Err(format!("has more than {most} entries.")),
            _ => Err("must be a list of texts.".to_owned()),
        });
        let mut read_items = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match item.as_str().ok_or_else(|| "must be a text.".to_owned()).and_then(&read) {
                Ok(item) => read_items.push(item),
                Err(detail) => self.refuse(&format!("{name}/{index}"), detail),
            }
        }
        read_items
    }

    fn present<T>(&mut self, name: &'static str, read: impl FnOnce(&Value) -> Result<T, String>) -> Option<T> {
        let outcome = match self.fields.get(name) {
            None | Some(Value::Null) => Err("must not be null.".to_owned()),
            Some(value) => read(value),
        };
        outcome.map_err(|detail| self.refuse(name, detail)).ok()
    }

    /// Notes a mistake in the field at `path`, which is written without the leading slash.
    pub fn refuse(&mut self, path: &str, detail: impl Into<String>) {
        self.errors.push(FieldError { pointer: format!("/{path}"), detail: detail.into() });
    }

    /// Notes that `name` is missing for the reason in `detail`, unless something is wrong with it already.
    pub fn require(&mut self, name: &'static str, detail: impl Into<String>) {
        if !self.is_wrong(name) {
            self.refuse(name, detail);
        }
    }

    /// Whether a mistake in this field, or in a part of it, was noted.
    pub fn is_wrong(&self, name: &str) -> bool {
        let names = |pointer: &str| pointer.strip_prefix('/')?.strip_prefix(name).map(|rest| rest.is_empty() || rest.starts_with('/'));
        self.errors.iter().any(|error| names(&error.pointer) == Some(true))
    }

    /// To be called when every field has been read.
    ///
    /// # Errors
    /// All mistakes that were noted, and every field that was named but never asked for.
    pub fn finish(mut self) -> Result<(), FieldErrors> {
        for name in &self.named {
            if !self.known.contains(name.as_str()) {
                self.errors
                    .push(FieldError { pointer: format!("/{}", escape(name)), detail: "is not a field that can be set here.".to_owned() });
            }
        }
        if self.errors.is_empty() { Ok(()) } else { Err(FieldErrors(self.errors)) }
    }
}

/// A name as it stands in a JSON pointer.
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A text of so many characters, without the spaces around it.
pub fn text(length: RangeInclusive<usize>) -> impl Fn(&Value) -> Result<String, String> {
    move |value| {
        let text = value.as_str().ok_or("must be a text.")?.trim();
        let count = text.chars().count();
        if count > *length.end() {
            return Err(format!("is longer than {} characters.", length.end()));
        }
        if count < *length.start() {
            return Err("must not be empty.".to_owned());
        }
        if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t' && c != '\r') {
            return Err("must not contain control characters.".to_owned());
        }
        Ok(text.to_owned())
    }
}

/// A [`text`] that stands on one line.
pub fn line(length: RangeInclusive<usize>) -> impl Fn(&Value) -> Result<String, String> {
    let read = text(length);
    move |value| {
        let line = read(value)?;
        if line.chars().any(char::is_control) { Err("must be a single line.".to_owned()) } else { Ok(line) }
    }
}

/// A text that `read` understands.
pub fn spelled<T>(read: impl Fn(&str) -> Result<T, String>) -> impl Fn(&Value) -> Result<T, String> {
    move |value| read(value.as_str().ok_or("must be a text.")?.trim())
}

/// True or false.
///
/// # Errors
/// For anything else; the words "true" and "false" are texts.
pub fn flag(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "must be true or false.".to_owned())
}

/// A whole number in `range`, of any integer type that holds the range.
pub fn whole<N: TryFrom<u64>>(range: RangeInclusive<u64>) -> impl Fn(&Value) -> Result<N, String> {
    move |value| {
        let fits = value.as_u64().filter(|number| range.contains(number)).and_then(|number| N::try_from(number).ok());
        fits.ok_or_else(|| format!("must be a whole number from {} to {}.", range.start(), range.end()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pointers(errors: FieldErrors) -> Vec<String> {
        errors.0.into_iter().map(|error| error.pointer).collect()
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let input = json!({"name": " ", "count": 11, "on": "true", "list": ["a", 5], "else": 1, "a/b~c": 2});
        let mut form = Form::over(Map::new(), &input, &[]).expect("an object");
        form.required("name", line(1..=5));
        form.required("missing", flag);
        form.defaulted("count", 1, whole(1..=10));
        form.defaulted("on", false, flag);
        form.list("list", 5, |item| Ok(item.to_owned()));
        let errors = form.finish().expect_err("has mistakes");
        assert_eq!(pointers(errors), ["/name", "/missing", "/count", "/on", "/list/1", "/a~1b~0c", "/else"]);
    }

    #[test]
    fn null_clears_only_what_may_be_empty() {
        let current = json!({"a": 1, "b": 2, "c": 3}).as_object().cloned().expect("an object");
        let mut form = Form::over(current, &json!({"a": null, "b": null, "c": null}), &[]).expect("an object");
        assert_eq!(form.nullable::<u8>("a", whole(0..=9)), None);
        form.required::<u8>("b", whole(0..=9));
        form.defaulted::<u8>("c", 7, whole(0..=9));
        assert_eq!(pointers(form.finish().expect_err("has mistakes")), ["/b", "/c"]);
    }

    #[test]
    fn what_is_not_named_stays_and_read_only_fields_are_left_out() {
        let current = json!({"a": 1}).as_object().cloned().expect("an object");
        let mut form = Form::over(current, &json!({"id": "x"}), &["id"]).expect("an object");
        assert_eq!(form.required::<u8>("a", whole(0..=9)), Some(1));
        assert!(!form.names("a"));
        assert_eq!(form.finish(), Ok(()));
    }

    #[test]
    fn a_document_that_is_no_object_is_refused() {
        for input in [json!([]), json!("a"), json!(null), json!(1)] {
            assert_eq!(pointers(Form::over(Map::new(), &input, &[]).expect_err("no object")), [""]);
        }
    }

    #[test]
    fn values_are_read_strictly() {
        for (name, accepted) in [
            ("a number in range", whole::<u32>(1..=5)(&json!(5)).is_ok()),
            ("out of range", whole::<u32>(1..=5)(&json!(6)).is_err()),
            ("a fraction", whole::<u32>(1..=5)(&json!(1.5)).is_err()),
            ("a negative number", whole::<u32>(0..=5)(&json!(-1)).is_err()),
            ("a number in quotes", whole::<u32>(1..=5)(&json!("1")).is_err()),
            ("spaces around a text go", text(1..=3)(&json!(" abc ")) == Ok("abc".into())),
            ("characters count, not bytes", text(1..=3)(&json!("äöü")).is_ok()),
            ("an escape character", text(1..=3)(&json!("\u{1b}")).is_err()),
            ("two lines are a text", text(1..=3)(&json!("a\nb")).is_ok()),
            ("two lines are no line", line(1..=3)(&json!("a\nb")).is_err()),
        ] {
            assert!(accepted, "{name}");
        }
    }
}

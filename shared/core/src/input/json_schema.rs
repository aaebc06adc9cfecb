//! Owns the schema of a form: what it asks for, collected by running the form's own reading
//! function over no document at all, and written down as JSON Schema. Must not know which fields
//! there are; the forms say so, and so document and validator cannot differ.

use serde_json::{Map, Value, json};

use crate::form::Form;

/// The description of a read-only field in the schema of a change.
pub(crate) const READ_ONLY_IN_A_CHANGE: &str = "Read-only; it is ignored.";

/// All fields of a form, and the rules between them.
#[derive(Clone, Debug, Default)]
pub struct SchemaBuilder {
    fields: Vec<Field>,
    rules: Vec<Value>,
}

#[derive(Clone, Debug)]
struct Field {
    name: &'static str,
    schema: Value,
    need: Need,
}

/// What a form makes of a field that is not there.
#[derive(Clone, Debug, PartialEq)]
pub enum Need {
    /// It must be there.
    Required,
    /// This stands in for it; it must not be null.
    Defaulted(Value),
    /// It may be left out or null.
    Nullable,
}

impl SchemaBuilder {
    /// What `read` asks of the form that it is given.
    pub fn of(read: impl FnOnce(&mut Form)) -> Self {
        let mut form = Form::building_schema();
        read(&mut form);
        form.into_schema_builder()
    }

    /// Notes a field.
    pub(crate) fn note(&mut self, name: &'static str, schema: Value, need: Need) {
        self.fields.push(Field { name, schema, need });
    }

    /// Notes a rule between fields, which holds for a whole document.
    pub(crate) fn rule(&mut self, rule: Value) {
        self.rules.push(rule);
    }

    /// A field that is not among those that are read, because something else takes it off first.
    #[must_use]
    pub fn with(mut self, name: &'static str, schema: Value) -> Self {
        self.note(name, schema, Need::Nullable);
        self
    }

    /// These fields may be left out, because a value is generated for them.
    #[must_use]
    pub fn generated(mut self, names: &[&str]) -> Self {
        for field in &mut self.fields {
            if !names.contains(&field.name) {
                continue;
            }
            // No default to describe: the value is another one each time.
            field.need = Need::Defaulted(Value::Null);
        }
        self
    }

    /// The same without these fields.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        self.fields.retain(|field| !names.contains(&field.name));
        self
    }

    /// What each field means; nothing is said of those without words.
    #[must_use]
    pub fn described(mut self, words: &[(&str, &str)]) -> Self {
        for field in &mut self.fields {
            if let Some((_, words)) = words
                .iter()
                .find(|(name, words)| *name == field.name && !words.is_empty())
            {
                field.schema["description"] = json!(words);
            }
        }
        self
    }

    /// The names of all fields.
    pub fn names(&self) -> Vec<&'static str> {
        self.fields.iter().map(|field| field.name).collect()
    }

    /// What stands in for the fields that may be left out and must not be null.
    pub fn defaults(&self) -> Value {
        let default = |field: &Field| match &field.need {
            Need::Defaulted(default) if !default.is_null() => {
                Some((field.name.to_owned(), default.clone()))
            }
            _ => None,
        };
        Value::Object(self.fields.iter().filter_map(default).collect())
    }

    /// The three faces of what the form makes, changes and shows.
    pub fn schemas(&self, read_only: &[(&str, Value)]) -> Schemas {
        Schemas {
            create: self.whole(),
            change: self.change(read_only),
            shown: self.shown(read_only, &[]),
        }
    }

    /// A whole document: what is required is there, and the rules hold.
    pub fn whole(&self) -> Value {
        let mut properties = Map::new();
        for field in &self.fields {
            let mut schema = field.shown();
            if let Need::Defaulted(default) = &field.need
                && !default.is_null()
            {
                schema["default"] = default.clone();
            }
            properties.insert(field.name.to_owned(), schema);
        }
        let required: Vec<_> = self
            .fields
            .iter()
            .filter(|field| field.need == Need::Required)
            .map(|field| field.name)
            .collect();
        let mut schema =
            json!({ "type": "object", "properties": properties, "additionalProperties": false });
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        if !self.rules.is_empty() {
            schema["allOf"] = json!(self.rules);
        }
        schema
    }

    /// A change: nothing is required, and what a read shows besides may be sent back. Which rules
    /// hold between fields depends on what is there already, so a change that breaks one is no
    /// mistake of the document.
    pub fn change(&self, read_only: &[(&str, Value)]) -> Value {
        let mut properties = Map::new();
        for (name, _) in read_only {
            properties.insert(
                (*name).to_owned(),
                json!({ "description": READ_ONLY_IN_A_CHANGE }),
            );
        }
        properties.extend(
            self.fields
                .iter()
                .map(|field| (field.name.to_owned(), field.shown())),
        );
        json!({ "type": "object", "properties": properties, "additionalProperties": false })
    }

    /// What a read shows: every field but those in `hidden`, and besides them what cannot be set.
    pub fn shown(&self, read_only: &[(&str, Value)], hidden: &[&str]) -> Value {
        let mut properties = Map::new();
        for (name, schema) in read_only {
            let mut schema = schema.clone();
            schema["readOnly"] = json!(true);
            properties.insert((*name).to_owned(), schema);
        }
        let fields = self
            .fields
            .iter()
            .filter(|field| !hidden.contains(&field.name));
        properties.extend(fields.map(|field| (field.name.to_owned(), field.shown())));
        let names: Vec<_> = properties.keys().cloned().collect();
        json!({ "type": "object", "properties": properties, "required": names })
    }
}

impl Field {
    fn shown(&self) -> Value {
        if self.need == Need::Nullable {
            nullable(self.schema.clone())
        } else {
            self.schema.clone()
        }
    }
}

/// A schema that also takes null.
pub fn nullable(mut schema: Value) -> Value {
    if let Some(kind) = schema.get_mut("type")
        && kind.is_string()
    {
        *kind = json!([kind, "null"]);
    } else {
        return json!({ "anyOf": [schema, { "type": "null" }] });
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.push(Value::Null);
    }
    schema
}

/// The rule that once `field` has this value, each of `needed` must be there and not be null.
pub(crate) fn needs(field: &str, value: &Value, needed: &[&str]) -> Value {
    let properties: Map<_, _> = needed
        .iter()
        .map(|name| ((*name).to_owned(), json!({ "not": { "type": "null" } })))
        .collect();
    json!({
        "if": { "required": [field], "properties": { field: { "const": value } } },
        "then": { "required": needed, "properties": properties },
    })
}

/// The three faces of one kind of thing.
#[derive(Clone, Debug)]
pub struct Schemas {
    /// A new one.
    pub create: Value,
    /// A change.
    pub change: Value,
    /// What a read shows.
    pub shown: Value,
}

/// A point in time as it is shown.
pub fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// An object that has all of these.
pub fn object(properties: Value) -> Value {
    let names: Vec<_> = properties
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .cloned()
        .collect();
    let mut schema = json!({ "type": "object", "required": names });
    schema["properties"] = properties;
    schema
}

/// What is worth a second look.
pub(crate) fn warnings() -> Value {
    let pointer =
        json!({ "type": "string", "format": "json-pointer", "description": "The field." });
    let properties = json!({ "pointer": pointer, "detail": { "type": "string", "description": "One plain sentence." } });
    json!({
        "type": "array", "description": "Warnings; they block nothing.",
        "items": { "type": "object", "properties": properties, "required": ["pointer", "detail"] },
    })
}

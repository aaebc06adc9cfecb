//! Owns the declaration of a field. From it follow how the API reads the field and shows it, its
//! JSON schema and description, and its place in the console's form. Must not know which fields
//! there are: every `*_form` has the table of its record.
//!
//! A yes-or-no field of a cast is declared so:
//!
//! ```text
//! Field::flag("disable_tips", false, |cast| &mut cast.settings.disable_tips)
//!     .label("Disable Tips")
//!     .help("Hides the tips shown on entry.")      // for people, in the console
//!     .doc("Whether there are no tips on entry.")  // for programs, in the API's document
//! ```
//!
//! The name is the API's. The closure says where the value stands in the record: it is read from
//! there and written to there. What has a range or a format takes a [`FieldParser`], which knows
//! both the check and the schema, and the widget follows from that unless another one is named.
//! What holds between fields is a plain function beside the table.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::form::{FieldParser, Form, TextType, flag, parsed, text};
use crate::resource::{Empty, FormField, Resource, ResourceSection, Widget};
use crate::text_format::{self, TextFormat};
use crate::time::Timestamp;

/// One field of a record, whose settable values are a `D`.
pub struct Field<D: 'static> {
    name: &'static str,
    doc: &'static str,
    /// The control in the console's form; an object has one for each of its fields.
    controls: Vec<FormField>,
    is_secret: bool,
    is_generated: bool,
    read: Box<Reading<D>>,
    show: Box<Showing<D>>,
}

/// Asks a form for a field, and writes it to the record.
type Reading<D> = dyn Fn(&mut Form, &mut D) + Send + Sync;
/// The field of the record as the API shows it.
type Showing<D> = dyn Fn(&mut D) -> Value + Send + Sync;
/// Where a value stands in a record.
pub(crate) type At<D, T> = fn(&mut D) -> &mut T;

impl<D> Field<D> {
    /// A field that must be there. In the record it may be an `Option`, `None` until it is read.
    pub(crate) fn required<T: 'static, S: From<T> + Serialize + 'static>(
        name: &'static str,
        parser: FieldParser<T>,
        at: At<D, S>,
    ) -> Self {
        let widget = widget_for(&parser.schema_of(), Empty::Text);
        let read = move |form: &mut Form, record: &mut D| {
            if let Some(value) = form.required(name, &parser) {
                *at(record) = value.into();
            }
        };
        let mut field = Self::custom(name, widget, read, move |record| json!(at(record)));
        field.controls[0].required = true;
        field
    }

    /// A field that may be left out, but not be null.
    pub(crate) fn defaulted<T>(
        name: &'static str,
        default: T,
        parser: FieldParser<T>,
        at: At<D, T>,
    ) -> Self
    where
        T: Clone + Serialize + Send + Sync + 'static,
    {
        let widget = widget_for(&parser.schema_of(), Empty::Text);
        let read = move |form: &mut Form, record: &mut D| {
            *at(record) = form.defaulted(name, default.clone(), &parser);
        };
        let mut field = Self::custom(name, widget, read, move |record| json!(at(record)));
        // An empty number is null, which it must not be.
        field.controls[0].required = matches!(widget, Widget::Number { .. });
        field
    }

    /// A field that may be left out or null.
    pub(crate) fn nullable<T: Serialize + 'static>(
        name: &'static str,
        parser: FieldParser<T>,
        at: At<D, Option<T>>,
    ) -> Self {
        let widget = widget_for(&parser.schema_of(), Empty::Null);
        let read = move |form: &mut Form, record: &mut D| {
            *at(record) = form.nullable(name, &parser);
        };
        Self::custom(name, widget, read, move |record| json!(at(record)))
    }

    /// Yes or no.
    pub(crate) fn flag(name: &'static str, default: bool, at: At<D, bool>) -> Self {
        let parser = FieldParser::new(flag, || json!({ "type": "boolean" }));
        Self::defaulted(name, default, parser, at)
    }

    /// A point in time, or null.
    pub(crate) fn time(name: &'static str, at: At<D, Option<Timestamp>>) -> Self {
        let parser = parsed(read_time);
        let read = move |form: &mut Form, record: &mut D| {
            *at(record) = form.nullable(name, &parser);
        };
        let show = move |record: &mut D| json!(at(record).map(|time| time.to_string()));
        Self::custom(name, Widget::Time, read, show)
    }

    /// The notes that administrators keep on a record.
    pub(crate) fn description(at: At<D, String>) -> Self {
        Self::defaulted("description", String::new(), text(0..=2000), at)
            .label("Description")
            .help("Notes for administrators.")
            .widget(Widget::Text)
            .doc("For administrators only.")
    }

    /// A list of at most so many texts; it may be left out.
    pub(crate) fn list<T: TextType + 'static, C: FromIterator<T> + Serialize + 'static>(
        name: &'static str,
        most: usize,
        read: fn(&str) -> Result<T, String>,
        at: At<D, C>,
    ) -> Self {
        let read = move |form: &mut Form, record: &mut D| {
            *at(record) = form.list(name, most, read).into_iter().collect();
        };
        Self::custom(name, Widget::Lines, read, move |record| json!(at(record)))
    }

    /// A list of so many values; if it may be empty, it may be left out.
    pub(crate) fn list_of<T: Serialize + 'static>(
        name: &'static str,
        count: RangeInclusive<usize>,
        parser: FieldParser<T>,
        at: At<D, Vec<T>>,
    ) -> Self {
        let required = *count.start() > 0;
        let read = move |form: &mut Form, record: &mut D| {
            *at(record) = form.list_of(name, count.clone(), &parser);
        };
        let mut field = Self::custom(name, Widget::Lines, read, move |record| json!(at(record)));
        field.controls[0].required = required;
        field
    }

    /// An object whose fields have names of this format; it may be left out.
    pub(crate) fn map<T: Serialize + 'static>(
        name: &'static str,
        names: fn() -> &'static TextFormat,
        parser: FieldParser<T>,
        at: At<D, BTreeMap<String, T>>,
    ) -> Self {
        let read = move |form: &mut Form, record: &mut D| {
            *at(record) = form.map(name, names, &parser);
        };
        Self::custom(name, Widget::Pairs, read, move |record| json!(at(record)))
    }

    /// An object with these fields, which is replaced as a whole; it may be left out.
    pub(crate) fn object<P>(name: &'static str, fields: Vec<Field<P>>, at: At<D, P>) -> Self {
        let within = |control: &FormField| FormField {
            name: format!("{name}.{}", control.name),
            ..control.clone()
        };
        let controls = fields
            .iter()
            .flat_map(|field| field.controls.iter().map(within))
            .collect();
        let fields = Arc::new(fields);
        let shown = Arc::clone(&fields);
        let read = move |form: &mut Form, record: &mut D| {
            form.object(name, |part| read_all(&fields, part, at(record)));
        };
        let show = move |record: &mut D| Value::Object(show_all(&shown, at(record)));
        Self {
            controls,
            ..Self::custom(name, Widget::Json, read, show)
        }
    }

    /// A field that `read` asks a form for and `show` shows, for what none of the above can say.
    pub(crate) fn custom(
        name: &'static str,
        widget: Widget,
        read: impl Fn(&mut Form, &mut D) + Send + Sync + 'static,
        show: impl Fn(&mut D) -> Value + Send + Sync + 'static,
    ) -> Self {
        let control = FormField {
            name: name.to_owned(),
            label: "",
            help: "",
            widget,
            example: "",
            unit: "",
            under: None,
            required: false,
            fixed: false,
        };
        Self {
            name,
            doc: "",
            controls: vec![control],
            is_secret: false,
            is_generated: false,
            read: Box::new(read),
            show: Box::new(show),
        }
    }

    /// As the API names it.
    #[cfg(test)]
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// What the API's document says of it.
    #[must_use]
    pub(crate) fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }

    /// As people read its name.
    #[must_use]
    pub(crate) fn label(self, label: &'static str) -> Self {
        self.control_with(|control| control.label = label)
    }

    /// What people read about it.
    #[must_use]
    pub(crate) fn help(self, help: &'static str) -> Self {
        self.control_with(|control| control.help = help)
    }

    /// How it is filled in, where that does not follow from what it may hold.
    #[must_use]
    pub(crate) fn widget(self, widget: Widget) -> Self {
        self.control_with(|control| control.widget = widget)
    }

    /// An example of what can be typed.
    #[must_use]
    pub(crate) fn example(self, example: &'static str) -> Self {
        self.control_with(|control| control.example = example)
    }

    /// What a number counts.
    #[must_use]
    pub(crate) fn unit(self, unit: &'static str) -> Self {
        self.control_with(|control| control.unit = unit)
    }

    /// The flag without which it does nothing.
    #[must_use]
    pub(crate) fn under(self, flag: &'static str) -> Self {
        self.control_with(|control| control.under = Some(flag))
    }

    /// It is set when the record is made, and never changes.
    #[must_use]
    pub(crate) fn fixed(self) -> Self {
        self.control_with(|control| control.fixed = true)
    }

    /// A value is generated for it where a new record's document has none.
    #[must_use]
    pub(crate) fn generated(mut self) -> Self {
        self.is_generated = true;
        self.widget(Widget::Line(Empty::LeftOut))
            .control_with(|control| control.required = false)
    }

    /// It can be set and is never shown.
    #[must_use]
    pub(crate) fn secret(mut self) -> Self {
        self.is_secret = true;
        self.widget(Widget::Secret)
    }

    fn control_with(mut self, change: impl Fn(&mut FormField)) -> Self {
        self.controls.iter_mut().for_each(change);
        self
    }

    fn is_fixed(&self) -> bool {
        self.controls.iter().any(|control| control.fixed)
    }
}

/// Reads a point in time.
///
/// # Errors
/// One plain sentence.
pub(crate) fn read_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| text_format::TIME_SENTENCE.to_owned())
}

/// What values of this schema are plainly filled in with; `empty` is what an empty line means.
fn widget_for(schema: &Value, empty: Empty) -> Widget {
    match schema["type"].as_str() {
        Some("boolean") => Widget::Flag,
        Some("integer") => Widget::Number {
            min: schema["minimum"].as_u64().unwrap_or_default(),
            max: schema["maximum"].as_u64().unwrap_or(u64::MAX),
        },
        _ => Widget::Line(empty),
    }
}

fn read_all<D>(fields: &[Field<D>], form: &mut Form, record: &mut D) {
    for field in fields {
        (field.read)(form, record);
    }
}

fn show_all<D>(fields: &[Field<D>], record: &mut D) -> Map<String, Value> {
    let mut show = |field: &Field<D>| (field.name.to_owned(), (field.show)(record));
    fields.iter().map(&mut show).collect()
}

/// A section of the console's form, with its fields in the order of the page.
pub(crate) struct Section<D: 'static> {
    /// For the page's own links.
    pub(crate) id: &'static str,
    /// In a few words.
    pub(crate) title: &'static str,
    /// One sentence.
    pub(crate) intro: &'static str,
    /// Its fields.
    pub(crate) fields: Vec<Field<D>>,
}

/// All fields of a record.
pub struct FieldTable<D: 'static> {
    fields: Vec<Field<D>>,
    resource: Resource,
}

impl<D> FieldTable<D> {
    /// The fields of these sections; one such record is called `name`.
    pub(crate) fn new(name: &'static str, sections: Vec<Section<D>>) -> Self {
        let mut fields = Vec::new();
        let mut form = Vec::new();
        for section in sections {
            form.push(ResourceSection {
                id: section.id,
                title: section.title,
                intro: section.intro,
                fields: section
                    .fields
                    .iter()
                    .flat_map(|field| field.controls.clone())
                    .collect(),
            });
            fields.extend(section.fields);
        }
        Self {
            fields,
            resource: Resource {
                name,
                sections: form,
            },
        }
    }

    /// The console's form.
    pub(crate) fn resource(&self) -> &Resource {
        &self.resource
    }

    /// What the form has in each field. What is fixed is asked for when a record is made, and not
    /// in a change.
    pub(crate) fn read(&self, form: &mut Form) -> D
    where
        D: Default,
    {
        let mut record = D::default();
        for field in &self.fields {
            if !(form.is_change() && field.is_fixed()) {
                (field.read)(form, &mut record);
            }
        }
        record
    }

    /// Every field with its value, also those that are never shown: what a change is laid over.
    pub(crate) fn document(&self, record: &mut D) -> Map<String, Value> {
        show_all(&self.fields, record)
    }

    /// Every field with its value, as the API shows them.
    pub(crate) fn view(&self, record: &mut D) -> Map<String, Value> {
        let mut view = self.document(record);
        for field in self.fields.iter().filter(|field| field.is_secret) {
            view.shift_remove(field.name);
        }
        view
    }

    /// What each field means.
    pub(crate) fn docs(&self) -> Vec<(&'static str, &'static str)> {
        let docs = self.fields.iter().map(|field| (field.name, field.doc));
        docs.collect()
    }

    /// The fields of which `is` holds.
    fn names(&self, is: impl Fn(&Field<D>) -> bool) -> Vec<&'static str> {
        let fields = self.fields.iter().filter(|field| is(field));
        fields.map(|field| field.name).collect()
    }

    /// The fields that are never shown.
    pub(crate) fn secrets(&self) -> Vec<&'static str> {
        self.names(|field| field.is_secret)
    }

    /// The fields that a value is generated for.
    pub(crate) fn generated(&self) -> Vec<&'static str> {
        self.names(|field| field.is_generated)
    }

    /// The fields that never change.
    pub(crate) fn fixed(&self) -> Vec<&'static str> {
        self.names(Field::is_fixed)
    }
}

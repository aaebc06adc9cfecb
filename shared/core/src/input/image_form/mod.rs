//! Owns how an image is written and read over the API. Creating and changing go through one
//! validator: `fields` says which fields there are and what each may hold, `rules` what holds
//! between them. Must not know the store, ECS or HTTP.

mod fields;
mod rules;
#[cfg(test)]
mod tests;

pub use crate::image_rules::{USUAL as USUAL_SIZE, task_sizes};

use std::sync::LazyLock;

use serde_json::{Map, Value, json};

use crate::form::{FieldErrors, Form, TextType};
use crate::ids::ImageId;
use crate::image::{Image, ImageSettings, ImageSource};
use crate::image_rules;
use crate::json_schema::{SchemaBuilder, Schemas};
use crate::preset;
use crate::read_only::{self, ReadOnlyField};
use crate::resource::Resource;

use fields::{FIELDS, ImageFields};

pub use crate::image_rules::next_size;

/// How much of the 8,192 characters of a task's overrides an image's environment may use, as JSON.
/// The rest is for the longest session URL (2,048), the longest names, the session's secret and our
/// own variables.
pub const MAX_ENVIRONMENT_BYTES: usize = 3584;

/// What a response has besides the settings.
static READ_ONLY: LazyLock<Vec<ReadOnlyField<Image>>> = LazyLock::new(|| {
    let registered = "The task definition that was registered for `container_image`.";
    vec![
        ReadOnlyField::id(ImageId::SYNTAX.schema(), |image: &Image| json!(image.id)),
        ReadOnlyField::new(
            "registered_task_definition",
            json!({ "type": ["string", "null"], "description": registered }),
            |image: &Image| {
                let is_ours = matches!(image.settings.source, ImageSource::Container(_));
                json!(is_ours.then_some(&image.task_definition))
            },
        ),
        ReadOnlyField::version(|image: &Image| image.version),
        ReadOnlyField::time("created_at", |image: &Image| image.created_at),
        ReadOnlyField::time("updated_at", |image: &Image| image.updated_at),
    ]
});

/// Reads a new image.
///
/// # Errors
/// Every mistake in the document.
pub fn create(input: &Value) -> Result<ImageSettings, FieldErrors> {
    let (preset, input) = preset::take(input)?;
    read(&mut Form::over(preset, &input, &[])?)
}

/// Reads a change: what is not named stays, and null clears what may be empty.
///
/// # Errors
/// Every mistake in the document.
pub fn patch(image: &Image, input: &Value) -> Result<ImageSettings, FieldErrors> {
    read(&mut Form::change(
        fields(image),
        input,
        &read_only::schemas(&READ_ONLY),
    )?)
}

fn schema_builder() -> SchemaBuilder {
    SchemaBuilder::of(|form| _ = read(form)).described(&FIELDS.docs())
}

/// The JSON Schema of a new image, of a change and of what is shown.
pub fn schemas() -> Schemas {
    let schema_builder = schema_builder();
    let preset = json!({ "type": "string", "enum": preset::ALL, "description":
        "Fills in the settings of a family of images; other fields of the document take \
         precedence." });
    let mut create = schema_builder.clone().with("preset", preset).whole();
    create["allOf"] = json!([image_rules::whole()]);
    Schemas {
        create,
        ..schema_builder.schemas(&read_only::schemas(&READ_ONLY))
    }
}

/// The console's form of an image.
pub fn resource() -> &'static Resource {
    FIELDS.resource()
}

/// What a new image is where its document says nothing.
pub fn defaults() -> Value {
    schema_builder().defaults()
}

fn read(form: &mut Form) -> Result<ImageSettings, FieldErrors> {
    let fields = FIELDS.read(form);
    let settings = rules::judge(form, fields);
    form.finish()?;
    // What is missing was noted by the form, which has returned by now.
    settings.ok_or(FieldErrors(Vec::new()))
}

/// Reads the id of an image.
///
/// # Errors
/// One plain sentence.
pub(crate) fn read_id(text: &str) -> Result<ImageId, String> {
    ImageId::parse(text).ok_or_else(|| "is not the id of an image.".to_owned())
}

/// The settable fields of the image, as an administrator would write them.
pub(crate) fn fields(image: &Image) -> Map<String, Value> {
    FIELDS.view(&mut ImageFields::from(&image.settings))
}

/// The image as the API shows it; what is read can be sent back as a change.
pub fn view(image: &Image) -> Value {
    read_only::view(&READ_ONLY, image, fields(image))
}

//! Owns how an image is written and read over the API. Creating and changing go through one
//! validator: `fields` says which fields there are and what each may hold, `rules` what holds
//! between them. Must not know the store, ECS or HTTP.

mod fields;
mod rules;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::field;
use crate::form::{FieldErrors, Form, Spelled};
use crate::ids::ImageId;
use crate::image::{Image, ImageSettings, ImageSource};
use crate::image_rules;
use crate::json_schema::{self, SchemaBuilder, Schemas};
use crate::preset;
use crate::resource::Resource;

use fields::{FIELDS, ImageFields};

/// How much of the 8,192 characters of a task's overrides an image's environment may use, as JSON.
/// The rest is for the longest session URL (2,048), the longest names, the session's secret and our
/// own variables.
pub const MAX_ENVIRONMENT_BYTES: usize = 3584;

/// What a read shows besides the settings. It may be sent back, and is left out then.
fn read_only() -> Vec<(&'static str, Value)> {
    let mut fields = json_schema::read_only(ImageId::SPELLING.schema());
    let registered = "The task definition that was registered for `container_image`.";
    fields.insert(
        1,
        (
            "registered_task_definition",
            json!({ "type": ["string", "null"], "description": registered }),
        ),
    );
    fields
}

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
    read(&mut Form::change(fields(image), input, &read_only())?)
}

fn schema_builder() -> SchemaBuilder {
    SchemaBuilder::of(|form| _ = read(form)).described(&FIELDS.docs())
}

/// What JSON Schema says of a new image, of a change and of what is shown.
pub fn schemas() -> Schemas {
    let schema_builder = schema_builder();
    let preset = json!({ "type": "string", "enum": preset::ALL, "description": "Fills in what a family of images needs; what is named besides wins." });
    let mut create = schema_builder.clone().with("preset", preset).whole();
    create["allOf"] = json!([image_rules::whole()]);
    Schemas {
        create,
        ..schema_builder.schemas(&read_only())
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

fn fields(image: &Image) -> Map<String, Value> {
    FIELDS.view(&mut ImageFields::from(&image.settings))
}

/// The image as the API shows it; what is read can be sent back as a change.
/// `registered_task_definition` is the one that was registered for `container_image`.
pub fn view(image: &Image) -> Value {
    let registered = matches!(image.settings.source, ImageSource::Container(_))
        .then_some(&image.task_definition);
    let mut view = field::identified(&image.id, fields(image));
    view.insert("registered_task_definition".into(), json!(registered));
    view.extend(field::stamps(
        image.version,
        image.created_at,
        image.updated_at,
    ));
    Value::Object(view)
}

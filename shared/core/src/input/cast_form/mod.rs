//! Owns how a cast is written and read over the API. Creating and changing go through one
//! validator: `fields` says which fields there are and what each may hold, `rules` what holds
//! between them. Must not know the store or HTTP.

mod fields;
mod rules;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use crate::cast::{Cast, CastSettings, CounterChange};
use crate::cast_warnings;
use crate::form::{FieldErrors, FieldParser, Form, Parser, TextType, Warning};
use crate::ids::{CastId, CastKey, Entropy};
use crate::json_schema::{self, SchemaBuilder, Schemas};
use crate::read_only::{self, ReadOnlyField};
use crate::resource::Resource;
use crate::url_rules::OwnUrls;
use crate::urls;

use fields::{CastFields, FIELDS};
use rules::Change;

/// The most that Sessions Remaining can be set to.
pub const MAX_SESSIONS: u64 = 1_000_000;
/// The most lines that Restrict to Referrers may have.
pub const MAX_REFERRERS: usize = 100;

/// A cast in a response.
struct ShownCast<'a> {
    cast: &'a Cast,
    /// Our own origin.
    public_url: &'a str,
}

impl ShownCast<'_> {
    fn url(&self) -> String {
        let path = urls::cast(&self.cast.settings.key);
        format!("{}{path}", self.public_url)
    }

    fn previous_key(&self) -> Value {
        let previous = self.cast.settings.previous_key.as_ref();
        json!(previous.map(|previous| {
            json!({ "key": previous.key, "until": previous.until.to_string() })
        }))
    }
}

/// What a response has besides the settings.
fn read_only<'a>() -> Vec<ReadOnlyField<ShownCast<'a>>> {
    let url = json!({ "type": "string", "format": "uri", "description": "The link." });
    vec![
        ReadOnlyField::id(CastId::SYNTAX.schema(), |shown: &ShownCast<'a>| {
            json!(shown.cast.id)
        }),
        ReadOnlyField::new("url", url, |shown: &ShownCast<'a>| json!(shown.url())).leading(),
        ReadOnlyField::new(
            "previous_key",
            previous_key_schema(),
            ShownCast::previous_key,
        ),
        ReadOnlyField::version(|shown: &ShownCast<'a>| shown.cast.version),
        ReadOnlyField::time("created_at", |shown: &ShownCast<'a>| shown.cast.created_at),
        ReadOnlyField::time("updated_at", |shown: &ShownCast<'a>| shown.cast.updated_at),
        ReadOnlyField::new(
            "warnings",
            json_schema::warnings(),
            |shown: &ShownCast<'a>| json!(cast_warnings::warnings(&shown.cast.settings)),
        ),
    ]
}

fn previous_key_schema() -> Value {
    json_schema::nullable(json!({
        "type": "object",
        "description": "The key before, while it still opens the link after a rotation.",
        "properties": { "key": CastKey::SYNTAX.schema(), "until": json_schema::time() },
        "required": ["key", "until"],
    }))
}

/// What an administrator asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CastDraft {
    /// All settings as they shall be.
    pub settings: CastSettings,
    /// What is to be done to Sessions Remaining.
    pub counter: CounterChange,
    /// What was sent without having an effect; `warnings` knows the rest.
    pub warnings: Vec<Warning>,
}

/// Reads a new cast. A key that is left out is drawn from `entropy`.
///
/// # Errors
/// Every mistake in the document.
pub fn create(
    input: &Value,
    own: &OwnUrls,
    entropy: &dyn Entropy,
) -> Result<CastDraft, FieldErrors> {
    let drawn = [("key".to_owned(), json!(CastKey::random(entropy)))];
    let mut form = Form::over(drawn.into_iter().collect(), input, &[])?;
    read(&mut form, None, own)
}

/// Reads a change: what is not named stays, and null clears what may be empty. `read_at` is the
/// Sessions Remaining that the document was made from, where that is known: while the limit is on,
/// another number is set only over that one, because every claim moves it.
///
/// # Errors
/// Every mistake in the document.
pub fn patch(
    cast: &Cast,
    input: &Value,
    own: &OwnUrls,
    read_at: Option<u64>,
) -> Result<CastDraft, FieldErrors> {
    let mut form = Form::change(fields(cast), input, &read_only::schemas(&read_only()))?;
    let added = form.nullable(ADD, difference());
    let change = Change {
        cast,
        read_at,
        added,
    };
    read(&mut form, Some(&change), own)
}

/// The field by which Sessions Remaining changes by a difference.
const ADD: &str = "sessions_remaining_add";
/// What it means.
const ADD_DOC: &str = "Added to `sessions_remaining`, or taken from it where it \
    is negative, whatever claims do meanwhile.";

fn difference() -> FieldParser<i64> {
    const MOST: i64 = MAX_SESSIONS as i64;
    FieldParser::new(
        |value| {
            // JSON does not tell 5.0 from 5.
            let plain = |n: &f64| n.fract() == 0.0 && n.abs() <= MOST as f64;
            let parsed = || value.as_f64().filter(plain).map(|n| n as i64);
            let number = value.as_i64().or_else(parsed);
            let number = number.filter(|n| (-MOST..=MOST).contains(n));
            number.ok_or_else(|| format!("must be a whole number from -{MOST} to {MOST}."))
        },
        || json!({ "type": "integer", "minimum": -MOST, "maximum": MOST }),
    )
}

fn schema_builder() -> SchemaBuilder {
    SchemaBuilder::of(|form| _ = read(form, None, &OwnUrls::default())).described(&FIELDS.docs())
}

/// The JSON Schema of a new cast, of a change and of what is shown.
pub fn schemas() -> Schemas {
    let mut schemas = schema_builder()
        .generated(&FIELDS.generated())
        .schemas(&read_only::schemas(&read_only()));
    let mut add = json_schema::nullable(difference().schema());
    add["description"] = json!(ADD_DOC);
    schemas.change["properties"][ADD] = add;
    schemas
}

/// The JSON Schema of what shall be other in a copy.
pub fn copy_schema() -> Value {
    schema_builder().change(&[])
}

/// The console's form of a cast.
pub fn resource() -> &'static Resource {
    FIELDS.resource()
}

/// What a new cast is where its document says nothing.
pub fn defaults() -> Value {
    schema_builder().defaults()
}

fn read(
    form: &mut Form,
    change: Option<&Change<'_>>,
    own: &OwnUrls,
) -> Result<CastDraft, FieldErrors> {
    let fields = FIELDS.read(form);
    let mut warnings = Vec::new();
    let (settings, counter) = rules::judge(form, fields, change, own, &mut warnings);
    form.finish()?;
    Ok(CastDraft {
        settings,
        counter,
        warnings,
    })
}

/// Reads a key.
///
/// # Errors
/// One plain sentence.
pub fn read_key(text: &str) -> Result<CastKey, String> {
    CastKey::parse(text)
        .ok_or_else(|| "must be 6 to 64 letters, digits, hyphens and underscores.".to_owned())
}

/// The settings as an administrator would write them.
pub fn fields(cast: &Cast) -> Map<String, Value> {
    FIELDS.view(&mut CastFields::from(cast))
}

/// The cast as the API shows it; what is read can be sent back as a change. `public_url` is our own
/// origin.
pub fn view(cast: &Cast, public_url: &str) -> Value {
    let shown = ShownCast { cast, public_url };
    read_only::view(&read_only(), &shown, fields(cast))
}

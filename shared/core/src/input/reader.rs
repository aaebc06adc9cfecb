//! Owns how one value of a document is read, and what JSON Schema says of such a value: both are one thing, so they cannot differ.
//! Must not know fields or documents.

use std::net::IpAddr;
use std::ops::{Deref, RangeInclusive};

use serde_json::{Value, json};

use crate::actor::Scope;
use crate::address_rules::AddressRule;
use crate::audit::AuditId;
use crate::captcha::CaptchaKind;
use crate::cast::CountBy;
use crate::ids::{
    ApiKeyId, CastId, CastKey, GroupId, ImageId, Reference, SessionId, StagingId, UserId,
};
use crate::network::NetworkName;
use crate::open_hours::Span;
use crate::referrer::ReferrerRule;
use crate::session_options::ViewOnly;
use crate::shape::{self, Shape};
use crate::time::Timestamp;

/// Reads a value, and says which values it reads.
pub trait Read<T> {
    /// Reads a value.
    ///
    /// # Errors
    /// One plain sentence that follows on the field's name.
    fn read(&self, value: &Value) -> Result<T, String>;
    /// Which values those are.
    fn schema(&self) -> Value;
}

type Reading<T> = dyn Fn(&Value) -> Result<T, String> + Send + Sync;

/// A way to read a value, which can be called like a function.
pub struct Reader<T: 'static> {
    read: Box<Reading<T>>,
    schema: Box<dyn Fn() -> Value + Send + Sync>,
}

impl<T> Reader<T> {
    /// Reads with `read` what `schema` describes.
    pub fn new(
        read: impl Fn(&Value) -> Result<T, String> + Send + Sync + 'static,
        schema: impl Fn() -> Value + Send + Sync + 'static,
    ) -> Self {
        Self {
            read: Box::new(read),
            schema: Box::new(schema),
        }
    }

    /// Which values it reads, as JSON Schema.
    pub fn schema_of(&self) -> Value {
        (self.schema)()
    }

    /// The same without this one value, about which `detail` is said.
    #[must_use]
    pub fn but(self, value: T, detail: impl Into<String>) -> Self
    where
        T: PartialEq + serde::Serialize + Send + Sync,
    {
        let Self { read, schema } = self;
        let (barred, detail) = (json!(value), detail.into());
        let is_not = move |found: T| {
            if found == value {
                Err(detail.clone())
            } else {
                Ok(found)
            }
        };
        Self::new(
            move |value| read(value).and_then(&is_not),
            move || {
                let mut schema = schema();
                schema["not"] = json!({ "const": barred });
                schema
            },
        )
    }
}

impl<T> std::fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Reader").field(&(self.schema)()).finish()
    }
}

impl<T> Deref for Reader<T> {
    type Target = Reading<T>;
    fn deref(&self) -> &Self::Target {
        &*self.read
    }
}

impl<T> Read<T> for Reader<T> {
    fn read(&self, value: &Value) -> Result<T, String> {
        (self.read)(value)
    }
    fn schema(&self) -> Value {
        (self.schema)()
    }
}

impl<T> Read<T> for &Reader<T> {
    fn read(&self, value: &Value) -> Result<T, String> {
        (self.read)(value)
    }
    fn schema(&self) -> Value {
        (self.schema)()
    }
}

/// [`flag`] needs no more than itself.
impl<F: Fn(&Value) -> Result<bool, String>> Read<bool> for F {
    fn read(&self, value: &Value) -> Result<bool, String> {
        self(value)
    }
    fn schema(&self) -> Value {
        json!({ "type": "boolean" })
    }
}

/// How the texts look that a type is read from.
#[derive(Clone, Copy)]
pub enum Spelling {
    /// Any text.
    Any,
    /// One of these words.
    OneOf(fn() -> Vec<&'static str>),
    /// This shape.
    Shaped(fn() -> &'static Shape),
    /// An id with this prefix.
    Id(&'static str),
}

impl std::fmt::Debug for Spelling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.schema())
    }
}

impl Spelling {
    /// Holds it against a text. Words and ids are checked by whoever reads them.
    pub(crate) fn check(self, text: &str) -> Result<(), String> {
        match self {
            Self::Shaped(shape) => shape().check(text),
            Self::Any | Self::OneOf(_) | Self::Id(_) => Ok(()),
        }
    }

    /// What JSON Schema says of it.
    pub fn schema(self) -> Value {
        match self {
            Self::Any => json!({ "type": "string" }),
            Self::OneOf(words) => json!({ "type": "string", "enum": words() }),
            Self::Shaped(shape) => shape().schema(),
            Self::Id(prefix) => {
                json!({ "type": "string", "pattern": format!("^{prefix}[a-z2-7]{{26}}$"), "examples": [format!("{prefix}{}", "a".repeat(26))] })
            }
        }
    }
}

/// A type that is read from a text.
pub trait Spelled {
    /// How the texts look.
    const SPELLING: Spelling;
}

macro_rules! spelled {
    ($($type:ty = $spelling:expr;)*) => { $(impl Spelled for $type { const SPELLING: Spelling = $spelling; })* };
}

spelled! {
    String = Spelling::Any;
    CastKey = Spelling::Shaped(|| &shape::CAST_KEY);
    Timestamp = Spelling::Shaped(|| &shape::TIME);
    ReferrerRule = Spelling::Shaped(|| &shape::REFERRER);
    AddressRule = Spelling::Shaped(|| &shape::ADDRESS_RULE);
    Span = Spelling::Shaped(|| &shape::SPAN);
    NetworkName = Spelling::Shaped(|| &shape::NETWORK_NAME);
    Reference = Spelling::Shaped(|| &shape::REFERENCE);
    AuditId = Spelling::Shaped(|| &shape::AUDIT_ID);
    IpAddr = Spelling::Shaped(|| &shape::ADDRESS);
    CastId = Spelling::Id(CastId::PREFIX);
    SessionId = Spelling::Id(SessionId::PREFIX);
    ImageId = Spelling::Id(ImageId::PREFIX);
    GroupId = Spelling::Id(GroupId::PREFIX);
    UserId = Spelling::Id(UserId::PREFIX);
    ApiKeyId = Spelling::Id(ApiKeyId::PREFIX);
    StagingId = Spelling::Id(StagingId::PREFIX);
    Scope = Spelling::OneOf(|| Scope::ALL.map(Scope::as_str).to_vec());
    CountBy = Spelling::OneOf(|| CountBy::ALL.map(CountBy::as_str).to_vec());
    CaptchaKind = Spelling::OneOf(|| CaptchaKind::ALL.map(CaptchaKind::as_str).to_vec());
    ViewOnly = Spelling::OneOf(|| ViewOnly::ALL.map(ViewOnly::as_str).to_vec());
}

/// A text that `read` understands, and that looks as its type says.
pub fn spelled<T: Spelled>(
    read: impl Fn(&str) -> Result<T, String> + Send + Sync + 'static,
) -> Reader<T> {
    let read =
        move |text: &str| read(text).and_then(|value| T::SPELLING.check(text).map(|()| value));
    Reader::new(
        move |value| read(value.as_str().ok_or("must be a text.")?),
        || T::SPELLING.schema(),
    )
}

/// A text that `read` understands, and that has this shape.
pub fn shaped<T>(
    shape: fn() -> &'static Shape,
    read: impl Fn(&str) -> Result<T, String> + Send + Sync + 'static,
) -> Reader<T> {
    let read = move |text: &str| read(text).and_then(|value| shape().check(text).map(|()| value));
    Reader::new(
        move |value| read(value.as_str().ok_or("must be a text.")?),
        move || shape().schema(),
    )
}

/// A text that has this shape.
pub fn plain(shape: fn() -> &'static Shape) -> Reader<String> {
    shaped(shape, |text| Ok(text.to_owned()))
}

/// A text of so many characters, without the spaces around it.
pub fn text(length: RangeInclusive<usize>) -> Reader<String> {
    let (least, most) = length.into_inner();
    Reader::new(
        move |value| read_text(value, least, most),
        move || trimmed_schema(least, most, false),
    )
}

/// A [`text`] that stands on one line.
pub fn line(length: RangeInclusive<usize>) -> Reader<String> {
    let (least, most) = length.into_inner();
    let read = move |value: &Value| {
        let line = read_text(value, least, most)?;
        if line.chars().any(char::is_control) {
            Err("must be a single line.".to_owned())
        } else {
            Ok(line)
        }
    };
    Reader::new(read, move || trimmed_schema(least, most, true))
}

/// Lengths count without the spaces around the text, so they stand in the pattern.
fn trimmed_schema(least: usize, most: usize, line: bool) -> Value {
    json!({ "type": "string", "pattern": shape::trimmed(least, most, line) })
}

fn read_text(value: &Value, least: usize, most: usize) -> Result<String, String> {
    let text = value.as_str().ok_or("must be a text.")?.trim();
    let count = text.chars().count();
    if count > most {
        return Err(format!("is longer than {most} characters."));
    }
    if count < least {
        return Err("must not be empty.".to_owned());
    }
    if text
        .chars()
        .any(|c| c.is_control() && c != '\n' && c != '\t' && c != '\r')
    {
        return Err("must not contain control characters.".to_owned());
    }
    Ok(text.to_owned())
}

/// True or false.
///
/// # Errors
/// For anything else; the words "true" and "false" are texts.
pub fn flag(value: &Value) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| "must be true or false.".to_owned())
}

/// A whole number in `range`, of any integer type that holds the range. `5.0` is whole.
pub fn whole<N: TryFrom<u64> + 'static>(range: RangeInclusive<u64>) -> Reader<N> {
    let (least, most) = range.into_inner();
    let read = move |value: &Value| {
        let number = value.as_u64().or_else(|| {
            value
                .as_f64()
                .filter(|n| n.fract() == 0.0 && *n >= 0.0 && *n < 1e15)
                .map(|n| n as u64)
        });
        let fits = number
            .filter(|number| (least..=most).contains(number))
            .and_then(|number| N::try_from(number).ok());
        fits.ok_or_else(|| format!("must be a whole number from {least} to {most}."))
    };
    Reader::new(
        read,
        move || json!({ "type": "integer", "minimum": least, "maximum": most }),
    )
}

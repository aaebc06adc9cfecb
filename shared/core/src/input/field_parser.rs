//! Owns the parser of one value of a document, together with the JSON Schema of such a value. Must
//! not know fields or documents.

use std::net::IpAddr;
use std::ops::{Deref, RangeInclusive};

use serde_json::{Value, json};

use crate::access_tier::{Proof, TierOutcome};
use crate::actor::Scope;
use crate::address_rules::AddressRule;
use crate::admission_hook::Unanswered;
use crate::audit::AuditId;
use crate::brand::FooterLink;
use crate::captcha::CaptchaKind;
use crate::cast::{AnonymousResume, CountBy, LinkLanguage, StartOnClick};
use crate::geo::{AsnEntry, CountryEntry};
use crate::hook::HookEvent;
use crate::ids::{
    ApiKeyId, CastId, CastKey, GroupId, ImageId, InvitationId, Reference, SessionId, StagingId,
    UserId,
};
use crate::image::Architecture;
use crate::network::NetworkName;
use crate::open_hours::Span;
use crate::referrer::ReferrerRule;
use crate::session_options::ViewOnly;
use crate::text_format::{self, TextFormat};
use crate::time::Timestamp;

/// Parses a value, and describes the values that it accepts.
pub trait Parser<T> {
    /// Parses a value.
    ///
    /// # Errors
    /// One plain sentence that follows on the field's name.
    fn read(&self, value: &Value) -> Result<T, String>;
    /// The JSON Schema of the values that it accepts.
    fn schema(&self) -> Value;
}

type Reading<T> = dyn Fn(&Value) -> Result<T, String> + Send + Sync;

/// A parser of a value, which can be called like a function.
pub struct FieldParser<T: 'static> {
    read: Box<Reading<T>>,
    schema: Box<dyn Fn() -> Value + Send + Sync>,
}

impl<T> FieldParser<T> {
    /// Parses with `read` the values that `schema` describes.
    pub fn new(
        read: impl Fn(&Value) -> Result<T, String> + Send + Sync + 'static,
        schema: impl Fn() -> Value + Send + Sync + 'static,
    ) -> Self {
        Self {
            read: Box::new(read),
            schema: Box::new(schema),
        }
    }

    /// The JSON Schema of the values that it accepts.
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

impl<T> std::fmt::Debug for FieldParser<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("FieldParser")
            .field(&(self.schema)())
            .finish()
    }
}

impl<T> Deref for FieldParser<T> {
    type Target = Reading<T>;
    fn deref(&self) -> &Self::Target {
        &*self.read
    }
}

impl<T> Parser<T> for FieldParser<T> {
    fn read(&self, value: &Value) -> Result<T, String> {
        (self.read)(value)
    }
    fn schema(&self) -> Value {
        (self.schema)()
    }
}

impl<T> Parser<T> for &FieldParser<T> {
    fn read(&self, value: &Value) -> Result<T, String> {
        (self.read)(value)
    }
    fn schema(&self) -> Value {
        (self.schema)()
    }
}

/// [`flag`] needs no more than itself.
impl<F: Fn(&Value) -> Result<bool, String>> Parser<bool> for F {
    fn read(&self, value: &Value) -> Result<bool, String> {
        self(value)
    }
    fn schema(&self) -> Value {
        json!({ "type": "boolean" })
    }
}

/// The syntax of the texts from which a type is parsed.
#[derive(Clone, Copy)]
pub enum TextSyntax {
    /// Any text.
    Any,
    /// One of these words.
    OneOf(fn() -> Vec<&'static str>),
    /// This format.
    Format(fn() -> &'static TextFormat),
    /// An id with this prefix.
    Id(&'static str),
}

impl std::fmt::Debug for TextSyntax {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.schema())
    }
}

impl TextSyntax {
    /// Checks a text. Words and ids are checked where they are parsed.
    pub(crate) fn check(self, text: &str) -> Result<(), String> {
        match self {
            Self::Format(format) => format().check(text),
            Self::Any | Self::OneOf(_) | Self::Id(_) => Ok(()),
        }
    }

    /// Its JSON Schema.
    pub fn schema(self) -> Value {
        match self {
            Self::Any => json!({ "type": "string" }),
            Self::OneOf(words) => json!({ "type": "string", "enum": words() }),
            Self::Format(format) => format().schema(),
            Self::Id(prefix) => {
                json!({ "type": "string", "pattern": format!("^{prefix}[a-z2-7]{{26}}$"), "examples": [format!("{prefix}{}", "a".repeat(26))] })
            }
        }
    }
}

/// A type that is parsed from a text.
pub trait TextType {
    /// The syntax of the texts.
    const SYNTAX: TextSyntax;
}

macro_rules! text_types {
    ($($type:ty = $spelling:expr;)*) => { $(impl TextType for $type { const SYNTAX: TextSyntax = $spelling; })* };
}

text_types! {
    String = TextSyntax::Any;
    CastKey = TextSyntax::Format(|| &text_format::CAST_KEY);
    Timestamp = TextSyntax::Format(|| &text_format::TIME);
    ReferrerRule = TextSyntax::Format(|| &text_format::REFERRER);
    AddressRule = TextSyntax::Format(|| &text_format::ADDRESS_RULE);
    FooterLink = TextSyntax::Format(|| &text_format::FOOTER_LINK);
    Span = TextSyntax::Format(|| &text_format::SPAN);
    NetworkName = TextSyntax::Format(|| &text_format::NETWORK_NAME);
    Reference = TextSyntax::Format(|| &text_format::REFERENCE);
    AuditId = TextSyntax::Format(|| &text_format::AUDIT_ID);
    IpAddr = TextSyntax::Format(|| &text_format::ADDRESS);
    CastId = TextSyntax::Id(CastId::PREFIX);
    SessionId = TextSyntax::Id(SessionId::PREFIX);
    ImageId = TextSyntax::Id(ImageId::PREFIX);
    GroupId = TextSyntax::Id(GroupId::PREFIX);
    UserId = TextSyntax::Id(UserId::PREFIX);
    ApiKeyId = TextSyntax::Id(ApiKeyId::PREFIX);
    StagingId = TextSyntax::Id(StagingId::PREFIX);
    InvitationId = TextSyntax::Id(InvitationId::PREFIX);
    Scope = TextSyntax::OneOf(|| Scope::ALL.map(Scope::as_str).to_vec());
    Unanswered = TextSyntax::OneOf(|| Unanswered::ALL.map(Unanswered::as_str).to_vec());
    HookEvent = TextSyntax::OneOf(|| HookEvent::CHOICES.map(HookEvent::as_str).to_vec());
    Proof = TextSyntax::OneOf(|| Proof::ALL.map(Proof::as_str).to_vec());
    TierOutcome = TextSyntax::OneOf(|| TierOutcome::ALL.map(TierOutcome::as_str).to_vec());
    CountryEntry = TextSyntax::Format(|| &text_format::COUNTRY);
    AsnEntry = TextSyntax::Format(|| &text_format::ASN);
    CountBy = TextSyntax::OneOf(|| CountBy::ALL.map(CountBy::as_str).to_vec());
    AnonymousResume = TextSyntax::OneOf(|| {
        AnonymousResume::ALL.map(AnonymousResume::as_str).to_vec()
    });
    LinkLanguage = TextSyntax::OneOf(LinkLanguage::words);
    StartOnClick = TextSyntax::OneOf(|| StartOnClick::ALL.map(StartOnClick::as_str).to_vec());
    CaptchaKind = TextSyntax::OneOf(|| CaptchaKind::ALL.map(CaptchaKind::as_str).to_vec());
    Architecture = TextSyntax::OneOf(|| Architecture::ALL.map(Architecture::as_str).to_vec());
    ViewOnly = TextSyntax::OneOf(|| ViewOnly::ALL.map(ViewOnly::as_str).to_vec());
}

/// A text that `read` understands, and that looks as its type says.
pub fn parsed<T: TextType>(
    read: impl Fn(&str) -> Result<T, String> + Send + Sync + 'static,
) -> FieldParser<T> {
    let read = move |text: &str| read(text).and_then(|value| T::SYNTAX.check(text).map(|()| value));
    FieldParser::new(
        move |value| read(value.as_str().ok_or("must be a text.")?),
        || T::SYNTAX.schema(),
    )
}

/// A text in this format, which `read` parses.
pub fn formatted<T>(
    format: fn() -> &'static TextFormat,
    read: impl Fn(&str) -> Result<T, String> + Send + Sync + 'static,
) -> FieldParser<T> {
    let read = move |text: &str| read(text).and_then(|value| format().check(text).map(|()| value));
    FieldParser::new(
        move |value| read(value.as_str().ok_or("must be a text.")?),
        move || format().schema(),
    )
}

/// A text in this format.
pub fn plain(format: fn() -> &'static TextFormat) -> FieldParser<String> {
    formatted(format, |text| Ok(text.to_owned()))
}

/// A text of so many characters, without the spaces around it.
pub fn text(length: RangeInclusive<usize>) -> FieldParser<String> {
    let (least, most) = length.into_inner();
    FieldParser::new(
        move |value| read_text(value, least, most),
        move || trimmed_schema(least, most, false),
    )
}

/// A [`text`] that stands on one line.
pub fn line(length: RangeInclusive<usize>) -> FieldParser<String> {
    let (least, most) = length.into_inner();
    let read = move |value: &Value| {
        let line = read_text(value, least, most)?;
        if line.chars().any(char::is_control) {
            Err("must be a single line.".to_owned())
        } else {
            Ok(line)
        }
    };
    FieldParser::new(read, move || trimmed_schema(least, most, true))
}

/// Lengths count without the spaces around the text, so they stand in the pattern.
fn trimmed_schema(least: usize, most: usize, line: bool) -> Value {
    json!({ "type": "string", "pattern": text_format::trimmed(least, most, line) })
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
pub fn whole<N: TryFrom<u64> + 'static>(range: RangeInclusive<u64>) -> FieldParser<N> {
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
    FieldParser::new(
        read,
        move || json!({ "type": "integer", "minimum": least, "maximum": most }),
    )
}

//! Owns parsing request bodies: size, type, encoding. Must not know which fields are expected.

use http::header::CONTENT_TYPE;
use lambda_http::Request;
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use crate::code::RequestError;
use crate::problem::Problem;

/// The largest accepted body, in bytes; API clients and forms send a few hundred.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// The supported types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `application/x-www-form-urlencoded`: from pages.
    Form,
    /// `application/json`: from programs.
    Json,
}

/// The declared type; `None` when it is missing or unsupported.
pub fn kind(request: &Request) -> Option<Kind> {
    let text = request.headers().get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = text.split(';').next()?.trim();
    // A change is a merge patch (RFC 7396), under whichever of the two names.
    let json = ["application/json", "application/merge-patch+json"];
    if json.iter().any(|json| essence.eq_ignore_ascii_case(json)) {
        Some(Kind::Json)
    } else {
        essence
            .eq_ignore_ascii_case("application/x-www-form-urlencoded")
            .then_some(Kind::Form)
    }
}

/// The fields of a form.
#[derive(Debug)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// The first field with this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// Every field, in the order of the form.
    pub fn into_fields(self) -> Vec<(String, String)> {
        self.0
    }
}

/// Parses a form.
///
/// # Errors
/// 413 too large, 415 not a form, 400 not text.
pub fn form(request: &Request) -> Result<Form, Problem> {
    let text = text(request, Kind::Form, MAX_BODY_BYTES)?;
    let fields: Vec<(String, String)> = form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect();
    // Invalid UTF-8 has been replaced by this character, which no page of ours sends.
    let garbled = fields
        .iter()
        .any(|(name, value)| name.contains('\u{fffd}') || value.contains('\u{fffd}'));
    if garbled {
        Err(not_text())
    } else {
        Ok(Form(fields))
    }
}

/// Parses a JSON document.
///
/// # Errors
/// 413 too large, 415 not JSON, 400 not a document of the type that is wanted.
pub fn json<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    json_up_to(request, MAX_BODY_BYTES)
}

/// Parses a JSON document of at most so many bytes, where more than [`MAX_BODY_BYTES`] are usual.
///
/// # Errors
/// As [`json`].
pub fn json_up_to<T: DeserializeOwned>(request: &Request, most: usize) -> Result<T, Problem> {
    let text = text(request, Kind::Json, most)?;
    // Some editors put a byte order mark before a text (RFC 8259 lets it be ignored).
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str(text).map_err(|error| {
        Problem::new(RequestError::BadRequest).detail(format!(
            "The body is not the JSON that is read here: {error}."
        ))
    })
}

fn text(request: &Request, wanted: Kind, most: usize) -> Result<&str, Problem> {
    let bytes: &[u8] = request.body().as_ref();
    if bytes.len() > most {
        return Err(Problem::new(RequestError::TooLarge)
            .detail(format!("A body has {most} bytes at most.")));
    }
    if kind(request) != Some(wanted) {
        let wanted = match wanted {
            Kind::Form => "application/x-www-form-urlencoded",
            Kind::Json => "application/json",
        };
        return Err(
            Problem::new(RequestError::WrongType).detail(format!("The body must be {wanted}."))
        );
    }
    std::str::from_utf8(bytes).map_err(|_| not_text())
}

fn not_text() -> Problem {
    Problem::new(RequestError::BadRequest).detail("The body is not UTF-8 text.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_http::Body;

    const FORM: &str = "application/x-www-form-urlencoded";
    const JSON: &str = "application/json";

    fn request(content_type: &str, body: Body) -> Request {
        http::Request::builder()
            .header(CONTENT_TYPE, content_type)
            .body(body)
            .expect("a request")
    }

    #[test]
    fn form_body_is_parsed_or_refused_with_its_status() {
        for (name, content_type, body, expected) in [
            ("plain", FORM, Body::from("ticket=abc"), Ok(Some("abc"))),
            (
                "as bytes",
                FORM,
                Body::from(b"ticket=abc".to_vec()),
                Ok(Some("abc")),
            ),
            (
                "with a charset",
                "Application/X-WWW-form-urlencoded; charset=utf-8",
                Body::from("ticket=a%20c"),
                Ok(Some("a c")),
            ),
            (
                "the first counts",
                FORM,
                Body::from("ticket=1&ticket=2"),
                Ok(Some("1")),
            ),
            ("empty", FORM, Body::Empty, Ok(None)),
            ("not UTF-8", FORM, Body::from(vec![0xff, b'=']), Err(400)),
            ("not UTF-8 inside", FORM, Body::from("ticket=%ff"), Err(400)),
            ("JSON", JSON, Body::from("{}"), Err(415)),
            ("untyped", "", Body::from("ticket=abc"), Err(415)),
            (
                "multipart",
                "multipart/form-data; boundary=x",
                Body::from("--x"),
                Err(415),
            ),
            (
                "too large",
                FORM,
                Body::from("t".repeat(MAX_BODY_BYTES + 1)),
                Err(413),
            ),
        ] {
            let request = request(content_type, body);
            let form = form(&request);
            let found = form
                .as_ref()
                .map(|form| form.field("ticket"))
                .map_err(|problem| problem.code.status().as_u16());
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn json_body_is_parsed_or_refused_with_its_status() {
        for (name, content_type, body, expected) in [
            ("plain", JSON, Body::from("[1]"), Ok(vec![1])),
            (
                "with a charset",
                "application/json; charset=UTF-8",
                Body::from("[]"),
                Ok(vec![]),
            ),
            (
                "a merge patch",
                "application/merge-patch+json",
                Body::from("[1]"),
                Ok(vec![1]),
            ),
            (
                "with a byte order mark",
                JSON,
                Body::from("\u{feff}[1]"),
                Ok(vec![1]),
            ),
            ("empty", JSON, Body::Empty, Err(400)),
            ("cut", JSON, Body::from("[1"), Err(400)),
            ("another shape", JSON, Body::from("{}"), Err(400)),
            (
                "not UTF-8",
                JSON,
                Body::from(vec![b'"', 0xff, b'"']),
                Err(400),
            ),
            ("a form", FORM, Body::from("a=1"), Err(415)),
            (
                "too large",
                JSON,
                Body::from(" ".repeat(MAX_BODY_BYTES + 1)),
                Err(413),
            ),
        ] {
            let found = json::<Vec<u8>>(&request(content_type, body));
            assert_eq!(
                found.map_err(|problem| problem.code.status().as_u16()),
                expected,
                "{name}"
            );
        }
    }
}

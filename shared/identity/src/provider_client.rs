//! Owns how a login provider is called, and how an answer is changed that the library would not
//! read although it says what a login needs. Must not know the steps of a login.

use std::pin::Pin;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::Client;
use serde_json::Value;

/// A provider's answer longer than this is not read, in bytes.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// The library's way to our client.
pub struct Caller(pub Client);

impl<'c> AsyncHttpClient<'c> for Caller {
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, CallError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl Caller {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, CallError> {
        let request = reqwest::Request::try_from(request).map_err(CallError::from)?;
        let mut response = self.0.execute(request).await.map_err(CallError::from)?;
        let mut answer = http::Response::builder().status(response.status());
        if let Some(headers) = answer.headers_mut() {
            headers.clone_from(response.headers());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(CallError::from)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER_BYTES {
                return Err(CallError("the answer is too long".into()));
            }
        }
        let body = readable(&body).unwrap_or(body);
        answer
            .body(body)
            .map_err(|error| CallError(error.to_string()))
    }
}

/// The claims of userinfo that the library reads strictly and that are not used here: an unexpected
/// type of one would cost the user the groups beside it.
const UNUSED: [&str; 15] = [
    "family_name",
    "middle_name",
    "profile",
    "picture",
    "website",
    "email_verified",
    "gender",
    "birthday",
    "birthdate",
    "zoneinfo",
    "locale",
    "phone_number",
    "phone_number_verified",
    "address",
    "updated_at",
];

/// What a login needs of the provider's description. The library reads all of it, and one address
/// that is empty would cost every login.
const USED: [&str; 9] = [
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "response_types_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
    "token_endpoint_auth_methods_supported",
];
/// What of it must be there, with the value where it is missing.
const DEFAULTS: [(&str, &str); 3] = [
    ("response_types_supported", "code"),
    ("subject_types_supported", "public"),
    ("id_token_signing_alg_values_supported", "RS256"),
];

/// An answer of a provider as the library reads it; `None` when nothing is to be changed.
fn readable(body: &[u8]) -> Option<Vec<u8>> {
    let mut answer: serde_json::Map<String, Value> = serde_json::from_slice(body).ok()?;
    if answer.contains_key("access_token") {
        make_tokens_readable(&mut answer);
    } else if answer.contains_key("authorization_endpoint") {
        answer.retain(|name, value| {
            USED.contains(&name.as_str()) && !value.is_null() && *value != ""
        });
        for (name, default) in DEFAULTS {
            answer
                .entry(name)
                .or_insert_with(|| Value::from(vec![default]));
        }
    } else if answer.contains_key("sub") {
        answer.retain(|name, _| !UNUSED.contains(&name.as_str()));
    } else {
        return None;
    }
    serde_json::to_vec(&answer).ok()
}

/// Entra ID (version 1) and AD FS send `expires_in` as a text, some with a fraction, Twitch sends
/// `scope` as a list, and some leave out `token_type`.
fn make_tokens_readable(answer: &mut serde_json::Map<String, Value>) {
    // What was granted does not matter: the token's claims do.
    answer.remove("scope");
    let seconds = match answer.get("expires_in") {
        Some(Value::String(text)) => Some(text.trim().parse::<f64>().ok()),
        Some(Value::Number(number)) if !number.is_u64() => Some(number.as_f64()),
        Some(Value::Number(_)) | None => None,
        Some(_) => Some(None),
    };
    match seconds {
        // Above zero, so it stays a number when its fraction is cut off.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the library wants whole seconds, and the limit is far below 2^53"
        )]
        Some(Some(seconds)) if (0.0..1e12).contains(&seconds) => {
            answer.insert("expires_in".into(), Value::from(seconds as u64));
        }
        Some(_) => {
            answer.remove("expires_in");
        }
        None => {}
    }
    if answer.get("token_type").is_none_or(Value::is_null) {
        answer.insert("token_type".into(), Value::from("bearer"));
    }
}

/// A call that did not work, without the address called.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CallError(String);

impl From<reqwest::Error> for CallError {
    fn from(error: reqwest::Error) -> Self {
        Self(error.without_url().to_string())
    }
}

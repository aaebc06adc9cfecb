//! Owns what an event of the gateway must be like before it becomes a request: the library of
//! events panics over addresses and bodies that it cannot read, and visitors write addresses. Must
//! not know what a request asks for.

use std::fmt::{Debug, Write};

use http::HeaderMap;
use http::header::{HOST, HeaderName};
use lambda_http::lambda_runtime::{self, Diagnostic, LambdaEvent, service_fn};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Error, IntoResponse, Request, Service};
use url::Url;

/// The longest query that is read, in bytes. The gateway takes 10,240 bytes of address and headers.
const MAX_QUERY_BYTES: usize = 16 * 1024;
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Answers the events of the gateway for as long as the function lives.
///
/// # Errors
/// When the Runtime API cannot be reached.
pub async fn run<'a, R, S, E>(service: S) -> Result<(), Error>
where
    S: Service<Request, Response = R, Error = E>,
    S::Future: Send + 'a,
    R: IntoResponse,
    E: Debug + Into<Diagnostic>,
{
    let mut adapter = Adapter::from(service);
    lambda_runtime::run(service_fn(move |event: LambdaEvent<LambdaRequest>| {
        let (event, context) = event.into_parts();
        adapter.call(LambdaEvent::new(readable(event), context))
    }))
    .await
}

/// The same event, as one that becomes a request: what an address cannot hold is percent-encoded,
/// and what could not be repaired is left out.
pub fn readable(event: LambdaRequest) -> LambdaRequest {
    let LambdaRequest::ApiGatewayV2(mut event) = event else {
        return event;
    };
    let path = event.raw_path.unwrap_or_default();
    let slash = if path.starts_with('/') { "" } else { "/" };
    event.raw_path = Some(format!("{slash}{}", encode(&path, b"?#")));
    event.raw_query_string = event
        .raw_query_string
        .filter(|query| query.len() <= MAX_QUERY_BYTES)
        .map(|query| encode(&query, b"#"));
    keep_if(&mut event.headers, &FORWARDED_PROTO, |scheme| {
        matches!(scheme, "http" | "https")
    });
    keep_if(&mut event.headers, &HOST, is_host);
    // Used where there is no host header.
    if !event.headers.contains_key(HOST) {
        let domain = &mut event.request_context.domain_name;
        *domain = domain.take().filter(|host| is_host(host));
    }
    if event.is_base64_encoded
        && let Some(body) = &event.body
        && !is_base64(body)
    {
        event.body = None;
    }
    LambdaRequest::ApiGatewayV2(event)
}

/// Removes a header whose value does not fit.
fn keep_if(headers: &mut HeaderMap, name: &HeaderName, fits: impl Fn(&str) -> bool) {
    let value = headers.get(name);
    if value.is_some_and(|value| !value.to_str().is_ok_and(fits)) {
        headers.remove(name);
    }
}

/// Whether this can stand as the host of an address.
fn is_host(text: &str) -> bool {
    Url::parse(&format!("https://{text}/"))
        .is_ok_and(|url| url.path() == "/" && url.username().is_empty() && url.query().is_none())
}

/// Percent-encodes what an address cannot hold, and these bytes.
fn encode(text: &str, more: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for character in text.chars() {
        let is_plain = character.is_ascii_graphic()
            && !matches!(
                character,
                '<' | '>' | '"' | '`' | '{' | '}' | '|' | '\\' | '^'
            )
            && !more.contains(&(character as u8));
        if is_plain {
            encoded.push(character);
        } else {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                // Writing into a string never fails.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

/// Whether the library can decode this text.
fn is_base64(text: &str) -> bool {
    data_encoding::BASE64.decode(text.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(change: impl FnOnce(&mut serde_json::Value)) -> Request {
        let mut event = serde_json::json!({
            "version": "2.0", "routeKey": "$default", "rawPath": "/cast/abc", "rawQueryString": "",
            "headers": { "host": "x.example" },
            "requestContext": {
                "accountId": "1", "apiId": "a", "domainName": "x.example", "domainPrefix": "x",
                "http": { "method": "GET", "path": "/", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7", "userAgent": "" },
                "requestId": "r", "routeKey": "$default", "stage": "$default",
                "time": "12/Mar/2020:19:03:58 +0000", "timeEpoch": 1,
            },
            "isBase64Encoded": false,
        });
        change(&mut event);
        let event: LambdaRequest = serde_json::from_value(event).expect("an event");
        readable(event).into()
    }

    #[test]
    fn addresses_of_every_kind_become_a_request() {
        for (name, path, query, address) in [
            ("plain", "/cast/abc", "a=b&c=%20d", "/cast/abc?a=b&c=%20d"),
            ("no query", "/cast/abc", "", "/cast/abc"),
            (
                "spaces, decoded ahead of us",
                "/a b",
                "a=b c",
                "/a%20b?a=b%20c",
            ),
            ("plus signs", "/", "a=b+c", "/?a=b+c"),
            (
                "markup",
                "/<b>",
                "x=<b>&y=\"'`{}|\\^",
                "/%3Cb%3E?x=%3Cb%3E&y=%22'%60%7B%7D%7C%5C%5E",
            ),
            ("letters", "/\u{fc}", "x=\u{4e2d}", "/%C3%BC?x=%E4%B8%AD"),
            ("a decoded question mark", "/a?b#c", "d=e", "/a%3Fb%23c?d=e"),
            (
                "a control character",
                "/a\u{7f}",
                "x=\u{7f}\u{0}\n",
                "/a%7F?x=%7F%00%0A",
            ),
            ("a fragment", "/", "a=b#c", "/?a=b%23c"),
            ("no path", "", "", "/"),
        ] {
            let request = request(|event| {
                event["rawPath"] = path.into();
                event["rawQueryString"] = query.into();
            });
            let found = request.uri().path_and_query().expect("a path");
            assert_eq!(found.as_str(), address, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let long = request(|event| event["rawQueryString"] = "a".repeat(70_000).into());
        assert_eq!(long.uri().query(), None, "a query over the limit");
        let scheme = request(|event| event["headers"]["x-forwarded-proto"] = "a b".into());
        assert_eq!(scheme.uri().scheme_str(), Some("https"), "no scheme");
        let host = request(|event| event["headers"]["host"] = "a b/c?d".into());
        assert_eq!(host.uri().host(), Some("x.example"), "no host");
        let nowhere = request(|event| {
            event["headers"]["host"] = "%".into();
            event["requestContext"]["domainName"] = "a b".into();
        });
        assert_eq!(nowhere.uri().path(), "/cast/abc", "no host at all");
        let body = request(|event| {
            event["isBase64Encoded"] = true.into();
            event["body"] = "not base64".into();
        });
        assert!(
            matches!(body.body(), lambda_http::Body::Empty),
            "a body that is no base64"
        );
    }
}

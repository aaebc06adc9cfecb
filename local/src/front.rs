//! Owns the front door of the local stack: what API Gateway and CloudFront are in AWS. A request for a session's own host or path goes to the edge;
//! every other one becomes an API Gateway event (payload 2.0) and is given to the function that the route table names.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use casting_boot::Control;
use casting_core::ids::draw;
use casting_gate::session_host::SessionHost;
use casting_identity::oidc::Oidc;
use casting_web::routes::{self, Function};
use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Map, Value, json};
use tower::ServiceExt;

use crate::login_provider;

/// API Gateway takes no larger body; in bytes.
const MAX_BODY_BYTES: usize = 10 * 1024 * 1024;

/// What the front door needs to know.
#[derive(Clone)]
pub struct Front {
    /// The functions' common state.
    pub control: Arc<Control>,
    /// Logins, for the auth function.
    pub oidc: Arc<Oidc>,
    /// The login provider of this machine.
    pub provider: Router,
    /// Routes to sessions.
    pub edge: Router,
    /// Which requests belong to a session.
    pub session_host: SessionHost,
    /// A proxy in front adds the visitor's address at the end of X-Forwarded-For.
    pub behind_proxy: bool,
}

/// The whole site.
pub fn router(front: Front) -> Router {
    Router::new().fallback(serve).with_state(Arc::new(front))
}

async fn serve(
    State(front): State<Arc<Front>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    if front
        .session_host
        .find(request.uri(), request.headers())
        .is_some()
    {
        return match front.edge.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
    }
    if request.uri().path().starts_with(login_provider::PATH) {
        return match front.provider.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
    }
    let source = visitor_address(request.headers(), peer.ip(), front.behind_proxy);
    let (mut parts, body) = request.into_parts();
    // As a gateway does: the scheme is the gateway's to say, and an address that is none goes no further.
    parts
        .headers
        .insert("x-forwarded-proto", HeaderValue::from_static("http"));
    if !is_address(&parts) {
        return (
            StatusCode::BAD_REQUEST,
            "The request's address makes no sense.\n",
        )
            .into_response();
    }
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY_BYTES).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "The request is too large.\n").into_response();
    };
    let event = event(&front.control, &parts, &body, source);
    // As in the gateway: what no route names is the default route's, which is the error function.
    let function = routes::find(&parts.method, parts.uri.path())
        .map_or(Function::Error, |matched| matched.route.function);
    match lambda_http::request::from_str(&event.to_string()) {
        Ok(request) => reply(call(&front, function, request).await),
        Err(error) => {
            tracing::warn!(%error, "A request could not be turned into an event");
            (StatusCode::BAD_REQUEST, "The request could not be read.\n").into_response()
        }
    }
}

/// Whether host and path make an address; functions take for granted that they do.
fn is_address(parts: &axum::http::request::Parts) -> bool {
    let host = parts
        .headers
        .get(header::HOST)
        .map_or(Some("localhost"), |host| host.to_str().ok());
    let is_host = |host: &&str| {
        !host.is_empty()
            && !host.contains('@')
            && host
                .parse::<axum::http::uri::Authority>()
                .is_ok_and(|authority| authority.as_str() == *host)
    };
    let path = parts.uri.path();
    path.starts_with('/')
        && host
            .filter(is_host)
            .is_some_and(|host| url::Url::parse(&format!("http://{host}{path}")).is_ok())
}

async fn call(
    front: &Front,
    function: Function,
    request: lambda_http::Request,
) -> lambda_http::Response<lambda_http::Body> {
    let control = &*front.control;
    match function {
        Function::Auth => casting_fn_auth::handle(control, Some(&front.oidc), request).await,
        Function::Cast => casting_fn_cast::handle(control, request).await,
        Function::Session => casting_fn_session::handle(control, request).await,
        Function::Admin => casting_fn_admin::handle(control, request).await,
        Function::Error => casting_fn_error::handle(&*control.entropy, &request),
    }
}

/// A function's answer as this server sends it.
pub fn reply(response: lambda_http::Response<lambda_http::Body>) -> Response {
    let (parts, body) = response.into_parts();
    let body = match body {
        lambda_http::Body::Text(text) => Body::from(text),
        lambda_http::Body::Binary(bytes) => Body::from(bytes),
        _ => Body::empty(),
    };
    Response::from_parts(parts, body)
}

/// The visitor's address: that of the connection, or what the one trusted proxy in front added.
fn visitor_address(headers: &HeaderMap, peer: IpAddr, behind_proxy: bool) -> IpAddr {
    let added = || {
        let last = headers
            .get_all("x-forwarded-for")
            .iter()
            .next_back()?
            .to_str()
            .ok()?;
        last.rsplit(',').next()?.trim().parse().ok()
    };
    if behind_proxy {
        added().unwrap_or(peer)
    } else {
        peer
    }
}

/// The event that API Gateway makes of a request.
fn event(
    control: &Control,
    parts: &axum::http::request::Parts,
    body: &[u8],
    source: IpAddr,
) -> Value {
    let now = control.clock.now();
    let mut headers = Map::new();
    let mut cookies = Vec::new();
    for (name, value) in &parts.headers {
        let text = String::from_utf8_lossy(value.as_bytes());
        if name == header::COOKIE {
            cookies.extend(
                text.split("; ")
                    .map(|cookie| Value::from(cookie.to_owned())),
            );
        }
        match headers.get_mut(name.as_str()) {
            Some(Value::String(seen)) => {
                seen.push(',');
                seen.push_str(&text);
            }
            _ => {
                headers.insert(name.as_str().to_owned(), Value::from(text.into_owned()));
            }
        }
    }
    let host = headers
        .get("host")
        .cloned()
        .unwrap_or_else(|| Value::from("localhost"));
    let user_agent = headers
        .get("user-agent")
        .cloned()
        .unwrap_or_else(|| Value::from(""));
    let text = std::str::from_utf8(body).ok().map(str::to_owned);
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": parts.uri.path(),
        "rawQueryString": parts.uri.query().unwrap_or_default(),
        "headers": headers,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": host,
            "domainPrefix": "local",
            "http": {
                "method": parts.method.as_str(),
                "path": parts.uri.path(),
                "protocol": "HTTP/1.1",
                "sourceIp": source.to_string(),
                "userAgent": user_agent,
            },
            "requestId": HEXLOWER.encode(&draw(&*control.entropy)),
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": now.millis(),
        },
        "isBase64Encoded": text.is_none(),
    });
    if !cookies.is_empty() {
        event["cookies"] = Value::from(cookies);
    }
    if !body.is_empty() {
        event["body"] = Value::from(text.unwrap_or_else(|| BASE64.encode(body)));
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_may_name_the_visitor() {
        let peer: IpAddr = [127, 0, 0, 1].into();
        for (name, forwarded, behind_proxy, expected) in [
            ("no proxy", &["192.0.2.1"][..], false, "127.0.0.1"),
            ("a proxy", &["192.0.2.1"][..], true, "192.0.2.1"),
            (
                "a visitor who adds names",
                &["10.0.0.1, 192.0.2.1"][..],
                true,
                "192.0.2.1",
            ),
            (
                "two headers",
                &["10.0.0.1", "192.0.2.1"][..],
                true,
                "192.0.2.1",
            ),
            ("nothing added", &[][..], true, "127.0.0.1"),
            ("words", &["somebody"][..], true, "127.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            for line in forwarded {
                headers.append("x-forwarded-for", line.parse().expect("a header"));
            }
            assert_eq!(
                visitor_address(&headers, peer, behind_proxy).to_string(),
                expected,
                "{name}"
            );
        }
    }
}

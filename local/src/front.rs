//! Owns the front door of the local stack: what API Gateway and CloudFront are in AWS. A request
//! for a session's own host or path goes to the edge; every other one becomes an API Gateway event
//! (payload 2.0) and is given to the function whose route table has its path.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use casting_core::ControlPlane;
use casting_core::ids::random_bytes;
use casting_core::urls;
use casting_gate::session_host::SessionHost;
use casting_identity::oidc::Oidc;
use casting_web::{Function, PUBLIC_ROUTER, PUBLIC_ROUTES, Route};
use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower::ServiceExt;

use crate::login_provider;
use crate::request_check::{self, HostNames};

/// The largest body that is read, in bytes. Functions take 64 KiB and say so themselves.
const MAX_BODY_BYTES: usize = 128 * 1024;
/// How many bodies are read at a time; with their size this bounds their memory.
const BODIES: usize = 1024;
/// The largest configuration that is read, in bytes; the function says so itself.
const MAX_CONFIGURATION_BYTES: usize = 5 * 1024 * 1024;
/// How many configurations are read at a time.
const CONFIGURATIONS: usize = 2;
/// How long a request's body may take, the wait for its turn included.
const BODY_WITHIN: Duration = Duration::from_secs(20);
/// How many requests the functions answer at a time; the others wait for their turn. More at once
/// would be no faster on one machine, and need more memory.
const AT_A_TIME: usize = 64;

/// The settings of the front door.
#[derive(Clone)]
pub struct Front {
    /// The functions' common state.
    pub control_plane: Arc<ControlPlane>,
    /// Logins, for the auth function; `None` where there are none.
    pub oidc: Option<Arc<Oidc>>,
    /// The login provider of this machine, where it has one.
    pub provider: Option<Router>,
    /// Under which host names the control plane is reached.
    pub hosts: HostNames,
    /// Routes to sessions.
    pub edge: Router,
    /// Which requests belong to a session.
    pub session_host: SessionHost,
    /// A proxy in front adds the visitor's address at the end of X-Forwarded-For.
    pub behind_proxy: bool,
}

struct Site {
    front: Front,
    turns: Semaphore,
    bodies: Semaphore,
    configurations: Semaphore,
}

impl Site {
    /// The body of a request to this path; `None` when it is too large or was cut off.
    async fn read(&self, path: &str, body: Body) -> Option<Bytes> {
        if body.is_end_stream() {
            return Some(Bytes::new());
        }
        let (most, turns) = if path.starts_with(urls::ADMIN_CONFIGURATION) {
            (MAX_CONFIGURATION_BYTES, &self.configurations)
        } else {
            (MAX_BODY_BYTES, &self.bodies)
        };
        if body.size_hint().lower() > most as u64 {
            return None;
        }
        let _turn = turns.acquire().await.ok()?;
        axum::body::to_bytes(body, most).await.ok()
    }
}

/// The whole site.
pub fn router(front: Front) -> Router {
    let site = Site {
        front,
        turns: Semaphore::new(AT_A_TIME),
        bodies: Semaphore::new(BODIES),
        configurations: Semaphore::new(CONFIGURATIONS),
    };
    Router::new().fallback(serve).with_state(Arc::new(site))
}

async fn serve(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let front = &site.front;
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
    let (mut parts, body) = request.into_parts();
    if let Err(refused) = request_check::check(&parts, &front.hosts) {
        return refused.into_response();
    }
    if let Some(provider) = &front.provider
        && parts.uri.path().starts_with(login_provider::PATH)
    {
        let request = Request::from_parts(parts, body);
        return match provider.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
    }
    let source = visitor_address(&parts.headers, peer.ip(), front.behind_proxy);
    // As a gateway does: the scheme is the gateway's to say.
    parts
        .headers
        .insert("x-forwarded-proto", HeaderValue::from_static("http"));
    let body = match timeout(BODY_WITHIN, site.read(parts.uri.path(), body)).await {
        Ok(Some(body)) => body,
        Ok(None) => {
            let words = "The body is too large, or was cut off.\n";
            return (StatusCode::PAYLOAD_TOO_LARGE, words).into_response();
        }
        Err(_) => {
            let words = "The body did not arrive in time.\n";
            return (StatusCode::REQUEST_TIMEOUT, words).into_response();
        }
    };
    let Ok(_turn) = site.turns.acquire().await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let event = event(&front.control_plane, &parts, &body, source);
    let function = function_of(&parts.method, parts.uri.path());
    match lambda_http::request::from_str(&event.to_string()) {
        // Allocated when it is this request's turn: it is twenty times as large as all else that a
        // request keeps while it waits.
        Ok(request) => reply(Box::pin(call(front, function, request)).await),
        Err(error) => {
            tracing::warn!(%error, "A request could not be turned into an event");
            (StatusCode::BAD_REQUEST, "The request could not be read.\n").into_response()
        }
    }
}

/// Who answers. As in the gateway, what no route names is the default route's, which is the error
/// function.
fn function_of(method: &Method, path: &str) -> Function {
    match PUBLIC_ROUTER.find(method, path) {
        Ok(matched) => matched.line.function,
        Err(_) if casting_fn_admin::has_path(path) => Function::Admin,
        Err(_) => Function::Error,
    }
}

/// Every route of the control plane, and who answers it.
pub fn routes() -> impl Iterator<Item = (Function, &'static Route)> {
    let public = PUBLIC_ROUTES
        .iter()
        .map(|line| (line.function, &line.route));
    public.chain(casting_fn_admin::routes().map(|route| (Function::Admin, route)))
}

async fn call(
    front: &Front,
    function: Function,
    request: lambda_http::Request,
) -> lambda_http::Response<lambda_http::Body> {
    let control_plane = &*front.control_plane;
    match function {
        Function::Auth => {
            casting_fn_auth::handle(control_plane, front.oidc.as_deref(), request).await
        }
        Function::Cast => casting_fn_cast::handle(control_plane, request).await,
        Function::Session => casting_fn_session::handle(control_plane, request).await,
        Function::Admin => casting_fn_admin::handle(control_plane, request).await,
        Function::Error => casting_fn_error::handle(&*control_plane.entropy, &request),
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
    control_plane: &ControlPlane,
    parts: &axum::http::request::Parts,
    body: &[u8],
    source: IpAddr,
) -> Value {
    let now = control_plane.clock.now();
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
            "requestId": HEXLOWER.encode(&random_bytes(&*control_plane.entropy)),
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

    /// The size of what an async function returns, in bytes.
    const fn size_of_call<A, B, C, F>(_: &impl Fn(A, B, C) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn requests_that_wait_for_their_turn_are_small() {
        let (waiting, answering) = (size_of_call(&serve), size_of_call(&call));
        assert!(waiting < 4096, "{waiting} bytes, {answering} of an answer");
    }

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

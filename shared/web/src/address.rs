//! Owns determining the visitor's address; nothing else does. Must not trust headers that a visitor
//! can write.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderName, HeaderValue};
use lambda_http::request::RequestContext as GatewayContext;
use lambda_http::{Request, RequestExt};

/// The trusted proxy in front of the gateway. A function behind such a proxy gets it in the
/// request's extensions, and then nothing else is trusted.
#[derive(Clone)]
pub struct TrustedProxy {
    /// The header in which it names the visitor's address.
    pub header: HeaderName,
    /// Its shared secret, sent as [`PROOF`], so that requests that bypass it are not trusted;
    /// `None` where it cannot be bypassed.
    pub proof: Option<String>,
}

/// The header in which the proxy proves that it is the one.
pub const PROOF: HeaderName = HeaderName::from_static("x-casting-hop");

impl TrustedProxy {
    /// Marks `request` as coming through this proxy.
    pub fn on(hop: Option<&Self>, mut request: Request) -> Request {
        if let Some(hop) = hop {
            request.extensions_mut().insert(hop.clone());
        }
        request
    }

    /// Whether a request came through it. Compares in constant time.
    fn has_sent(&self, request: &Request) -> bool {
        let Some(proof) = &self.proof else {
            return true;
        };
        let sent = request
            .headers()
            .get(PROOF)
            .map(HeaderValue::as_bytes)
            .unwrap_or_default();
        sent.len() == proof.len()
            && sent
                .iter()
                .zip(proof.as_bytes())
                .fold(0, |difference, (a, b)| difference | (a ^ b))
                == 0
    }
}

/// The source address of a request, with IPv4-mapped IPv6 addresses as IPv4; `None` when the
/// gateway (or the trusted proxy) gives none, and then the request must be refused.
pub fn of(request: &Request) -> Option<IpAddr> {
    sent_from(request).map(|address| address.to_canonical())
}

fn sent_from(request: &Request) -> Option<IpAddr> {
    match request.extensions().get::<TrustedProxy>() {
        // A proxy appends to what the visitor sent, so only the last entry of the last header is
        // its own.
        Some(hop) if !hop.has_sent(request) => None,
        Some(TrustedProxy { header, .. }) => read(
            request
                .headers()
                .get_all(header)
                .iter()
                .next_back()?
                .to_str()
                .ok()?
                .rsplit(',')
                .next()?,
        ),
        None => match request.request_context_ref()? {
            GatewayContext::ApiGatewayV2(context) => read(context.http.source_ip.as_deref()?),
            _ => None,
        },
    }
}

/// Reads `192.0.2.1`, `2001:db8::1`, either with a port, and CloudFront's IPv6 form
/// `2001:db8:0:0:0:0:0:1:443`.
fn read(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text
        .parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.or_else(|| text.rsplit_once(':')?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(source: Option<&str>) -> Request {
        let context = serde_json::json!({ "http": { "method": "GET", "sourceIp": source } });
        let context = serde_json::from_value(context).expect("a request context");
        Request::default().with_request_context(context)
    }

    #[test]
    fn client_address_comes_from_the_gateway_not_headers() {
        for (name, source, expected) in [
            ("IPv4", Some("192.0.2.1"), Some("192.0.2.1")),
            ("IPv6", Some("2001:db8::1"), Some("2001:db8::1")),
            ("mapped", Some("::ffff:192.0.2.1"), Some("192.0.2.1")),
            ("none", None, None),
            ("words", Some("unknown"), None),
        ] {
            let mut request = request(source);
            request
                .headers_mut()
                .insert("x-forwarded-for", "198.51.100.7".parse().expect("a header"));
            assert_eq!(
                of(&request),
                expected.map(|text| text.parse().expect(name)),
                "{name}"
            );
        }
        assert_eq!(of(&Request::default()), None, "no context");
    }

    #[test]
    fn trusted_proxy_header_uses_only_its_own_entry() {
        for (name, values, expected) in [
            ("one", &["192.0.2.1"][..], Some("192.0.2.1")),
            ("with a port", &["192.0.2.1:4711"], Some("192.0.2.1")),
            (
                "IPv6 with a port",
                &["[2001:db8::1]:4711"],
                Some("2001:db8::1"),
            ),
            ("mapped", &["::ffff:192.0.2.1"], Some("192.0.2.1")),
            (
                "mapped, with a port",
                &["[::ffff:192.0.2.1]:4711"],
                Some("192.0.2.1"),
            ),
            (
                "CloudFront's IPv6",
                &["2001:db8:0:0:0:0:0:1:4711"],
                Some("2001:db8::1"),
            ),
            (
                "a forged first entry",
                &["198.51.100.7, 192.0.2.1"],
                Some("192.0.2.1"),
            ),
            (
                "a forged first header",
                &["198.51.100.7", "192.0.2.1"],
                Some("192.0.2.1"),
            ),
            ("missing", &[], None),
        ] {
            let hop = TrustedProxy {
                header: HeaderName::from_static("x-visitor"),
                proof: None,
            };
            let mut request = TrustedProxy::on(Some(&hop), request(Some("10.0.0.1")));
            for value in values {
                request
                    .headers_mut()
                    .append("x-visitor", value.parse().expect(name));
            }
            assert_eq!(
                of(&request),
                expected.map(|text| text.parse().expect(name)),
                "{name}"
            );
        }
    }

    #[test]
    fn bypassing_the_trusted_proxy_gives_no_address() {
        let hop = TrustedProxy {
            header: HeaderName::from_static("x-visitor"),
            proof: Some("hush".into()),
        };
        for (name, proof, expected) in [
            ("the hop", Some("hush"), true),
            ("a guess", Some("hash"), false),
            ("a part", Some("hus"), false),
            ("none", None, false),
        ] {
            let mut request = TrustedProxy::on(Some(&hop), request(Some("10.0.0.1")));
            request
                .headers_mut()
                .insert("x-visitor", "192.0.2.1".parse().expect(name));
            if let Some(proof) = proof {
                request
                    .headers_mut()
                    .insert(PROOF, proof.parse().expect(name));
            }
            assert_eq!(of(&request).is_some(), expected, "{name}");
        }
        assert_eq!(
            of(&TrustedProxy::on(None, request(Some("192.0.2.1")))),
            "192.0.2.1".parse().ok(),
            "no hop"
        );
    }
}

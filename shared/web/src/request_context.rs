//! Owns the request context: everything of a request except its body, parsed once. Must not know
//! what the visitor wants.

use std::net::IpAddr;

use casting_core::Visitor;
use casting_core::brand::Brand;
use casting_core::ids::{Entropy, SessionId, random_bytes};
use casting_core::keys::Keyring;
use casting_core::language::{Language, Wish};
use casting_core::referrer;
use casting_core::ticket::{LoginTicket, OwnerTicket};
use casting_core::time::Timestamp;
use casting_core::user::User;
use http::header::{ACCEPT, HOST, ORIGIN, REFERER};
use http::{HeaderMap, Method, header};
use lambda_http::{Body, Request};
use url::{Url, form_urlencoded};

use crate::address;
use crate::body;
use crate::code::RequestError;
use crate::credentials::{self, SetCookie};
use crate::problem::Problem;
use crate::reply::{self, Reply};
use crate::routes::{Function, Matched, PUBLIC_ROUTER, PublicRoute};
use crate::words::Words;

/// A request without its body.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The method.
    pub method: Method,
    /// The path, percent-encoded as sent.
    pub path: String,
    /// The source address, as the gateway reports it.
    pub address: Option<IpAddr>,
    /// The host of the referrer.
    pub referrer: Option<String>,
    /// Whether the client is a program, which gets JSON.
    pub wants_json: bool,
    /// Which site sent the request, according to the browser.
    pub sent_by: FetchSite,
    /// Whether the answer will be shown in a frame, according to the browser.
    pub framed: bool,
    /// The random nonce of this answer's Content-Security-Policy.
    pub nonce: String,
    /// The texts in the visitor's language.
    pub words: Words,
    /// The language that the visitor wants.
    pub wish: Wish,
    /// The brand that the page of the answer shows.
    pub brand: Brand,
    /// Whether the browser says that it is a program: it gets the same page, which starts nothing
    /// by itself.
    pub automated: bool,
    raw_query: Option<String>,
    query: Vec<(String, String)>,
    headers: HeaderMap,
}

/// The values of `Sec-Fetch-Dest` for documents inside another one.
const FRAMES: [&str; 4] = ["iframe", "frame", "embed", "object"];

/// The parameter by which a visitor asks for a language.
const LANGUAGE_PARAMETER: &str = "lang";
/// How long that is remembered, in seconds (30 days).
const LANGUAGE_SECONDS: u64 = 30 * 86_400;

/// The parameter of a request that was asked for once more, with a cookie.
const PROBED_PARAMETER: &str = "probed";
/// How long the cookie of that is kept, in seconds (a day): longer than pages stay open.
const PROBE_SECONDS: u64 = 86_400;

fn set_probe(reply: &mut Reply, secure: bool) {
    let cookie = SetCookie {
        name: credentials::probe_cookie(secure),
        value: "yes",
        path: "/",
        max_age: PROBE_SECONDS,
        secure,
    };
    reply::set_cookie(reply, &cookie);
}

/// Which site sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchSite {
    /// A page of this deployment, or the address bar.
    Ours,
    /// Another site's page.
    Foreign,
    /// Unknown: a program, or an old browser.
    Unsaid,
}

impl RequestContext {
    /// Parses a request.
    pub fn parse(request: &Request, entropy: &dyn Entropy) -> Self {
        let headers = request.headers();
        let mut context = Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            address: address::of(request),
            referrer: text(headers, &REFERER).and_then(referrer::host_of),
            wants_json: prefers_json(headers) || body::kind(request) == Some(body::Kind::Json),
            sent_by: sent_by(headers),
            framed: headers
                .get("sec-fetch-dest")
                .is_some_and(|dest| FRAMES.iter().any(|frame| dest == frame)),
            nonce: format!("{:032x}", u128::from_be_bytes(random_bytes(entropy))),
            words: Words::of(Language::default()),
            wish: Wish::default(),
            brand: Brand::default(),
            automated: is_automated(text(headers, &header::USER_AGENT).unwrap_or_default()),
            raw_query: request.uri().query().map(str::to_owned),
            query: form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect(),
            headers: headers.clone(),
        };
        context.wish = casting_words::wish(
            context.query(LANGUAGE_PARAMETER),
            context.cookie(credentials::LANGUAGE_COOKIE),
            context.header(&header::ACCEPT_LANGUAGE),
        );
        context.speak(None);
        context
    }

    /// Chooses the language again, where a link's administrator or a session has set one. What the
    /// visitor asked for comes before that.
    pub fn speak(&mut self, set: Option<Language>) {
        self.words = Words::of(self.wish.choose(set));
    }

    /// The same request, answered in that language.
    #[must_use]
    pub fn speaking(&self, set: Option<Language>) -> Self {
        let mut context = self.clone();
        context.speak(set);
        context
    }

    /// The same request, answered by a page of that brand.
    #[must_use]
    pub fn branded(mut self, brand: Brand) -> Self {
        self.brand = brand;
        self
    }

    /// The public route of the request.
    ///
    /// # Errors
    /// 404 when there is none or it is another function's, 405 when the method is another one.
    pub fn route(&self, function: Function) -> Result<Matched<'_, PublicRoute>, Problem> {
        let matched = PUBLIC_ROUTER.find(&self.method, &self.path)?;
        if matched.line.function == function {
            Ok(matched)
        } else {
            Err(Problem::new(RequestError::NotFound))
        }
    }

    /// The source address.
    ///
    /// # Errors
    /// 400 when it is unknown: limits could not be enforced.
    pub fn source(&self) -> Result<IpAddr, Problem> {
        let no_address = || {
            Problem::new(RequestError::BadRequest)
                .detail("Nothing says which address this request came from.")
        };
        self.address.ok_or_else(no_address)
    }

    /// The visitor, for the policies. `secure`: the deployment uses https.
    ///
    /// # Errors
    /// As [`RequestContext::source`].
    pub fn visitor(
        &self,
        keys: &Keyring,
        secure: bool,
        now: Timestamp,
    ) -> Result<Visitor, Problem> {
        Ok(Visitor {
            address: self.source()?,
            referrer: self.referrer.clone(),
            user: self.login(keys, secure, now),
            browser: self.browser(secure).map(str::to_owned),
            own: None,
            another: self.query("another").is_some(),
            automated: self.automated,
            language: self.wish,
        })
    }

    /// The logged-in user.
    pub fn login(&self, keys: &Keyring, secure: bool, now: Timestamp) -> Option<User> {
        let text = self.cookie(credentials::login_cookie(secure))?;
        LoginTicket::open(text, keys, now)
            .ok()
            .map(|ticket| ticket.user)
    }

    /// The value that distinguishes this browser from others at the same address, if it has a
    /// cookie.
    pub fn browser(&self, secure: bool) -> Option<&str> {
        let plain = |text: &&str| {
            (16..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        self.cookie(credentials::browser_cookie(secure))
            .filter(plain)
    }

    /// The last session of this link that the browser shows to be its own.
    pub fn own_session(
        &self,
        key: &str,
        keys: &Keyring,
        secure: bool,
        now: Timestamp,
    ) -> Option<SessionId> {
        let ticket = self.cookie(&credentials::own_cookie(key, secure))?;
        let ticket = OwnerTicket::open(ticket, keys, now).ok()?;
        Some(ticket.session)
    }

    /// Rejects requests that another site's page has sent.
    ///
    /// # Errors
    /// 403 for such a request.
    pub fn not_cross_site(&self) -> Result<(), Problem> {
        if self.sent_by == FetchSite::Foreign {
            Err(Problem::new(RequestError::CrossSite))
        } else {
            Ok(())
        }
    }

    /// The first value of a query parameter.
    pub fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Every query parameter, in the order sent.
    pub fn queries(&self) -> &[(String, String)] {
        &self.query
    }

    /// This path with the query of the request, as it was sent.
    pub fn with_query(&self, path: &str) -> String {
        match &self.raw_query {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        }
    }

    /// The address of the request without this parameter.
    pub fn without_query(&self, name: &str) -> String {
        let others = self.query.iter().filter(|(found, _)| found != name);
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(others)
            .finish();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{mark}{query}", self.path)
    }

    /// The value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        credentials::cookie(&self.headers, name)
    }

    /// The names of the cookies that begin like this.
    pub fn cookies_from(&self, start: &str) -> Vec<String> {
        let texts = self.headers.get_all(header::COOKIE).iter();
        let texts = texts.filter_map(|value| value.to_str().ok());
        let names = texts
            .flat_map(|text| text.split(';'))
            .filter_map(|pair| pair.split('=').next());
        names
            .map(str::trim)
            .filter(|name| name.starts_with(start))
            .map(str::to_owned)
            .collect()
    }

    /// Whether the browser has sent a cookie of ours, and so keeps those of a session or login.
    pub fn keeps_cookies(&self) -> bool {
        let mut starts = credentials::OURS.iter();
        starts.any(|start| !self.cookies_from(start).is_empty())
    }

    /// Sets a cookie that shows later whether the browser keeps cookies, unless that is known. A
    /// frame on another site proves nothing: its cookies are its own.
    pub fn probe_cookies(&self, reply: &mut Reply, secure: bool) {
        let sets = reply.headers().contains_key(header::SET_COOKIE);
        if !self.framed && !self.wants_json && !sets && !self.keeps_cookies() {
            set_probe(reply, secure);
        }
    }

    /// Whether the browser drops cookies, before something is done that needs them. Where that is
    /// not known yet, the request is asked for once more at `here`, with a cookie.
    /// Programs keep tokens instead.
    ///
    /// # Errors
    /// That redirect.
    pub fn drops_cookies(&self, here: &str, secure: bool) -> Result<bool, Box<Reply>> {
        if self.wants_json || self.keeps_cookies() {
            return Ok(false);
        }
        if self.query(PROBED_PARAMETER).is_some() {
            return Ok(true);
        }
        let mark = if here.contains('?') { '&' } else { '?' };
        let mut again = reply::same_again(&format!("{here}{mark}{PROBED_PARAMETER}=yes"));
        set_probe(&mut again, secure);
        Err(Box::new(again))
    }

    /// The bearer token.
    pub fn bearer(&self) -> Option<&str> {
        credentials::bearer(&self.headers)
    }

    /// The key of an administrator's program: in the header `X-Api-Key`, for gateways that need
    /// `Authorization` for themselves, or the bearer token.
    pub fn api_key(&self) -> Option<&str> {
        self.header(&header::HeaderName::from_static("x-api-key"))
            .map(str::trim)
            .filter(|key| !key.is_empty())
            .or_else(|| self.bearer())
    }

    /// The owner ticket of a session: a program's bearer token, or else a browser's cookie.
    pub fn owner_ticket(&self, session: &SessionId) -> Option<&str> {
        self.bearer()
            .or_else(|| self.cookie(&credentials::owner_cookie(session)))
    }

    /// A header's value, when it is plain text.
    pub fn header(&self, name: &header::HeaderName) -> Option<&str> {
        text(&self.headers, name)
    }

    /// The final answer: without a body for HEAD, and with the language that the address asked for
    /// kept for further pages.
    pub fn finish(&self, mut reply: Reply) -> Reply {
        let asked = self.query(LANGUAGE_PARAMETER).filter(|_| !self.wants_json);
        let asked = casting_words::named(asked);
        if let Some(language) = asked.map(Language::as_str)
            && self.cookie(credentials::LANGUAGE_COOKIE) != Some(language)
        {
            let cookie = SetCookie {
                name: credentials::LANGUAGE_COOKIE,
                value: language,
                path: "/",
                max_age: LANGUAGE_SECONDS,
                secure: false,
            };
            reply::set_cookie(&mut reply, &cookie);
        }
        if self.method == Method::HEAD {
            *reply.body_mut() = Body::Empty;
        }
        reply
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// What programs that look at links call themselves, where they say so.
const PROGRAMS: [&str; 11] = [
    "headless",
    "bot-",
    "bot/",
    "bot;",
    "bot)",
    "crawler",
    "spider",
    "preview",
    "scanner",
    "phantomjs",
    "python",
];

fn is_automated(user_agent: &str) -> bool {
    let name = user_agent.to_ascii_lowercase();
    name.is_empty() || PROGRAMS.iter().any(|program| name.contains(program))
}

/// Uses `Sec-Fetch-Site`; without it, the `Origin` of a POST is compared with the requested host.
fn sent_by(headers: &HeaderMap) -> FetchSite {
    if let Some(site) = headers.get("sec-fetch-site") {
        return if site == "same-origin" || site == "none" {
            FetchSite::Ours
        } else {
            FetchSite::Foreign
        };
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return FetchSite::Unsaid;
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| Url::parse(origin).ok());
    let authority = |url: &Url| Some((url.host_str()?.to_owned(), url.port_or_known_default()));
    let sender = origin.as_ref().and_then(authority);
    // The visitor's scheme is not known behind a gateway; host and port distinguish origins well
    // enough.
    let ours = text(headers, &HOST).and_then(|host| {
        authority(&Url::parse(&format!("{}://{host}", origin.as_ref()?.scheme())).ok()?)
    });
    if sender.is_some() && sender == ours {
        FetchSite::Ours
    } else {
        FetchSite::Foreign
    }
}

/// Whether `Accept` ranks JSON above HTML. `*/*` gets the page.
fn prefers_json(headers: &HeaderMap) -> bool {
    let texts: Vec<&str> = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let accept = texts.join(",");
    let json = quality(&accept, "application", "json").max(quality(
        &accept,
        "application",
        "problem+json",
    ));
    json > quality(&accept, "text", "html")
}

/// The quality of a type, from 0 to 1, by the most specific range that covers it.
fn quality(accept: &str, kind: &str, subtype: &str) -> f32 {
    let mut best = (0, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let Some((found_kind, found_subtype)) =
            parts.next().and_then(|essence| essence.split_once('/'))
        else {
            continue;
        };
        let exactness = match (found_kind, found_subtype) {
            ("*", "*") => 1,
            (found, "*") if found.eq_ignore_ascii_case(kind) => 2,
            (found, sub)
                if found.eq_ignore_ascii_case(kind) && sub.eq_ignore_ascii_case(subtype) =>
            {
                3
            }
            _ => continue,
        };
        let q = parts
            .find_map(|parameter| parameter.strip_prefix("q=")?.trim().parse().ok())
            .unwrap_or(1.0);
        if exactness > best.0 {
            best = (exactness, q);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use casting_core::testing::{NOON, SeededEntropy, user};

    fn visit(method: &str, headers: &[(&str, &str)]) -> RequestContext {
        let mut request = http::Request::builder()
            .method(method)
            .uri("https://cast.example.com/cast/123abc?ref=a%20b&ref=c");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        RequestContext::parse(
            &request.body(Body::Empty).expect("a request"),
            &SeededEntropy::new(1),
        )
    }

    #[test]
    fn api_clients_and_browsers_are_distinguished() {
        for (name, accept, wants_json) in [
            (
                "a browser",
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8",
                false,
            ),
            ("anything", "*/*", false),
            ("nothing said", "", false),
            ("JSON", "application/json", true),
            ("problems", "application/problem+json", true),
            ("JSON first", "application/json, text/html;q=0.5", true),
            ("HTML first", "application/json;q=0.5, text/html", false),
            ("JSON, else anything", "application/json, */*;q=0.1", true),
            ("any text", "text/*, application/json;q=0.9", false),
        ] {
            assert_eq!(
                visit("GET", &[("accept", accept)]).wants_json,
                wants_json,
                "{name}"
            );
        }
        assert!(
            visit(
                "POST",
                &[("content-type", "application/json"), ("accept", "*/*")]
            )
            .wants_json
        );
    }

    #[test]
    fn cross_site_requests_are_detected() {
        for (name, headers, expected) in [
            (
                "our page",
                &[("sec-fetch-site", "same-origin")][..],
                FetchSite::Ours,
            ),
            (
                "the address bar",
                &[("sec-fetch-site", "none")],
                FetchSite::Ours,
            ),
            (
                "another site",
                &[("sec-fetch-site", "cross-site")],
                FetchSite::Foreign,
            ),
            (
                "a session's own origin",
                &[("sec-fetch-site", "same-site")],
                FetchSite::Foreign,
            ),
            ("a program", &[], FetchSite::Unsaid),
            (
                "an old browser, our page",
                &[
                    ("origin", "http://localhost:8300"),
                    ("host", "localhost:8300"),
                ],
                FetchSite::Ours,
            ),
            (
                "an old browser, default port",
                &[
                    ("origin", "https://cast.example.com"),
                    ("host", "cast.example.com"),
                ],
                FetchSite::Ours,
            ),
            (
                "an old browser, another site",
                &[("origin", "https://evil.org"), ("host", "cast.example.com")],
                FetchSite::Foreign,
            ),
            (
                "an old browser, another port",
                &[("origin", "http://localhost:1"), ("host", "localhost:8300")],
                FetchSite::Foreign,
            ),
            (
                "an old browser, hidden",
                &[("origin", "null"), ("host", "cast.example.com")],
                FetchSite::Foreign,
            ),
        ] {
            assert_eq!(visit("POST", headers).sent_by, expected, "{name}");
        }
    }

    #[test]
    fn programs_that_say_so_are_detected() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
                      Chrome/140.0.0.0 Safari/537.36";
        for (agent, automated) in [
            (chrome, false),
            (&chrome.replace("Chrome/", "HeadlessChrome/"), true),
            (
                "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
                true,
            ),
            (
                "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
                true,
            ),
            (
                "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
                true,
            ),
            (
                "Mozilla/5.0 (Linux; Android 11; CUBOT NOTE 20) Chrome/99",
                false,
            ),
            ("", true),
        ] {
            assert_eq!(
                visit("GET", &[("user-agent", agent)]).automated,
                automated,
                "{agent}"
            );
        }
        assert!(visit("GET", &[]).automated);
    }

    #[test]
    fn framed_requests_are_detected() {
        for (dest, framed) in [
            ("iframe", true),
            ("embed", true),
            ("document", false),
            ("image", false),
            ("", false),
        ] {
            assert_eq!(
                visit("GET", &[("sec-fetch-dest", dest)]).framed,
                framed,
                "{dest}"
            );
        }
        assert!(!visit("GET", &[]).framed);
    }

    #[test]
    fn referrer_query_and_credentials_are_parsed() {
        let visit = visit(
            "GET",
            &[
                ("referer", "https://www.Acme.com/page?q"),
                ("cookie", "a=1"),
                ("authorization", "Bearer t"),
            ],
        );
        assert_eq!(visit.referrer.as_deref(), Some("www.acme.com"));
        assert_eq!(visit.query("ref"), Some("a b"));
        assert_eq!((visit.cookie("a"), visit.bearer()), (Some("1"), Some("t")));
        assert_eq!(visit.nonce.len(), 32);
        assert!(visit.source().is_err(), "no address, no visitor");
    }

    #[test]
    fn login_and_browser_cookies_are_parsed() {
        let (keys, now) = (Keyring::new(&[1; 32]), NOON);
        let ticket = LoginTicket {
            user: user(1),
            expires: now.plus_seconds(60),
        }
        .sign(&keys);
        let foreign = LoginTicket {
            user: user(1),
            expires: now.plus_seconds(60),
        }
        .sign(&Keyring::new(&[2; 32]));
        for (name, cookie, secure, logged_in) in [
            ("a login", format!("cast-login={ticket}"), false, true),
            (
                "a login on https",
                format!("__Host-cast-login={ticket}"),
                true,
                true,
            ),
            (
                "a cookie that another host could have set",
                format!("cast-login={ticket}"),
                true,
                false,
            ),
            (
                "somebody else's signature",
                format!("cast-login={foreign}"),
                false,
                false,
            ),
            ("nonsense", "cast-login=v1.x.y".to_owned(), false, false),
        ] {
            assert_eq!(
                visit("GET", &[("cookie", &cookie)])
                    .login(&keys, secure, now)
                    .is_some(),
                logged_in,
                "{name}"
            );
        }
        assert!(
            visit("GET", &[("cookie", &format!("cast-login={ticket}"))])
                .login(&keys, false, now.plus_seconds(60))
                .is_none(),
            "too old"
        );
        for (value, known) in [
            ("abcdefghijklmnop1234", true),
            ("short", false),
            ("abcdefghijklmnop<script>", false),
        ] {
            assert_eq!(
                visit("GET", &[("cookie", &format!("cast-browser={value}"))])
                    .browser(false)
                    .is_some(),
                known,
                "{value}"
            );
        }
    }

    #[test]
    fn head_response_has_no_body() {
        let reply = || Problem::new(RequestError::NotFound).reply();
        assert_eq!(*visit("HEAD", &[]).finish(reply()).body(), Body::Empty);
        assert_ne!(*visit("GET", &[]).finish(reply()).body(), Body::Empty);
    }

    #[test]
    fn function_serves_only_its_own_routes() {
        let status = |visit: &RequestContext, function| {
            visit
                .route(function)
                .map(|found| found.segment.to_owned())
                .map_err(|p| p.code.status().as_u16())
        };
        assert_eq!(
            status(&visit("GET", &[]), Function::Cast),
            Ok("123abc".to_owned())
        );
        assert_eq!(status(&visit("GET", &[]), Function::Session), Err(404));
        assert_eq!(status(&visit("DELETE", &[]), Function::Cast), Err(405));
    }

    #[test]
    fn dropped_cookies_are_noticed_by_one_redirect() {
        let asked = |uri: &str, headers: &[(&str, &str)]| {
            let mut request = http::Request::builder().method("POST").uri(uri);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.body(Body::Empty).expect("a request");
            let context = RequestContext::parse(&request, &SeededEntropy::new(1));
            context.drops_cookies("/a?b=c%20d", true).map_err(|again| {
                let text = |name| again.headers()[name].to_str().expect("text").to_owned();
                (
                    again.status().as_u16(),
                    text("location"),
                    text("set-cookie"),
                )
            })
        };
        let probe = "__Host-cast-probe=yes; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure";
        let to = |location: &str| Err((307, location.to_owned(), probe.to_owned()));
        for (name, uri, headers, expected) in [
            ("the first time", "/a", &[][..], to("/a?b=c%20d&probed=yes")),
            ("asked once more", "/a?probed=yes", &[], Ok(true)),
            (
                "a probe that came back",
                "/a?probed=yes",
                &[("cookie", "__Host-cast-probe=yes")],
                Ok(false),
            ),
            (
                "any of ours",
                "/a",
                &[("cookie", "x=1; cast-language=de")],
                Ok(false),
            ),
            (
                "a script's",
                "/a?probed=yes",
                &[("cookie", "kept=1")],
                Ok(true),
            ),
            (
                "a program",
                "/a",
                &[("accept", "application/json")],
                Ok(false),
            ),
        ] {
            assert_eq!(asked(uri, headers), expected, "{name}");
        }
    }
}

//! Owns the layout of every page, and its headers. Must not know the content of pages.

use std::borrow::Cow;
use std::fmt::Display;

use askama::Template;
use http::header::{CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, VARY};
use http::{HeaderValue, StatusCode};

use casting_core::brand::{self, Brand};
use casting_core::language::Language;
use casting_core::referrer::ReferrerRule;

use crate::reply::{self, Reply};
use crate::request_context::RequestContext;

/// Where the forms of a page may lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FormAction {
    /// It has no forms.
    #[default]
    None,
    /// To this deployment.
    Stay,
    /// To this deployment, but the answer may redirect anywhere: to the link's error page, or into
    /// a session. Browsers check all following redirects against the page's `form-action`, and
    /// where those sites redirect to is not known, so only the scheme is limited.
    LeadAway,
}

/// The content of a page.
pub struct Page<'a> {
    /// The status of the reply.
    pub status: StatusCode,
    /// The document's title.
    pub title: &'a str,
    /// The content: HTML from a rendered template.
    pub main: &'a dyn Display,
    /// Added to the style sheet of the layout.
    pub style: &'a str,
    /// Run at the end of the page; the page must work without it.
    pub script: &'static str,
    /// The reload interval without scripting, in seconds.
    pub refresh: Option<u32>,
    /// What is loaded then, if it is not this page.
    pub refresh_to: Option<&'a str>,
    /// Where its forms may lead.
    pub forms: FormAction,
    /// The sites that may frame it; none when empty.
    pub framed_by: &'a [ReferrerRule],
    /// The URL of the background picture; validated by `url_rules::picture_url`.
    pub background: Option<&'a str>,
    /// A third-party script that the page needs.
    pub foreign: Option<ThirdPartyScript<'a>>,
    /// The preview in chats.
    pub card: Option<OpenGraph<'a>>,
}

/// The preview (OpenGraph) in chats and search results, for pages that are meant to be shared.
///
/// A picture is included only if chats can draw it: none of them draws SVG, so a badge or logo
/// would leave a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenGraph<'a> {
    /// A sentence or two.
    pub description: &'a str,
    /// The URL without anything that is specific to one visitor.
    pub url: &'a str,
    /// The URL of a picture; validated by `url_rules::picture_url`.
    pub picture: Option<&'a str>,
}

/// A third-party script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThirdPartyScript<'a> {
    /// Its URL.
    pub script: Cow<'a, str>,
    /// The sources of its frames, style sheets and requests, as a Content-Security-Policy lists
    /// them.
    pub sources: &'static str,
}

#[derive(Template)]
#[template(path = "layout.html")]
struct Layout<'a> {
    page: &'a Page<'a>,
    nonce: &'a str,
    language: Language,
    brand: &'a Brand,
    /// The style rules of the brand.
    brand_style: String,
}

impl Layout<'_> {
    /// The title with the brand behind it.
    fn title(&self) -> String {
        match &self.brand.name {
            Some(name) => format!("{} \u{2013} {name}", self.page.title),
            None => self.page.title.to_owned(),
        }
    }
}

impl<'a> Page<'a> {
    /// A page without script, forms or frames.
    pub fn new(title: &'a str, main: &'a dyn Display) -> Self {
        Self {
            status: StatusCode::OK,
            title,
            main,
            style: "",
            script: "",
            refresh: None,
            refresh_to: None,
            forms: FormAction::None,
            framed_by: &[],
            background: None,
            foreign: None,
            card: None,
        }
    }

    /// The page as the reply to this request.
    pub fn reply(&self, visit: &RequestContext) -> Reply {
        let html = match (Layout {
            page: self,
            nonce: &visit.nonce,
            language: visit.words.language(),
            brand: &visit.brand,
            brand_style: brand_style(&visit.brand),
        })
        .render()
        {
            Ok(html) => html,
            Err(error) => {
                tracing::error!(%error, "The page \u{201c}{}\u{201d} could not be written", self.title);
                return reply::empty(StatusCode::INTERNAL_SERVER_ERROR);
            }
        };
        let mut reply = reply::text(self.status, "text/html; charset=utf-8", html);
        let headers = reply.headers_mut();
        headers.insert(
            CONTENT_LANGUAGE,
            HeaderValue::from_static(visit.words.language().tag()),
        );
        headers.insert(VARY, HeaderValue::from_static("accept-language, cookie"));
        // Made of our own text, hex digits and host names; if it were no valid header, the
        // strictest policy would stay.
        if let Ok(policy) = HeaderValue::from_str(&self.policy(visit)) {
            reply.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
        }
        reply
    }

    /// The script as it is sent: without indentation and lines that are comments.
    fn sent_script(&self) -> String {
        let mut sent = String::with_capacity(self.script.len());
        for line in self.script.lines().map(str::trim_start) {
            if !line.is_empty() && !line.starts_with("//") {
                if !sent.is_empty() {
                    sent.push('\n');
                }
                sent.push_str(line);
            }
        }
        sent
    }

    fn policy(&self, visit: &RequestContext) -> String {
        let nonce = &visit.nonce;
        let logo = visit.brand.logo.as_deref().unwrap_or_default();
        let foreign = self.foreign.as_ref().map_or("", |foreign| foreign.sources);
        let ours = format!("'nonce-{nonce}'");
        let forms = match self.forms {
            FormAction::None => "'none'",
            FormAction::Stay => "'self'",
            FormAction::LeadAway => "'self' https: http:",
        };
        let framed_by = framing_sites(self.framed_by);
        let directives = [
            ("default-src", vec![]),
            ("style-src", vec![ours.as_str(), foreign]),
            (
                "script-src",
                if self.script.is_empty() {
                    vec![]
                } else {
                    vec![ours.as_str(), foreign]
                },
            ),
            ("connect-src", vec!["'self'", foreign]),
            ("frame-src", vec![foreign]),
            (
                "img-src",
                vec!["'self'", "data:", self.background.unwrap_or_default(), logo],
            ),
            ("form-action", vec![forms]),
            ("frame-ancestors", vec![framed_by.as_str()]),
            ("base-uri", vec![]),
        ];
        directives
            .map(|(name, sources)| format!("{name} {}", sources_or_none(&sources)))
            .join("; ")
    }
}

/// The style rules of the brand; none where there is none.
fn brand_style(brand: &Brand) -> String {
    if brand.is_empty() {
        return String::new();
    }
    let color = brand.color.map_or_else(String::new, brand::style);
    format!("{}{color}", include_str!("../templates/brand.css"))
}

/// One directive; empty without sources.
fn sources_or_none(sources: &[&str]) -> String {
    let named: Vec<&str> = sources
        .iter()
        .copied()
        .filter(|source| !source.is_empty())
        .collect();
    if named.is_empty() {
        "'none'".to_owned()
    } else {
        named.join(" ")
    }
}

/// The referrer list as `frame-ancestors`. Referrer rules ignore ports, so this does too.
fn framing_sites(rules: &[ReferrerRule]) -> String {
    let mut sites = Vec::new();
    for rule in rules.iter().map(ReferrerRule::to_string) {
        if let Some(host) = rule.strip_prefix('=') {
            sites.push(format!("{host}:*"));
        } else if rule.starts_with("*.") {
            sites.push(format!("{rule}:*"));
        } else {
            sites.push(format!("{rule}:*"));
            // An IP address has no subdomains, and the grammar has no IPv6 addresses.
            if !rule.ends_with(|last: char| last.is_ascii_digit()) {
                sites.push(format!("*.{rule}:*"));
            }
        }
    }
    sites.retain(|site| !site.contains('['));
    if sites.is_empty() {
        "'none'".to_owned()
    } else {
        sites.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casting_core::testing::SeededEntropy;
    use lambda_http::{Body, Request};

    fn visit() -> RequestContext {
        RequestContext::parse(&Request::new(Body::Empty), &SeededEntropy::new(1))
    }

    fn body(reply: &Reply) -> &str {
        std::str::from_utf8(reply.body().as_ref()).expect("text")
    }

    #[test]
    fn branded_page_shows_name_logo_colour_and_links() {
        let brand = Brand {
            name: Some("Acme <Labs>".into()),
            logo: Some("https://acme.example/logo.svg".into()),
            color: brand::Color::parse("#ffd400").ok(),
            links: ["Imprint https://acme.example/imprint"]
                .map(|link| brand::FooterLink::parse(link).expect("a link"))
                .into(),
        };
        let reply = Page::new("Queue", &"<p>Hello</p>").reply(&visit().branded(brand));
        let html = body(&reply);
        for text in [
            "<title>Queue \u{2013} Acme &#60;Labs&#62;</title>",
            "<link rel=\"icon\" href=\"https://acme.example/logo.svg\">",
            "<img src=\"https://acme.example/logo.svg\" alt=\"\" height=\"40\">Acme &#60;Labs&#62;</p>",
            "<a href=\"https://acme.example/imprint\" target=\"_blank\" rel=\"noopener\">Imprint</a>",
            "--accent:#ffd400",
        ] {
            assert!(html.contains(text), "{text}: {html}");
        }
        assert!(!html.contains("class=\"mark\""));
        let policy = reply.headers()[CONTENT_SECURITY_POLICY]
            .to_str()
            .expect("text");
        assert!(
            policy.contains("img-src 'self' data: https://acme.example/logo.svg;"),
            "{policy}"
        );
        assert!(html.len() < 6_000, "{} bytes", html.len());
        let plain = Page::new("Queue", &"").reply(&visit());
        assert!(
            !body(&plain).contains("footer"),
            "nothing of it without a brand"
        );
    }

    #[test]
    fn page_is_small_and_loads_no_external_resources() {
        let reply = Page::new("A title <&>", &"<p>Hello</p>").reply(&visit());
        let html = body(&reply);
        assert!(
            html.contains("<title>A title &#60;&#38;&#62;</title>"),
            "{html}"
        );
        assert!(html.contains("<p>Hello</p>"));
        assert!(html.len() < 6_000, "{} bytes", html.len());
        for foreign in ["http://", "https://", "@import", " style=", "onclick"] {
            assert!(
                !html
                    .replace("http://www.w3.org/2000/svg", "")
                    .contains(foreign),
                "{foreign}"
            );
        }
    }

    #[test]
    fn csp_allows_only_the_page_itself() {
        let reply = Page {
            script: "1",
            forms: FormAction::LeadAway,
            ..Page::new("", &"")
        }
        .reply(&visit());
        let nonce = visit().nonce;
        let policy = reply.headers()["content-security-policy"]
            .to_str()
            .expect("text")
            .replace(&nonce, "N");
        assert_eq!(
            policy,
            "default-src 'none'; style-src 'nonce-N'; script-src 'nonce-N'; connect-src 'self'; frame-src 'none'; \
             img-src 'self' data:; form-action 'self' https: http:; frame-ancestors 'none'; base-uri 'none'"
        );
        assert!(body(&reply).contains(&format!("<script nonce=\"{nonce}\">1</script>")));
        let plain = Page::new("", &"").reply(&visit());
        assert!(
            plain.headers()["content-security-policy"]
                .to_str()
                .expect("text")
                .contains("script-src 'none'")
        );
    }

    #[test]
    fn script_is_sent_without_comments() {
        let page = Page {
            script: "// What it does.\nlet a = 1; // kept\n\n  if (a) {\n    // Inside.\n    \
                     b();\n  }",
            ..Page::new("", &"")
        };
        let reply = page.reply(&visit());
        assert!(body(&reply).contains(">let a = 1; // kept\nif (a) {\nb();\n}</script>"));
    }

    #[test]
    fn csp_allows_named_scripts_and_images() {
        let foreign = ThirdPartyScript {
            script: "https://captcha.example/api.js".into(),
            sources: "https://captcha.example",
        };
        let page = Page {
            script: "1",
            foreign: Some(foreign),
            background: Some("https://pictures.example/a.jpg"),
            ..Page::new("", &"")
        };
        let reply = page.reply(&visit());
        let policy = reply.headers()["content-security-policy"]
            .to_str()
            .expect("text");
        for part in [
            "connect-src 'self' https://captcha.example;",
            "frame-src https://captcha.example;",
            "data: https://pictures.example/a.jpg;",
        ] {
            assert!(policy.contains(part), "{part}: {policy}");
        }
        assert!(body(&reply).contains("src=\"https://captcha.example/api.js\""));
        assert!(body(&reply).contains("url(\"https://pictures.example/a.jpg\")"));
    }

    #[test]
    fn page_has_opengraph_tags() {
        let card = OpenGraph {
            description: "Five <minutes>",
            url: "https://cast.example.com/cast/123abc",
            picture: None,
        };
        let html = |card| {
            body(
                &Page {
                    card,
                    ..Page::new("Try \"it\"", &"")
                }
                .reply(&visit()),
            )
            .to_owned()
        };
        let plain = html(Some(card));
        for line in [
            r#"<meta property="og:title" content="Try &#34;it&#34;">"#,
            r#"<meta property="og:description" content="Five &#60;minutes&#62;">"#,
            r#"<meta property="og:type" content="website">"#,
            r#"<meta property="og:url" content="https://cast.example.com/cast/123abc">"#,
        ] {
            assert!(plain.contains(line), "{line}: {plain}");
        }
        assert!(
            !plain.contains("og:image") && !html(None).contains("og:"),
            "{plain}"
        );
        let pictured = html(Some(OpenGraph {
            picture: Some("https://pictures.example/a.jpg"),
            ..card
        }));
        assert!(
            pictured
                .contains(r#"<meta property="og:image" content="https://pictures.example/a.jpg">"#),
            "{pictured}"
        );
        assert!(
            pictured.contains(r#"content="summary_large_image""#),
            "{pictured}"
        );
    }

    #[test]
    fn csp_lets_listed_referrers_frame_the_page() {
        for (rules, expected) in [
            (&[][..], "'none'"),
            (&["acme.com"], "acme.com:* *.acme.com:*"),
            (&["=acme.com", "*.b.org"], "acme.com:* *.b.org:*"),
            (&["192.0.2.1"], "192.0.2.1:*"),
            (&["http://[::1]/"], "'none'"),
        ] {
            let rules: Vec<_> = rules
                .iter()
                .map(|rule| ReferrerRule::parse(rule).expect(rule))
                .collect();
            assert_eq!(framing_sites(&rules), expected);
        }
    }
}

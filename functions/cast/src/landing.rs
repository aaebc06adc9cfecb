//! Owns the landing page and the description for programs: what is shown of a link before a claim.
//! Must not show internal data of administrators.

use askama::Template;
use casting_core::cast::AnonymousResume;
use casting_core::ids::{Entropy, random_bytes};
use casting_core::policy::LinkParameters;
use casting_core::session::Session;
use casting_core::ticket::LAUNCH_TICKET_SECONDS;
use casting_core::urls;
use casting_core::{ClaimOffer, LandingInfo, NextStep, PublicUrls};
use casting_web::credentials::{SetCookie, browser_cookie};
use casting_web::page::OpenGraph;
use casting_web::words::{self, Words};
use casting_web::{FormAction, Page, Reply, RequestContext, reply};
use http::StatusCode;
use serde::Serialize;

use crate::claim::status_url;
use crate::widget::Widget;

/// The lifetime of the browser cookie, in seconds (30 days: the longest period of a limit).
const BROWSER_SECONDS: u64 = 30 * 86_400;

#[derive(Template)]
#[template(path = "landing.html")]
struct Landing<'a> {
    opened: &'a LandingInfo,
    title: &'a str,
    summary: &'a str,
    parameters: &'a LinkParameters,
    claim: &'a ClaimOffer,
    proof: Option<&'a Widget<'a>>,
    user_name: Option<&'a str>,
    ticket_seconds: u64,
    framed: bool,
    /// Whether a program looks at the page.
    automated: bool,
    /// Whether the link's own error page has led here.
    comes_from_refusal: bool,
    /// The address for reloading the page, if it is not its current one.
    again: Option<String>,
    /// The address that starts another session beside the running one.
    another: String,
    words: Words,
}

/// The page in a frame for visitors who must log in: providers refuse to be framed, and a frame has
/// no cookies of ours.
#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    title: &'a str,
    summary: &'a str,
    url: &'a str,
    words: Words,
}

impl Landing<'_> {
    fn invited(&self, name: &str) -> String {
        self.words.landing().invited(name)
    }

    fn signed_in_as(&self, name: &str) -> String {
        self.words.account().signed_in_as(name)
    }

    /// The link's parameters that the running session does not apply.
    fn not_applied(&self) -> Vec<&'static str> {
        let reasons = self.claim.resumes.iter().flat_map(|own| &own.not_applied);
        reasons
            .map(|reason| words::not_applied(self.words.session(), *reason))
            .collect()
    }

    /// The running session, if the visitor chooses between it and another one.
    fn asks(&self) -> Option<&Session> {
        let own = self.claim.resumes.as_ref().filter(|own| own.asks)?;
        Some(&own.session)
    }

    /// The sentence about it, around the time since when it runs.
    fn open_since(&self) -> (String, String) {
        words::around(|time| self.words.landing().open_since(time))
    }

    /// When that session was claimed; the page's script writes it in the visitor's own time.
    fn since(&self, session: &Session) -> String {
        let text = session.created_at.to_string();
        format!("{} UTC", text.get(11..16).unwrap_or_default())
    }

    /// The text of the button.
    fn action(&self) -> &'static str {
        let words = self.words.landing();
        match (self.claim.opens.is_some(), self.claim.resumes.is_some()) {
            (true, _) => words.agree,
            (false, true) => words.resume,
            (false, false) => words.start,
        }
    }

    /// The text of the button once it was pressed.
    fn busy(&self) -> &'static str {
        let words = self.words.landing();
        match (self.framed, self.claim.resumes.is_some()) {
            (true, _) => words.opened,
            (false, true) => words.resuming,
            (false, false) => words.starting,
        }
    }

    /// Whether the page also starts without a solved CAPTCHA.
    fn may_skip_check(&self) -> bool {
        self.proof.is_some_and(|proof| proof.is_optional)
    }

    /// The login that may give an anonymous visitor more.
    fn sign_in(&self) -> Option<String> {
        let via = self.claim.login.as_ref()?;
        Some(login_path(self.opened, self.parameters, via))
    }

    /// Whether the page submits itself because nothing is required of the visitor. In another
    /// site's frame only a click may start anything.
    fn starts_by_itself(&self) -> bool {
        let takes_last = self.claim.resumes.is_none() && self.opened.cast.starts_on_click();
        let was_refused = self.automated || self.comes_from_refusal;
        let waits = self.framed || was_refused || takes_last || self.asks().is_some();
        let waits = waits || self.sign_in().is_some();
        !waits && self.claim.opens.is_none() && self.proof.is_none_or(Widget::solves_itself)
    }
}

/// The heading: the administrator's title, or the name of the image.
pub(crate) fn title(opened: &LandingInfo) -> &str {
    opened
        .cast
        .settings
        .title
        .as_deref()
        .unwrap_or(&opened.image_name)
}

/// The description of a link, for programs.
#[derive(Serialize)]
struct Description<'a> {
    /// The name of the image.
    name: &'a str,
    /// The administrator's description, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
    /// What a claim must contain besides the ticket: `login`, `captcha`, `consent`.
    needs: Vec<&'static str>,
    /// What may give the visitor more, and is not needed: `login`, `captcha`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    offers: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    captcha: Option<Captcha<'a>>,
    /// The address from the parameters that the session will open; agreeing to it is `consent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    opens: Option<&'a str>,
    /// The visitor's own running session, which the claim resumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    resume: Option<Resume<'a>>,
    /// The parameters that the link takes.
    parameters: Vec<&'static str>,
    /// Roughly how many sessions it still has: `none`, `few` (10 at most), `some` (100 at most),
    /// `many`; left out without a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<&'a str>,
    /// Seconds from now.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket_expires_in: Option<u64>,
    claim_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    login_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<String>,
}

#[derive(Serialize)]
struct Resume<'a> {
    session_id: &'a str,
    state: &'static str,
    status_url: String,
    /// The parameters that will not be applied.
    not_applied: Vec<&'static str>,
}

#[derive(Serialize)]
struct Captcha<'a> {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    site_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<&'a str>,
    /// The action name for the provider.
    action: &'static str,
}

/// The visitor of a link and how they see it.
pub(crate) struct Look<'a> {
    pub(crate) visit: &'a RequestContext,
    pub(crate) urls: &'a PublicUrls,
    pub(crate) parameters: &'a LinkParameters,
    pub(crate) user_name: Option<&'a str>,
    pub(crate) entropy: &'a dyn Entropy,
}

/// The style sheet of the page: what it does not show needs no rules.
fn style_for(claim: &ClaimOffer, proof: Option<&Widget<'_>>, signed_in: bool) -> String {
    let has_box = proof.is_some_and(|proof| proof.class.is_some());
    let parts = [
        (true, include_str!("../templates/landing.css")),
        (
            claim.opens.is_some(),
            include_str!("../templates/consent.css"),
        ),
        (has_box, include_str!("../templates/captcha.css")),
        (signed_in, include_str!("../templates/who.css")),
    ];
    let shown = parts.into_iter().filter(|(shown, _)| *shown);
    shown.map(|(_, part)| part).collect()
}

/// The script of the page, as `build.rs` made it.
const fn script_for(proof: Option<&Widget<'_>>, secure: bool, asks: bool) -> &'static str {
    match proof {
        None if asks => include_str!(concat!(env!("OUT_DIR"), "/landing-time.js")),
        Some(Widget {
            challenge: Some(_), ..
        }) if secure => include_str!(concat!(env!("OUT_DIR"), "/landing-altcha.js")),
        Some(Widget {
            challenge: Some(_), ..
        }) => include_str!(concat!(env!("OUT_DIR"), "/landing-derive.js")),
        Some(proof) if proof.solves_itself() => {
            include_str!(concat!(env!("OUT_DIR"), "/landing-recaptcha.js"))
        }
        _ => include_str!(concat!(env!("OUT_DIR"), "/landing.js")),
    }
}

/// The page, or a redirect to the login.
pub(crate) fn show(opened: &LandingInfo, look: &Look<'_>) -> Reply {
    let settings = &opened.cast.settings;
    let (words, ticket_seconds, framed) =
        (look.visit.words, LAUNCH_TICKET_SECONDS, look.visit.framed);
    let about = if opened.keeps_files {
        words.landing().about_kept_files
    } else {
        words.landing().about
    };
    let (title, summary) = (title(opened), settings.summary.as_deref().unwrap_or(about));
    let claim = match &opened.next {
        NextStep::LogIn { via } if framed && !settings.referrers.is_empty() => {
            let main = SignIn {
                title,
                summary,
                url: &login_path(opened, look.parameters, via),
                words,
            };
            let style = include_str!("../templates/landing.css");
            return Page {
                style,
                framed_by: &settings.referrers,
                ..Page::new(title, &main)
            }
            .reply(look.visit);
        }
        NextStep::LogIn { via } => {
            return reply::see_other(&login_path(opened, look.parameters, via));
        }
        NextStep::Claim(claim) => claim,
    };
    let proof = claim.captcha.as_ref().map(Widget::of);
    let again = claim
        .via
        .as_ref()
        .map(|via| link_path(opened, look.parameters, via));
    let mut pairs = look.parameters.pairs().to_vec();
    pairs.extend([("via", claim.via.as_deref()), ("another", Some("yes"))]);
    let another = urls::cast_with(&settings.key, &pairs);
    let (proof, user_name) = (proof.as_ref(), look.user_name);
    let main = Landing {
        opened,
        title,
        summary,
        parameters: look.parameters,
        claim,
        proof,
        user_name,
        ticket_seconds,
        framed,
        automated: look.visit.automated,
        comes_from_refusal: look.visit.comes_from_refusal(),
        again,
        another,
        words,
    };
    let url = look.urls.absolute(&urls::cast(&settings.key));
    let style = style_for(claim, proof, user_name.is_some());
    let page = Page {
        style: &style,
        script: script_for(proof, look.urls.is_secure(), main.asks().is_some()),
        forms: FormAction::LeadAway,
        framed_by: &settings.referrers,
        background: settings.background_url.as_deref(),
        foreign: proof.and_then(|proof| proof.foreign.clone()),
        card: Some(OpenGraph {
            description: summary,
            url: &url,
            picture: settings.background_url.as_deref(),
        }),
        ..Page::new(title, &main)
    };
    let mut reply = page.reply(look.visit);
    let secure = look.urls.is_secure();
    let counts = settings
        .ip_limit
        .as_ref()
        .is_some_and(|limit| limit.by == casting_core::cast::CountBy::Browser);
    let resumes = settings.anonymous_resume != AnonymousResume::Off && user_name.is_none();
    let by_browser = counts || resumes;
    if by_browser && look.visit.browser(secure).is_none() {
        let value = format!("{:032x}", u128::from_be_bytes(random_bytes(look.entropy)));
        let cookie = SetCookie {
            name: browser_cookie(secure),
            value: &value,
            path: "/",
            max_age: BROWSER_SECONDS,
            secure,
        };
        reply::set_cookie(&mut reply, &cookie);
    }
    reply
}

/// The description of the link for a program.
pub(crate) fn describe(opened: &LandingInfo, look: &Look<'_>) -> Reply {
    let settings = &opened.cast.settings;
    let (claim, via) = match &opened.next {
        NextStep::LogIn { via } => (None, Some(via)),
        NextStep::Claim(claim) => (Some(claim), claim.login.as_ref()),
    };
    let login_url = via.map(|via| {
        let path = login_path(opened, look.parameters, via);
        look.urls.absolute(&path)
    });
    let captcha = claim.and_then(|claim| claim.captcha.as_ref());
    let opens = claim.and_then(|claim| claim.opens.as_deref());
    let resumes = claim.and_then(|claim| claim.resumes.as_ref());
    let is_optional = captcha.is_some_and(|need| need.is_optional);
    let offers = [
        ("login", claim.is_some() && login_url.is_some()),
        ("captcha", is_optional),
    ];
    let needs = [
        ("login", claim.is_none()),
        ("captcha", captcha.is_some() && !is_optional),
        // Without consent, a running session is resumed and opens nothing.
        ("consent", opens.is_some() && resumes.is_none()),
    ];
    let parameters = [
        ("kasm_url", settings.dynamic_kasm_url),
        ("docker_network", settings.dynamic_docker_network),
    ];
    let named = |flags: &[(&'static str, bool)]| {
        flags
            .iter()
            .filter(|(_, on)| *on)
            .map(|(name, _)| *name)
            .collect()
    };
    let description = Description {
        name: &opened.image_name,
        title: settings.title.as_deref(),
        summary: settings.summary.as_deref(),
        needs: named(&needs),
        offers: named(&offers),
        captcha: captcha.map(|need| Captcha {
            kind: need.kind.as_str(),
            site_key: need.site_key.as_deref(),
            challenge: need.challenge.as_deref(),
            action: casting_core::captcha::CAPTCHA_ACTION,
        }),
        opens,
        resume: resumes.map(|own| Resume {
            session_id: own.session.id.as_str(),
            state: own.session.state.as_str(),
            status_url: status_url(look.urls, &own.session.id),
            not_applied: own
                .not_applied
                .iter()
                .map(|reason| reason.as_str())
                .collect(),
        }),
        parameters: named(&parameters),
        remaining: settings
            .limit_total_sessions
            .then(|| opened.cast.counter.amount().as_str()),
        ticket: claim.map(|claim| claim.ticket.as_str()),
        ticket_expires_in: claim.map(|_| LAUNCH_TICKET_SECONDS),
        claim_url: look.urls.absolute(&urls::claims(&settings.key)),
        login_url,
        valid_until: settings.valid_until.map(|until| until.to_string()),
    };
    reply::json(StatusCode::OK, &description)
}

/// The login page, which leads back here with the link's parameters.
fn login_path(opened: &LandingInfo, parameters: &LinkParameters, via: &str) -> String {
    urls::login_to(&link_path(opened, parameters, via))
}

/// The link, with its parameters and the ticket that keeps the referrer.
fn link_path(opened: &LandingInfo, parameters: &LinkParameters, via: &str) -> String {
    let mut pairs = parameters.pairs().to_vec();
    pairs.push(("via", Some(via)));
    urls::cast_with(&opened.cast.settings.key, &pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::tests::{body, urls, visit};
    use casting_core::captcha::CaptchaKind;
    use casting_core::language::Language;
    use casting_core::policy::NotApplied;
    use casting_core::referrer::ReferrerRule;
    use casting_core::testing::{NOON, SeededEntropy, cast, session};
    use casting_core::{CaptchaNeed, Resumable};

    fn opened(captcha: Option<CaptchaKind>, opens: Option<&str>) -> LandingInfo {
        let mut cast = cast(1);
        cast.settings.name = "Internal name".into();
        cast.settings.description = "Internal notes".into();
        let captcha = captcha.map(|kind| CaptchaNeed {
            kind,
            site_key: kind.needs_keys().then(|| "site-key".into()),
            challenge: (!kind.needs_keys()).then(|| r#"{"a":"<b>'"}"#.into()),
            is_optional: false,
        });
        let claim = ClaimOffer {
            ticket: "v1.ticket.signature".into(),
            captcha,
            login: None,
            opens: opens.map(str::to_owned),
            resumes: None,
            via: None,
        };
        LandingInfo {
            cast: cast.into(),
            image_name: "Paint <&> Draw".into(),
            keeps_files: false,
            invited: None,
            next: NextStep::Claim(claim.into()),
        }
    }

    /// The check is optional, and a login gives more.
    fn offer_more(opened: &mut LandingInfo) {
        let NextStep::Claim(claim) = &mut opened.next else {
            return;
        };
        claim.login = Some("v1.via.sig".into());
        if let Some(need) = &mut claim.captcha {
            need.is_optional = true;
        }
    }

    fn looked_at<T>(
        accept: &str,
        parameters: &LinkParameters,
        see: impl FnOnce(&Look<'_>) -> T,
    ) -> T {
        let (visit, urls, entropy) = (visit(accept), urls(), SeededEntropy::new(1));
        see(&Look {
            visit: &visit,
            urls: &urls,
            parameters,
            user_name: None,
            entropy: &entropy,
        })
    }

    fn page(opened: &LandingInfo) -> Reply {
        looked_at("text/html", &LinkParameters::default(), |look| {
            show(opened, look)
        })
    }

    #[test]
    fn landing_page_has_one_button_and_no_admin_data() {
        let reply = page(&opened(None, None));
        let html = body(&reply);
        assert_eq!(reply.status(), 200);
        assert!(
            html.contains("<h1 dir=\"auto\">Paint &#60;&#38;&#62; Draw</h1>"),
            "escaped"
        );
        assert!(html.contains(&format!(
            "method=\"post\" action=\"/cast/{}/claims\"",
            cast(1).settings.key
        )));
        assert!(
            html.contains("name=\"ticket\" value=\"v1.ticket.signature\"")
                && html.contains(" data-auto")
        );
        assert!(!html.contains("Internal"));
        assert!(html.len() < 10_000, "{} bytes", html.len());
        assert_eq!(reply.headers()["cache-control"], "no-store");
        assert!(!reply.headers().contains_key("set-cookie"));
    }

    #[test]
    fn landing_page_is_small_in_every_language() {
        // The proof of work brings its own solver along, so that the page stays one request; the
        // end-to-end suite measures whole pages with their real tickets and challenges.
        for language in Language::ALL {
            for (name, public_url, captcha, opens, user_name) in [
                ("plain", "https://cast.example.com", None, None, Some("Ann")),
                (
                    "proof",
                    "https://cast.example.com",
                    Some(CaptchaKind::Altcha),
                    None,
                    None,
                ),
                (
                    "proof over http",
                    "http://cast.lan",
                    Some(CaptchaKind::Altcha),
                    None,
                    None,
                ),
                (
                    "proof or less",
                    "http://cast.lan",
                    Some(CaptchaKind::Altcha),
                    None,
                    None,
                ),
                (
                    "consent",
                    "https://cast.example.com",
                    None,
                    Some("https://a.example/"),
                    Some("Ann"),
                ),
            ] {
                let mut opened = opened(captcha, opens);
                if name == "proof or less" {
                    offer_more(&mut opened);
                }
                let urls = PublicUrls {
                    public_url: public_url.into(),
                    ..urls()
                };
                let mut visit = visit("text/html");
                visit.words = Words::of(language);
                let reply = show(
                    &opened,
                    &Look {
                        visit: &visit,
                        urls: &urls,
                        parameters: &LinkParameters::default(),
                        user_name,
                        entropy: &SeededEntropy::new(1),
                    },
                );
                let html = body(&reply);
                let words = Words::of(language).landing();
                let is_tiered = name == "proof or less";
                for text in [
                    words.start_unchecked,
                    words.unchecked_less,
                    words.sign_in_more,
                ] {
                    assert_eq!(html.contains(text), is_tiered, "{language:?} {name}");
                }
                assert!(html.contains(words.about), "{language:?} {name}");
                assert!(html.contains(&format!("<html lang=\"{}\"", language.tag())));
                assert_eq!(
                    html.contains(" dir=\"rtl\""),
                    language.is_right_to_left(),
                    "{language:?}"
                );
                assert_eq!(reply.headers()["content-language"], language.tag());
                assert_eq!(reply.headers()["vary"], "accept-language, cookie");
                assert!(html.len() < 9_400, "{language:?} {name}: {}", html.len());
            }
        }
    }

    #[test]
    fn dynamic_url_is_shown_and_disables_auto_submit() {
        let reply = page(&opened(None, Some("https://evil.example/<script>")));
        let html = body(&reply);
        assert!(
            html.contains("https://evil.example/&#60;script&#62;")
                && html.contains("name=\"consent\" value=\"yes\"")
        );
        assert!(!html.contains(" data-auto>") && !html.contains(" data-auto "));
    }

    #[test]
    fn each_captcha_widget_allows_only_its_own_sources() {
        for (kind, expected, source, starts) in [
            (
                CaptchaKind::Altcha,
                "data-challenge='{\"a\":\"&lt;b>&#39;\"}'",
                None,
                true,
            ),
            (
                CaptchaKind::RecaptchaV2,
                "class=\"g-recaptcha captcha\" data-sitekey=\"site-key\"",
                Some("https://www.google.com/recaptcha/"),
                false,
            ),
            (
                CaptchaKind::RecaptchaV3,
                "api.js?render=site-key",
                Some("https://www.gstatic.com/recaptcha/"),
                true,
            ),
            (
                CaptchaKind::Hcaptcha,
                "class=\"h-captcha captcha\"",
                Some("https://hcaptcha.com"),
                false,
            ),
            (
                CaptchaKind::Turnstile,
                "class=\"cf-turnstile captcha\"",
                Some("https://challenges.cloudflare.com"),
                false,
            ),
        ] {
            let reply = page(&opened(Some(kind), None));
            let (html, policy) = (
                body(&reply),
                reply.headers()["content-security-policy"]
                    .to_str()
                    .expect("text"),
            );
            assert!(html.contains(expected), "{kind:?}: {html}");
            assert_eq!(html.contains(" data-auto"), starts, "{kind:?}");
            match source {
                Some(source) => assert!(policy.contains(source), "{kind:?}: {policy}"),
                None => assert!(
                    !policy.contains("https://www") && html.contains("deriveBits"),
                    "{kind:?}"
                ),
            }
        }
    }

    #[test]
    fn login_redirect_keeps_link_parameters() {
        let opened = LandingInfo {
            next: NextStep::LogIn {
                via: "v1.via.sig".into(),
            },
            ..opened(None, None)
        };
        let parameters = LinkParameters {
            kasm_url: Some("https://a.example/?b=c&d".into()),
            invitation: Some("v1".into()),
            ..LinkParameters::default()
        };
        let reply = looked_at("text/html", &parameters, |look| show(&opened, look));
        assert_eq!(reply.status(), 303);
        let location = reply.headers()["location"].to_str().expect("text");
        let to = url::form_urlencoded::parse(
            location
                .strip_prefix("/login?")
                .expect("the login")
                .as_bytes(),
        )
        .next()
        .expect("to")
        .1;
        assert_eq!(
            to,
            format!(
                "/cast/{}?kasm_url=https%3A%2F%2Fa.example%2F%3Fb%3Dc%26d&invitation=v1&via=v1.via.sig",
                cast(1).settings.key
            )
        );
        let described = looked_at("application/json", &parameters, |look| {
            describe(&opened, look)
        });
        assert!(
            body(&described).contains(r#""needs":["login"]"#)
                && !body(&described).contains("\"ticket\"")
        );
    }

    #[test]
    fn describe_lists_what_a_claim_needs() {
        let mut opened = opened(Some(CaptchaKind::Turnstile), Some("https://a.example/"));
        let settings = &mut std::sync::Arc::make_mut(&mut opened.cast).settings;
        settings.valid_until = Some(NOON);
        settings.dynamic_kasm_url = true;
        let described = looked_at("application/json", &LinkParameters::default(), |look| {
            describe(&opened, look)
        });
        insta::assert_snapshot!(body(&described), @r#"{"name":"Paint <&> Draw","needs":["captcha","consent"],"captcha":{"kind":"turnstile","site_key":"site-key","action":"claim"},"opens":"https://a.example/","parameters":["kasm_url"],"ticket":"v1.ticket.signature","ticket_expires_in":300,"claim_url":"https://cast.example.com/cast/wg7ndnwnxuz2qpp6wwvolf64ra/claims","valid_until":"2026-11-23T12:00:00Z"}"#);
    }

    #[test]
    fn landing_page_offers_the_running_session() {
        let resumes = |opens: Option<&str>, not_applied: &[NotApplied]| {
            let mut opened = opened(None, opens);
            if let NextStep::Claim(claim) = &mut opened.next {
                claim.resumes = Some(Resumable {
                    session: session(&cast(1), 1),
                    not_applied: not_applied.to_vec(),
                    asks: false,
                });
            }
            opened
        };
        let id = session(&cast(1), 1).id;
        for (name, opens, not_applied, starts, button, says) in [
            (
                "nothing asked",
                None,
                &[][..],
                true,
                "Go back to your session",
                None,
            ),
            (
                "an address to agree to",
                Some("https://a.example/"),
                &[],
                false,
                "Go back without opening it",
                None,
            ),
            (
                "a bad address",
                None,
                &[NotApplied::UrlInvalid],
                true,
                "Go back to your session",
                Some("kasm-url-invalid"),
            ),
        ] {
            let opened = resumes(opens, not_applied);
            let reply = page(&opened);
            let html = body(&reply);
            assert!(html.contains("Your session of this link is still running."));
            assert!(html.contains(button), "{name}: {html}");
            assert_eq!(html.contains(" data-auto"), starts, "{name}");
            assert_eq!(
                html.matches("name=\"consent\" value=\"yes\"").count(),
                usize::from(opens.is_some()),
                "{name}: only the button that agrees says so"
            );
            assert!(!html.contains("type=\"hidden\" name=\"consent\""), "{name}");
            assert_eq!(
                html.contains("was not opened"),
                says.is_some(),
                "{name}: {html}"
            );
            let parameters = LinkParameters::default();
            let described = looked_at("application/json", &parameters, |look| {
                describe(&opened, look)
            });
            let described: serde_json::Value =
                serde_json::from_str(body(&described)).expect("a document");
            assert_eq!(described["needs"], serde_json::json!([]), "{name}");
            assert_eq!(described["opens"].as_str(), opens, "{name}");
            let resume = serde_json::json!({
                "session_id": id.as_str(),
                "state": "reserved",
                "status_url": format!("https://cast.example.com/session/{id}/status"),
                "not_applied": says.into_iter().collect::<Vec<_>>(),
            });
            assert_eq!(described["resume"], resume, "{name}");
        }
    }

    #[test]
    fn page_offers_to_start_without_the_check() {
        for kind in [CaptchaKind::Altcha, CaptchaKind::Turnstile] {
            let mut opened = opened(Some(kind), None);
            let offered = "formnovalidate";
            let must = page(&opened);
            let must = body(&must);
            assert!(
                !must.contains(offered) && must.contains("<noscript>"),
                "{must}"
            );
            offer_more(&mut opened);
            let may = page(&opened);
            let may = body(&may);
            assert!(
                may.contains(offered) && !may.contains("<noscript>"),
                "{may}"
            );
            assert!(may.contains("href=\"/login?to="), "{may}");
            assert!(!may.contains(" data-auto"), "the visitor chooses: {may}");
            let described = looked_at("application/json", &LinkParameters::default(), |look| {
                describe(&opened, look)
            });
            let described: serde_json::Value =
                serde_json::from_str(body(&described)).expect("a document");
            assert_eq!(described["needs"], serde_json::json!([]));
            assert_eq!(described["offers"], serde_json::json!(["login", "captcha"]));
            assert!(described["login_url"].is_string() && described["ticket"].is_string());
        }
    }

    #[test]
    fn last_place_is_taken_by_a_click() {
        use casting_core::cast::{Counter, StartOnClick};
        for (setting, limited, remaining, starts) in [
            (StartOnClick::Auto, false, 0, true),
            (StartOnClick::Auto, true, 2, true),
            (StartOnClick::Auto, true, 1, false),
            (StartOnClick::Never, true, 1, true),
            (StartOnClick::Always, false, 0, false),
        ] {
            let mut opened = opened(None, None);
            let cast = std::sync::Arc::make_mut(&mut opened.cast);
            cast.settings.start_on_click = setting;
            cast.settings.limit_total_sessions = limited;
            cast.counter = Counter::new(remaining);
            let html = page(&opened);
            let found = body(&html).contains(" data-auto");
            assert_eq!(found, starts, "{setting:?} {limited} {remaining}");
        }
    }

    #[test]
    fn programs_and_circles_get_the_page_and_start_nothing() {
        let person = "Mozilla/5.0 Chrome/140.0";
        for (address, agent, starts) in [
            ("/cast/123abc", person, true),
            ("/cast/123abc", "Mozilla/5.0 HeadlessChrome/140.0", false),
            ("/cast/123abc?error=ip-limit&ref=k3f7-2mqa", person, false),
            ("/cast/123abc?error=1&ref=newsletter", person, true),
        ] {
            let request = http::Request::builder()
                .uri(address)
                .header("user-agent", agent)
                .body(casting_web::Body::Empty);
            let entropy = SeededEntropy::new(1);
            let look = Look {
                visit: &RequestContext::parse(&request.expect("a request"), &entropy),
                urls: &urls(),
                parameters: &LinkParameters::default(),
                user_name: None,
                entropy: &entropy,
            };
            let reply = show(&opened(None, None), &look);
            assert_eq!(reply.status(), 200);
            let html = body(&reply);
            assert!(html.contains("id=\"start\""), "{html}");
            assert_eq!(html.contains(" data-auto"), starts, "{address} {agent}");
        }
    }

    #[test]
    fn plain_http_page_derives_keys_itself() {
        let plain = PublicUrls {
            public_url: "http://cast.lan".into(),
            ..urls()
        };
        for (urls, derives) in [(urls(), false), (plain, true)] {
            let (visit, entropy) = (visit("text/html"), SeededEntropy::new(1));
            let look = Look {
                visit: &visit,
                urls: &urls,
                parameters: &LinkParameters::default(),
                user_name: None,
                entropy: &entropy,
            };
            let reply = show(&opened(Some(CaptchaKind::Altcha), None), &look);
            assert_eq!(body(&reply).contains("2**32"), derives);
        }
    }

    #[test]
    fn landing_page_asks_before_it_goes_back() {
        let mut opened = opened(None, None);
        if let NextStep::Claim(claim) = &mut opened.next {
            claim.resumes = Some(Resumable {
                session: session(&cast(1), 1),
                not_applied: Vec::new(),
                asks: true,
            });
        }
        let reply = page(&opened);
        let html = body(&reply);
        let another = format!(
            "href=\"/cast/{}?another=yes\">Start another</a>",
            cast(1).settings.key
        );
        for text in [
            "You have one open since <time datetime=\"2026-11-23T12:00:00Z\">12:00 UTC</time>",
            "Go back to your session",
            &another,
        ] {
            assert!(html.contains(text), "{text}: {html}");
        }
        assert!(!html.contains(" data-auto"), "{html}");
        assert!(html.len() < 10_000, "{} bytes", html.len());
    }

    #[test]
    fn only_listed_referrers_may_frame_the_page() {
        let mut opened = opened(None, None);
        let policy = |opened: &LandingInfo| {
            page(opened).headers()["content-security-policy"]
                .to_str()
                .map(str::to_owned)
        };
        assert!(
            policy(&opened)
                .expect("text")
                .contains("frame-ancestors 'none'")
        );
        std::sync::Arc::make_mut(&mut opened.cast)
            .settings
            .referrers = vec![ReferrerRule::parse("=acme.com").expect("a rule")];
        assert!(
            policy(&opened)
                .expect("text")
                .contains("frame-ancestors acme.com:*;")
        );
    }

    #[test]
    fn framed_page_opens_claim_and_login_in_a_new_window() {
        let mut opened = opened(Some(CaptchaKind::Altcha), None);
        std::sync::Arc::make_mut(&mut opened.cast)
            .settings
            .referrers = vec![ReferrerRule::parse("=acme.com").expect("a rule")];
        let request = http::Request::builder()
            .header("sec-fetch-dest", "iframe")
            .body(casting_web::Body::Empty)
            .expect("a request");
        let (visit, urls, entropy) = (
            RequestContext::parse(&request, &SeededEntropy::new(1)),
            urls(),
            SeededEntropy::new(1),
        );
        let look = Look {
            visit: &visit,
            urls: &urls,
            parameters: &LinkParameters::default(),
            user_name: None,
            entropy: &entropy,
        };
        let reply = show(&opened, &look);
        let html = body(&reply);
        assert!(
            html.contains(" target=\"_blank\" rel=\"noopener\"")
                && html.contains("It opens in a window of its own."),
            "{html}"
        );
        assert!(
            !html.contains(" data-auto") && !html.contains("_top") && !html.contains("data-again"),
            "{html}"
        );
        if let NextStep::Claim(claim) = &mut opened.next {
            claim.via = Some("v1.via".into());
        }
        let again = format!(
            " data-again=\"/cast/{}?via=v1.via\"",
            opened.cast.settings.key
        );
        assert!(
            body(&show(&opened, &look)).contains(&again),
            "browsers forget where a page that loads itself was opened from"
        );

        opened.next = NextStep::LogIn {
            via: "v1.via".into(),
        };
        let reply = show(&opened, &look);
        assert_eq!(reply.status(), 200);
        assert!(
            body(&reply).contains(" target=\"_blank\" rel=\"noopener\" href=\"/login?to="),
            "{}",
            body(&reply)
        );
        assert!(
            reply.headers()["content-security-policy"]
                .to_str()
                .expect("text")
                .contains("frame-ancestors acme.com:*;")
        );
        std::sync::Arc::make_mut(&mut opened.cast)
            .settings
            .referrers
            .clear();
        assert_eq!(
            show(&opened, &look).status(),
            303,
            "nobody may frame it anyway"
        );
    }

    #[test]
    fn landing_page_says_what_is_kept() {
        for (keeps_files, said, unsaid) in [
            (false, "Everything in it is deleted", "Your files are kept"),
            (true, "Your files are kept", "Everything in it is deleted"),
        ] {
            let opened = LandingInfo {
                keeps_files,
                ..opened(None, None)
            };
            let html = page(&opened);
            let html = body(&html);
            assert!(html.contains(said) && !html.contains(unsaid), "{html}");
        }
    }

    #[test]
    fn link_description_is_shown_and_in_opengraph_tags() {
        let mut opened = opened(None, None);
        let settings = &mut std::sync::Arc::make_mut(&mut opened.cast).settings;
        settings.title = Some("Try <it>".into());
        settings.summary = Some("Five minutes.".into());
        settings.background_url = Some("https://pictures.example/a.jpg".into());
        let reply = page(&opened);
        for text in [
            "<h1 dir=\"auto\">Try &#60;it&#62;</h1>",
            "<p class=\"soft\">Five minutes.</p>",
            "<meta property=\"og:title\" content=\"Try &#60;it&#62;\">",
            "<meta property=\"og:description\" content=\"Five minutes.\">",
            "<meta property=\"og:image\" content=\"https://pictures.example/a.jpg\">",
        ] {
            assert!(body(&reply).contains(text), "{text}: {}", body(&reply));
        }
        assert!(
            !body(&reply).contains("Internal"),
            "the administrators' name and notes are passed on to nobody"
        );
        let described = looked_at("application/json", &LinkParameters::default(), |look| {
            describe(&opened, look)
        });
        assert!(
            body(&described).contains(r#""title":"Try <it>","summary":"Five minutes.""#),
            "{}",
            body(&described)
        );
    }

    #[test]
    fn browser_cookie_is_set_only_when_counting_browsers() {
        let mut opened = opened(None, None);
        let limit = casting_core::cast::IpLimit {
            sessions: 1,
            within_seconds: 60,
            by: casting_core::cast::CountBy::Browser,
            exempt: Vec::new(),
        };
        std::sync::Arc::make_mut(&mut opened.cast).settings.ip_limit = Some(limit);
        let reply = page(&opened);
        let cookie = reply.headers()["set-cookie"].to_str().expect("text");
        assert!(
            cookie.starts_with("__Host-cast-browser=")
                && cookie.contains("; Path=/;")
                && cookie.ends_with("; Secure"),
            "{cookie}"
        );
    }
}

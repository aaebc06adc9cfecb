//! Owns the page for a problem: what happened, and what the visitor can do now. Must not know why
//! it happened, nor which steps belong to which problem (`recovery`).

use std::fmt::Write as _;

use askama::Template;
use casting_core::Help;
use casting_core::referrer::ReferrerRule;
use casting_core::urls;
use url::form_urlencoded;

use crate::credentials::login_cookie;
use crate::page::{FormAction, Page};
use crate::problem::Problem;
use crate::recovery::{Recovery, recoveries};
use crate::reply::Reply;
use crate::request_context::RequestContext;
use crate::words;

/// The longest wait after which the page opens the link by itself, in seconds (a day).
const LONGEST_BY_ITSELF_SECONDS: u64 = 86_400;

#[derive(Template)]
#[template(path = "problem.html")]
struct Main<'a> {
    title: &'static str,
    sentence: &'a str,
    link: Option<&'a str>,
    wait: Option<Wait>,
    /// Whether the page opens the link after the wait.
    by_itself: bool,
    buttons: Vec<Button>,
    contact: Option<&'a str>,
    contact_href: Option<String>,
    reference: Option<&'a str>,
    framed: bool,
    words: &'static words::Help,
}

/// A button: it leads to an address, or ends a session and leads on to the link.
struct Button {
    text: &'static str,
    to: String,
    /// The link that is opened after a session was ended; `None` for a plain link.
    ends: Option<String>,
}

/// A sentence about the wait, around the time that counts down.
struct Wait {
    seconds: u64,
    before: String,
    text: String,
    after: String,
}

/// The page for a problem, with its status; these sites may frame it.
pub fn reply(
    problem: &Problem,
    visit: &RequestContext,
    framed_by: &[ReferrerRule],
    help: &Help,
) -> Reply {
    let (words, help_words) = (visit.words, visit.words.help());
    let (title, sentence) = words::problem(words, problem.code);
    let detail = words::detail(words, problem);
    let link = help.link.as_deref();
    let steps = recoveries(problem.code);
    let own_ends = help.own.as_ref().is_some_and(|own| own.is_ending);
    let by_itself = link.is_some()
        && problem
            .retry_after
            .is_some_and(|wait| wait <= LONGEST_BY_ITSELF_SECONDS);
    // A text of its own says the time already.
    let says_wait = by_itself || detail.is_none();
    let wait = problem.retry_after.filter(|_| says_wait).map(|seconds| {
        let (before, after) = words::around(|time| {
            if by_itself {
                help_words.tries_again_in(time)
            } else {
                help_words.try_again_in(time)
            }
        });
        Wait {
            seconds,
            before,
            text: help_words.wait(seconds),
            after,
        }
    });
    let reference = problem
        .reference
        .as_ref()
        .map(casting_core::ids::Reference::as_str);
    let contact = help
        .contact
        .as_deref()
        .filter(|_| steps.contains(&Recovery::Ask));
    let main = Main {
        title,
        sentence: if own_ends {
            help_words.own_ends
        } else {
            detail.as_deref().unwrap_or(sentence)
        },
        link,
        by_itself,
        buttons: buttons(steps, help, visit),
        contact,
        contact_href: contact.and_then(|contact| contact_href(contact, reference)),
        reference,
        framed: visit.framed,
        words: help_words,
        wait,
    };
    let refresh = problem.retry_after.filter(|_| by_itself);
    let mut reply = Page {
        status: problem.code.status(),
        framed_by,
        style: include_str!("../templates/problem.css"),
        script: if link.is_some() || reference.is_some() {
            include_str!("../templates/problem.js")
        } else {
            ""
        },
        refresh: refresh.and_then(|wait| u32::try_from(wait).ok()),
        refresh_to: link,
        forms: if main.buttons.iter().any(|button| button.ends.is_some()) {
            FormAction::LeadAway
        } else {
            FormAction::None
        },
        ..Page::new(title, &main)
    }
    .reply(visit);
    problem.set_headers(&mut reply);
    reply
}

/// The buttons of those steps that are possible.
fn buttons(steps: &[Recovery], help: &Help, visit: &RequestContext) -> Vec<Button> {
    let (words, link) = (visit.words.help(), help.link.as_deref());
    let own = help.own.as_ref().filter(|own| !own.is_ending);
    let leads = |text, to: String| Button {
        text,
        to,
        ends: None,
    };
    let button = |step: &Recovery| match step {
        Recovery::Retry => Some(leads(words.try_again, link?.to_owned())),
        Recovery::OpenLink => Some(leads(words.open_link, link?.to_owned())),
        Recovery::OpenPlain => Some(leads(words.open_plain, without_parameters(link?))),
        Recovery::LogIn => {
            let to = link.unwrap_or(urls::ACCOUNT);
            Some(leads(visit.words.account().sign_in, urls::login_to(to)))
        }
        Recovery::LogInIfItHelps => {
            let to = link.filter(|_| help.login_may_help)?;
            Some(leads(visit.words.account().sign_in, urls::login_to(to)))
        }
        Recovery::Sessions => {
            let signed_in = [true, false]
                .into_iter()
                .any(|secure| visit.cookie(login_cookie(secure)).is_some());
            signed_in.then(|| leads(words.sessions, urls::ACCOUNT.to_owned()))
        }
        Recovery::OwnSession => Some(leads(words.own_session, urls::session(&own?.id))),
        Recovery::EndOwn => Some(Button {
            text: words.end_own,
            to: urls::end_session(&own?.id),
            ends: Some(link?.to_owned()),
        }),
        Recovery::Start => Some(leads(words.start, "/".to_owned())),
        Recovery::Ask | Recovery::Correct => None,
    };
    let mut buttons: Vec<Button> = steps.iter().filter_map(button).collect();
    // Nobody is left without a way on.
    if buttons.is_empty() && !steps.contains(&Recovery::Correct) {
        buttons.extend(button(&Recovery::Start));
    }
    buttons
}

/// The link without the parameters that a visitor can set; the ticket that keeps the referrer
/// stays.
fn without_parameters(link: &str) -> String {
    let (path, query) = link.split_once('?').unwrap_or((link, ""));
    let kept = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "via");
    match kept {
        Some((_, via)) => format!("{path}?via={via}"),
        None => path.to_owned(),
    }
}

/// Where a contact leads: a mail with the reference as its subject, or a page; `None` for a few
/// words.
fn contact_href(contact: &str, reference: Option<&str>) -> Option<String> {
    let is_plain = contact.bytes().all(|byte| byte.is_ascii_graphic());
    if is_plain && contact.starts_with("https://") {
        return url::Url::parse(contact).ok().map(String::from);
    }
    let (name, host) = contact.split_once('@')?;
    let is_mail = is_plain
        && !name.is_empty()
        && !host.is_empty()
        && !contact.contains(['?', '&', '%', ':', '/', '<', '>', '"', ',']);
    is_mail.then(|| {
        let mut href = format!("mailto:{contact}");
        if let Some(reference) = reference {
            // Letters, digits and hyphens.
            let _ = write!(href, "?subject={reference}");
        }
        href
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::RequestError;
    use casting_core::OwnSession;
    use casting_core::denial::{Denial, DenialCode};
    use casting_core::ids::{Reference, SessionId};
    use casting_core::testing::SeededEntropy;
    use lambda_http::{Body, Request};

    fn visit(cookie: &str) -> RequestContext {
        let request = http::Request::builder()
            .header("cookie", cookie)
            .body(Body::Empty);
        RequestContext::parse(&request.expect("a request"), &SeededEntropy::new(1))
    }

    fn body(reply: &Reply) -> &str {
        std::str::from_utf8(reply.body().as_ref()).expect("text")
    }

    fn page(denial: Denial, help: &Help) -> String {
        let problem = Problem::denied(denial, Reference::parse("k3f7-2mqa"));
        let reply = reply(&problem, &visit(""), &[], help);
        assert!(body(&reply).len() < 10_000, "{}", body(&reply).len());
        body(&reply).to_owned()
    }

    fn link(link: &str) -> Help {
        Help {
            link: Some(link.into()),
            ..Help::default()
        }
    }

    #[test]
    fn problem_page_shows_reference_and_wait() {
        let known = Problem::denied(
            Denial::retry(DenialCode::IpLimit, 42),
            Reference::parse("k3f7-2mqa"),
        );
        let shown = reply(&known, &visit(""), &[], &Help::default());
        let status = shown.status().as_u16();
        assert_eq!(
            (status, &shown.headers()["retry-after"]),
            (429, &"42".parse().expect("42"))
        );
        for text in [
            "Too many sessions from your network",
            "<dd id=\"reference\">k3f7-2mqa</dd>",
            "You can try again in <span id=\"left\">42 seconds</span>.",
            "Quote this reference",
        ] {
            assert!(body(&shown).contains(text), "{text}: {}", body(&shown));
        }
        assert!(!body(&shown).contains("refresh"), "no link is known");
        let problem = Problem::new(RequestError::NotFound);
        let shown = reply(&problem, &visit(""), &[], &Help::default());
        assert_eq!(shown.status(), 404);
        assert!(!body(&shown).contains("Reference") && !body(&shown).contains("try again in"));
        assert!(body(&shown).contains("href=\"/\">Start page</a>"));
    }

    #[test]
    fn words_of_others_are_quoted_in_every_language() {
        for (name, denial, language, said) in [
            (
                "ban",
                Denial::quoting(DenialCode::AddressDenied, "No.", "Host & Co"),
                "de",
                "Anfragen von Host &#38; Co sind nicht erlaubt.",
            ),
            (
                "provider",
                Denial::quoting(DenialCode::LoginFailed, "No.", "ask <IT>"),
                "fr",
                "\u{ab} ask &#60;IT&#62; \u{bb}",
            ),
            (
                "maintenance",
                Denial::quoting(DenialCode::Maintenance, "Back <soon>", "Back <soon>"),
                "ja",
                "Back &#60;soon&#62;",
            ),
            (
                "English detail",
                Denial::because(DenialCode::CastClosed, "It opens on Monday."),
                "de",
                "Er ist nur zu bestimmten Zeiten ge\u{f6}ffnet.",
            ),
            (
                "English",
                Denial::quoting(DenialCode::LoginFailed, "They say no.", "no"),
                "en",
                "They say no.",
            ),
        ] {
            let visit = visit("").speaking(casting_core::language::Language::parse(language));
            let shown = reply(
                &Problem::denied(denial, None),
                &visit,
                &[],
                &Help::default(),
            );
            assert!(body(&shown).contains(said), "{name}: {}", body(&shown));
        }
    }

    #[test]
    fn page_tries_again_by_itself_where_waiting_helps() {
        let refresh = "<noscript><meta http-equiv=\"refresh\" content=\"42;url=/cast/my-first\">";
        let day = 86_400;
        for (name, denial, help, by_itself) in [
            (
                "a limit",
                Denial::retry(DenialCode::IpLimit, 42),
                link("/cast/my-first"),
                true,
            ),
            (
                "no link",
                Denial::retry(DenialCode::IpLimit, 42),
                Help::default(),
                false,
            ),
            (
                "more than a day",
                Denial::retry(DenialCode::IpLimit, day + 1),
                link("/cast/my-first"),
                false,
            ),
            (
                "no wait",
                Denial::new(DenialCode::Busy),
                link("/cast/my-first"),
                false,
            ),
        ] {
            let html = page(denial, &help);
            assert_eq!(html.contains(refresh), by_itself, "{name}: {html}");
            assert_eq!(html.contains("data-wait=\"42\""), by_itself, "{name}");
            assert_eq!(
                html.contains("tries again by itself in"),
                by_itself,
                "{name}"
            );
        }
    }

    #[test]
    fn each_step_has_its_button() {
        let to = "/cast/my-first?kasm_url=https%3A%2F%2Fa.example%2F&via=v1.x.y";
        for (code, text, href) in [
            (
                DenialCode::IpLimit,
                "Try again now",
                to.replace('&', "&#38;"),
            ),
            (
                DenialCode::StartFailed,
                "Open the link again",
                to.replace('&', "&#38;"),
            ),
            (
                DenialCode::ParameterInvalid,
                "Open the link without it",
                "/cast/my-first?via=v1.x.y".into(),
            ),
            (
                DenialCode::LoginFailed,
                "Sign in",
                "/login?to=%2Fcast%2Fmy-first%3Fkasm_url%3Dhttps%253A%252F%252Fa.example%252F\
                 %26via%3Dv1.x.y"
                    .into(),
            ),
        ] {
            let html = page(Denial::new(code), &link(to));
            let button = format!("<a class=\"button wide\" href=\"{href}\">{text}</a>");
            assert!(html.contains(&button), "{code}: {button}: {html}");
        }
    }

    #[test]
    fn every_page_has_a_way_on_though_nothing_is_known() {
        let denials = DenialCode::ALL.into_iter().map(crate::code::Code::Denial);
        let errors = RequestError::ALL.iter().copied();
        for code in denials.chain(errors.map(crate::code::Code::RequestError)) {
            let shown = reply(&Problem::new(code), &visit(""), &[], &Help::default());
            let offers = body(&shown).contains("<a class=\"button wide\" href=\"");
            let is_of_programs = recoveries(code) == [Recovery::Correct];
            assert_ne!(offers, is_of_programs, "{}", code.as_str());
        }
    }

    #[test]
    fn own_session_in_the_way_is_entered_or_ended() {
        let id = SessionId::from_bytes([7; 16]);
        let busy = |is_ending| {
            let help = Help {
                own: Some(OwnSession {
                    id: id.clone(),
                    is_ending,
                }),
                ..link("/cast/my-first")
            };
            let denial = Denial {
                retry_after: is_ending.then_some(5),
                ..Denial::new(DenialCode::ProfileBusy)
            };
            page(denial, &help)
        };
        let html = busy(false);
        for text in [
            format!("<a class=\"button wide\" href=\"/session/{id}\">Go to that session</a>"),
            format!("<form method=\"post\" action=\"/session/{id}/end\">"),
            "<input type=\"hidden\" name=\"to\" value=\"/cast/my-first\">".into(),
        ] {
            assert!(html.contains(&text), "{text}: {html}");
        }
        let html = busy(true);
        assert!(
            html.contains("your files are being saved") && html.contains("data-wait=\"5\""),
            "{html}"
        );
        assert!(
            !html.contains("/end\"") && !html.contains("Go to that"),
            "{html}"
        );
    }

    #[test]
    fn own_sessions_are_offered_to_users_only() {
        let problem = Problem::new(DenialCode::UserLimit);
        for (cookie, offered) in [
            ("", false),
            ("cast-login=v1.x.y", true),
            ("__Host-cast-login=v1.x.y", true),
        ] {
            let reply = reply(&problem, &visit(cookie), &[], &Help::default());
            assert_eq!(
                body(&reply).contains("href=\"/login/me\""),
                offered,
                "{cookie}"
            );
        }
    }

    #[test]
    fn contact_is_a_mail_a_page_or_words() {
        for (contact, href) in [
            (
                "help@example.com",
                Some("mailto:help@example.com?subject=k3f7-2mqa"),
            ),
            ("https://example.com/help", Some("https://example.com/help")),
            ("http://example.com/help", None),
            ("javascript:alert(1)", None),
            ("help@example.com?bcc=x@example.org", None),
            ("the front desk, room 2", None),
            ("call 0800 @ desk", None),
            ("@", None),
        ] {
            assert_eq!(
                contact_href(contact, Some("k3f7-2mqa")).as_deref(),
                href,
                "{contact}"
            );
        }
        let asked = |code| {
            page(
                Denial::new(code),
                &Help {
                    contact: Some("<b>Desk</b>".into()),
                    ..Help::default()
                },
            )
        };
        assert!(
            asked(DenialCode::CastExpired).contains("ask <bdi>&#60;b&#62;Desk&#60;/b&#62;</bdi>")
        );
        assert!(
            !asked(DenialCode::IpLimit).contains("Desk"),
            "waiting is enough"
        );
    }

    #[test]
    fn problem_page_fits_a_request_without_cookies() {
        let visit = RequestContext::parse(&Request::new(Body::Empty), &SeededEntropy::new(1));
        let shown = reply(
            &Problem::new(DenialCode::Fault),
            &visit,
            &[],
            &Help::default(),
        );
        assert_eq!(shown.status(), 500);
    }
}

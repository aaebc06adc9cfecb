//! Owns what surrounds every page of the console: navigation, heading, what has just been done,
//! style, script, and the headers. Must not know what the pages say.

use std::sync::LazyLock;

use askama::Template;
use casting_web::{Reply, reply};
use http::header::CONTENT_SECURITY_POLICY;
use http::{HeaderValue, StatusCode};

use super::help;
use super::page_context::PageContext;
use super::paths;
use super::table::{ActionButton, Table};

/// A list as a file.
#[derive(Debug)]
pub struct Saved {
    /// What it is called.
    pub name: String,
    /// Its type.
    pub kind: &'static str,
    /// What is in it.
    pub content: String,
}

/// A page: what stands inside the frame.
#[derive(Debug)]
pub struct Screen {
    /// The status it is answered with.
    pub status: StatusCode,
    /// The heading, and the beginning of the document's title.
    pub title: String,
    /// A line under the heading; may be empty.
    pub lead: String,
    /// The way here, from the outside in: words and addresses.
    pub trail: Vec<(String, String)>,
    /// Which part of the navigation it belongs to.
    pub place: Place,
    /// What can be done here.
    pub acts: Vec<ActionButton>,
    /// What stands beside the heading, such as a state; rendered.
    pub title_badge: String,
    /// The content; rendered.
    pub main: String,
    /// The part that the page's script polls; rendered, and in `main` too.
    pub live: String,
    /// The file that was asked for in place of the page.
    pub saved: Option<Saved>,
    /// Origins besides ours to which the answer to a form may lead.
    pub forms_lead_to: Vec<String>,
}

impl Screen {
    /// A page with this content.
    pub fn new(place: Place, title: impl Into<String>, main: String) -> Self {
        Self {
            status: StatusCode::OK,
            title: title.into(),
            lead: String::new(),
            trail: Vec::new(),
            place,
            acts: Vec::new(),
            title_badge: String::new(),
            main,
            live: String::new(),
            saved: None,
            forms_lead_to: Vec::new(),
        }
    }

    /// A page that is this list.
    pub fn list(place: Place, title: impl Into<String>, table: &Table) -> Self {
        let (main, live) = table.html();
        Self {
            live,
            saved: table.saved(),
            ..Self::new(place, title, main)
        }
    }
}

/// The parts of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Everything at a glance.
    Overview,
    /// Links.
    Casts,
    /// Who came, and who was turned away.
    Claims,
    /// What runs.
    Sessions,
    /// What is started.
    Images,
    /// What is started ahead.
    Staging,
    /// Where it is started.
    Networks,
    /// Who may do what.
    Groups,
    /// Who has been here.
    Users,
    /// The deployment's settings.
    Settings,
    /// Programs.
    ApiKeys,
    /// Who changed what.
    Audit,
    /// None of them.
    Elsewhere,
}

/// One entry of the navigation: place, words, address, picture.
type Entry = (Place, &'static str, &'static str, &'static str);

/// The navigation: groups of entries.
const NAVIGATION: [(&str, &[Entry]); 3] = [
    (
        "Casting",
        &[
            (Place::Overview, "Overview", paths::DASHBOARD, "home"),
            (Place::Casts, "Casts", paths::CASTS, "cast"),
            (Place::Claims, "Claims", paths::CLAIMS, "claims"),
            (Place::Sessions, "Sessions", paths::SESSIONS, "live"),
        ],
    ),
    (
        "Resources",
        &[
            (Place::Images, "Images", paths::IMAGES, "image"),
            (Place::Staging, "Staging", paths::STAGING, "stage"),
            (Place::Networks, "Networks", paths::NETWORKS, "network"),
            (Place::Groups, "Groups", paths::GROUPS, "group"),
            (Place::Users, "Users", paths::USERS, "user"),
        ],
    ),
    (
        "Deployment",
        &[
            (Place::Settings, "Settings", paths::SETTINGS, "settings"),
            (Place::ApiKeys, "API keys", paths::API_KEYS, "key"),
            (Place::Audit, "Audit log", paths::AUDIT, "audit"),
        ],
    ),
];

/// How the navigation calls a place, and where it is.
pub fn entry_of(place: Place) -> Option<(&'static str, &'static str)> {
    let entries = NAVIGATION.iter().flat_map(|(_, entries)| entries.iter());
    entries
        .into_iter()
        .find(|(found, ..)| *found == place)
        .map(|(_, words, href, _)| (*words, *href))
}

/// What the navigation calls its places, and where they are.
pub fn entries() -> impl Iterator<Item = (&'static str, &'static str)> {
    let entries = NAVIGATION.iter().flat_map(|(_, entries)| entries.iter());
    entries.map(|(_, words, href, _)| (*words, *href))
}

const STYLE: &str = include_str!("../../templates/console/console.css");
/// The script without its comments and indentation; no text in it spans lines.
static SCRIPT: LazyLock<String> = LazyLock::new(|| {
    let lines = include_str!("../../templates/console/console.js").lines();
    let lines = lines
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
});

#[derive(Template)]
#[template(path = "console/shell.html")]
struct Shell<'a> {
    context: &'a PageContext,
    screen: &'a Screen,
}

impl Shell<'_> {
    /// Where the manual of this part of the console is.
    fn help(&self) -> String {
        paths::help(help::of(self.screen.place))
    }

    fn has_navigation(&self) -> bool {
        self.context.user.is_some()
    }
}

/// The whole document.
pub fn html(context: &PageContext, screen: &Screen) -> Result<String, askama::Error> {
    Shell { context, screen }.render()
}

/// The page as an answer.
pub fn answer(context: &PageContext, screen: &Screen) -> Reply {
    let html = match html(context, screen) {
        Ok(html) => html,
        Err(error) => {
            tracing::error!(%error, "The page \u{201c}{}\u{201d} could not be written", screen.title);
            return reply::empty(StatusCode::INTERNAL_SERVER_ERROR);
        }
    };
    let mut reply = reply::text(screen.status, "text/html; charset=utf-8", html);
    // Made of our own words and hex digits; if it cannot stand in a header, the strictest policy
    // stays.
    if let Ok(policy) = HeaderValue::from_str(&policy(&context.nonce, &screen.forms_lead_to)) {
        reply.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    reply
}

/// The content security policy: no resources from other origins, no foreign scripts, no framing.
/// Browsers hold a redirect that answers a form against the policy too, so where one leads
/// elsewhere, the page names it.
fn policy(nonce: &str, forms_lead_to: &[String]) -> String {
    let forms: String = forms_lead_to
        .iter()
        .map(|origin| format!(" {origin}"))
        .collect();
    format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; img-src 'self' data:; \
         form-action 'self'{forms}; frame-ancestors 'none'; base-uri 'none'"
    )
}

//! Owns what all routes of the console share: the user, the form data, the flash message. Must not
//! know what the operations do.
//!
//! A valid form changes something and redirects (303); an invalid one is shown again with all input
//! (422).

mod casts;
mod claims;
mod find;
mod hooks;
mod invitations;
mod people;
mod profiles;
mod records;
mod sessions;
mod stale;
mod table;

use casting_core::ControlPlane;
use casting_core::actor::Scope;
use casting_core::form::{FieldError, Warning};
use casting_core::group::Group;
use casting_core::ids::{Nonce, random_bytes};
use casting_core::image::Image;
use casting_core::keys::hash_secret;
use casting_core::network::Network;
use casting_core::record::Record;
use casting_core::resource::{OptionSource, Resource};
use casting_core::urls;
use casting_web::credentials::SetCookie;
use casting_web::{Code, Problem, Reply, Request, RequestContext, RequestError, reply};
use futures_util::future::try_join_all;
use futures_util::try_join;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use self::table::Handler;
pub(crate) use self::table::{CONSOLE_ROUTER, CONSOLE_ROUTES};
use super::error_page;
use super::form::{self, Choices, FormMessages};
use super::form_parser::FormData;
use super::help;
use super::layout::{self, Place, Screen};
use super::page_context::{CurrentUser, Flash, PageContext, Severity};
use super::paths;
use super::sign_in::{self as sign_in_form, SignIn};
use super::table::View;
use super::time_zone;
use super::zone::{self, Zone};
use crate::api::paging;
use crate::console_auth::{self, ConsoleSession};
use crate::file;
use casting_core::admin::audits::AuditsAsked;
use casting_core::admin::error::AdminError;
use casting_core::admin::version::Precondition;
use casting_core::admin::{AdminService, audits};
use casting_web::HandlerError;

/// The cookie that carries the flash message to the next page.
const FLASH_COOKIE: &str = "cast-flash";
/// How long a browser keeps the time zone, in seconds (a year).
const ZONE_SECONDS: u64 = 31_536_000;
/// The field of a form with the key of its request.
const REQUEST_KEY: &str = "request_key";
/// The longest key of a request, in characters.
const MOST_KEY: usize = 64;
/// How many rows a list has.
const ROWS: u32 = 50;

/// A request of a signed-in user who is authorized to make it.
pub(super) struct ConsoleRequest<'a> {
    /// The services, on behalf of this user.
    pub(super) service: AdminService<'a>,
    /// The request, as far as it is not its body.
    pub(super) visit: &'a RequestContext,
    /// The `{id}` of the path.
    pub(super) id: &'a str,
    /// What every page knows.
    pub(super) context: PageContext,
    /// The fields that were sent.
    pub(super) form_data: FormData,
}

/// Answers one request to the console.
pub(crate) async fn answer(
    control_plane: &ControlPlane,
    visit: &RequestContext,
    request: &Request,
) -> Reply {
    let matched = match CONSOLE_ROUTER.find(&visit.method, &visit.path) {
        Ok(matched) => matched,
        Err(problem) => return visit.explain(&problem),
    };
    let handler = match matched.line.handler {
        Handler::Open(handler) => return handler(control_plane, visit, request).await,
        Handler::SignedIn(handler) => handler,
    };
    let console_session = match console_auth::admit(control_plane, visit).await {
        Ok(console_session) => console_session,
        Err(error) => return turned_away(control_plane, visit, error),
    };
    let fields = console_auth::read(&console_session, visit, request, matched.line.route.access);
    let mut console_request = ConsoleRequest::of(console_session, visit, matched.segment);
    console_request.context.maintenance = control_plane.maintenance().await;
    let answered = match fields {
        Ok(fields) => {
            console_request.form_data = FormData::new(fields);
            console_request.service.request_key = console_request.request_key();
            let answered = handler(&console_request).await;
            answered.map_err(|error| console_request.of_cursor(error))
        }
        Err(error) => Err(error),
    };
    answered.unwrap_or_else(|error| console_request.explain(&error.into_problem(control_plane)))
}

fn turned_away(control_plane: &ControlPlane, visit: &RequestContext, error: HandlerError) -> Reply {
    let problem = error.into_problem(control_plane);
    if problem.code.status() == StatusCode::UNAUTHORIZED {
        console_auth::sign_in_first(visit)
    } else {
        visit.explain(&problem)
    }
}

async fn show_sign_in(
    control_plane: &ControlPlane,
    visit: &RequestContext,
    _request: &Request,
) -> Reply {
    sign_in_page(control_plane, visit, visit.query("to"), None)
}

async fn sign_in(control_plane: &ControlPlane, visit: &RequestContext, request: &Request) -> Reply {
    let error = match console_auth::sign_in(control_plane, visit, request).await {
        Ok(reply) => return reply,
        Err(error) => error,
    };
    let problem = error.into_problem(control_plane);
    let is_unknown = problem.code == Code::from(RequestError::Unauthorized);
    let words = if is_unknown {
        "Invalid key. It may have been deleted, or a character is missing."
    } else {
        problem.sentence()
    };
    let form = casting_web::body::form(request).ok();
    let to = form.as_ref().and_then(|form| form.field("to"));
    sign_in_page(
        control_plane,
        visit,
        to,
        Some((problem.code.status(), words)),
    )
}

/// A page of the manual.
async fn show_help(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let page = help::page(request.id);
    let page = page.ok_or_else(|| Problem::new(RequestError::NotFound))?;
    Ok(request.show(&page))
}

/// The form in which the time zone is chosen.
async fn ask_for_zone(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    Ok(request.show(&time_zone::page(&request.context, None)))
}

/// Keeps the time zone in a cookie; an empty one is the browser's.
async fn set_zone(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let typed = request.form_data.first("zone").unwrap_or_default().trim();
    let zone = Zone::named(typed);
    if zone.is_none() && !typed.is_empty() {
        return Ok(request.show(&time_zone::page(&request.context, Some(typed))));
    }
    let mut reply = request
        .redirect_with_flash(paths::DASHBOARD, FlashMessage::ZoneSet, None)
        .await?;
    reply::set_cookie(
        &mut reply,
        &SetCookie {
            name: zone::CHOSEN_COOKIE,
            value: zone.as_ref().map_or("", Zone::name),
            path: urls::CONSOLE,
            max_age: if zone.is_some() { ZONE_SECONDS } else { 0 },
            secure: request.service.control_plane.urls.is_secure(),
        },
    );
    Ok(reply)
}

async fn sign_out(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    Ok(console_auth::sign_out(request.service.control_plane))
}

fn sign_in_page(
    control_plane: &ControlPlane,
    visit: &RequestContext,
    to: Option<&str>,
    refusal: Option<(StatusCode, &str)>,
) -> Reply {
    let context = PageContext {
        nonce: visit.nonce.clone(),
        csrf_token: String::new(),
        user: None,
        public_url: control_plane.urls.public_url.clone(),
        now: control_plane.clock.now(),
        flash: None,
        maintenance: None,
        zone: Zone::default(),
    };
    let home = console_auth::target(to);
    // A login with a role is redirected; one that is shown this page has no role for the console.
    let login = visit.login(
        &control_plane.keys,
        control_plane.urls.is_secure(),
        control_plane.clock.now(),
    );
    let page = SignIn {
        provider: control_plane.has_logins.then(|| urls::login_to(home)),
        stranger: login
            .filter(|user| user.roles.is_empty())
            .map(|user| user.name),
        error: refusal.map(|(_, words)| words.to_owned()),
        to: home.to_owned(),
    };
    let status = refusal.map_or(StatusCode::OK, |(status, _)| status);
    layout::answer(
        &context,
        &Screen {
            status,
            ..sign_in_form::page(&page)
        },
    )
}

/// What has been done, in a cookie and in a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlashMessage {
    CastCreated,
    ImageCreated,
    NetworkCreated,
    GroupCreated,
    StagingCreated,
    Saved,
    Deleted,
    On,
    Off,
    OnAll,
    OffAll,
    OtherKey,
    OtherKeyToo,
    OldKey,
    Copied,
    Stopping,
    StoppingAll,
    MessageSent,
    Extended,
    SomeNot,
    SomeGone,
    Unshared,
    Forgotten,
    Restored,
    TakenBack,
    Registered,
    MaintenanceOff,
    Invited,
    Revoked,
    ExtendedAll,
    EventSent,
    Resumed,
    ZoneSet,
}

impl FlashMessage {
    const ALL: [(Self, &'static str, &'static str); 33] = [
        (
            Self::EventSent,
            "event-sent",
            "The event is on its way. Load the page again to see the answer.",
        ),
        (Self::Resumed, "resumed", "Events are sent again."),
        (
            Self::ZoneSet,
            "zone-set",
            "Time zone saved in this browser.",
        ),
        (
            Self::MaintenanceOff,
            "maintenance-off",
            "Maintenance is off. Links start sessions again.",
        ),
        (Self::CastCreated, "cast-created", "Cast created."),
        (Self::ImageCreated, "image-created", "Image created."),
        (Self::NetworkCreated, "network-created", "Network created."),
        (Self::GroupCreated, "group-created", "Group created."),
        (
            Self::StagingCreated,
            "staging-created",
            "Staging config created.",
        ),
        (Self::Saved, "saved", "Changes saved."),
        (Self::Deleted, "deleted", "Deleted."),
        (Self::On, "on", "Link enabled."),
        (
            Self::Off,
            "off",
            "Link disabled. Running sessions continue.",
        ),
        (
            Self::OtherKey,
            "other-key",
            "The link has a new key. The old link no longer works.",
        ),
        (
            Self::OtherKeyToo,
            "other-key-too",
            "The link has a new key. The old link works until its grace period ends.",
        ),
        (
            Self::OldKey,
            "old-key",
            "The link has its old key again. The key that replaced it no longer works.",
        ),
        (
            Self::Copied,
            "copied",
            "Cast duplicated. The copy has its own key.",
        ),
        (Self::Stopping, "stopping", "Stopping the session."),
        (
            Self::StoppingAll,
            "stopping-all",
            "Stopping the selected sessions.",
        ),
        (
            Self::MessageSent,
            "message-sent",
            "Message sent. The visitor sees it in the viewer.",
        ),
        (
            Self::Extended,
            "extended",
            "Session extended. The visitor sees the new end.",
        ),
        (
            Self::SomeNot,
            "some-not",
            "Done, except for sessions that had ended already.",
        ),
        (
            Self::SomeGone,
            "some-gone",
            "Done, except for casts that were deleted already.",
        ),
        (Self::OnAll, "on-all", "The selected links are enabled."),
        (
            Self::OffAll,
            "off-all",
            "The selected links are disabled. Running sessions continue.",
        ),
        (
            Self::Unshared,
            "unshared",
            "The share link no longer works.",
        ),
        (Self::Forgotten, "forgotten", "User forgotten."),
        (
            Self::Restored,
            "restored",
            "Profile restored. The next session uses it.",
        ),
        (Self::TakenBack, "taken-back", "Change undone."),
        (
            Self::ExtendedAll,
            "extended-all",
            "Sessions extended. The visitors see the new end.",
        ),
        (
            Self::Invited,
            "invited",
            "Invitations created. Save them as CSV for a mail merge, or print the sheet.",
        ),
        (
            Self::Revoked,
            "revoked",
            "Invitation revoked. Running sessions continue.",
        ),
        (
            Self::Registered,
            "registered",
            "Registered again. New sessions use the new task definition; running sessions keep \
             theirs.",
        ),
    ];

    fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(done, ..)| *done == self)
            .map_or("", |(_, word, _)| word)
    }
}

/// The flash message of a cookie; the id of an audit entry after the word offers undo.
fn flash(text: &str) -> Option<Flash> {
    let (word, entry) = text.split_once('.').unwrap_or((text, ""));
    let (_, _, sentence) = FlashMessage::ALL
        .iter()
        .find(|(_, known, _)| *known == word)?;
    let ids = entry.split('.').map(casting_core::audit::AuditId::parse);
    let undo = ids.flatten().map(|id| id.to_string()).collect();
    Some(Flash {
        severity: Severity::Good,
        text: (*sentence).to_owned(),
        undo,
    })
}

impl<'a> ConsoleRequest<'a> {
    fn of(console_session: ConsoleSession<'a>, visit: &'a RequestContext, id: &'a str) -> Self {
        let ConsoleSession {
            service,
            csrf_token,
        } = console_session;
        let scopes = &service.actor.scopes;
        let role = match () {
            () if Scope::ALL.iter().all(|scope| scopes.contains(scope)) => {
                "Administrator".to_owned()
            }
            () if scopes.iter().all(|scope| *scope == Scope::Read) => "Auditor".to_owned(),
            () => scopes
                .iter()
                .filter(|scope| **scope != Scope::Read)
                .map(|scope| scope.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        };
        let scopes = scopes
            .iter()
            .map(|scope| scope.as_str().to_owned())
            .collect();
        let context = PageContext {
            nonce: visit.nonce.clone(),
            csrf_token,
            user: Some(CurrentUser {
                name: service.actor.name.clone(),
                role,
                scopes,
            }),
            public_url: service.control_plane.urls.public_url.clone(),
            now: service.control_plane.clock.now(),
            flash: visit.cookie(FLASH_COOKIE).and_then(flash),
            maintenance: None,
            zone: Zone::of_cookies(
                visit.cookie(zone::CHOSEN_COOKIE),
                visit.cookie(zone::BROWSER_COOKIE),
            ),
        };
        Self {
            service,
            visit,
            id,
            context,
            form_data: FormData::default(),
        }
    }

    /// The key of a form that may be sent twice.
    fn request_key(&self) -> Option<String> {
        let key = self.form_data.first(REQUEST_KEY).map(str::to_owned);
        key.filter(|key| (1..=MOST_KEY).contains(&key.len()))
    }

    /// The key for a form, so that it does nothing more when it is sent again: the one that was
    /// sent, or a new one.
    pub(super) fn key_to_send(&self) -> (&'static str, String) {
        let entropy = &*self.service.control_plane.entropy;
        let new = || Nonce::from_bytes(random_bytes(entropy)).as_str().to_owned();
        let sent = self.service.request_key.clone();
        (REQUEST_KEY, sent.unwrap_or_else(new))
    }

    /// The ids of the rows that are selected in a list of `things`, each once.
    ///
    /// # Errors
    /// When none is selected, or more than `most`.
    pub(super) fn selected(&self, things: &str, most: usize) -> Result<Vec<&str>, HandlerError> {
        let mut ids: Vec<&str> = self.form_data.all("id").collect();
        ids.sort_unstable();
        ids.dedup();
        let detail = match ids.len() {
            0 => format!("Select the {things} first."),
            selected if selected > most => format!("Select {most} {things} at most."),
            _ => return Ok(ids),
        };
        Err(HandlerError::request(RequestError::BadRequest, detail))
    }

    /// A store refuses a cursor that it has not handed out: that is a mistake in the address.
    fn of_cursor(&self, error: HandlerError) -> HandlerError {
        let has_cursor = self.cursor().or_else(|| self.after()).is_some();
        if has_cursor {
            paging::of_cursor(error)
        } else {
            error
        }
    }

    /// Where the rows begin that a list is made of, if not with the first.
    pub(super) fn after(&self) -> Option<String> {
        let after = self.visit.query("after").filter(|after| !after.is_empty());
        after.map(str::to_owned)
    }

    /// What the address says of a list.
    pub(super) fn view(&self) -> View {
        View::of(&self.visit.path, self.visit.queries())
    }

    /// The page, or what was asked for of it: the part that is read again and again, if it is
    /// another than the reader has, or the list as a file. A flash message is shown once.
    pub(super) fn show(&self, screen: &Screen) -> Reply {
        if let Some(saved) = &screen.saved {
            return file::attachment(&saved.name, saved.kind, saved.content.clone());
        }
        if !screen.live.is_empty() && self.visit.query("fragment") == Some("1") {
            return self.fragment(&screen.live);
        }
        let mut reply = layout::answer(&self.context, screen);
        if self.context.flash.is_some() {
            self.set_flash(&mut reply, "", 0);
        }
        reply
    }

    /// Redirects to another page, which shows the message; a change of the target can be undone
    /// there.
    pub(super) async fn redirect_with_flash(
        &self,
        to: &str,
        done: FlashMessage,
        target: Option<&str>,
    ) -> Result<Reply, HandlerError> {
        self.redirect_with_undo(to, done, target.as_slice()).await
    }

    /// The same after a change of several targets.
    pub(super) async fn redirect_with_undo(
        &self,
        to: &str,
        done: FlashMessage,
        targets: &[&str],
    ) -> Result<Reply, HandlerError> {
        let newest = targets.iter().map(|target| async move {
            let page = audits::list(&self.service, &AuditsAsked::of(target), None, 1).await?;
            Ok::<_, HandlerError>(page.items.into_iter().next())
        });
        let mut text = done.word().to_owned();
        for audit in try_join_all(newest).await?.into_iter().flatten() {
            if audits::can_be_undone(&audit) && audit.actor_id == self.service.actor.id {
                text.push_str(&format!(".{}", audit.id));
            }
        }
        let mut reply = reply::see_other(to);
        self.set_flash(&mut reply, &text, 60);
        Ok(reply)
    }

    fn fragment(&self, html: &str) -> Reply {
        let digest = hash_secret(html);
        let letters = digest.chars().filter(char::is_ascii_alphanumeric);
        let tag = format!("\"{}\"", letters.take(20).collect::<String>());
        let known = self.visit.header(&IF_NONE_MATCH);
        let mut reply = if known == Some(tag.as_str()) {
            reply::empty(StatusCode::NOT_MODIFIED)
        } else {
            reply::text(StatusCode::OK, "text/html; charset=utf-8", html.to_owned())
        };
        let headers = reply.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            headers.insert(ETAG, tag);
        }
        reply
    }

    fn set_flash(&self, reply: &mut Reply, value: &str, max_age: u64) {
        let secure = self.service.control_plane.urls.is_secure();
        reply::set_cookie(
            reply,
            &SetCookie {
                name: FLASH_COOKIE,
                value,
                path: urls::CONSOLE,
                max_age,
                secure,
            },
        );
    }

    fn explain(&self, problem: &Problem) -> Reply {
        if self.visit.wants_json {
            problem.reply()
        } else {
            self.show(&error_page::page(problem))
        }
    }

    /// The records that fields of a form select from.
    pub(super) async fn choices(&self) -> Result<Choices, HandlerError> {
        let store = &self.service.control_plane.store;
        let (images, mut groups, networks) = try_join!(
            store.record_names(Image::KIND),
            store.record_names(Group::KIND),
            store.record_names(Network::KIND)
        )?;
        let all = Group::all_users();
        if groups.iter().all(|(id, _)| id != all.id.as_str()) {
            groups.insert(0, (all.id.to_string(), all.settings.name));
        }
        let mut choices = Choices::from([
            (OptionSource::Image, images),
            (OptionSource::Group, groups),
            (OptionSource::Network, networks),
        ]);
        for options in choices.values_mut() {
            options.sort_by_key(|(_, words)| words.to_lowercase());
        }
        Ok(choices)
    }

    /// The version that the form was made of.
    pub(super) fn precondition(&self) -> Precondition {
        self.form_data
            .first("version")
            .and_then(|text| text.parse().ok())
            .map_or(Precondition::None, Precondition::version)
    }

    /// The version that a form is based on: the one that it was made of, or the newest once it
    /// shows what has changed since.
    pub(super) fn version(&self, stored: &Value, messages: &FormMessages) -> Option<u64> {
        let sent = self
            .form_data
            .first("version")
            .and_then(|sent| sent.parse().ok());
        sent.filter(|_| !messages.is_stale)
            .or_else(|| stored["version"].as_u64())
    }

    /// The cursor of a list; an empty one is none.
    pub(super) fn cursor(&self) -> Option<String> {
        self.visit
            .query("cursor")
            .filter(|cursor| !cursor.is_empty())
            .map(str::to_owned)
    }

    /// The address of this page from `cursor` on, with these parameters.
    pub(super) fn next(
        &self,
        cursor: Option<&String>,
        parameters: &[(&str, &str)],
    ) -> Option<String> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        query.append_pair("cursor", cursor?);
        Some(format!("{}?{}", self.visit.path, query.finish()))
    }
}

/// The errors of a form, to be shown at its fields; `Err` when the user cannot correct them.
pub(super) fn messages(error: impl Into<HandlerError>) -> Result<FormMessages, HandlerError> {
    let problem = match error.into() {
        HandlerError::Problem(problem) => *problem,
        HandlerError::Refusal(refusal) => {
            Problem::denied(refusal.denial(), Some(refusal.reference))
        }
        HandlerError::Fault(fault) => return Err(fault.into()),
    };
    let status = problem.code.status();
    let mendable = [
        StatusCode::UNPROCESSABLE_ENTITY,
        StatusCode::CONFLICT,
        StatusCode::PRECONDITION_FAILED,
        StatusCode::BAD_REQUEST,
    ];
    // What grants too much (403) is said at its field as well.
    if !mendable.contains(&status) && problem.errors.is_empty() {
        return Err(problem.into());
    }
    let is_stale = status == StatusCode::PRECONDITION_FAILED;
    let mut errors = problem.errors.clone();
    if errors.is_empty() {
        let detail = match status {
            StatusCode::PRECONDITION_FAILED => {
                "Someone else changed this in the meantime. Reload the page to see the changes, \
                 then edit it again."
            }
            _ => problem.sentence(),
        };
        errors.push(casting_core::form::FieldError::new("", detail));
    }
    Ok(FormMessages {
        errors,
        warnings: Vec::new(),
        is_stale,
    })
}

/// What stands at which field of a form that is being filled in: `errors`, `warnings`, and the
/// preview of what comes of it.
pub(super) fn checked(
    resource: &Resource,
    errors: &[FieldError],
    warnings: &[Warning],
    preview: Option<&str>,
) -> Reply {
    let at_field = |pointer: &str, detail: &str| {
        let (field, rest) = resource.field_at(pointer)?;
        let text = form::sentence(resource, field, rest, detail);
        Some(json!({ "field": field.name, "text": text }))
    };
    let errors = errors
        .iter()
        .filter_map(|error| at_field(&error.pointer, &error.detail));
    let warnings = warnings
        .iter()
        .filter_map(|warning| at_field(warning.pointer, warning.detail));
    let document = json!({
        "errors": errors.collect::<Vec<_>>(),
        "warnings": warnings.collect::<Vec<_>>(),
        "preview": preview,
    });
    reply::json(StatusCode::OK, &document)
}

/// The same of an operation that only checks: its errors are the answer.
pub(super) fn checked_by(
    resource: &Resource,
    outcome: Result<(), AdminError>,
) -> Result<Reply, HandlerError> {
    let errors = match outcome {
        Ok(()) => Vec::new(),
        Err(AdminError::Fields(errors)) => errors.0,
        Err(AdminError::Forbidden { errors, .. }) if !errors.is_empty() => errors,
        // What stands in the way as a whole is said when the form is sent.
        Err(AdminError::Conflict(_)) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    Ok(checked(resource, &errors, &[], None))
}

/// What was typed, filled up with the fields of the preset that was chosen: they stand wherever
/// nothing was typed, or what the preset before had filled in.
pub(super) fn fill(
    request: &ConsoleRequest<'_>,
    blank: Value,
    typed: &Value,
    fields: impl Fn(&str) -> Option<Map<String, Value>>,
) -> Value {
    let of = |name: &str| request.form_data.first(name).and_then(&fields);
    filled(
        blank,
        typed,
        &of("preset_before").unwrap_or_default(),
        of("preset").unwrap_or_default(),
    )
}

fn filled(
    mut blank: Value,
    typed: &Value,
    before: &Map<String, Value>,
    fields: Map<String, Value>,
) -> Value {
    let untouched = blank.clone();
    if let Value::Object(blank) = &mut blank {
        blank.extend(fields);
    }
    let is_typed = |name: &String, value: &Value| {
        let filled = before.get(name).unwrap_or(&untouched[name.as_str()]);
        !fits(filled, value)
    };
    let typed = typed.as_object().into_iter().flatten();
    let kept = typed.filter(|(name, value)| is_typed(name, value));
    if let Value::Object(document) = &mut blank {
        document.extend(kept.map(|(name, value)| (name.clone(), value.clone())));
    }
    blank
}

/// Whether a form shows the one as the other: what is not there is empty.
fn fits(filled: &Value, typed: &Value) -> bool {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Number(_) => false,
    };
    match (filled, typed) {
        (Value::Object(filled), Value::Object(typed)) => typed
            .iter()
            .all(|(name, value)| fits(filled.get(name).unwrap_or(&Value::Null), value)),
        (filled, typed) => filled == typed || is_empty(filled) && is_empty(typed),
    }
}

/// The document as typed, with the read-only fields of the stored one.
pub(super) fn typed_over(shown: &Value, typed: &Value) -> Value {
    let mut fields: Map<String, Value> = shown.as_object().cloned().unwrap_or_default();
    fields.extend(typed.as_object().cloned().unwrap_or_default());
    Value::Object(fields)
}

/// The breadcrumb of a list.
pub(super) fn trail(place: Place) -> Vec<(String, String)> {
    layout::entry_of(place)
        .map(|(words, href)| (words.to_owned(), href.to_owned()))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flash_cookie_accepts_only_known_messages() {
        let id = "01795435200000-0123456789abcdef";
        for (text, ids) in [
            (format!("saved.{id}"), vec![id]),
            (format!("off-all.{id}.{id}.x"), vec![id, id]),
            ("saved./../x".to_owned(), vec![]),
        ] {
            assert_eq!(flash(&text).expect("is text").undo, ids, "{text}");
        }
        assert_eq!(flash("<b>hello</b>"), None);
        assert_eq!(flash(""), None);
    }

    #[test]
    fn preset_keeps_what_was_typed() {
        let blank = json!({"name": null, "cpu": null, "port": null, "shared": false, "container": "session", "go": {}});
        let object = |value: Value| value.as_object().cloned().expect("an object");
        let one = object(json!({"cpu": 2048, "port": 6901, "shared": true, "go": {"cmd": "x"}}));
        let two = object(json!({"cpu": 256, "port": 80}));
        let typed = json!({"name": "Desk", "cpu": null, "port": null, "shared": false, "container": "session", "go": {}});
        let first = filled(blank.clone(), &typed, &Map::new(), one.clone());
        assert_eq!(
            first,
            json!({"name": "Desk", "cpu": 2048, "port": 6901, "shared": true, "container": "session", "go": {"cmd": "x"}})
        );
        let mut changed = first;
        changed["port"] = json!(7000);
        let second = filled(blank, &changed, &one, two);
        assert_eq!(
            second,
            json!({"name": "Desk", "cpu": 256, "port": 7000, "shared": false, "container": "session", "go": {}}),
            "what the first preset filled in gives way, what was typed stays"
        );
    }

    #[test]
    fn correctable_errors_return_to_the_form() {
        let taken = messages(AdminError::Conflict("Another cast has the key abc.".into()))
            .expect("can be mended");
        assert_eq!(
            (
                taken.errors[0].pointer.as_str(),
                taken.errors[0].detail.as_str()
            ),
            ("", "Another cast has the key abc.")
        );
        assert!(messages(AdminError::NotFound("There is no such cast.".into())).is_err());
        assert!(messages(AdminError::contention("change a cast")).is_err());
    }
}

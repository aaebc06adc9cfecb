//! The auth function: login at the provider, callback and logout, the account page, and the start
//! page, which belongs to no link. Owns the cookies of a login and its requests and replies; must
//! not know the provider's protocol.

mod target;

use askama::Template;
use casting_core::denial::{Denial, DenialCode};
use casting_core::keys::same_secret;
use casting_core::ports::Saved;
use casting_core::profile::Profile;
use casting_core::session::{Session, State};
use casting_core::ticket::{LoginState, LoginTicket};
use casting_core::urls;
use casting_core::user::{ConsoleRole, User};
use casting_core::{ControlPlane, FlowError, Help, Refusal};
use casting_identity::oidc::{LOGIN_SECONDS, LoginFailure, Oidc};
use casting_web::credentials::{SetCookie, login_cookie, login_state_cookie, login_state_cookies};
use casting_web::words;
use casting_web::{
    FormAction, Function, HandlerError, Page, Problem, PublicRouteName, Reply, Request,
    RequestContext, code::RequestError, reply,
};
use http::StatusCode;
use serde_json::json;

/// How many logins of one browser may be under way.
const MOST_LOGINS: usize = 4;
/// How long a login lasts, in seconds (8 hours).
const LOGGED_IN_SECONDS: u64 = 8 * 3600;

/// Answers a request. Without a login provider, logging in is not possible.
pub async fn handle(control_plane: &ControlPlane, oidc: Option<&Oidc>, request: Request) -> Reply {
    let visit = RequestContext::parse(&request, &*control_plane.entropy);
    let reply = match answer(control_plane, oidc, &visit).await {
        Ok(reply) => reply,
        Err(error) => visit.error_response(control_plane, error).await,
    };
    visit.finish(reply)
}

async fn answer(
    control_plane: &ControlPlane,
    oidc: Option<&Oidc>,
    visit: &RequestContext,
) -> Result<Reply, HandlerError> {
    match visit.route(Function::Auth)?.line.name {
        PublicRouteName::LogIn => begin(control_plane, oidc, visit).await,
        PublicRouteName::LoginCallback => finish(control_plane, oidc, visit).await,
        PublicRouteName::LogOut => log_out(control_plane, visit),
        PublicRouteName::WhoAmI => who_am_i(control_plane, visit).await,
        PublicRouteName::ShowStart => Ok(show_start(control_plane, visit).await),
        _ => Err(Problem::new(RequestError::NotFound).into()),
    }
}

/// Redirects the browser to the provider.
async fn begin(
    control_plane: &ControlPlane,
    oidc: Option<&Oidc>,
    visit: &RequestContext,
) -> Result<Reply, HandlerError> {
    let now = control_plane.clock.now();
    let to = target::read(visit.query("to"));
    match visit.drops_cookies(&urls::login_to(to), control_plane.urls.is_secure()) {
        Ok(false) => {}
        Ok(true) => {
            let denial = Denial::new(DenialCode::CookiesBlocked);
            return Err(refusal(control_plane, denial, to).into());
        }
        Err(again) => return Ok(*again),
    }
    let oidc = oidc.ok_or_else(|| {
        failed(
            control_plane,
            &LoginFailure::Unavailable("no provider is set up".into()),
            to,
        )
    })?;
    let begun = oidc
        .begin(&redirect(control_plane), to, &*control_plane.entropy, now)
        .await;
    let (url, state) = begun.map_err(|failure| failed(control_plane, &failure, to))?;
    let mut reply = reply::see_other(&url);
    let secure = control_plane.urls.is_secure();
    let older = visit.cookies_from(login_state_cookies(secure));
    if older.len() >= MOST_LOGINS {
        // Tabs that were left at the provider: their cookies must not outgrow a request.
        for name in older {
            set(&mut reply, control_plane, &name, "", 0);
        }
    }
    set(
        &mut reply,
        control_plane,
        &login_state_cookie(&state.state, secure),
        &state.sign(&control_plane.keys),
        LOGIN_SECONDS,
    );
    Ok(reply)
}

/// Handles the provider's callback.
async fn finish(
    control_plane: &ControlPlane,
    oidc: Option<&Oidc>,
    visit: &RequestContext,
) -> Result<Reply, HandlerError> {
    let now = control_plane.clock.now();
    let oidc = oidc.ok_or_else(|| {
        failed(
            control_plane,
            &LoginFailure::Unavailable("no provider is set up".into()),
            target::HOME,
        )
    })?;
    let secure = control_plane.urls.is_secure();
    let came_with = visit.query("state").unwrap_or_default();
    let kept = visit.cookie(&login_state_cookie(came_with, secure));
    let state = kept.and_then(|text| LoginState::open(text, &control_plane.keys, now).ok());
    // Otherwise the login was started by another browser, or too long ago.
    let state = state.filter(|state| same_secret(&state.state, came_with));
    let logged_in = visit.login(&control_plane.keys, secure, now).is_some();
    if state.is_none() && logged_in && !visit.wants_json {
        return Ok(reply::see_other(target::HOME));
    }
    let state = state.ok_or_else(|| {
        failed(
            control_plane,
            &LoginFailure::Invalid("the state is not this browser's".into()),
            target::HOME,
        )
    })?;
    let user = match (visit.query("code"), visit.query("error")) {
        (Some(code), None) => {
            oidc.finish(&redirect(control_plane), code, &state, now)
                .await
        }
        (_, error) => Err(LoginFailure::refused(
            error.unwrap_or("no code"),
            visit.query("error_description"),
        )),
    };
    let user = match user {
        // The callback was loaded again, and the user has logged in with it: a code is good once.
        Err(LoginFailure::Refused { .. }) if logged_in && visit.query("error").is_none() => {
            return Ok(reply::see_other(&state.to));
        }
        user => user.map_err(|failure| failed(control_plane, &failure, &state.to))?,
    };
    tracing::info!(user.id = %user.id, "User {} has logged in", user.id);
    note(control_plane, &user).await;
    let mut reply = reply::see_other(&state.to);
    let ticket = LoginTicket {
        user,
        expires: now.plus_seconds(LOGGED_IN_SECONDS),
    };
    set(
        &mut reply,
        control_plane,
        login_cookie(secure),
        &ticket.sign(&control_plane.keys),
        LOGGED_IN_SECONDS,
    );
    // Its cookie stays until it expires, so that the callback can be loaded again.
    Ok(reply)
}

/// Updates the user's profile for administrators. A failed write does not prevent the login.
async fn note(control_plane: &ControlPlane, user: &User) {
    let noted = async {
        let before: Option<Profile> = control_plane.store.record(user.id.as_str()).await?;
        let profile = Profile::after_login(before.as_ref(), user, control_plane.clock.now());
        control_plane
            .store
            .put_record(&profile, before.map(|profile| profile.version), None)
            .await
    };
    match noted.await {
        // A concurrent login has written it.
        Ok(Saved::Done | Saved::Stale) => {}
        Err(fault) => {
            tracing::error!(%fault, user.id = %user.id, "The login of user {} could not be noted", user.id);
        }
    }
}

fn log_out(control_plane: &ControlPlane, visit: &RequestContext) -> Result<Reply, HandlerError> {
    visit.not_cross_site()?;
    let mut reply = if visit.wants_json {
        reply::no_content()
    } else {
        reply::see_other(target::HOME)
    };
    let name = login_cookie(control_plane.urls.is_secure());
    set(&mut reply, control_plane, name, "", 0);
    Ok(reply)
}

#[derive(Template)]
#[template(path = "me.html")]
struct Me<'a> {
    user: Option<&'a User>,
    sessions: &'a [Session],
    words: &'static words::Account,
}

impl Me<'_> {
    fn signed_in_as(&self, user: &User) -> String {
        self.words.signed_in_as(&user.name)
    }

    /// How a session stands, around the time of its claim.
    fn state(&self, session: &Session) -> (String, String) {
        let words = self.words;
        words::around(|time| match session.state {
            State::Reserved | State::Starting => words.starting_since(time),
            State::Ready { .. } => words.running_since(time),
            State::Stopping { .. } | State::Ended { .. } => words.ending_since(time),
        })
    }

    /// When a session was claimed; the page's script writes it in the visitor's own time.
    fn time(&self, session: &Session) -> String {
        let text = session.created_at.to_string();
        let date = text.get(..10).unwrap_or_default();
        let time = text.get(11..16).unwrap_or_default();
        format!("{date} {time} UTC")
    }
}

async fn who_am_i(
    control_plane: &ControlPlane,
    visit: &RequestContext,
) -> Result<Reply, HandlerError> {
    let user = visit.login(
        &control_plane.keys,
        control_plane.urls.is_secure(),
        control_plane.clock.now(),
    );
    if visit.wants_json {
        let user = user.ok_or_else(|| Problem::new(DenialCode::LoginRequired))?;
        let roles: Vec<&str> = user
            .roles
            .iter()
            .copied()
            .map(ConsoleRole::as_str)
            .collect();
        return Ok(reply::json(
            StatusCode::OK,
            &json!({"id": user.id, "name": user.name, "roles": roles, "groups": user.groups}),
        ));
    }
    let words = visit.words.account();
    let sessions = match &user {
        Some(user) => control_plane.sessions_of(&user.id).await?,
        None => Vec::new(),
    };
    let brand = control_plane.deployment_help().await.brand;
    let main = Me {
        user: user.as_ref(),
        sessions: &sessions,
        words,
    };
    let title = if user.is_some() {
        words.signed_in
    } else {
        words.signed_out
    };
    Ok(Page {
        style: include_str!("../templates/me.css"),
        script: include_str!("../templates/me.js"),
        forms: FormAction::Stay,
        ..Page::new(title, &main)
    }
    .reply(&visit.clone().branded(brand)))
}

#[derive(Template)]
#[template(path = "start.html")]
struct Start {
    words: &'static words::Home,
}

/// The start page. A link in the form of Kasm names its key behind the `#`, which only the page's
/// script sees.
async fn show_start(control_plane: &ControlPlane, visit: &RequestContext) -> Reply {
    let brand = control_plane.deployment_help().await.brand;
    let words = visit.words.home();
    let main = Start { words };
    let page = Page {
        script: include_str!("../templates/start.js"),
        ..Page::new(words.title, &main)
    };
    page.reply(&visit.clone().branded(brand))
}

fn redirect(control_plane: &ControlPlane) -> String {
    control_plane.urls.absolute(urls::LOGIN_CALLBACK)
}

fn set(reply: &mut Reply, control_plane: &ControlPlane, name: &str, value: &str, max_age: u64) {
    let secure = control_plane.urls.is_secure();
    reply::set_cookie(
        reply,
        &SetCookie {
            name,
            value,
            path: "/",
            max_age,
            secure,
        },
    );
}

/// Logs the reason; the user only learns what to do. `to` is where the login leads.
fn failed(control_plane: &ControlPlane, failure: &LoginFailure, to: &str) -> Refusal {
    let denial = match failure {
        LoginFailure::Unavailable(_) => Denial::retry(DenialCode::LoginUnavailable, 30),
        LoginFailure::Refused {
            words: Some(words), ..
        } => Denial::quoting(
            DenialCode::LoginFailed,
            format!("The login provider says: \u{201c}{words}\u{201d}"),
            words,
        ),
        LoginFailure::Refused { .. } | LoginFailure::Invalid(_) => {
            Denial::new(DenialCode::LoginFailed)
        }
    };
    let refusal = refusal(control_plane, denial, to);
    let reference = &refusal.reference;
    if matches!(failure, LoginFailure::Unavailable(_)) {
        tracing::error!(%reference, %failure, "Logins fail: reference {reference}");
    } else {
        tracing::warn!(%reference, %failure, "A login failed: reference {reference}");
    }
    refusal
}

/// A login that is refused, and leads back to `to`.
fn refusal(control_plane: &ControlPlane, denial: Denial, to: &str) -> Refusal {
    Refusal {
        reference: control_plane.draw_reference(denial.code, None),
        error: FlowError::Denied(denial),
        error_url: None,
        framed_by: Box::default(),
        help: Box::new(Help {
            link: Some(to.to_owned()),
            ..Help::default()
        }),
    }
}

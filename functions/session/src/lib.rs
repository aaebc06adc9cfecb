//! The session function: the waiting page and its status for the session's owner, and the reports
//! of its gate. Owns their requests and replies; must not know how sessions move.

mod edge_notice;
mod ended;
mod lobby;
mod progress;
mod resumed;
mod status;
mod waiting;

use casting_core::denial::DenialCode;
use casting_core::ids::{SessionId, UserId};
use casting_core::session::Session;
use casting_core::urls;
use casting_core::{
    Bootstrap, ControlPlane, DevtoolsAccess, OwnerProof, ProfileReport, Report, outcome,
};
use casting_web::{
    Function, HandlerError, Problem, PublicRouteName, Reply, Request, RequestContext, body,
    code::RequestError, reply,
};
use http::StatusCode;
use serde::Serialize;

/// The answer to a program that wants to drive its session's browser.
#[derive(Debug, Serialize)]
struct Devtools {
    url: String,
    websocket_url: String,
    token: String,
    expires_at: String,
}

impl From<DevtoolsAccess> for Devtools {
    fn from(access: DevtoolsAccess) -> Self {
        Self {
            url: access.url,
            websocket_url: access.websocket_url,
            token: access.token,
            expires_at: access.expires_at.to_string(),
        }
    }
}

/// Answers a request.
pub async fn handle(control_plane: &ControlPlane, request: Request) -> Reply {
    let mut visit = RequestContext::parse(&request, &*control_plane.entropy);
    let reply = match answer(control_plane, &request, &mut visit).await {
        Ok(reply) => reply,
        Err(error) => visit.error_response(control_plane, error).await,
    };
    visit.finish(reply)
}

async fn answer(
    control_plane: &ControlPlane,
    request: &Request,
    visit: &mut RequestContext,
) -> Result<Reply, HandlerError> {
    let matched = visit.route(Function::Session)?;
    let (name, id) = (matched.line.name, SessionId::parse(matched.segment));
    // These routes are for programs only, whatever they accept.
    visit.wants_json |= matches!(
        name,
        PublicRouteName::SessionStatus
            | PublicRouteName::OpenDevtools
            | PublicRouteName::BootstrapSession
            | PublicRouteName::ReportSession
            | PublicRouteName::ReportProfile
    );
    let is_page = matches!(
        name,
        PublicRouteName::ShowSession | PublicRouteName::WatchSession
    );
    if let Some(right) = urls::mistyped(&visit.path).filter(|_| is_page) {
        return Ok(reply::see_other(&visit.with_query(&right)));
    }
    match name {
        PublicRouteName::WatchSession => return lobby::watch(control_plane, visit).await,
        PublicRouteName::AskToWatch => return lobby::ask(control_plane, request, visit).await,
        _ => {}
    }
    let id = id.ok_or(Problem::new(DenialCode::UnknownSession))?;
    match name {
        PublicRouteName::ShowSession => show(control_plane, visit, &id).await,
        PublicRouteName::SessionStatus => {
            let user = user(control_plane, visit);
            let proof = proof(visit, &id, user.as_ref());
            let session = control_plane.status(&id, proof).await?;
            Ok(status_document(control_plane, visit, &session))
        }
        PublicRouteName::EnterSession => enter(control_plane, visit, &id).await,
        PublicRouteName::OpenDevtools => devtools(control_plane, visit, &id).await,
        PublicRouteName::EndSession => end(control_plane, request, visit, &id).await,
        PublicRouteName::BootstrapSession => {
            let token = visit.bearer().unwrap_or_default();
            let secret = control_plane.bootstrap(&id, token).await?;
            Ok(reply::json(
                StatusCode::OK,
                &Bootstrap {
                    secret: secret.expose().to_owned(),
                },
            ))
        }
        PublicRouteName::ReportProfile => {
            let report: ProfileReport = body::json(request)?;
            let directives = control_plane
                .report_profile(&id, visit.bearer().unwrap_or_default(), report)
                .await?;
            Ok(directives.map_or_else(reply::no_content, |directives| {
                reply::json(StatusCode::OK, &directives)
            }))
        }
        PublicRouteName::ReportSession => report(control_plane, request, visit, &id).await,
        _ => Err(Problem::new(RequestError::NotFound).into()),
    }
}

/// The status document, in the language of the session's pages.
fn status_document(
    control_plane: &ControlPlane,
    visit: &RequestContext,
    session: &Session,
) -> Reply {
    let words = visit.speaking(session.origin.language).words;
    let now = control_plane.clock.now();
    let status = status::Status::of(session, &control_plane.urls, words, now);
    reply::json(StatusCode::OK, &status)
}

/// The session's page in every state: waiting, a redirect into the session, or why it ended.
async fn show(
    control_plane: &ControlPlane,
    visit: &RequestContext,
    id: &SessionId,
) -> Result<Reply, HandlerError> {
    let notice = edge_notice::notice(visit).filter(|_| !visit.wants_json);
    if let Some(notice) = notice.filter(|_| visit.framed) {
        let brand = control_plane.deployment_help().await.brand;
        let visit = visit.clone().branded(brand);
        return Ok(edge_notice::framed(notice, id, &visit, &control_plane.urls));
    }
    let user = user(control_plane, visit);
    let proof = proof(visit, id, user.as_ref());
    let session = control_plane.status(id, proof).await?;
    if visit.wants_json {
        return Ok(status_document(control_plane, visit, &session));
    }
    let visit = visit.speaking(session.origin.language);
    let visit = &visit.branded(session.options.brand.clone());
    match outcome(&session) {
        // Ended before it was ready, but deliberately: not a failure, so the link's error page is
        // not used.
        Some(denial) if denial.code != DenialCode::SessionEnded => {
            Err(control_plane.refuse_start(&session, denial).await.into())
        }
        _ => match progress::stage(&session) {
            progress::Stage::Starting(step) => Ok(waiting::reply(
                &session,
                step,
                control_plane.clock.now(),
                visit,
            )),
            progress::Stage::Ready if notice.is_some() => Ok(edge_notice::running(&session, visit)),
            progress::Stage::Ready if !resumed::not_applied(visit).is_empty() => {
                Ok(resumed::reply(&session, visit))
            }
            progress::Stage::Ready => Ok(reply::see_other(&urls::enter_session(id))),
            progress::Stage::Over(reason) => Ok(ended::reply(&session, reason, visit)),
        },
    }
}

async fn enter(
    control_plane: &ControlPlane,
    visit: &RequestContext,
    id: &SessionId,
) -> Result<Reply, HandlerError> {
    let user = user(control_plane, visit);
    match control_plane
        .enter(id, proof(visit, id, user.as_ref()))
        .await
    {
        Ok(url) => Ok(reply::see_other(&url)),
        // Too early or too late: the session's page says which.
        Err(refusal)
            if !visit.wants_json
                && matches!(
                    refusal.denial().code,
                    DenialCode::Busy | DenialCode::SessionEnded
                ) =>
        {
            Ok(reply::see_other(&urls::session(id)))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// How a program reaches the DevTools of its session: by the token of the claim alone, so that no
/// page can ask with its visitor's cookies.
async fn devtools(
    control_plane: &ControlPlane,
    visit: &RequestContext,
    id: &SessionId,
) -> Result<Reply, HandlerError> {
    visit.not_cross_site()?;
    let access = control_plane.devtools(id, visit.bearer()).await?;
    Ok(reply::json(StatusCode::OK, &Devtools::from(access)))
}

async fn end(
    control_plane: &ControlPlane,
    request: &Request,
    visit: &RequestContext,
    id: &SessionId,
) -> Result<Reply, HandlerError> {
    visit.not_cross_site()?;
    let user = user(control_plane, visit);
    let session = control_plane
        .end(id, proof(visit, id, user.as_ref()))
        .await?;
    if visit.wants_json {
        return Ok(status_document(control_plane, visit, &session));
    }
    // A page may say where its form leads: to the list of sessions, or to a link.
    let form = body::form(request).ok();
    let to = form.as_ref().and_then(|form| form.field("to"));
    let to = to.filter(|to| urls::is_way_back(to));
    Ok(reply::see_other(to.unwrap_or(&urls::session(id))))
}

/// The user who has logged in.
fn user(control_plane: &ControlPlane, visit: &RequestContext) -> Option<UserId> {
    let now = control_plane.clock.now();
    let user = visit.login(&control_plane.keys, control_plane.urls.is_secure(), now);
    user.map(|user| user.id)
}

/// What shows that the request is the owner's. A program proves it by its token alone.
fn proof<'a>(
    visit: &'a RequestContext,
    id: &SessionId,
    user: Option<&'a UserId>,
) -> OwnerProof<'a> {
    OwnerProof {
        ticket: visit.owner_ticket(id),
        user: user.filter(|_| visit.bearer().is_none()),
    }
}

async fn report(
    control_plane: &ControlPlane,
    request: &Request,
    visit: &RequestContext,
    id: &SessionId,
) -> Result<Reply, HandlerError> {
    let report: Report = body::json(request)?;
    // A missing secret is a wrong one.
    let directives = control_plane
        .report(
            id,
            visit.bearer().unwrap_or_default(),
            report,
            visit.source()?,
        )
        .await?;
    Ok(directives.map_or_else(reply::no_content, |directives| {
        reply::json(StatusCode::OK, &directives)
    }))
}

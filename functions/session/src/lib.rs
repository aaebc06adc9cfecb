//! The session function: the waiting page and what it asks, for the session's owner; and the reports of its gate.
//! Owns how these are asked and answered; must not know how sessions move.

mod ended;
mod progress;
mod resumed;
mod status;
mod waiting;

use casting_core::denial::DenialCode;
use casting_core::ids::{Reference, SessionId};
use casting_core::ports::{Launcher, Store};
use casting_core::{Bootstrap, Casting, FlowError, ProfileReport, Refusal, Report, outcome};
use casting_web::{
    Function, HandlerError, Problem, Reply, Request, RequestContext, RouteName, body,
    code::Mistake, reply,
};
use http::StatusCode;

/// Answers a request.
pub async fn handle<S: Store, L: Launcher>(casting: &Casting<S, L>, request: Request) -> Reply {
    let mut visit = RequestContext::parse(&request, &*casting.entropy);
    let reply = answer(casting, &request, &mut visit)
        .await
        .unwrap_or_else(|obstacle| visit.stopped(&obstacle));
    visit.finish(reply)
}

async fn answer<S: Store, L: Launcher>(
    casting: &Casting<S, L>,
    request: &Request,
    visit: &mut RequestContext,
) -> Result<Reply, HandlerError> {
    let matched = visit.route(Function::Session)?;
    let (name, id) = (matched.route.name, SessionId::parse(matched.segment));
    // These are for programs only, whatever they accept.
    visit.wants_json |= matches!(
        name,
        RouteName::SessionStatus
            | RouteName::BootstrapSession
            | RouteName::ReportSession
            | RouteName::ReportProfile
    );
    if name == RouteName::WatchSession {
        return watch(casting, visit).await;
    }
    let id = id.ok_or(Problem::new(DenialCode::UnknownSession))?;
    match name {
        RouteName::ShowSession => show(casting, visit, &id).await,
        RouteName::SessionStatus => {
            let session = casting.status(&id, visit.owner_ticket(&id)).await?;
            Ok(reply::json(
                StatusCode::OK,
                &status::Status::of(&session, &casting.terms),
            ))
        }
        RouteName::EnterSession => enter(casting, visit, &id).await,
        RouteName::EndSession => end(casting, visit, &id).await,
        RouteName::BootstrapSession => {
            let token = visit.bearer().unwrap_or_default();
            let secret = casting.bootstrap(&id, token).await?;
            Ok(reply::json(
                StatusCode::OK,
                &Bootstrap {
                    secret: secret.expose().to_owned(),
                },
            ))
        }
        RouteName::ReportProfile => {
            let report: ProfileReport = body::json(request)?;
            let orders = casting
                .report_profile(&id, visit.bearer().unwrap_or_default(), report)
                .await?;
            Ok(orders.map_or_else(reply::no_content, |orders| {
                reply::json(StatusCode::OK, &orders)
            }))
        }
        RouteName::ReportSession => report(casting, request, visit, &id).await,
        _ => Err(Problem::new(Mistake::NotFound).into()),
    }
}

/// Wherever the session stands, this address shows it: waiting, on the way in, or how it ended.
async fn show<S: Store, L: Launcher>(
    casting: &Casting<S, L>,
    visit: &RequestContext,
    id: &SessionId,
) -> Result<Reply, HandlerError> {
    let session = casting.status(id, visit.owner_ticket(id)).await?;
    if visit.wants_json {
        return Ok(reply::json(
            StatusCode::OK,
            &status::Status::of(&session, &casting.terms),
        ));
    }
    match outcome(&session) {
        // Ended before it was ready, but because somebody wanted it: no failure, so the link's error page is not concerned.
        Some(denial) if denial.code != DenialCode::SessionEnded => {
            let reference = Reference::of(id);
            Err(Refusal {
                stop: FlowError::Denied(denial),
                reference,
                error_url: casting.terms.error_page(session.error_url.as_deref()),
                framed_by: Box::default(),
            }
            .into())
        }
        _ => match progress::stage(&session) {
            progress::Stage::Starting(step) => {
                Ok(waiting::reply(&session, step, casting.clock.now(), visit))
            }
            progress::Stage::Ready if !resumed::not_applied(visit).is_empty() => {
                Ok(resumed::reply(&session, visit))
            }
            progress::Stage::Ready => Ok(reply::see_other(&format!("/session/{id}/enter"))),
            progress::Stage::Over(reason) => Ok(ended::reply(&session, reason, visit)),
        },
    }
}

async fn enter<S: Store, L: Launcher>(
    casting: &Casting<S, L>,
    visit: &RequestContext,
    id: &SessionId,
) -> Result<Reply, HandlerError> {
    match casting.enter(id, visit.owner_ticket(id)).await {
        Ok(url) => Ok(reply::see_other(&url)),
        // Too early, or too late: the session's page says which.
        Err(refusal)
            if !visit.wants_json
                && matches!(
                    refusal.denial().code,
                    DenialCode::Busy | DenialCode::SessionEnded
                ) =>
        {
            Ok(reply::see_other(&format!("/session/{id}")))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

async fn end<S: Store, L: Launcher>(
    casting: &Casting<S, L>,
    visit: &RequestContext,
    id: &SessionId,
) -> Result<Reply, HandlerError> {
    visit.not_cross_site()?;
    let session = casting.end(id, visit.owner_ticket(id)).await?;
    if visit.wants_json {
        return Ok(reply::json(
            StatusCode::OK,
            &status::Status::of(&session, &casting.terms),
        ));
    }
    Ok(reply::see_other(&format!("/session/{id}")))
}

/// Whoever must log in first comes back here afterwards.
async fn watch<S: Store, L: Launcher>(
    casting: &Casting<S, L>,
    visit: &RequestContext,
) -> Result<Reply, HandlerError> {
    let name = visit.route(Function::Session)?.segment;
    let user = visit.login(
        &casting.keys,
        casting.terms.is_secure(),
        casting.clock.now(),
    );
    match casting.watch(name, user.as_ref()).await {
        Ok(url) => Ok(reply::see_other(&url)),
        Err(refusal) if !visit.wants_json && refusal.denial().code == DenialCode::LoginRequired => {
            Ok(reply::see_other(&format!("/login?to=/share/{name}")))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

async fn report<S: Store, L: Launcher>(
    casting: &Casting<S, L>,
    request: &Request,
    visit: &RequestContext,
    id: &SessionId,
) -> Result<Reply, HandlerError> {
    let report: Report = body::json(request)?;
    // A gate without a secret is a gate with a wrong one.
    let orders = casting
        .report(
            id,
            visit.bearer().unwrap_or_default(),
            report,
            visit.source()?,
        )
        .await?;
    Ok(orders.map_or_else(reply::no_content, |orders| {
        reply::json(StatusCode::OK, &orders)
    }))
}

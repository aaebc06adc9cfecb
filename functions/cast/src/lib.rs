//! The cast function: opening links and claiming sessions. Owns their requests and replies; must
//! not know the policies.

mod badge;
mod claim;
mod landing;
mod room;
mod widget;

use casting_core::denial::DenialCode;
use casting_core::invitation;
use casting_core::policy::LinkParameters;
use casting_core::rate_limit::RateLimit;
use casting_core::urls;
use casting_core::{ClaimOutcome, ClaimRequest, ControlPlane, Refusal, Visitor};
use casting_web::{
    Function, HandlerError, Problem, PublicRouteName, Reply, Request, RequestContext, body,
    code::RequestError, reply,
};
use http::{Method, StatusCode, header};

use crate::landing::Look;

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
    let name = visit.route(Function::Cast)?.line.name;
    // This route is for programs only, whatever they accept.
    visit.wants_json |= name == PublicRouteName::DescribeCast;
    let visit = &*visit;
    if name == PublicRouteName::OpenCast
        && let Some(right) = urls::mistyped(&visit.path)
    {
        return Ok(reply::see_other(&visit.with_query(&right)));
    }
    let key = visit.route(Function::Cast)?.segment;
    if name == PublicRouteName::OpenCast
        && let Some(refusal) = noticed(control_plane, visit, key)
    {
        return Ok(visit.show_refusal(&refusal));
    }
    let (keys, secure, now) = (
        &control_plane.keys,
        control_plane.urls.is_secure(),
        control_plane.clock.now(),
    );
    let visitor = Visitor {
        own: visit.own_session(key, keys, secure, now),
        ..visit.visitor(keys, secure, now)?
    };
    match name {
        PublicRouteName::OpenCast | PublicRouteName::DescribeCast => {
            let opened = open(control_plane, visit, key, &visitor).await;
            Ok(with_rate_limits(
                control_plane,
                visit,
                key,
                &visitor,
                opened.map(|reply| (reply, None)),
            )
            .await)
        }
        PublicRouteName::Claim => {
            visit.not_cross_site()?;
            // Programs, which send documents, keep tokens instead.
            let is_form = body::kind(request) == Some(body::Kind::Form);
            let drops_cookies = is_form
                && match visit.drops_cookies(&visit.path, secure) {
                    Ok(drops) => drops,
                    Err(again) => return Ok(*again),
                };
            let claimed = claim(control_plane, request, visit, key, &visitor, drops_cookies).await;
            let by_script = claim::is_by_script(request);
            let again = by_script && claimed.as_ref().is_err_and(claim::is_contention);
            let reply = with_rate_limits(control_plane, visit, key, &visitor, claimed).await;
            Ok(match (by_script, again) {
                (false, _) => reply,
                (true, false) => claim::for_script(reply),
                (true, true) => reply::empty(StatusCode::SERVICE_UNAVAILABLE),
            })
        }
        PublicRouteName::SeeRoom => load_queue(control_plane, visit, key, &visitor).await,
        PublicRouteName::LeaveRoom => {
            leave_room(control_plane, request, visit, key, &visitor).await
        }
        PublicRouteName::ShowBadge => Ok(show_badge(control_plane, visit, key, &visitor).await),
        _ => Err(Problem::new(RequestError::NotFound).into()),
    }
}

/// Adds the rate limits of the visitor to the reply.
async fn with_rate_limits(
    control_plane: &ControlPlane,
    visit: &RequestContext,
    key: &str,
    visitor: &Visitor,
    answered: Result<(Reply, Option<RateLimit>), HandlerError>,
) -> Reply {
    let (mut reply, refused, left) = match answered {
        Ok((reply, left)) => (reply, None, left),
        Err(error) => {
            let refused = match &error {
                HandlerError::Refusal(refusal) => Some(refusal.denial()),
                HandlerError::Problem(_) | HandlerError::Fault(_) => None,
            };
            (
                refuse(control_plane, visit, key, error).await,
                refused,
                None,
            )
        }
    };
    let limits = control_plane
        .rate_limits(key, visitor, refused.as_ref(), left)
        .await;
    reply::set_rate_limits(&mut reply, &limits);
    reply
}

/// The refusal of a claim that this address shows; see [`ControlPlane::notice`].
fn noticed(control_plane: &ControlPlane, visit: &RequestContext, key: &str) -> Option<Refusal> {
    let notice = visit.query("notice").filter(|_| !visit.wants_json)?;
    control_plane.read_notice(key, notice, visit.without_query("notice"))
}

/// The reply to a request that failed. A refused form is answered with a redirect to the link's own
/// page, which shows the refusal: loaded again, it is the link, and nothing is sent twice.
async fn refuse(
    control_plane: &ControlPlane,
    visit: &RequestContext,
    key: &str,
    error: HandlerError,
) -> Reply {
    if let HandlerError::Refusal(refusal) = &error
        && visit.method == Method::POST
        && !visit.wants_json
        && refusal.error_url.is_none()
        && let Some(address) = control_plane.notice(key, refusal)
    {
        let mut reply = reply::see_other(&address);
        reply::set_retry_after(&mut reply, refusal.denial().retry_after);
        return reply;
    }
    visit.error_response(control_plane, error).await
}

async fn open(
    control_plane: &ControlPlane,
    visit: &RequestContext,
    key: &str,
    visitor: &Visitor,
) -> Result<Reply, HandlerError> {
    let parameters = LinkParameters {
        kasm_url: visit.query("kasm_url").map(str::to_owned),
        docker_network: visit.query("docker_network").map(str::to_owned),
        invitation: visit.query(invitation::PARAMETER).map(invitation::named),
    };
    let opened = control_plane
        .open(key, visitor, &parameters, visit.query("via"))
        .await?;
    let visit = visit.speaking(opened.cast.settings.language.0);
    let visit = &visit.branded(control_plane.brand(Some(&opened.cast)));
    let user_name = visitor.user.as_ref().map(|user| user.name.as_str());
    let look = Look {
        visit,
        urls: &control_plane.urls,
        parameters: &parameters,
        user_name,
        entropy: &*control_plane.entropy,
    };
    if visit.wants_json {
        return Ok(landing::describe(&opened, &look));
    }
    let mut reply = landing::show(&opened, &look);
    visit.probe_cookies(&mut reply, control_plane.urls.is_secure());
    Ok(reply)
}

/// Always a picture: what embeds it cannot show a page or a document.
async fn show_badge(
    control_plane: &ControlPlane,
    visit: &RequestContext,
    key: &str,
    visitor: &Visitor,
) -> Reply {
    match control_plane
        .link_status(key, visitor.address, visitor.referrer.as_deref())
        .await
    {
        Ok(link_status) => {
            let words = visit.speaking(link_status.language).words;
            badge::reply(&link_status, words, visit.header(&header::IF_NONE_MATCH))
        }
        Err(error) => badge::trouble(&control_plane.note_fault(error), visit.words),
    }
}

async fn load_queue(
    control_plane: &ControlPlane,
    visit: &RequestContext,
    key: &str,
    visitor: &Visitor,
) -> Result<Reply, HandlerError> {
    let waiting = control_plane
        .wait(key, visit.query("ticket").unwrap_or_default(), visitor)
        .await?;
    let brand = control_plane.brand(Some(&waiting.cast));
    let visit = visit.clone().branded(brand);
    Ok(room::reply(&waiting, key, &visit, &control_plane.urls))
}

async fn leave_room(
    control_plane: &ControlPlane,
    request: &Request,
    visit: &RequestContext,
    key: &str,
    visitor: &Visitor,
) -> Result<Reply, HandlerError> {
    visit.not_cross_site()?;
    control_plane
        .leave(key, &room::read(request)?, visitor)
        .await?;
    let visit = visit.clone().branded(control_plane.brand(None));
    Ok(room::left(key, &visit))
}

async fn claim(
    control_plane: &ControlPlane,
    request: &Request,
    visit: &RequestContext,
    key: &str,
    visitor: &Visitor,
    drops_cookies: bool,
) -> Result<(Reply, Option<RateLimit>), HandlerError> {
    let request = ClaimRequest {
        drops_cookies,
        ..claim::read(request)?
    };
    match control_plane.claim(key, &request, visitor).await {
        Ok(ClaimOutcome::Session(claimed)) => {
            let reply = claim::reply(&claimed, key, visit, &control_plane.urls);
            Ok((reply, claimed.left))
        }
        Ok(ClaimOutcome::Queued(waiting)) => Ok((
            room::seated(&waiting, key, visit, &control_plane.urls),
            None,
        )),
        // The login has expired while the page was open: the link itself leads there again.
        Err(refusal) if refusal.denial().code == DenialCode::LoginRequired && !visit.wants_json => {
            Ok((reply::see_other(&urls::cast(key)), None))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

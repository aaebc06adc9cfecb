//! The cast function: opening links and claiming sessions. Owns their requests and replies; must
//! not know the policies.

mod badge;
mod claim;
mod landing;
mod room;
mod widget;

use casting_core::denial::DenialCode;
use casting_core::policy::LinkParameters;
use casting_core::rate_limit::RateLimit;
use casting_core::urls;
use casting_core::{ClaimOutcome, ControlPlane, Visitor};
use casting_web::{
    Function, HandlerError, Problem, PublicRouteName, Reply, Request, RequestContext,
    code::RequestError, reply,
};
use http::header;

use crate::landing::Look;

/// Answers a request.
pub async fn handle(control_plane: &ControlPlane, request: Request) -> Reply {
    let mut visit = RequestContext::parse(&request, &*control_plane.entropy);
    let reply = answer(control_plane, &request, &mut visit)
        .await
        .unwrap_or_else(|error| visit.error_response(&error));
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
    let key = visit.route(Function::Cast)?.segment;
    let visitor = visit.visitor(
        &control_plane.keys,
        control_plane.urls.is_secure(),
        control_plane.clock.now(),
    )?;
    match name {
        PublicRouteName::OpenCast | PublicRouteName::DescribeCast => {
            let opened = open(control_plane, visit, key, &visitor).await;
            Ok(tell_limits(
                control_plane,
                visit,
                key,
                &visitor,
                opened.map(|reply| (reply, None)),
            )
            .await)
        }
        PublicRouteName::Claim => {
            let claimed = claim(control_plane, request, visit, key, &visitor).await;
            Ok(tell_limits(control_plane, visit, key, &visitor, claimed).await)
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
async fn tell_limits(
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
                HandlerError::Problem(_) => None,
            };
            (visit.error_response(&error), refused, None)
        }
    };
    let limits = control_plane
        .rate_limits(key, visitor, refused.as_ref(), left)
        .await;
    reply::set_rate_limits(&mut reply, &limits);
    reply
}

async fn open(
    control_plane: &ControlPlane,
    visit: &RequestContext,
    key: &str,
    visitor: &Visitor,
) -> Result<Reply, HandlerError> {
    let wishes = LinkParameters {
        kasm_url: visit.query("kasm_url").map(str::to_owned),
        docker_network: visit.query("docker_network").map(str::to_owned),
    };
    let opened = control_plane
        .open(key, visitor, &wishes, visit.query("via"))
        .await?;
    let user_name = visitor.user.as_ref().map(|user| user.name.as_str());
    let look = Look {
        visit,
        urls: &control_plane.urls,
        wishes: &wishes,
        user_name,
        entropy: &*control_plane.entropy,
    };
    Ok(if visit.wants_json {
        landing::describe(&opened, &look)
    } else {
        landing::show(&opened, &look)
    })
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
        Ok(link_status) => badge::reply(&link_status, visit.header(&header::IF_NONE_MATCH)),
        Err(error) => badge::trouble(&control_plane.note_fault(error)),
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
    Ok(room::reply(&waiting, key, visit, &control_plane.urls))
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
    Ok(room::left(key, visit))
}

async fn claim(
    control_plane: &ControlPlane,
    request: &Request,
    visit: &RequestContext,
    key: &str,
    visitor: &Visitor,
) -> Result<(Reply, Option<RateLimit>), HandlerError> {
    visit.not_cross_site()?;
    let claimed = control_plane
        .claim(key, &claim::read(request)?, visitor)
        .await;
    match claimed {
        Ok(ClaimOutcome::Session(claimed)) => {
            let reply = claim::reply(&claimed, visit, &control_plane.urls);
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

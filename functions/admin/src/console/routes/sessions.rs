//! Owns the page of live sessions and what can be done there. Must not know what the verbs do.

use casting_core::listing::{SessionQuery, SessionsOf};
use casting_web::{Reply, reply};
use serde_json::Value;

use super::{Done, ROWS, Round};
use crate::console::sessions;
use crate::service::failure::Failure;
use crate::service::sessions::{self as verbs, SessionsAsked};

const PAGE: &str = "/admin/sessions";

pub(super) async fn list(round: &Round<'_>) -> Result<Reply, Failure> {
    let query = SessionQuery {
        of: SessionsOf::Living,
        ..SessionQuery::default()
    };
    let asked = SessionsAsked {
        query,
        is_live: Some(true),
        ..SessionsAsked::default()
    };
    let page = verbs::list(&round.service, &asked, round.cursor().as_deref(), ROWS).await?;
    let views: Vec<Value> = page.items.iter().map(verbs::view).collect();
    let next = round.next(page.next.as_ref(), &[]);
    let mut screen = sessions::page(&round.frame, &views, next);
    // Whoever watches is led to the session's own origin.
    let shared = page
        .items
        .iter()
        .filter(|session| session.sharing.token.is_some());
    let origins =
        shared.filter_map(|session| round.service.control_plane.urls.session_origin(&session.id));
    screen.forms_lead_to = origins.collect();
    Ok(round.show(&screen))
}

pub(super) async fn stop(round: &Round<'_>) -> Result<Reply, Failure> {
    let session = verbs::stop(&round.service, round.id).await?;
    match session.pooled.as_ref().filter(|_| session.is_unassigned()) {
        Some(pooled) => {
            round
                .lead(
                    &format!("/admin/staging/{}", pooled.pool),
                    Done::Stopping,
                    None,
                )
                .await
        }
        None => round.lead(PAGE, Done::Stopping, None).await,
    }
}

pub(super) async fn unshare(round: &Round<'_>) -> Result<Reply, Failure> {
    verbs::unshare(&round.service, round.id).await?;
    round.lead(PAGE, Done::Unshared, None).await
}

pub(super) async fn watch(round: &Round<'_>) -> Result<Reply, Failure> {
    Ok(reply::see_other(
        &verbs::watch(&round.service, round.id).await?,
    ))
}

//! Owns the page of live sessions and what can be done there. Must not know what the verbs do.

use casting_core::listing::{SessionQuery, SessionsOf};
use casting_web::{Reply, reply};
use serde_json::Value;

use super::{ConsoleRequest, FlashMessage, ROWS};
use crate::console::sessions;
use crate::failure::Failure;
use casting_core::admin::sessions::{self as verbs, SessionsAsked};

const PAGE: &str = "/admin/sessions";

pub(super) async fn list(request: &ConsoleRequest<'_>) -> Result<Reply, Failure> {
    let query = SessionQuery {
        of: SessionsOf::Living,
        ..SessionQuery::default()
    };
    let asked = SessionsAsked {
        query,
        is_live: Some(true),
        ..SessionsAsked::default()
    };
    let page = verbs::list(&request.service, &asked, request.cursor().as_deref(), ROWS).await?;
    let views: Vec<Value> = page.items.iter().map(verbs::view).collect();
    let next = request.next(page.next.as_ref(), &[]);
    let mut screen = sessions::page(&request.context, &views, next);
    // Whoever watches is led to the session's own origin.
    let shared = page
        .items
        .iter()
        .filter(|session| session.sharing.token.is_some());
    let origins = shared.filter_map(|session| {
        request
            .service
            .control_plane
            .urls
            .session_origin(&session.id)
    });
    screen.forms_lead_to = origins.collect();
    Ok(request.show(&screen))
}

pub(super) async fn stop(request: &ConsoleRequest<'_>) -> Result<Reply, Failure> {
    let session = verbs::stop(&request.service, request.id).await?;
    match session.pooled.as_ref().filter(|_| session.is_unassigned()) {
        Some(pooled) => {
            request
                .redirect_with_flash(
                    &format!("/admin/staging/{}", pooled.pool),
                    FlashMessage::Stopping,
                    None,
                )
                .await
        }
        None => {
            request
                .redirect_with_flash(PAGE, FlashMessage::Stopping, None)
                .await
        }
    }
}

pub(super) async fn unshare(request: &ConsoleRequest<'_>) -> Result<Reply, Failure> {
    verbs::unshare(&request.service, request.id).await?;
    request
        .redirect_with_flash(PAGE, FlashMessage::Unshared, None)
        .await
}

pub(super) async fn watch(request: &ConsoleRequest<'_>) -> Result<Reply, Failure> {
    Ok(reply::see_other(
        &verbs::watch(&request.service, request.id).await?,
    ))
}

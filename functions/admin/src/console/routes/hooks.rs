//! Owns the routes of a hook's page. Must not know what the verbs do.

use casting_core::admin::casts;
use casting_core::admin::hooks::{self as verbs, ShownHook};
use casting_core::hook::HookId;
use casting_web::{HandlerError, Reply};
use serde_json::json;

use super::{ConsoleRequest, FlashMessage};
use crate::console::hooks::{self, HookPage};
use crate::console::paths;

/// How many deliveries a page shows.
const ROWS: u32 = 50;

async fn page(
    request: &ConsoleRequest<'_>,
    hook: &ShownHook,
    secret: Option<String>,
) -> Result<Reply, HandlerError> {
    let name = match &hook.id {
        HookId::Deployment => String::new(),
        HookId::Cast(cast) => {
            let cast = casts::find(&request.service, cast.as_str()).await?;
            cast.settings.name
        }
    };
    let cursor = request.cursor();
    let found = verbs::deliveries(&request.service, request.id, cursor.as_deref(), ROWS).await?;
    let page = HookPage {
        hook,
        name,
        secret,
        deliveries: &found.items,
        next: request.next(found.next.as_ref(), &[]),
    };
    Ok(request.show(&hooks::page(&request.context, &page)))
}

pub(super) async fn show(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let hook = verbs::find(&request.service, request.id).await?;
    page(request, &hook, None).await
}

/// Shown in the answer itself: it stands in no address and in no cookie, and is gone with the page.
pub(super) async fn rotate(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let (hook, secret) = verbs::rotate(&request.service, request.id).await?;
    page(request, &hook, Some(secret)).await
}

async fn back(request: &ConsoleRequest<'_>, done: FlashMessage) -> Result<Reply, HandlerError> {
    let to = paths::hook(request.id);
    request.redirect_with_flash(&to, done, None).await
}

pub(super) async fn test(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    verbs::test(&request.service, request.id).await?;
    back(request, FlashMessage::EventSent).await
}

pub(super) async fn replay(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let document = json!({ "delivery": request.form_data.first("delivery") });
    verbs::replay(&request.service, request.id, &document).await?;
    back(request, FlashMessage::EventSent).await
}

pub(super) async fn resume(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    verbs::resume(&request.service, request.id).await?;
    back(request, FlashMessage::Resumed).await
}

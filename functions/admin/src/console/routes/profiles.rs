//! Owns the page of one user, and what can be done with their profiles there. Must not know what
//! the verbs do.

use casting_core::persistent_profile::PersistentProfile;
use casting_web::Reply;
use serde_json::{Value, json};

use super::{ConsoleRequest, FlashMessage, messages, trail};
use crate::console::confirm::{self, Confirm};
use crate::console::layout::Place;
use crate::console::paths;
use crate::console::profiles;
use casting_core::admin::{profiles as verbs, users};
use casting_web::HandlerError;

pub(super) async fn show(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let user = users::find(&request.service, request.id).await?;
    let views: Vec<Value> = verbs::list(&request.service, request.id)
        .await?
        .iter()
        .map(PersistentProfile::view)
        .collect();
    let mut screen = profiles::user(&request.context, &user, &views);
    screen.trail = trail(Place::Users);
    Ok(request.show(&screen))
}

pub(super) async fn restore(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let document = json!({ "archive": request.form_data.first("archive") });
    let profile = verbs::restore(&request.service, request.id, &document).await?;
    request
        .redirect_with_flash(
            &paths::user(profile.user.as_str()),
            FlashMessage::Restored,
            None,
        )
        .await
}

pub(super) async fn ask_to_delete(
    request: &ConsoleRequest<'_>,
    refused: &str,
) -> Result<Reply, HandlerError> {
    let profile = verbs::find(&request.service, request.id).await?;
    let page = Confirm {
        place: Place::Users,
        trail: trail(Place::Users),
        title: format!(
            "Delete the files that are kept for \u{201c}{}\u{201d}?",
            profile.image_name
        ),
        happens: vec![
            "The user's files for this image are deleted, including all earlier versions.".into(),
            "This cannot be undone. The next session starts without files.".into(),
        ],
        uses: Vec::new(),
        action: paths::profile_delete(request.id),
        submit: "Delete the profile".into(),
        cancel: paths::user(profile.user.as_str()),
        choice: None,
        line: None,
        kept: Vec::new(),
        refused: refused.to_owned(),
        version: None,
    };
    Ok(request.show(&confirm::page(&request.context, &page)))
}

pub(super) async fn delete(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let user = verbs::find(&request.service, request.id).await?.user;
    match verbs::delete(&request.service, request.id).await {
        Ok(()) => {
            request
                .redirect_with_flash(&paths::user(user.as_str()), FlashMessage::Deleted, None)
                .await
        }
        Err(error) => {
            let messages = messages(error)?;
            ask_to_delete(
                request,
                messages
                    .errors
                    .first()
                    .map_or("", |error| error.detail.as_str()),
            )
            .await
        }
    }
}

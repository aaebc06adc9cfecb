//! Owns the page of one user, and what can be done with their profiles there. Must not know what the verbs do.

use casting_core::persistent_profile::PersistentProfile;
use casting_web::Reply;
use serde_json::{Value, json};

use super::{Done, Round, remarks, trail};
use crate::console::confirm::{self, Confirm};
use crate::console::profiles;
use crate::console::shell::Place;
use crate::service::failure::Failure;
use crate::service::{profiles as verbs, users};

pub(super) async fn show(round: &Round<'_>) -> Result<Reply, Failure> {
    let user = users::find(&round.service, round.id).await?;
    let views: Vec<Value> = verbs::list(&round.service, round.id)
        .await?
        .iter()
        .map(PersistentProfile::view)
        .collect();
    let mut screen = profiles::user(&round.frame, &user, &views);
    screen.trail = trail(Place::Users);
    Ok(round.show(&screen))
}

pub(super) async fn restore(round: &Round<'_>) -> Result<Reply, Failure> {
    let document = json!({ "archive": round.posted.first("archive") });
    let profile = verbs::restore(&round.service, round.id, &document).await?;
    round
        .lead(
            &format!("/admin/users/{}", profile.user),
            Done::Restored,
            None,
        )
        .await
}

pub(super) async fn ask_to_delete(round: &Round<'_>, refused: &str) -> Result<Reply, Failure> {
    let profile = verbs::find(&round.service, round.id).await?;
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
        action: format!("/admin/profiles/{}/delete", round.id),
        submit: "Delete the profile".into(),
        cancel: format!("/admin/users/{}", profile.user),
        choice: None,
        refused: refused.to_owned(),
        version: None,
    };
    Ok(round.show(&confirm::page(&round.frame, &page)))
}

pub(super) async fn delete(round: &Round<'_>) -> Result<Reply, Failure> {
    let user = verbs::find(&round.service, round.id).await?.user;
    match verbs::delete(&round.service, round.id).await {
        Ok(()) => {
            round
                .lead(&format!("/admin/users/{user}"), Done::Deleted, None)
                .await
        }
        Err(failure) => {
            let remarks = remarks(failure)?;
            ask_to_delete(
                round,
                remarks
                    .errors
                    .first()
                    .map_or("", |error| error.detail.as_str()),
            )
            .await
        }
    }
}

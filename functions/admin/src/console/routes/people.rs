//! Owns the pages of users, settings and the audit log. Must not know what the verbs do.

use casting_core::audit::{Action, Audit, Noun};
use casting_core::profile::Profile;
use casting_core::system_form;
use casting_web::Reply;
use serde_json::Value;

use super::{Done, ROWS, Round, remarks, stale, trail, typed_over};
use crate::console::answers;
use crate::console::audit::{self, Entry};
use crate::console::cast_words::text;
use crate::console::confirm::{self, Confirm};
use crate::console::edit::{self, Edit};
use crate::console::form::{Choices, Remarks};
use crate::console::nouns::settings::SETTINGS;
use crate::console::records;
use crate::console::shell::{Place, Screen};
use crate::service::failure::Failure;
use crate::service::{audits, settings as verbs, users};

pub(super) async fn users(round: &Round<'_>) -> Result<Reply, Failure> {
    if round.visit.query("kind").as_deref() == Some("anonymous") {
        let page = users::list_anonymous(&round.service, round.cursor().as_deref(), ROWS).await?;
        let views: Vec<Value> = page
            .items
            .iter()
            .filter_map(users::view_anonymous)
            .collect();
        let next = round.next(page.next.as_ref(), &[("kind", "anonymous")]);
        return Ok(round.show(&records::anonymous_users(&round.frame, &views, next)));
    }
    let page = users::list(&round.service, round.cursor().as_deref(), ROWS).await?;
    let views: Vec<Value> = page.items.iter().map(Profile::view).collect();
    let next = round.next(page.next.as_ref(), &[]);
    Ok(round.show(&records::users(&round.frame, &views, next)))
}

pub(super) async fn ask_to_forget(round: &Round<'_>, refused: &str) -> Result<Reply, Failure> {
    let user = users::find(&round.service, round.id).await?;
    let name = [text(&user, "name"), text(&user, "id")]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or_default()
        .to_owned();
    let page = Confirm {
        place: Place::Users,
        trail: trail(Place::Users),
        title: format!("Forget \u{201c}{name}\u{201d}?"),
        happens: vec![
            "The user's record is deleted and their name is removed from their sessions.".into(),
            "Their persistent files are deleted too.".into(),
            "This cannot be undone. If they sign in again, they are a new user.".into(),
        ],
        uses: Vec::new(),
        action: format!("/admin/users/{}/delete", round.id),
        submit: "Forget the user".into(),
        cancel: "/admin/users".into(),
        choice: Some((
            "terminate",
            "Stop their live sessions first".into(),
            round.posted.first("terminate").is_some(),
        )),
        refused: refused.to_owned(),
        version: None,
    };
    Ok(round.show(&confirm::page(&round.frame, &page)))
}

pub(super) async fn forget(round: &Round<'_>) -> Result<Reply, Failure> {
    match users::delete(
        &round.service,
        round.id,
        round.posted.first("terminate").is_some(),
    )
    .await
    {
        Ok(()) => round.lead("/admin/users", Done::Forgotten, None).await,
        Err(failure) => {
            let remarks = remarks(failure)?;
            ask_to_forget(
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

pub(super) async fn settings(round: &Round<'_>) -> Result<Reply, Failure> {
    let document = system_form::view(&verbs::read(&round.service).await?);
    Ok(round.show(&settings_page(round, &document, Remarks::default())))
}

fn settings_page(round: &Round<'_>, document: &Value, remarks: Remarks) -> Screen {
    let edit = Edit {
        noun: &SETTINGS,
        place: Place::Settings,
        scope: "settings",
        title: "Settings".into(),
        trail: Vec::new(),
        action: "/admin/settings".into(),
        cancel: "/admin/settings".into(),
        submit: "Save",
        document,
        version: round.version(document, &remarks),
        remarks,
        choices: &Choices::new(),
        is_new: false,
        id: None,
        counted: None,
        check: None,
        aside: String::new(),
        above: String::new(),
    };
    edit::page(&round.frame, &edit)
}

pub(super) async fn save_settings(round: &Round<'_>) -> Result<Reply, Failure> {
    let typed = answers::document(&SETTINGS, &round.posted);
    match verbs::change(&round.service, &typed, &round.precondition()).await {
        Ok(_) => {
            round
                .lead(
                    "/admin/settings",
                    Done::Saved,
                    Some(casting_core::system::SYSTEM_ID),
                )
                .await
        }
        Err(failure) => {
            let mut remarks = remarks(failure)?;
            let stored = system_form::view(&verbs::read(&round.service).await?);
            let typed = stale::meet(
                round,
                &SETTINGS,
                casting_core::system::SYSTEM_ID,
                &stored,
                typed,
                &mut remarks,
            )
            .await?;
            Ok(round.show(&settings_page(round, &typed_over(&stored, &typed), remarks)))
        }
    }
}

pub(super) async fn audit(round: &Round<'_>) -> Result<Reply, Failure> {
    let about = round.visit.query("about").unwrap_or_default();
    let target = Some(about.as_str()).filter(|about| !about.is_empty() && about.len() <= 100);
    let page = audits::list(&round.service, target, round.cursor().as_deref(), ROWS).await?;
    let may = |audit: &Audit| {
        audits::scope_of(audit.noun).is_some_and(|scope| round.service.actor.may(scope))
    };
    let entries: Vec<Entry> = page
        .items
        .iter()
        .map(|audit| entry(audit, may(audit)))
        .collect();
    let next = round.next(page.next.as_ref(), &[("about", &about)]);
    Ok(round.show(&audit::page(
        &round.frame,
        &entries,
        target.unwrap_or_default(),
        next,
    )))
}

fn entry(audit: &Audit, may: bool) -> Entry {
    let (folder, noun) = words(audit.noun);
    let verb = match audit.action {
        Action::Created => "made",
        Action::Changed => "changed",
        Action::Deleted => "deleted",
        Action::Registered => "registered again",
        Action::Ended => "ended",
        Action::Unshared => "ended sharing of",
        Action::Watched => "watched",
        Action::SignedIn => "signed in to",
    };
    let is_there = audit.action != Action::Deleted;
    let href = folder.filter(|_| is_there).map(|folder| match audit.noun {
        Noun::Settings => "/admin/settings".to_owned(),
        _ => format!("/admin/{folder}/{}", audit.target),
    });
    let changes = audit
        .changes
        .iter()
        .flat_map(|change| audit::changes(&change.field, &change.before, &change.after));
    Entry {
        id: audit.id.to_string(),
        at: audit.at,
        who: audit.actor_name.clone(),
        deed: format!("{verb} {noun}"),
        thing: (
            if matches!(audit.noun, Noun::Settings | Noun::Console) {
                String::new()
            } else {
                audit.target_name.clone()
            },
            href,
        ),
        changes: changes.collect(),
        undo: may && audits::can_be_undone(audit),
    }
}

/// Where things of a kind are in the console, and what one is called.
const fn words(noun: Noun) -> (Option<&'static str>, &'static str) {
    match noun {
        Noun::Cast => (Some("casts"), "the cast"),
        Noun::Image => (Some("images"), "the image"),
        Noun::Network => (Some("networks"), "the network"),
        Noun::Group => (Some("groups"), "the group"),
        Noun::User => (None, "the user"),
        Noun::Profile => (None, "a profile for"),
        Noun::Staging => (Some("staging"), "the staging config"),
        Noun::Settings => (Some("settings"), "the settings"),
        Noun::ApiKey => (Some("api-keys"), "the API key"),
        Noun::Session => (None, "a session of"),
        Noun::Console => (None, "the console"),
    }
}

pub(super) async fn take_back(round: &Round<'_>) -> Result<Reply, Failure> {
    let audit = audits::find(&round.service, round.id).await?;
    audits::undo(&round.service, round.id).await?;
    let to = match (words(audit.noun).0, audit.action) {
        (Some("settings"), _) => "/admin/settings".to_owned(),
        (Some(folder), Action::Changed) => format!("/admin/{folder}/{}", audit.target),
        (Some(folder), _) => format!("/admin/{folder}"),
        (None, _) => "/admin/audit".to_owned(),
    };
    round.lead(&to, Done::TakenBack, None).await
}

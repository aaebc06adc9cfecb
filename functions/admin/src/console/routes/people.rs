//! Owns the pages of users, settings and the audit log. Must not know what the verbs do.

use casting_core::audit::{Action, Audit, RecordKind};
use casting_core::profile::Profile;
use casting_core::system_form;
use casting_web::Reply;
use serde_json::Value;

use super::{ConsoleRequest, FlashMessage, ROWS, messages, stale, trail, typed_over};
use crate::console::audit::{self, Entry};
use crate::console::cast_labels::text;
use crate::console::confirm::{self, Confirm};
use crate::console::edit::{self, Edit};
use crate::console::form::{Choices, FormMessages};
use crate::console::form_parser;
use crate::console::layout::{Place, Screen};
use crate::console::records;
use crate::failure::Failure;
use casting_core::admin::{audits, settings as verbs, users};

pub(super) async fn users(request: &ConsoleRequest<'_>) -> Result<Reply, Failure> {
    if request.visit.query("kind") == Some("anonymous") {
        let page =
            users::list_anonymous(&request.service, request.cursor().as_deref(), ROWS).await?;
        let views: Vec<Value> = page
            .items
            .iter()
            .filter_map(users::view_anonymous)
            .collect();
        let next = request.next(page.next.as_ref(), &[("kind", "anonymous")]);
        return Ok(request.show(&records::anonymous_users(&request.context, &views, next)));
    }
    let page = users::list(&request.service, request.cursor().as_deref(), ROWS).await?;
    let views: Vec<Value> = page.items.iter().map(Profile::view).collect();
    let next = request.next(page.next.as_ref(), &[]);
    Ok(request.show(&records::users(&request.context, &views, next)))
}

pub(super) async fn ask_to_forget(
    request: &ConsoleRequest<'_>,
    refused: &str,
) -> Result<Reply, Failure> {
    let user = users::find(&request.service, request.id).await?;
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
        action: format!("/admin/users/{}/delete", request.id),
        submit: "Forget the user".into(),
        cancel: "/admin/users".into(),
        choice: Some((
            "terminate",
            "Stop their live sessions first".into(),
            request.form_data.first("terminate").is_some(),
        )),
        refused: refused.to_owned(),
        version: None,
    };
    Ok(request.show(&confirm::page(&request.context, &page)))
}

pub(super) async fn forget(request: &ConsoleRequest<'_>) -> Result<Reply, Failure> {
    match users::delete(
        &request.service,
        request.id,
        request.form_data.first("terminate").is_some(),
    )
    .await
    {
        Ok(()) => {
            request
                .redirect_with_flash("/admin/users", FlashMessage::Forgotten, None)
                .await
        }
        Err(failure) => {
            let messages = messages(failure)?;
            ask_to_forget(
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

pub(super) async fn settings(request: &ConsoleRequest<'_>) -> Result<Reply, Failure> {
    let document = system_form::view(&verbs::read(&request.service).await?);
    Ok(request.show(&settings_page(request, &document, FormMessages::default())))
}

fn settings_page(request: &ConsoleRequest<'_>, document: &Value, messages: FormMessages) -> Screen {
    let edit = Edit {
        resource: system_form::resource(),
        place: Place::Settings,
        scope: "settings",
        title: "Settings".into(),
        trail: Vec::new(),
        action: "/admin/settings".into(),
        cancel: "/admin/settings".into(),
        submit: "Save",
        document,
        version: request.version(document, &messages),
        messages,
        choices: &Choices::new(),
        is_new: false,
        id: None,
        counted: None,
        check: None,
        aside: String::new(),
        above: String::new(),
    };
    edit::page(&request.context, &edit)
}

pub(super) async fn save_settings(request: &ConsoleRequest<'_>) -> Result<Reply, Failure> {
    let typed = form_parser::document(system_form::resource(), &request.form_data);
    match verbs::change(&request.service, &typed, &request.precondition()).await {
        Ok(_) => {
            request
                .redirect_with_flash(
                    "/admin/settings",
                    FlashMessage::Saved,
                    Some(casting_core::system::SYSTEM_ID),
                )
                .await
        }
        Err(failure) => {
            let mut messages = messages(failure)?;
            let stored = system_form::view(&verbs::read(&request.service).await?);
            let typed = stale::merge_stale_form(
                request,
                system_form::resource(),
                casting_core::system::SYSTEM_ID,
                &stored,
                typed,
                &mut messages,
            )
            .await?;
            Ok(request.show(&settings_page(
                request,
                &typed_over(&stored, &typed),
                messages,
            )))
        }
    }
}

pub(super) async fn audit(request: &ConsoleRequest<'_>) -> Result<Reply, Failure> {
    let about = request.visit.query("about").unwrap_or_default();
    let target = Some(about).filter(|about| !about.is_empty() && about.len() <= 100);
    let page = audits::list(&request.service, target, request.cursor().as_deref(), ROWS).await?;
    let may = |audit: &Audit| {
        audits::scope_of(audit.noun).is_some_and(|scope| request.service.actor.may(scope))
    };
    let entries: Vec<Entry> = page
        .items
        .iter()
        .map(|audit| entry(audit, may(audit)))
        .collect();
    let next = request.next(page.next.as_ref(), &[("about", about)]);
    Ok(request.show(&audit::page(
        &request.context,
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
        RecordKind::Settings => "/admin/settings".to_owned(),
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
            if matches!(audit.noun, RecordKind::Settings | RecordKind::Console) {
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
const fn words(noun: RecordKind) -> (Option<&'static str>, &'static str) {
    match noun {
        RecordKind::Cast => (Some("casts"), "the cast"),
        RecordKind::Image => (Some("images"), "the image"),
        RecordKind::Network => (Some("networks"), "the network"),
        RecordKind::Group => (Some("groups"), "the group"),
        RecordKind::User => (None, "the user"),
        RecordKind::Profile => (None, "a profile for"),
        RecordKind::Staging => (Some("staging"), "the staging config"),
        RecordKind::Settings => (Some("settings"), "the settings"),
        RecordKind::ApiKey => (Some("api-keys"), "the API key"),
        RecordKind::Session => (None, "a session of"),
        RecordKind::Console => (None, "the console"),
    }
}

pub(super) async fn take_back(request: &ConsoleRequest<'_>) -> Result<Reply, Failure> {
    let audit = audits::find(&request.service, request.id).await?;
    audits::undo(&request.service, request.id).await?;
    let to = match (words(audit.noun).0, audit.action) {
        (Some("settings"), _) => "/admin/settings".to_owned(),
        (Some(folder), Action::Changed) => format!("/admin/{folder}/{}", audit.target),
        (Some(folder), _) => format!("/admin/{folder}"),
        (None, _) => "/admin/audit".to_owned(),
    };
    request
        .redirect_with_flash(&to, FlashMessage::TakenBack, None)
        .await
}

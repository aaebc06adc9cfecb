//! Owns the pages of users, settings and the audit log. Must not know what the verbs do.

use askama::Template;
use casting_core::audit::{Action, Audit, AuditId, RecordKind};
use casting_core::captcha::CaptchaKind;
use casting_core::hook::HookId;
use casting_core::profile::Profile;
use casting_core::settings_form;
use casting_web::Reply;
use serde_json::{Value, json};

use super::{ConsoleRequest, FlashMessage, ROWS, checked_by, messages, stale, trail, typed_over};
use crate::console::audit::{self, AuditPage, Entry};
use crate::console::cast_labels::text;
use crate::console::confirm::{self, Confirm};
use crate::console::edit::{self, Edit};
use crate::console::form::{Choices, FormMessages};
use crate::console::form_parser;
use crate::console::layout::{Place, Screen};
use crate::console::paths;
use crate::console::table::ActionButton;
use crate::console::zone::Zone;
use crate::console::{records, shown};
use crate::console_auth;
use casting_core::admin::audits::AuditsAsked;
use casting_core::admin::error::AdminError;
use casting_core::admin::login_previews::{self, LoginPreview};
use casting_core::admin::version::Precondition;
use casting_core::admin::{audits, settings as verbs, users};
use casting_web::HandlerError;

/// How many users are read, searched and ordered at once; the list goes on after them.
const MOST_USERS: u32 = 1000;

pub(super) async fn users(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let (service, view) = (&request.service, request.view());
    let are_anonymous = request.visit.query("kind") == Some("anonymous");
    let (mut views, mut cursor) = (Vec::<Value>::new(), request.after());
    loop {
        if are_anonymous {
            let page = users::list_anonymous(service, cursor.as_deref(), MOST_USERS).await?;
            views.extend(page.items.iter().filter_map(users::view_anonymous));
            cursor = page.next;
        } else {
            let page = users::list(service, cursor.as_deref(), MOST_USERS).await?;
            views.extend(page.items.iter().map(Profile::view));
            cursor = page.next;
        }
        if cursor.is_none() || views.len() >= MOST_USERS as usize {
            break;
        }
    }
    let show = if are_anonymous {
        records::anonymous_users
    } else {
        records::users
    };
    Ok(request.show(&show(&request.context, &views, &view, cursor.as_deref())))
}

pub(super) async fn ask_to_forget(
    request: &ConsoleRequest<'_>,
    refused: &str,
) -> Result<Reply, HandlerError> {
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
        action: paths::user_delete(request.id),
        submit: "Forget the user".into(),
        cancel: paths::USERS.into(),
        choice: Some((
            "terminate",
            "Stop their live sessions first".into(),
            request.form_data.first("terminate").is_some(),
        )),
        line: None,
        kept: Vec::new(),
        refused: refused.to_owned(),
        version: None,
    };
    Ok(request.show(&confirm::page(&request.context, &page)))
}

pub(super) async fn forget(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    match users::delete(
        &request.service,
        request.id,
        request.form_data.first("terminate").is_some(),
    )
    .await
    {
        Ok(()) => {
            request
                .redirect_with_flash(paths::USERS, FlashMessage::Forgotten, None)
                .await
        }
        Err(error) => {
            let messages = messages(error)?;
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

pub(super) async fn settings(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let document = settings_form::view(&verbs::read(&request.service).await?);
    let screen = settings_page(
        request,
        &document,
        FormMessages::default(),
        &Asides::default(),
    );
    Ok(request.show(&screen))
}

/// Switches maintenance off, and shows the page again on which the button was.
pub(super) async fn end_maintenance(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let change = json!({ "maintenance": false });
    verbs::change(&request.service, &change, &Precondition::None).await?;
    let from = request.visit.header(&http::header::REFERER);
    let path = from.and_then(|from| from.strip_prefix(request.context.public_url.as_str()));
    let target = Some(casting_core::deployment::DEPLOYMENT_ID);
    request
        .redirect_with_flash(
            console_auth::target(path),
            FlashMessage::MaintenanceOff,
            target,
        )
        .await
}

/// Shows the settings with what the CAPTCHA's provider says about the stored keys.
pub(super) async fn check_captcha_keys(
    request: &ConsoleRequest<'_>,
) -> Result<Reply, HandlerError> {
    let document = settings_form::view(&verbs::read(&request.service).await?);
    let finding = verbs::check_keys(&request.service).await?;
    let asides = Asides {
        finding: Some(&finding),
        ..Asides::default()
    };
    let screen = settings_page(request, &document, FormMessages::default(), &asides);
    Ok(request.show(&screen))
}

/// Shows the settings with what a login with the pasted claims would come to.
pub(super) async fn preview_login(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let document = settings_form::view(&verbs::read(&request.service).await?);
    let pasted = request.form_data.first("claims").unwrap_or_default().trim();
    let previewed = match serde_json::from_str::<Value>(pasted) {
        Ok(claims) => {
            let asked = json!({ "claims": claims });
            match login_previews::preview(&request.service, &asked).await {
                Ok(preview) => Ok(preview),
                Err(AdminError::Fields(_)) => Err("This is no JSON object of claims.".to_owned()),
                Err(AdminError::Conflict(why)) => Err(why),
                Err(error) => return Err(error.into()),
            }
        }
        Err(error) => Err(format!("This is no JSON: {error}.")),
    };
    let asides = Asides {
        pasted,
        preview: previewed.as_ref().ok(),
        error: previewed.as_ref().err().map_or("", String::as_str),
        ..Asides::default()
    };
    let screen = settings_page(request, &document, FormMessages::default(), &asides);
    Ok(request.show(&screen))
}

/// What is shown beside the settings.
#[derive(Default)]
struct Asides<'a> {
    finding: Option<&'a verbs::KeysFinding>,
    pasted: &'a str,
    preview: Option<&'a LoginPreview>,
    error: &'a str,
}

#[derive(Template)]
#[template(path = "console/login_preview.html")]
struct LoginPreviewHtml<'a> {
    action: &'static str,
    csrf_token: &'a str,
    pasted: &'a str,
    preview: Option<&'a LoginPreview>,
    error: &'a str,
}

#[derive(Template)]
#[template(path = "console/captcha_check.html")]
struct CaptchaCheckHtml<'a> {
    action: &'static str,
    csrf_token: &'a str,
    finding: Option<&'a verbs::KeysFinding>,
}

fn settings_page(
    request: &ConsoleRequest<'_>,
    document: &Value,
    messages: FormMessages,
    asides: &Asides<'_>,
) -> Screen {
    let kind = CaptchaKind::parse(text(document, "captcha_kind"));
    let has_keys = kind.is_some_and(CaptchaKind::needs_keys);
    let mut above = if has_keys && request.context.may("settings") {
        shown(&CaptchaCheckHtml {
            action: paths::CHECK_CAPTCHA_KEYS,
            csrf_token: &request.context.csrf_token,
            finding: asides.finding,
        })
    } else {
        String::new()
    };
    if request.service.control_plane.login_reader.is_some() && request.context.may("settings") {
        above.push_str(&shown(&LoginPreviewHtml {
            action: paths::PREVIEW_LOGIN,
            csrf_token: &request.context.csrf_token,
            pasted: asides.pasted,
            preview: asides.preview,
            error: asides.error,
        }));
    }
    let edit = Edit {
        resource: settings_form::resource(),
        place: Place::Settings,
        scope: "settings",
        title: "Settings".into(),
        trail: Vec::new(),
        action: paths::SETTINGS.into(),
        cancel: paths::SETTINGS.into(),
        submit: "Save",
        document,
        version: request.version(document, &messages),
        messages,
        choices: &Choices::new(),
        is_new: false,
        id: None,
        counted: None,
        check: Some(paths::CHECK_SETTINGS),
        aside: String::new(),
        above,
    };
    let mut screen = edit::page(&request.context, &edit);
    let hook = paths::hook(HookId::DEPLOYMENT);
    screen.acts.push(ActionButton::go("Webhook", "", hook));
    screen
}

/// What is typed so far, checked.
pub(super) async fn check_settings(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let typed = form_parser::document(settings_form::resource(), &request.form_data);
    let outcome = verbs::check(&request.service, &typed).await;
    checked_by(settings_form::resource(), outcome)
}

pub(super) async fn save_settings(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let typed = form_parser::document(settings_form::resource(), &request.form_data);
    match verbs::change(&request.service, &typed, &request.precondition()).await {
        Ok(_) => {
            request
                .redirect_with_flash(
                    paths::SETTINGS,
                    FlashMessage::Saved,
                    Some(casting_core::deployment::DEPLOYMENT_ID),
                )
                .await
        }
        Err(error) => {
            let mut messages = messages(error)?;
            let stored = settings_form::view(&verbs::read(&request.service).await?);
            let typed = stale::merge_stale_form(
                request,
                settings_form::resource(),
                casting_core::deployment::DEPLOYMENT_ID,
                &stored,
                typed,
                &mut messages,
            )
            .await?;
            Ok(request.show(&settings_page(
                request,
                &typed_over(&stored, &typed),
                messages,
                &Asides::default(),
            )))
        }
    }
}

/// How many entries a file has at most.
const MOST_SAVED: usize = 1000;

pub(super) async fn audit(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let (service, view) = (&request.service, request.view());
    let words = |name: &str| {
        let text = Some(view.get(name)).filter(|text| !text.is_empty() && text.len() <= 100);
        text.map(str::to_owned)
    };
    let kind = |kind: &RecordKind| kind.as_str() == view.get("noun");
    let action = |action: &Action| action.as_str() == view.get("action");
    let asked = AuditsAsked {
        target: words("about"),
        noun: RecordKind::ALL.into_iter().find(kind),
        action: Action::ALL.into_iter().find(action),
        search: words("search"),
    };
    let mut page = audits::list(service, &asked, request.cursor().as_deref(), ROWS).await?;
    if !view.get("format").is_empty() {
        while page.items.len() < MOST_SAVED
            && let Some(next) = page.next.take()
        {
            let more = audits::list(service, &asked, Some(&next), 100).await?;
            page.items.extend(more.items);
            page.next = more.next;
        }
    }
    let may =
        |audit: &Audit| audits::scope_of(audit.noun).is_some_and(|scope| service.actor.may(scope));
    let entries = page
        .items
        .iter()
        .map(|audit| entry(audit, may(audit), &request.context.zone));
    let is_short = page.items.len() < ROWS as usize;
    let reached = page.next.as_deref().filter(|_| is_short);
    let page = AuditPage {
        entries: entries.collect(),
        reached: reached.and_then(AuditId::parse).map(|id| id.at()),
        next: page.next.map(|next| view.with(&[("cursor", &next)])),
        view,
    };
    Ok(request.show(&audit::page(&request.context, page)))
}

fn entry(audit: &Audit, may: bool, zone: &Zone) -> Entry {
    let noun = audit::kind_in_words(audit.noun);
    let verb = audit::verb(audit.action);
    let is_there = audit.action != Action::Deleted;
    let href = match audit.noun {
        _ if !is_there => None,
        RecordKind::Settings => Some(paths::SETTINGS.to_owned()),
        RecordKind::Session => Some(paths::session(&audit.target)),
        kind => paths::of_kind(kind).map(|paths| (paths.one)(&audit.target)),
    };
    let changes = audit
        .changes
        .iter()
        .flat_map(|change| audit::changes(&change.field, (&change.before, &change.after), zone));
    Entry {
        id: audit.id.to_string(),
        at: audit.at,
        who: audit.actor_name.clone(),
        address: audit.address.clone().unwrap_or_default(),
        verb: match audit.noun {
            RecordKind::Settings => verb.to_owned(),
            _ => format!("{verb} {noun}"),
        },
        // A link needs words of its own.
        thing: match audit.noun {
            RecordKind::Settings => (noun.to_owned(), href),
            RecordKind::Console => (String::new(), None),
            _ => (audit.target_name.clone(), href),
        },
        changes: changes.collect(),
        undo: may && audits::can_be_undone(audit),
        document: audits::view(audit),
    }
}

/// The most changes that are undone at once.
const MOST_UNDONE: usize = 50;

/// Undoes the changes of the form, the newest first.
pub(super) async fn take_back_all(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let mut ids: Vec<&str> = request.form_data.all("id").take(MOST_UNDONE).collect();
    ids.sort_unstable();
    let mut to = paths::AUDIT.to_owned();
    for (at, id) in ids.iter().rev().enumerate() {
        let audit = audits::find(&request.service, id).await?;
        // The required scope depends on the record; `undo` asks for it.
        audits::undo(&request.service, id).await?;
        to = match paths::of_kind(audit.noun) {
            Some(paths) if ids.len() > 1 || at > 0 => paths.list.to_owned(),
            _ => after_undo(&audit),
        };
    }
    request
        .redirect_with_flash(&to, FlashMessage::TakenBack, None)
        .await
}

/// The page on which an undone change is seen.
fn after_undo(audit: &Audit) -> String {
    match (paths::of_kind(audit.noun), audit.action) {
        (Some(paths), Action::Changed) => (paths.one)(&audit.target),
        (Some(paths), _) => paths.list.to_owned(),
        (None, _) if audit.noun == RecordKind::Settings => paths::SETTINGS.to_owned(),
        (None, _) => paths::AUDIT.to_owned(),
    }
}

pub(super) async fn take_back(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let audit = audits::find(&request.service, request.id).await?;
    audits::undo(&request.service, request.id).await?;
    let to = after_undo(&audit);
    request
        .redirect_with_flash(&to, FlashMessage::TakenBack, None)
        .await
}

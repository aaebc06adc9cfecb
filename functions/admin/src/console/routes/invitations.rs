//! Owns the routes of invitations to a cast: list, form, sheet, revocation. Must not know what the
//! verbs do.

use casting_core::ids::InvitationId;
use casting_core::invitation::Invitation;
use casting_core::invitation_form;
use casting_core::time::Timestamp;
use casting_web::{Reply, RequestError};
use serde_json::{Value, json};

use super::{ConsoleRequest, FlashMessage, messages, trail};
use crate::console::confirm::{self, Confirm};
use crate::console::edit::{self, Edit};
use crate::console::form::{Choices, FormMessages};
use crate::console::form_parser;
use crate::console::invitations::{self, InvitationPage, ON_A_SHEET};
use crate::console::layout::{Place, Screen};
use crate::console::paths;
use crate::console::table::View;
use casting_core::admin::casts;
use casting_core::admin::invitations as verbs;
use casting_core::cast::Cast;
use casting_web::HandlerError;

/// How many invitations are read, searched and ordered at once; the list goes on after them.
const MOST_READ: usize = 1000;

/// The invitations that the address asks for, and the page that they are for.
async fn found(
    request: &ConsoleRequest<'_>,
) -> Result<(Cast, InvitationPage, Vec<Invitation>), HandlerError> {
    let cast = casts::find(&request.service, request.id).await?;
    let after = request.after();
    let (mut all, next) = verbs::some(&request.service, &cast.id, after, MOST_READ).await?;
    let read = all.len();
    let view = request.view();
    if let Ok(made) = view.get("made").parse() {
        let made = Timestamp::from_millis(made);
        all.retain(|invitation| invitation.created_at == made);
    }
    // The newest first, and those of one moment by name; a column orders them otherwise.
    all.sort_by_cached_key(|one| {
        let name = one.settings.name.to_lowercase();
        (std::cmp::Reverse(one.created_at), name)
    });
    let page = InvitationPage {
        cast: cast.id.to_string(),
        name: cast.settings.name.clone(),
        view,
        read,
        next,
    };
    Ok((cast, page, all))
}

/// The invitations of these ids, in their order.
fn picked(all: &[Invitation], ids: &[String]) -> Vec<Invitation> {
    let find = |id: &String| all.iter().find(|one| one.id.as_str() == id).cloned();
    ids.iter().filter_map(find).collect()
}

pub(super) async fn list(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let (cast, page, all) = found(request).await?;
    let table = invitations::arranged(&request.context, &page, &all);
    let id = |document: &Value| document["id"].as_str().map(str::to_owned);
    let ids: Vec<String> = table
        .rows
        .iter()
        .filter_map(|row| id(&row.document))
        .collect();
    // Only the uses of those that are shown are read.
    let shown = verbs::with_uses(&request.service, &cast, picked(&all, &ids)).await?;
    Ok(request.show(&invitations::list(&request.context, &page, table, &shown)))
}

pub(super) async fn sheet(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let (cast, page, mut all) = found(request).await?;
    let from = page.view.page() * ON_A_SHEET;
    let more = all.len() > from + ON_A_SHEET;
    all = all.into_iter().skip(from).take(ON_A_SHEET).collect();
    let number = (page.view.page() + 2).to_string();
    let next = more.then(|| page.view.with(&[("page", &number)]));
    let shown = verbs::with_uses(&request.service, &cast, all).await?;
    let title = cast
        .settings
        .title
        .as_deref()
        .unwrap_or(&cast.settings.name);
    Ok(request.show(&invitations::sheet(
        &request.context,
        &page,
        title,
        &shown,
        next,
    )))
}

pub(super) async fn ask(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let cast = casts::find(&request.service, request.id).await?;
    let document = invitation_form::defaults();
    let screen = form(request, &cast, &document, FormMessages::default()).await?;
    Ok(request.show(&screen))
}

async fn form(
    request: &ConsoleRequest<'_>,
    cast: &Cast,
    document: &Value,
    messages: FormMessages,
) -> Result<Screen, HandlerError> {
    let choices = request.choices().await?;
    let list = paths::cast_invitations(cast.id.as_str());
    let mut trail = trail(Place::Casts);
    let home = paths::cast(cast.id.as_str());
    trail.push((cast.settings.name.clone(), home));
    trail.push(("Invitations".to_owned(), list.clone()));
    let edit = Edit {
        resource: invitation_form::resource(),
        place: Place::Casts,
        scope: "casts",
        title: "Invite guests".to_owned(),
        trail,
        action: list.clone(),
        cancel: list,
        submit: "Create invitations",
        document,
        messages,
        choices: &choices,
        is_new: true,
        id: None,
        counted: None,
        version: None,
        check: None,
        aside: String::new(),
        above: String::new(),
    };
    Ok(edit::page(&request.context, &edit))
}

/// The guests of lines as they are typed or come out of a CSV file: a name, and a label after a
/// comma if wanted. A line of headings is left out.
fn guests(lines: &Value) -> Value {
    let text = lines.as_array().into_iter().flatten();
    let text: Vec<&str> = text.filter_map(Value::as_str).collect();
    let delimiter = if text.iter().any(|line| line.contains(';')) {
        b';'
    } else if text.iter().any(|line| line.contains('\t')) {
        b'\t'
    } else {
        b','
    };
    let text = text.join("\n");
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let records = reader.records().filter_map(Result::ok);
    let cell = |record: &csv::StringRecord, at: usize| record.get(at).unwrap_or("").to_owned();
    let is_heading = |record: &csv::StringRecord| {
        cell(record, 0).eq_ignore_ascii_case("name")
            && ["", "label"].contains(&cell(record, 1).to_lowercase().as_str())
    };
    let guests = records
        .enumerate()
        .filter(|(at, record)| *at > 0 || !is_heading(record))
        .map(|(_, record)| match cell(&record, 1).as_str() {
            "" => json!({ "name": cell(&record, 0) }),
            label => json!({ "name": cell(&record, 0), "label": label }),
        });
    guests.collect()
}

pub(super) async fn make(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let typed = form_parser::document(invitation_form::resource(), &request.form_data);
    let mut document = typed.clone();
    document["guests"] = guests(&typed["guests"]);
    match verbs::invite(&request.service, request.id, &document).await {
        Ok(made) => {
            let made = made.first().map(|one| one.invitation.created_at.millis());
            let made = made.unwrap_or_default().to_string();
            let list = paths::cast_invitations(request.id);
            let to = View::of(&list, &[("made".to_owned(), made)]).href();
            request
                .redirect_with_flash(&to, FlashMessage::Invited, None)
                .await
        }
        Err(error) => {
            let cast = casts::find(&request.service, request.id).await?;
            let messages = messages(error)?;
            let screen = form(request, &cast, &typed, messages).await?;
            Ok(request.show(&screen))
        }
    }
}

/// The invitation that the form or the address names.
async fn named(request: &ConsoleRequest<'_>) -> Result<(Cast, Invitation), HandlerError> {
    let cast = casts::find(&request.service, request.id).await?;
    let sent = ["invitation", "id"];
    let mut sent = sent.into_iter().map(|name| request.form_data.first(name));
    let id = sent
        .find_map(|id| id)
        .or_else(|| request.visit.query("invitation"))
        .and_then(InvitationId::parse);
    let store = &request.service.control_plane.store;
    let invitation = match id {
        Some(id) => store.invitation(&cast.id, &id).await?,
        None => None,
    };
    let missing = || {
        let detail = "There is no such invitation.";
        HandlerError::request(RequestError::NotFound, detail)
    };
    Ok((cast, invitation.ok_or_else(missing)?))
}

pub(super) async fn edit(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let (cast, invitation) = named(request).await?;
    let document = Value::Object(invitation_form::change_view(&invitation.settings));
    let screen = change_form(
        request,
        &cast,
        &invitation,
        &document,
        FormMessages::default(),
    );
    Ok(request.show(&screen))
}

fn change_form(
    request: &ConsoleRequest<'_>,
    cast: &Cast,
    invitation: &Invitation,
    document: &Value,
    messages: FormMessages,
) -> Screen {
    let list = paths::cast_invitations(cast.id.as_str());
    let mut trail = trail(Place::Casts);
    trail.push((cast.settings.name.clone(), paths::cast(cast.id.as_str())));
    trail.push(("Invitations".to_owned(), list.clone()));
    let edit = Edit {
        resource: invitation_form::change_resource(),
        place: Place::Casts,
        scope: "casts",
        title: format!("Invitation of {}", invitation.settings.name),
        trail,
        action: paths::cast_edit_invitation(cast.id.as_str()),
        cancel: list,
        submit: "Save",
        document,
        messages,
        choices: &Choices::new(),
        is_new: false,
        id: Some(invitation.id.to_string()),
        counted: None,
        version: Some(invitation.version),
        check: None,
        aside: String::new(),
        above: String::new(),
    };
    edit::page(&request.context, &edit)
}

pub(super) async fn save(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let (cast, invitation) = named(request).await?;
    let resource = invitation_form::change_resource();
    let typed = form_parser::document(resource, &request.form_data);
    let mut document = typed.clone();
    document["ids"] = json!([invitation.id]);
    let saved = match request.precondition().check(invitation.version) {
        Ok(()) => verbs::change(&request.service, cast.id.as_str(), &document).await,
        Err(error) => Err(error),
    };
    let refused = match saved {
        Ok(done) => done.into_iter().find_map(|one| one.problem),
        Err(error) => {
            let messages = messages(error)?;
            let screen = change_form(request, &cast, &invitation, &typed, messages);
            return Ok(request.show(&screen));
        }
    };
    if let Some(detail) = refused {
        return Err(HandlerError::request(RequestError::BadRequest, detail));
    }
    let list = paths::cast_invitations(cast.id.as_str());
    request
        .redirect_with_flash(&list, FlashMessage::Saved, None)
        .await
}

pub(super) async fn ask_to_revoke(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let (cast, invitation) = named(request).await?;
    let list = paths::cast_invitations(cast.id.as_str());
    let mut trail = trail(Place::Casts);
    trail.push((cast.settings.name.clone(), paths::cast(cast.id.as_str())));
    trail.push(("Invitations".to_owned(), list.clone()));
    let name = &invitation.settings.name;
    let page = Confirm {
        place: Place::Casts,
        trail,
        title: format!("Revoke the invitation of {name}?"),
        happens: vec![
            "Its address gives no new sessions from now on.".to_owned(),
            "Running sessions continue.".to_owned(),
            "This cannot be undone; you can make a new invitation.".to_owned(),
        ],
        uses: Vec::new(),
        action: paths::cast_revoke_invitation(cast.id.as_str()),
        submit: "Revoke it".into(),
        cancel: list,
        choice: None,
        line: None,
        kept: vec![("invitation", invitation.id.to_string())],
        refused: String::new(),
        version: None,
    };
    Ok(request.show(&confirm::page(&request.context, &page)))
}

pub(super) async fn revoke(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let (cast, invitation) = named(request).await?;
    let document = json!({ "ids": [invitation.id] });
    verbs::revoke(&request.service, cast.id.as_str(), &document).await?;
    let list = paths::cast_invitations(cast.id.as_str());
    request
        .redirect_with_flash(&list, FlashMessage::Revoked, None)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_read_from_lines_and_csv() {
        for (name, lines, expected) in [
            ("nothing", json!([]), json!([])),
            (
                "names",
                json!(["Ann Smith", "Ben"]),
                json!([{"name": "Ann Smith"}, {"name": "Ben"}]),
            ),
            (
                "a file with headings",
                json!(["Name,Label", "Ann,7b", "Ben,"]),
                json!([{"name": "Ann", "label": "7b"}, {"name": "Ben"}]),
            ),
            (
                "names with commas",
                json!(["\"Smith, Ann\",7b"]),
                json!([{"name": "Smith, Ann", "label": "7b"}]),
            ),
            (
                "semicolons, as some spreadsheets write them",
                json!(["Smith, Ann; 7b"]),
                json!([{"name": "Smith, Ann", "label": "7b"}]),
            ),
            (
                "columns pasted from a spreadsheet",
                json!(["Ann\t7b"]),
                json!([{"name": "Ann", "label": "7b"}]),
            ),
            (
                "a line without a name",
                json!([",7b"]),
                json!([{"name": "", "label": "7b"}]),
            ),
        ] {
            assert_eq!(guests(&lines), expected, "{name}");
        }
    }
}

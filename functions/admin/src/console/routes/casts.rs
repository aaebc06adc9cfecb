//! Owns the pages of casts: list, form, one cast, its link's test. Must not know what the verbs do.

use std::collections::BTreeMap;

use casting_core::audit::RecordKind;
use casting_core::cast::Cast;
use casting_core::cast_form;
use casting_core::cast_template;
use casting_core::form::{FieldError, Warning};
use casting_core::ids::{CastId, ImageId};
use casting_core::image::Image;
use casting_core::queries::{CastOrder, Counted, SessionQuery, SessionsOf};
use casting_core::time::Timestamp;
use casting_web::{Problem, Reply, RequestError, reply};
use futures_util::TryFutureExt;
use futures_util::future::try_join_all;
use futures_util::try_join;
use http::StatusCode;
use serde_json::{Value, json};

use super::sessions::back;
use super::{
    ConsoleRequest, FlashMessage, ROWS, checked, claims, fill, messages, stale, trail, typed_over,
};
use crate::console::cast::{self, CastPage, figure};
use crate::console::cast_labels::{called, on, plural, text};
use crate::console::casts::{self, CastList, CastRow};
use crate::console::confirm::{self, Confirm};
use crate::console::edit::{self, Edit};
use crate::console::form::{Choices, FormMessages};
use crate::console::history::{self, ChartInput};
use crate::console::layout::{Place, Screen};
use crate::console::paths;
use crate::console::presets;
use crate::console::preview::Preview;
use crate::console::range::Range;
use crate::console::sessions::{Typed, one};
use crate::console::time_format::{grouped, length, wait};
use crate::console::trial::{self, TrialPage};
use crate::console::try_image;
use crate::console::{form_parser, qr};
use casting_core::admin::budgets::{self, SpentBudget};
use casting_core::admin::casts::{self as verbs, CastsAsked, Edited};
use casting_core::admin::error::AdminError;
use casting_core::admin::images;
use casting_core::admin::references::{self, References};
use casting_core::admin::sessions::{self, SessionsAsked};
use casting_core::admin::trials;
use casting_core::admin::version::Precondition;
use casting_web::HandlerError;

/// The templates of links: name, words, and what they are for.
const TEMPLATES: [(&str, &str, &str); 4] = [
    (
        "website",
        "Demo for a website",
        "anyone, briefly, after a CAPTCHA",
    ),
    (
        "classroom",
        "Classroom",
        "30 places, one per browser, a queue",
    ),
    (
        "support",
        "Support desk",
        "sign in, shared so that staff can watch",
    ),
    ("guest", "One guest", "one session, within a week"),
];

/// A day, in seconds.
const DAY: u64 = 86_400;

/// How many casts a file has at most.
const MOST_SAVED: usize = 1000;

pub(super) async fn list(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let (service, now, view) = (&request.service, request.context.now, request.view());
    let enabled = match view.get("state") {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    };
    let (sort, backwards) = view.sort();
    let asked = CastsAsked {
        search: Some(view.get("search").to_owned()).filter(|search| !search.is_empty()),
        enabled,
        image: ImageId::parse(view.get("image")),
        order: if sort == "created" {
            CastOrder::Made
        } else {
            CastOrder::Name
        },
        backwards,
    };
    let mut page = verbs::list(service, &asked, request.cursor().as_deref(), ROWS / 2).await?;
    if !view.get("format").is_empty() {
        while page.items.len() < MOST_SAVED
            && let Some(next) = page.next.take()
        {
            let more = verbs::list(service, &asked, Some(&next), 100).await?;
            page.items.extend(more.items);
            page.next = more.next;
        }
    }
    let ids: Vec<CastId> = page.items.iter().map(|cast| cast.id.clone()).collect();
    let counts = async {
        let (store, since) = (&service.control_plane.store, now.minus_seconds(DAY));
        Ok(store.count_sessions(&ids, since).await?)
    };
    let (counts, choices) = try_join!(counts, request.choices())?;
    let views = verbs::views(service, &page.items).await?;
    let row = |(cast, counted): (Value, Counted)| {
        let launches = format!(
            "{}{}",
            grouped(counted.count),
            if counted.more { "+" } else { "" }
        );
        CastRow { cast, launches }
    };
    let rows = views.into_iter().zip(counts).map(row).collect();
    let has_images = !choices
        .get(&casting_core::resource::OptionSource::Image)
        .is_none_or(Vec::is_empty);
    let next = page.next.map(|cursor| view.with(&[("cursor", &cursor)]));
    Ok(request.show(&casts::list(
        &request.context,
        &CastList {
            rows,
            view,
            next,
            choices,
            has_images,
        },
    )))
}

/// How many casts are acted on at once at most; as many as a page of the list has.
const MOST_AT_ONCE: usize = 50;

/// Enables, disables or deletes the selected casts.
pub(super) async fn bulk(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let form = &request.form_data;
    let ids = request.selected("casts", MOST_AT_ONCE)?;
    let back = back(form.first("back"), paths::CASTS);
    let act = form.first("act").unwrap_or_default();
    let (done, enabled) = match act {
        "enable" => (FlashMessage::OnAll, Some(true)),
        "disable" => (FlashMessage::OffAll, Some(false)),
        "delete" => (FlashMessage::Deleted, None),
        _ => {
            let detail = "There is no such action.";
            return Err(HandlerError::request(RequestError::BadRequest, detail));
        }
    };
    if enabled.is_none() && form.first("confirmed").is_none() {
        return ask_to_delete_many(request, &ids, back).await;
    }
    let (mut changed, mut done) = (Vec::new(), done);
    for id in &ids {
        match change_one(request, id, enabled).await {
            Ok(true) => changed.push(*id),
            Ok(false) => {}
            // It was deleted since the list was shown.
            Err(AdminError::NotFound(_)) => done = FlashMessage::SomeGone,
            Err(error) => return Err(error.into()),
        }
    }
    request.redirect_with_undo(back, done, &changed).await
}

/// Enables or disables a cast, or deletes it; whether that changed anything.
async fn change_one(
    request: &ConsoleRequest<'_>,
    id: &str,
    enabled: Option<bool>,
) -> Result<bool, AdminError> {
    let any = Precondition::None;
    let Some(enabled) = enabled else {
        verbs::delete(&request.service, id, &any, false).await?;
        return Ok(true);
    };
    let before = verbs::find(&request.service, id).await?;
    // What is so already is not undone.
    if before.settings.enabled == enabled {
        return Ok(false);
    }
    let change = json!({ "enabled": enabled });
    verbs::change(&request.service, id, &change, &any).await?;
    Ok(true)
}

async fn ask_to_delete_many(
    request: &ConsoleRequest<'_>,
    ids: &[&str],
    back: &str,
) -> Result<Reply, HandlerError> {
    let found = ids.iter().map(async |id| {
        match verbs::find(&request.service, id).await {
            // It was deleted since the list was shown.
            Err(AdminError::NotFound(_)) => Ok(None),
            found => found.map(Some),
        }
    });
    let found: Vec<Cast> = try_join_all(found).await?.into_iter().flatten().collect();
    let casts = found.iter().map(|cast| &cast.id).collect();
    let live = references::of_casts(&request.service, &casts).await?;
    let running = match live.live.count {
        0 => "No session of them is running.".to_owned(),
        _ => format!(
            "Sessions still running: {}. They continue.",
            counted(live.live)
        ),
    };
    let mut kept: Vec<(&str, String)> = ids.iter().map(|id| ("id", (*id).to_owned())).collect();
    kept.push(("act", "delete".to_owned()));
    kept.push(("confirmed", "true".to_owned()));
    kept.push(("back", back.to_owned()));
    let names = found.iter().map(|cast| {
        let settings = &cast.settings;
        (
            called(&settings.name, settings.key.as_str()),
            paths::cast(cast.id.as_str()),
        )
    });
    let mut uses: Vec<(String, String)> = names.collect();
    uses.sort();
    let count = plural(found.len() as u64, "cast", "casts");
    let page = Confirm {
        place: Place::Casts,
        trail: trail(Place::Casts),
        title: format!("Delete {count}?"),
        happens: vec![
            "Their links stop working immediately.".to_owned(),
            running,
            "You can restore them with the same keys: by Undo, or from the audit log.".to_owned(),
        ]
        .into_iter()
        .chain(deleted_too(&live))
        .collect(),
        uses,
        action: paths::BULK_CASTS.to_owned(),
        submit: format!("Delete {count}"),
        cancel: back.to_owned(),
        choice: None,
        line: None,
        kept,
        refused: String::new(),
        version: None,
    };
    Ok(request.show(&confirm::page(&request.context, &page)))
}

async fn find(request: &ConsoleRequest<'_>) -> Result<Value, HandlerError> {
    let read = verbs::read(&request.service, request.id).await?;
    Ok(read.view(&request.context.public_url))
}

pub(super) async fn show(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let (control_plane, now) = (request.service.control_plane, request.context.now);
    let found = verbs::read(&request.service, request.id).await?;
    let cast = found.view(&request.context.public_url);
    let found = found.cast;
    let zone = &request.context.zone;
    let range = Range::of(|name| request.visit.query(name), zone, now);
    let history = async {
        let since = claims::earliest(zone, &range, now);
        let until = range.until.minus_seconds(1).max(now);
        Ok(control_plane.history(Some(&found.id), since, until).await?)
    };
    let (history, live, waiting, claims, choices) = try_join!(
        history,
        count_live(request),
        verbs::count_waiting(&request.service, &found).err_into(),
        claims::last(request, Some(&found.id)),
        request.choices()
    )?;
    let spent = budgets::of_link(&request.service, &found).await?;
    let shown = history.between(range.since, range.until);
    let (total, span) = (shown.total(), range.words());
    let remaining = cast["sessions_remaining"]
        .as_u64()
        .filter(|_| on(&cast, "limit_total_sessions"));
    let mut figures = Vec::new();
    if let Some(remaining) = remaining {
        figures.push(figure("Remaining", Some(remaining), ""));
    }
    figures.push(("Live now".to_owned(), live, String::new()));
    figures.extend(waiting.map(|waiting| figure("Waiting now", Some(waiting), "")));
    figures.push(figure(
        &format!("Started, {span}"),
        Some(total.launched),
        "",
    ));
    figures.push(figure(
        &format!("Refused, {span}"),
        Some(total.refused_in_all()),
        "",
    ));
    let median = total
        .start_percentile_millis(50)
        .map_or_else(|| "\u{2013}".to_owned(), wait);
    figures.push((format!("Median start, {span}"), median, String::new()));
    figures.extend(claims::monthly_costs(zone, now, &history));
    figures.extend(spent.iter().map(budget));
    let mut charts = claims::charts(zone, &range, &history);
    if let Some(remaining) = remaining.filter(|_| range.until > now) {
        charts.push(history::places(
            &ChartInput {
                history: &shown,
                before: None,
                zone,
            },
            remaining,
            Timestamp::parse(text(&cast, "updated_at")).unwrap_or(now),
        ));
    }
    Ok(request.show(&cast::page(
        &request.context,
        &CastPage {
            cast: &cast,
            choices: &choices,
            figures,
            charts,
            range,
            claims,
        },
    )))
}

/// What is taken of a budget, of how much, and what it will be.
fn budget(spent: &SpentBudget) -> (String, String, String) {
    let dollars = |micros: u64| format!("${:.2}", micros as f64 / 1_000_000.0);
    let name = match spent.window() {
        "all" => "Budget, in all".to_owned(),
        window => format!("Budget, this {window}"),
    };
    let mut of = format!("of {}", dollars(u64::from(spent.budget.cents) * 10_000));
    if let Some(forecast) = spent.forecast {
        of.push_str(&format!(", forecast {}", dollars(forecast)));
    }
    (name, dollars(spent.taken), of)
}

/// A number of sessions in words.
pub(super) fn counted(live: Counted) -> String {
    format!(
        "{}{}",
        grouped(live.count),
        if live.more { "+" } else { "" }
    )
}

/// The number of live sessions of the cast, as far as they were read.
async fn count_live(request: &ConsoleRequest<'_>) -> Result<String, HandlerError> {
    let cast = verbs::parse_id(request.id)?;
    Ok(counted(
        references::live_of(&request.service, &[cast]).await?,
    ))
}

pub(super) async fn qr_code(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let cast = find(request).await?;
    let file = qr::file(text(&cast, "url")).ok_or_else(|| {
        HandlerError::request(
            RequestError::Conflict,
            "This link is too long for a QR code.",
        )
    })?;
    Ok(reply::text(StatusCode::OK, "image/svg+xml", file))
}

/// What a new cast is before anything is typed.
pub(super) async fn ask(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let choices = request.choices().await?;
    Ok(request.show(&page(
        request,
        None,
        &cast_form::defaults(),
        FormMessages::default(),
        &choices,
    )))
}

/// The form of a new cast with what a template says where nothing else was typed.
pub(super) async fn fill_in(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let typed = form_parser::document(cast_form::resource(), &request.form_data);
    let now = request.context.now;
    let fields = |name: &str| cast_template::fields(name, now);
    let document = fill(request, cast_form::defaults(), &typed, fields);
    let (choices, none) = (request.choices().await?, FormMessages::default());
    Ok(request.show(&page(request, None, &document, none, &choices)))
}

pub(super) async fn edit(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let cast = find(request).await?;
    let warnings = cast["warnings"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let warning =
        |warning: &Value| FieldError::new(text(warning, "pointer"), text(warning, "detail"));
    let messages = FormMessages {
        warnings: warnings.iter().map(warning).collect(),
        ..FormMessages::default()
    };
    let choices = request.choices().await?;
    Ok(request.show(&page(request, Some(&cast), &cast, messages, &choices)))
}

/// How long a link to try an image can be opened, in seconds.
const TRIAL_SECONDS: u64 = 900;

/// Makes a link with room for one session of the image: it is claimed as by every visitor.
pub(super) async fn try_image(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let image = images::find(&request.service, request.id).await?;
    let name: String = image.settings.name.chars().take(80).collect();
    let cast = json!({
        "name": format!("Trial of {name}"),
        "description": "Made by \u{201c}Try it now\u{201d} of the image. It can be deleted.",
        "image_id": image.id, "allow_anonymous": true, "anonymous_resume": "always",
        "limit_total_sessions": true, "sessions_remaining": 1, "start_on_click": "never",
        "valid_until": request.context.now.plus_seconds(TRIAL_SECONDS).to_string(),
    });
    let made = verbs::create(&request.service, &cast).await?;
    Ok(reply::see_other(&paths::cast_try(made.cast.id.as_str())))
}

/// What becomes of the session of a link that tries an image.
pub(super) async fn show_try(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let cast = find(request).await?;
    let query = SessionQuery {
        of: SessionsOf::Cast(verbs::parse_id(request.id)?),
        ..SessionQuery::default()
    };
    let asked = SessionsAsked {
        query,
        ..SessionsAsked::default()
    };
    let found = sessions::list(&request.service, &asked, None, 1).await?;
    let state = match found.items.first() {
        Some(session) => {
            let view = sessions::details(&request.service, session).await?;
            let page = one(
                &request.context,
                &view,
                claims::said(&view),
                &Typed::default(),
            );
            Some((page.live, session.id.to_string()))
        }
        None => None,
    };
    let page = try_image::page(&request.context, &cast, state);
    Ok(request.show(&page))
}

/// The form of a cast, new or there.
fn page(
    request: &ConsoleRequest<'_>,
    stored: Option<&Value>,
    document: &Value,
    messages: FormMessages,
    choices: &Choices,
) -> Screen {
    let aside = Preview::of(document, &request.context, choices).to_string();
    let mut trail = trail(Place::Casts);
    let home = stored.map(|cast| paths::cast(text(cast, "id")));
    if let (Some(cast), Some(home)) = (stored, &home) {
        trail.push((text(cast, "name").to_owned(), home.clone()));
    }
    let back = home.unwrap_or_else(|| paths::CASTS.to_owned());
    let edit = Edit {
        resource: cast_form::resource(),
        place: Place::Casts,
        scope: "casts",
        title: if stored.is_some() {
            "Edit cast"
        } else {
            "New cast"
        }
        .to_owned(),
        trail,
        action: back.clone(),
        cancel: back,
        submit: if stored.is_some() {
            "Save"
        } else {
            "Create cast"
        },
        document,
        counted: stored.and_then(|cast| cast["sessions_remaining"].as_u64()),
        version: stored.and_then(|cast| request.version(cast, &messages)),
        messages,
        choices,
        is_new: stored.is_none(),
        id: stored.map(|cast| text(cast, "id").to_owned()),
        check: Some(paths::CHECK_CAST),
        aside,
        above: if stored.is_none() {
            let chosen = request.form_data.first("preset").unwrap_or_default();
            presets::html("Start from a template", &TEMPLATES, paths::NEW_CAST, chosen)
        } else {
            String::new()
        },
    };
    edit::page(&request.context, &edit)
}

pub(super) async fn make(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let typed = form_parser::document(cast_form::resource(), &request.form_data);
    match verbs::create(&request.service, &typed).await {
        Ok(Edited { cast, .. }) => {
            request
                .redirect_with_flash(
                    &paths::cast(cast.id.as_str()),
                    FlashMessage::CastCreated,
                    None,
                )
                .await
        }
        Err(error) => {
            let (messages, choices) = (messages(error)?, request.choices().await?);
            Ok(request.show(&page(request, None, &typed, messages, &choices)))
        }
    }
}

pub(super) async fn save(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let mut typed = form_parser::document(cast_form::resource(), &request.form_data);
    let number = |name: &str| -> Option<u64> { request.form_data.first(name)?.parse().ok() };
    // Claims change the counter while the form is open: an unchanged number is not a change.
    let counted = number("counted");
    if let (Some(counted), Value::Object(fields)) = (counted, &mut typed)
        && fields.get("sessions_remaining") == Some(&json!(counted))
    {
        fields.remove("sessions_remaining");
    }
    let over = match (number("version"), counted) {
        (Some(version), Some(counted)) => Precondition::cast(version, counted),
        _ => request.precondition(),
    };
    match verbs::change(&request.service, request.id, &typed, &over).await {
        Ok(Edited { cast, .. }) => {
            request
                .redirect_with_flash(
                    &paths::cast(cast.id.as_str()),
                    FlashMessage::Saved,
                    Some(request.id),
                )
                .await
        }
        Err(error) => {
            let mut messages = messages(error)?;
            let (stored, choices) = (find(request).await?, request.choices().await?);
            let typed = stale::merge_stale_form(
                request,
                cast_form::resource(),
                request.id,
                &stored,
                typed,
                &mut messages,
            )
            .await?;
            Ok(request.show(&page(
                request,
                Some(&stored),
                &typed_over(&stored, &typed),
                messages,
                &choices,
            )))
        }
    }
}

/// What is typed so far: what is wrong with it, what is worth a look, and how it would look.
pub(super) async fn check(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let typed = form_parser::document(cast_form::resource(), &request.form_data);
    let stored = match request.form_data.first("id") {
        Some(id) => Some(verbs::find(&request.service, id).await?),
        None => None,
    };
    let control_plane = request.service.control_plane;
    let own = control_plane.urls.own_urls();
    let draft = match &stored {
        Some(cast) => cast_form::patch(cast, &typed, &own, Some(cast.counter.remaining)),
        None => cast_form::create(&typed, &own, &*control_plane.entropy),
    };
    let (errors, warnings): (Vec<FieldError>, Vec<Warning>) = match draft {
        Ok(draft) => {
            let id = stored.as_ref().map(|cast| &cast.id);
            let around = verbs::look_around(&request.service, &draft.settings, id).await?;
            (
                Vec::new(),
                casting_core::cast_warnings::warnings(&draft.settings)
                    .into_iter()
                    .chain(draft.warnings)
                    .chain(around)
                    .collect(),
            )
        }
        Err(errors) => (errors.0, Vec::new()),
    };
    let choices = request.choices().await?;
    let preview = Preview::of(&typed, &request.context, &choices).to_string();
    Ok(checked(
        cast_form::resource(),
        &errors,
        &warnings,
        Some(&preview),
    ))
}

pub(super) async fn switch(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let enabled = match request.form_data.first("enabled") {
        Some("true") => true,
        Some("false") => false,
        _ => {
            return Err(Problem::new(RequestError::BadRequest)
                .detail("The field that enables or disables the link is missing.")
                .into());
        }
    };
    verbs::change(
        &request.service,
        request.id,
        &json!({ "enabled": enabled }),
        &request.precondition(),
    )
    .await?;
    // Back to where the button was: this cast's page or the list; the browser says which, and
    // nothing else is believed.
    let home = paths::cast(request.id);
    let from_page = request
        .visit
        .header(&http::header::REFERER)
        .is_some_and(|from| from.ends_with(&home));
    let to = if from_page {
        home.as_str()
    } else {
        paths::CASTS
    };
    request
        .redirect_with_flash(
            to,
            if enabled {
                FlashMessage::On
            } else {
                FlashMessage::Off
            },
            Some(request.id),
        )
        .await
}

pub(super) async fn rotate(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let form = &request.form_data;
    let document = match form.first("grace_seconds").map(str::parse::<u64>) {
        Some(Ok(seconds)) => json!({ "grace_seconds": seconds }),
        Some(Err(_)) => {
            let until = form_parser::time(
                form.first("grace_until").unwrap_or_default().trim(),
                form.first("grace_until.zone"),
            );
            if until.is_null() {
                return Err(HandlerError::request(RequestError::BadRequest, GRACE_UNTIL));
            }
            json!({ "grace_until": until })
        }
        None => json!({}),
    };
    let over = request.precondition();
    let rotated = verbs::rotate_key(&request.service, request.id, &document, &over);
    let rotated = rotated.await.map_err(|error| match error {
        AdminError::Fields(_) => HandlerError::request(RequestError::BadRequest, GRACE_UNTIL),
        error => error.into(),
    })?;
    let done = if rotated.cast.settings.previous_key.is_some() {
        FlashMessage::OtherKeyToo
    } else {
        FlashMessage::OtherKey
    };
    request
        .redirect_with_flash(&paths::cast(request.id), done, Some(request.id))
        .await
}

/// What is said of a date that the old key cannot work until.
const GRACE_UNTIL: &str = "Choose a date within the next 365 days, until which the old link works.";

pub(super) async fn restore_key(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    verbs::restore_key(&request.service, request.id, &request.precondition()).await?;
    request
        .redirect_with_flash(
            &paths::cast(request.id),
            FlashMessage::OldKey,
            Some(request.id),
        )
        .await
}

pub(super) async fn copy(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let made = verbs::copy(&request.service, request.id, &json!({})).await?;
    request
        .redirect_with_flash(
            &paths::cast_edit(made.cast.id.as_str()),
            FlashMessage::Copied,
            None,
        )
        .await
}

/// What is said of the invitations that a deletion deletes.
fn deleted_too(touched: &References) -> Option<String> {
    let found = touched.invitations.filter(|found| found.count > 0)?;
    Some(format!(
        "Invitations deleted too: {}. They cannot be restored.",
        counted(found)
    ))
}

pub(super) async fn ask_to_delete(
    request: &ConsoleRequest<'_>,
    refused: &str,
) -> Result<Reply, HandlerError> {
    let cast = find(request).await?;
    let (name, home) = (text(&cast, "name"), paths::cast(request.id));
    let touched = references::of(&request.service, RecordKind::Cast, request.id).await?;
    let live = counted(touched.live);
    let mut happens = vec![
        "The link stops working immediately.".to_owned(),
        "Its claims stay in the history.".to_owned(),
        "You can restore the cast with the same key from the audit log.".to_owned(),
    ];
    if !on(&cast, "enabled") {
        happens.remove(0);
    }
    happens.extend(deleted_too(&touched));
    if live != "0" {
        happens.push(format!(
            "Sessions still running: {live}. They continue unless you stop them here."
        ));
    }
    let mut trail = trail(Place::Casts);
    trail.push((name.to_owned(), home.clone()));
    let page = Confirm {
        place: Place::Casts,
        trail,
        title: format!("Delete \u{201c}{name}\u{201d}?"),
        happens,
        uses: Vec::new(),
        action: format!("{home}/delete"),
        submit: "Delete the cast".into(),
        cancel: home,
        choice: (live != "0").then(|| {
            (
                "terminate",
                "Stop its live sessions too".to_owned(),
                request.form_data.first("terminate").is_some(),
            )
        }),
        line: None,
        kept: Vec::new(),
        refused: refused.to_owned(),
        version: cast["version"].as_u64(),
    };
    Ok(request.show(&confirm::page(&request.context, &page)))
}

pub(super) async fn delete(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let terminate = request.form_data.first("terminate").is_some();
    match verbs::delete(
        &request.service,
        request.id,
        &request.precondition(),
        terminate,
    )
    .await
    {
        Ok(()) => {
            request
                .redirect_with_flash(paths::CASTS, FlashMessage::Deleted, Some(request.id))
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

pub(super) async fn show_trial(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let cast = find(request).await?;
    let address = request
        .visit
        .address
        .map(|address| address.to_string())
        .unwrap_or_default();
    let typed = BTreeMap::from([("address".to_owned(), address)]);
    Ok(request.show(&trial::page(
        &request.context,
        &TrialPage {
            cast: &cast,
            typed,
            errors: BTreeMap::new(),
            outcome: None,
        },
    )))
}

pub(super) async fn run_trial(request: &ConsoleRequest<'_>) -> Result<Reply, HandlerError> {
    let cast = find(request).await?;
    let typed = trial::typed(&request.form_data);
    let mut errors = BTreeMap::new();
    let outcome = match trials::run(&request.service, request.id, &trial::document(&typed)).await {
        Ok(outcome) => Some(trials::view(&outcome)),
        Err(error) => {
            for error in messages(error)?.errors {
                let field = error
                    .pointer
                    .trim_start_matches('/')
                    .split('/')
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                let mut letters = error.detail.chars();
                let sentence = letters
                    .next()
                    .map(|first| first.to_uppercase().chain(letters).collect())
                    .unwrap_or_default();
                errors.insert(field, sentence);
            }
            None
        }
    };
    Ok(request.show(&trial::page(
        &request.context,
        &TrialPage {
            cast: &cast,
            typed,
            errors,
            outcome: outcome.as_ref(),
        },
    )))
}

/// What wants attention among these casts, for the first page.
pub(super) fn attention_items(
    casts: &[Value],
    images: &[Image],
    now: Timestamp,
) -> Vec<(crate::console::table::Badge, String, String)> {
    use crate::console::page_context::Severity;
    use crate::console::table::Badge;
    let mut found = Vec::new();
    for cast in casts.iter().filter(|cast| on(cast, "enabled")) {
        let (name, home) = (
            called(text(cast, "name"), text(cast, "key")),
            paths::cast(text(cast, "id")),
        );
        let image = images
            .iter()
            .find(|image| image.id.as_str() == text(cast, "image_id"));
        let ends = Timestamp::parse(text(cast, "valid_until"));
        if image.is_none_or(|image| !image.settings.enabled) {
            found.push((
                Badge::new(Severity::Bad, "Cannot start"),
                format!("The image of \u{201c}{name}\u{201d} is disabled or was deleted."),
                home,
            ));
        } else if on(cast, "limit_total_sessions") && cast["sessions_remaining"] == json!(0) {
            found.push((
                Badge::new(Severity::Bad, "Used up"),
                format!("\u{201c}{name}\u{201d} has no sessions left."),
                home,
            ));
        } else if ends.is_some_and(|ends| ends <= now) {
            found.push((
                Badge::new(Severity::Bad, "Expired"),
                format!("\u{201c}{name}\u{201d} has expired and is still enabled."),
                home,
            ));
        } else if let Some(ends) = ends.filter(|ends| now.seconds_until(*ends) < 7 * DAY) {
            found.push((
                Badge::new(Severity::Warn, "Ends soon"),
                format!(
                    "\u{201c}{name}\u{201d} ends in {}.",
                    length(now.seconds_until(ends))
                ),
                home,
            ));
        } else if let Some(count) = cast["warnings"]
            .as_array()
            .map(Vec::len)
            .filter(|count| *count > 0)
        {
            let count = plural(count as u64, "warning", "warnings");
            found.push((
                Badge::new(Severity::Warn, "Review"),
                format!("\u{201c}{name}\u{201d} has {count}."),
                home,
            ));
        }
    }
    found
}

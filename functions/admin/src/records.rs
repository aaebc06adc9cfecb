//! Owns what the API does with records that are nothing but their settings: groups and networks. Must not know which values are possible.

use casting_core::form::FieldErrors;
use casting_core::group::Group;
use casting_core::ids::{Entropy, GroupId, draw};
use casting_core::image::Image;
use casting_core::network::{Network, NetworkName};
use casting_core::ports::{Launcher, Saved, Store};
use casting_core::record::Record;
use casting_core::time::Timestamp;
use casting_core::{group_form, network_form};
use casting_web::{Reply, reply};
use http::StatusCode;
use serde_json::Value;

use crate::call::Call;
use crate::failure::{Failure, TRIES};
use crate::paging::{self, Paging};
use crate::version::{self, Precondition};

/// A record that the API makes, shows and changes.
pub(crate) trait Editable: Record + PartialEq {
    /// Where its kind is under `/api/admin`, and what one is called.
    const WORDS: (&'static str, &'static str);
    /// Whether the text in a path can be an id.
    fn is_id(text: &str) -> bool;
    /// Reads a new one.
    fn create(input: &Value, entropy: &dyn Entropy, now: Timestamp) -> Result<Self, FieldErrors>;
    /// Reads a change; the version goes up only if something changes.
    fn patch(&self, input: &Value, now: Timestamp) -> Result<Self, FieldErrors>;
    /// As the API shows it.
    fn view(&self) -> Value;
    /// One that is there although nobody has stored it.
    fn by_birth() -> Option<Self> {
        None
    }
}

impl Editable for Group {
    const WORDS: (&'static str, &'static str) = ("groups", "group");
    fn is_id(text: &str) -> bool {
        GroupId::parse(text).is_some()
    }
    fn create(input: &Value, entropy: &dyn Entropy, now: Timestamp) -> Result<Self, FieldErrors> {
        let settings = group_form::create(input)?;
        Ok(Self { id: GroupId::from_bytes(draw(entropy)), version: 1, settings, created_at: now, updated_at: now })
    }
    fn patch(&self, input: &Value, now: Timestamp) -> Result<Self, FieldErrors> {
        let settings = group_form::patch(self, input)?;
        Ok(if settings == self.settings {
            self.clone()
        } else {
            Self { version: self.version + 1, settings, updated_at: now, ..self.clone() }
        })
    }
    fn view(&self) -> Value {
        group_form::view(self)
    }
    fn by_birth() -> Option<Self> {
        Some(Self::all_users())
    }
}

impl Editable for Network {
    const WORDS: (&'static str, &'static str) = ("networks", "network");
    fn is_id(text: &str) -> bool {
        NetworkName::parse(text).is_some()
    }
    fn create(input: &Value, _: &dyn Entropy, now: Timestamp) -> Result<Self, FieldErrors> {
        let (id, settings) = network_form::create(input)?;
        Ok(Self { id, version: 1, settings, created_at: now, updated_at: now })
    }
    fn patch(&self, input: &Value, now: Timestamp) -> Result<Self, FieldErrors> {
        let settings = network_form::patch(self, input)?;
        Ok(if settings == self.settings {
            self.clone()
        } else {
            Self { version: self.version + 1, settings, updated_at: now, ..self.clone() }
        })
    }
    fn view(&self) -> Value {
        network_form::view(self)
    }
}

/// All of a kind, a page at a time.
pub(crate) async fn list<R: Editable, S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let paging = Paging::of(call.visit)?;
    let mut page = paging.checked(call.casting.store.records::<R>(paging.cursor.as_deref(), paging.limit).await)?;
    // What is there by birth comes first, as its id does; once it is stored, the store lists it.
    if let Some(born) = R::by_birth().filter(|born| paging.cursor.is_none() && page.items.iter().all(|record| record.id() != born.id())) {
        page.items.insert(0, born);
    }
    Ok(paging::show(&page, R::view))
}

/// A new one: 201 with its address.
pub(crate) async fn create<R: Editable, S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let casting = call.casting;
    let (kind, word) = R::WORDS;
    let record = R::create(&call.document()?, &*casting.entropy, casting.clock.now())?;
    match casting.store.put_record(&record, None).await? {
        Saved::Done => {}
        Saved::Stale => return Err(Failure::conflict(format!("There is a {word} of this name already."))),
    }
    casting.forget();
    tracing::info!(api_key.id = %call.administrator, record.id = record.id(), "A {word} was made");
    let mut reply = show(StatusCode::CREATED, &record);
    reply::set_location(&mut reply, &format!("/api/admin/{kind}/{}", record.id()));
    Ok(reply)
}

/// One.
pub(crate) async fn read<R: Editable, S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    Ok(show(StatusCode::OK, &find::<R, S, L>(call).await?.0))
}

/// Changes what the document names.
pub(crate) async fn change<R: Editable, S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let (input, precondition) = (call.document()?, Precondition::of(call.visit));
    for _ in 0..TRIES {
        let (before, is_stored) = find::<R, S, L>(call).await?;
        precondition.check(before.version())?;
        let after = before.patch(&input, call.casting.clock.now())?;
        if after == before {
            return Ok(show(StatusCode::OK, &before));
        }
        match call.casting.store.put_record(&after, is_stored.then_some(before.version())).await? {
            Saved::Done => {
                call.casting.forget();
                tracing::info!(api_key.id = %call.administrator, record.id = after.id(), version = after.version(), "A {} was changed", R::WORDS.1);
                return Ok(show(StatusCode::OK, &after));
            }
            Saved::Stale => {}
        }
    }
    Err(Failure::contention("change a record"))
}

/// Deletes a group. Links that put anonymous users into it go on with *All Users* alone.
pub(crate) async fn delete_group<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    if call.id == Group::all_users_id().as_str() {
        return Err(Failure::conflict("Everybody is in All Users; it cannot be deleted."));
    }
    delete::<Group, S, L>(call).await
}

/// Deletes a network that no image uses.
pub(crate) async fn delete_network<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let mut cursor = None;
    loop {
        let page = call.casting.store.records::<Image>(cursor.as_deref(), 100).await?;
        let uses = |image: &&Image| {
            let settings = &image.settings;
            settings.network.iter().chain(&settings.restrict_to_networks).any(|name| name.as_str() == call.id)
        };
        if let Some(image) = page.items.iter().find(uses) {
            return Err(Failure::conflict(format!(
                "The image \u{201c}{}\u{201d} uses this network; change it first.",
                image.settings.name
            )));
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return delete::<Network, S, L>(call).await,
        }
    }
}

async fn delete<R: Editable, S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let precondition = Precondition::of(call.visit);
    for _ in 0..TRIES {
        let (record, _) = find::<R, S, L>(call).await?;
        precondition.check(record.version())?;
        match call.casting.store.delete_record(&record).await? {
            Saved::Done => {
                call.casting.forget();
                tracing::info!(api_key.id = %call.administrator, record.id = record.id(), "A {} was deleted", R::WORDS.1);
                return Ok(reply::no_content());
            }
            Saved::Stale => {}
        }
    }
    Err(Failure::contention("delete a record"))
}

/// The record, and whether it is stored.
async fn find<R: Editable, S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<(R, bool), Failure> {
    let missing = || Failure::not_found(&format!("There is no such {}.", R::WORDS.1));
    if !R::is_id(call.id) {
        return Err(missing());
    }
    if let Some(record) = call.casting.store.record::<R>(call.id).await? {
        return Ok((record, true));
    }
    R::by_birth().filter(|born| born.id() == call.id).map(|born| (born, false)).ok_or_else(missing)
}

fn show<R: Editable>(status: StatusCode, record: &R) -> Reply {
    let mut reply = reply::json(status, &record.view());
    version::set(&mut reply, record.version());
    reply
}

//! Owns the deployment's settings of the API. Must not know which values are possible.

use casting_core::ports::{Launcher, Saved, Store};
use casting_core::system::{SYSTEM_ID, System};
use casting_core::system_form;
use casting_web::{Reply, reply};
use http::StatusCode;

use crate::call::Call;
use crate::failure::{Failure, TRIES};
use crate::version::{self, Precondition};

/// The settings as they are.
pub(crate) async fn read<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    Ok(show(&find(call).await?.unwrap_or_default()))
}

/// Changes what the document names.
pub(crate) async fn change<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Reply, Failure> {
    let (input, precondition) = (call.document()?, Precondition::of(call.visit));
    for _ in 0..TRIES {
        let stored = find(call).await?;
        let expected = stored.as_ref().map(|system| system.version);
        let before = stored.unwrap_or_default();
        precondition.check(before.version)?;
        let settings = system_form::patch(&before, &input)?;
        if settings == before.settings {
            return Ok(show(&before));
        }
        let after = System::new(before.version + 1, settings, call.casting.clock.now());
        match call.casting.store.put_record(&after, expected).await? {
            Saved::Done => {
                call.casting.forget();
                tracing::info!(api_key.id = %call.administrator, version = after.version, "The settings were changed");
                return Ok(show(&after));
            }
            Saved::Stale => {}
        }
    }
    Err(Failure::contention("change the settings"))
}

async fn find<S: Store, L: Launcher>(call: &Call<'_, S, L>) -> Result<Option<System>, Failure> {
    Ok(call.casting.store.record(SYSTEM_ID).await?)
}

fn show(system: &System) -> Reply {
    let mut reply = reply::json(StatusCode::OK, &system_form::view(system));
    version::set(&mut reply, system.version);
    reply
}

//! Owns the contract of deliveries to hooks.

use super::{Fixture, ended};
use crate::delivery::Delivery;
use crate::deployment::DeploymentSettings;
use crate::hook::{Hook, HookEvent, HookId};
use crate::ids::{SessionId, random_bytes};
use crate::ports::{Fault, Reservation, Reserved, Saved};
use crate::session::{EndReason, Session};
use crate::session_events::Subscriptions;
use crate::testing::{NOON, image};
use crate::time::Timestamp;
use serde_json::json;

/// A claim whose link's hook is told all, and the hook.
async fn told(
    fixture: &Fixture<'_>,
    count: bool,
    key: Option<&str>,
) -> Result<(Reservation, HookId), Fault> {
    let mut cast = fixture.cast(5).await?;
    cast.settings.hook = Hook {
        enabled: true,
        url: Some("https://example.com/".into()),
        ..Hook::default()
    };
    let mut claim = fixture.claim(&cast, count, key);
    claim.session.subscriptions =
        Subscriptions::of(&cast, &DeploymentSettings::default(), &image(1));
    Ok((claim, HookId::Cast(cast.id)))
}

async fn events(fixture: &Fixture<'_>, hook: &HookId) -> Result<Vec<String>, Fault> {
    let page = fixture.store.deliveries(hook, None, 100).await?;
    let mut all: Vec<String> = page.items.into_iter().map(|one| one.event).collect();
    all.sort();
    Ok(all)
}

fn event(session: &Session, name: &str) -> String {
    format!("{}-{name}", session.claim_id())
}

/// A claim and its event are one transaction, whatever the claim takes besides; a claim that is
/// refused or repeated tells nothing.
///
/// # Errors
/// Faults of the store.
pub async fn a_claim_is_told_with_its_session_or_not_at_all(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    for (name, count, windowed) in [("plain", false, false), ("with limits", true, true)] {
        let cast = fixture.draft(0);
        let key = windowed.then(|| fixture.window_key(&cast));
        let (claim, hook) = told(fixture, count, key.as_deref()).await?;
        let session = fixture.place(&claim).await?;
        let claimed = vec![event(&session, "claimed")];
        fixture
            .soon(claimed.clone(), || events(fixture, &hook), name)
            .await?;
        let again = fixture.store.reserve(&claim).await?;
        assert!(matches!(again, Reserved::Already(_)), "{name}");
        assert_eq!(events(fixture, &hook).await?, claimed, "{name}");
        let mut stale = claim.clone();
        stale.cast_version += 1;
        stale.session.id = SessionId::from_bytes(random_bytes(&fixture.entropy));
        stale.window = None;
        stale.session.charge.window = None;
        if count {
            let refused = fixture.store.reserve(&stale).await?;
            assert_eq!(refused, Reserved::ConfigChanged, "{name}");
            assert_eq!(events(fixture, &hook).await?, claimed, "{name}");
        }
    }
    Ok(())
}

/// The end of a session is told in the write that ends it and gives everything back, once.
///
/// # Errors
/// Faults of the store.
pub async fn a_move_is_told_with_its_row_once(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let (claim, hook) = told(fixture, true, None).await?;
    let before = fixture.place(&claim).await?;
    let after = ended(&before, EndReason::NoCapacity, NOON);
    assert_eq!(
        fixture.store.save_session(&before, &after).await?,
        Saved::Done
    );
    let stale = fixture.store.save_session(&before, &after).await?;
    assert_eq!(stale, Saved::Stale, "the revision has moved on");
    let both = vec![event(&before, "claimed"), event(&before, "ended")];
    fixture
        .soon(both, || events(fixture, &hook), "claimed and ended")
        .await
}

fn delivery(fixture: &Fixture<'_>, at: Timestamp) -> Delivery {
    let hook = HookId::Cast(fixture.draft(0).id);
    let event = SessionId::from_bytes(random_bytes(&fixture.entropy));
    Delivery::new(
        hook,
        format!("{event}-x"),
        HookEvent::Test,
        at,
        json!({"a": 1}),
    )
}

/// An event is added once under its id, and a try is one sender's own.
///
/// # Errors
/// Faults of the store.
pub async fn a_delivery_is_added_once_and_taken_by_one(fixture: &Fixture<'_>) -> Result<(), Fault> {
    let store = fixture.store;
    let new = delivery(fixture, NOON);
    assert_eq!(store.add_delivery(&new).await?, Saved::Done);
    let other = Delivery {
        data: json!({"a": 2}),
        ..new.clone()
    };
    assert_eq!(store.add_delivery(&other).await?, Saved::Stale);
    assert_eq!(store.delivery(&new.id).await?.as_ref(), Some(&new));
    let (first, mut second) = (new.begun(NOON), new.begun(NOON));
    if let Some(second) = &mut second {
        second.data = json!({"by": "another"});
    }
    let (Some(first), Some(second)) = (first, second) else {
        return Err(super::gone("the try"));
    };
    assert_eq!(store.save_delivery(&new, &first).await?, Saved::Done);
    assert_eq!(store.save_delivery(&new, &second).await?, Saved::Stale);
    assert_eq!(store.delivery(&new.id).await?, Some(first));
    Ok(())
}

/// Deliveries are due by their time, the longest first, and listed by their hook, the newest first.
///
/// # Errors
/// Faults of the store.
pub async fn deliveries_are_due_in_order_and_listed_by_hook(
    fixture: &Fixture<'_>,
) -> Result<(), Fault> {
    // Other cases have rows as well, and later ones.
    let early = Timestamp::from_millis(1_000_000);
    let store = fixture.store;
    let hook = HookId::Cast(fixture.draft(0).id);
    let mut made = Vec::new();
    for n in 0..3 {
        let one = Delivery {
            hook: hook.clone(),
            ..delivery(fixture, early.plus_seconds(n))
        };
        store.add_delivery(&one).await?;
        made.push(one);
    }
    let ids = |rows: &[Delivery]| rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>();
    let due = async |now: Timestamp| {
        let mine = |row: &Delivery| row.hook == hook;
        let page = store.due_deliveries(now, None, 100).await?;
        Ok(ids(&page
            .items
            .into_iter()
            .filter(mine)
            .collect::<Vec<_>>()))
    };
    let two = ids(&made[..2]);
    fixture
        .soon(two, || due(early.plus_seconds(1)), "two are due")
        .await?;
    let done = made[0].stopped();
    assert_eq!(store.save_delivery(&made[0], &done).await?, Saved::Done);
    let left = ids(&made[1..]);
    fixture
        .soon(left, || due(early.plus_seconds(9)), "one is done")
        .await?;
    made.reverse();
    let listed = async || {
        let first = store.deliveries(&hook, None, 2).await?;
        let next = first.next.as_deref();
        let rest = match next {
            Some(next) => store.deliveries(&hook, Some(next), 2).await?.items,
            None => Vec::new(),
        };
        let all: Vec<Delivery> = first.items.into_iter().chain(rest).collect();
        Ok(ids(&all))
    };
    fixture
        .soon(ids(&made), listed, "in two pages, the newest first")
        .await
}

//! A change of the deployment's key, in the middle of everything that was signed with the one
//! before.

use casting_core::denial::DenialCode;
use casting_core::ticket::EntryTicket;
use casting_core::{ClaimRequest, Report};
use casting_tests::sim_world::{Limits, SharedDb, SimWorld, claim, open, visitor};

/// The ticket in the address through which a session is entered.
fn ticket_in(address: &str) -> &str {
    address
        .split_once("ticket=")
        .map_or("", |(_, ticket)| ticket)
}

#[tokio::test(start_paused = true)]
async fn pages_and_sessions_survive_a_key_rotation() {
    let shared_db = SharedDb::new().await.expect("a database");
    let mut world = SimWorld::new(&shared_db, 50, Limits::default())
        .await
        .expect("a world");
    let key = world.cast.settings.key.as_str().to_owned();
    let here = |n| visitor(n).address;
    let old = world.stable_process().keys.clone();
    let page = open(world.stable_process(), &key, &visitor(1))
        .await
        .expect("opens");
    let running = claim(world.stable_process(), &key, &page, &visitor(1))
        .await
        .expect("is given a session");
    let id = running.session.id.clone();
    let secret = old.sessions().secret(&id).expose().to_owned();
    let attempt = running.session.launch.attempt;
    let token = old.sessions().named("").bootstrap_token(&id, attempt);
    let asked = ClaimRequest {
        idempotency_key: Some("once".into()),
        ..open(world.stable_process(), &key, &visitor(2))
            .await
            .expect("opens")
    };
    let unclaimed = open(world.stable_process(), &key, &visitor(3))
        .await
        .expect("opens");

    world.change_keys(true);
    let now = world.processes[1].clone();
    let given = now.bootstrap(&id, &token).await;
    let given = given.expect("a gate that is starting gets its secret");
    assert!(
        given.matches(&secret),
        "by the key that it was started with"
    );
    now.report(&id, &secret, Report::Ready { port: 8080 }, here(1))
        .await
        .expect("the gate is still believed");
    let entry = now
        .enter(&id, Some(&running.owner_ticket))
        .await
        .expect("the owner is still known");
    let (_, found) = EntryTicket::open(ticket_in(&entry), now.keys.sessions(), now.clock.now())
        .expect("the edge lets it in");
    assert!(
        found.secret(&id).matches(&secret),
        "the edge knows the secret that the gate was given"
    );
    claim(&now, &key, &unclaimed, &visitor(3))
        .await
        .expect("a page from before still claims");
    let first = claim(&now, &key, &asked, &visitor(2))
        .await
        .expect("claims");
    let again = claim(&now, &key, &asked, &visitor(2))
        .await
        .expect("claims again");
    assert_eq!(first.session.id, again.session.id);
    assert_eq!(
        first.session.secret_key,
        now.keys.sessions().name(),
        "new sessions have the new key"
    );

    world.change_keys(false);
    let now = world.processes[1].clone();
    let refused = now
        .report(&id, &secret, Report::Ready { port: 8080 }, here(1))
        .await
        .expect_err("the first key is gone");
    assert_eq!(refused.denial().code, DenialCode::NotYourSession);
    let refused = now
        .status(&id, Some(&running.owner_ticket))
        .await
        .expect_err("the first key is gone");
    assert_eq!(refused.denial().code, DenialCode::NotYourSession);
    let stale = open(world.stable_process(), &key, &visitor(4))
        .await
        .expect("opens");
    world.change_keys(true);
    claim(&world.processes[1], &key, &stale, &visitor(4))
        .await
        .expect("a page of the new key claims in either case");
}

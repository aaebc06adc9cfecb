//! Owns what must be true of every session in the end, as the program's admin API says it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::phone::Phone;
use crate::report::Verdict;
use crate::world::{LONG, Link, SHORT, World};

/// How long all sessions may take to end by their limits.
const ENDED_WITHIN: Duration = Duration::from_secs(600);

/// Waits until every session has ended, and compares what visitors were given with what is written.
pub async fn check(world: &Arc<World>) -> Result<Vec<Verdict>> {
    world.empty_pool().await?;
    let deadline = Instant::now() + ENDED_WITHIN;
    let (mut live, mut processes) = (usize::MAX, usize::MAX);
    while Instant::now() < deadline && (live > 0 || processes > 0) {
        sleep(Duration::from_secs(2)).await;
        live = world.sessions("state=live").await?.len();
        processes = world.processes().len();
    }
    let links = world.links.lock().expect("no panic").clone();
    let (mut wrong, mut all) = (Vec::new(), 0);
    for (key, link) in &links {
        all += check_link(world, key, link, &mut wrong).await?;
    }
    let counters = count_again(world).await;
    Ok(vec![
        Verdict::new(
            "Ledger exact",
            wrong.is_empty(),
            format!(
                "{all} sessions of {} links are the accepted claims, each with a reason; {}",
                links.len(),
                said(&wrong)
            ),
        ),
        Verdict::new("Live counts 0", counters.is_empty(), said(&counters)),
        Verdict::new("All sessions ended", live == 0, format!("{live} live")),
        Verdict::new(
            "All processes gone",
            processes == 0,
            format!("{processes} processes of sessions are left"),
        ),
    ])
}

fn said(wrong: &[String]) -> String {
    if wrong.is_empty() {
        return "nothing is wrong".to_owned();
    }
    let first: Vec<&str> = wrong.iter().take(5).map(String::as_str).collect();
    format!("{} wrong: {}", wrong.len(), first.join("; "))
}

/// Looks at the sessions of one link; gives how many there are.
async fn check_link(
    world: &World,
    key: &str,
    link: &Link,
    wrong: &mut Vec<String>,
) -> Result<usize> {
    let sessions = world.sessions(&format!("cast={}", link.id)).await?;
    let text = |session: &Value, name: &str| session[name].as_str().unwrap_or_default().to_owned();
    let listed: BTreeSet<String> = sessions.iter().map(|session| text(session, "id")).collect();
    let given: BTreeSet<String> = link.accepted.iter().cloned().collect();
    if listed.len() != sessions.len() {
        wrong.push(format!("{key}: a session is listed twice"));
    }
    if given.len() != link.accepted.len() {
        wrong.push(format!("{key}: two visitors were given one session"));
    }
    for lost in given.difference(&listed) {
        wrong.push(format!("{key}: {lost} was given and is not listed"));
    }
    for unknown in listed.difference(&given) {
        wrong.push(format!("{key}: {unknown} is listed and was not given"));
    }
    for session in &sessions {
        let (state, reason) = (text(session, "state"), text(session, "reason"));
        if state != "ended" || reason.is_empty() {
            let id = text(session, "id");
            wrong.push(format!("{key}: {id} is {state}, its reason {reason:?}"));
        }
    }
    let taken = sessions
        .iter()
        .filter(|session| session["outcome"] != "refunded")
        .count() as u64;
    let cast = world.read(&format!("casts/{}", link.id)).await?;
    let remaining = cast["sessions_remaining"].as_u64();
    if let Some(places) = link.places
        && remaining != places.checked_sub(taken)
    {
        wrong.push(format!(
            "{key}: of {places} places {taken} are taken, and {remaining:?} remain"
        ));
    }
    let references = world.read(&format!("casts/{}/references", link.id)).await?;
    if references["live_sessions"] != 0 {
        wrong.push(format!(
            "{key}: {} live sessions",
            references["live_sessions"]
        ));
    }
    Ok(sessions.len())
}

/// Tries the counts of live sessions, of the deployment and of each link for steady visitors: with a
/// limit of one, a claim is accepted if they are 0, and refused otherwise.
async fn count_again(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    for key in [SHORT, LONG] {
        if let Err(why) = claim_last(world, key).await {
            wrong.push(format!("{key}: {why:#}"));
        }
    }
    wrong
}

async fn claim_last(world: &World, key: &str) -> Result<()> {
    let link = world
        .links
        .lock()
        .expect("no panic")
        .get(key)
        .cloned()
        .unwrap_or_default();
    let one = json!({"max_sessions": 1});
    world.change(Method::PATCH, "settings", &one).await?;
    let one = json!({"max_live_sessions": 1});
    world
        .change(Method::PATCH, &format!("casts/{}", link.id), &one)
        .await?;
    // A new limit holds within five seconds.
    sleep(Duration::from_secs(6)).await;
    let phone = Phone::new(world, "198.51.100.8".to_owned())?;
    let lost = |why| anyhow::anyhow!("{why:?}");
    let ticket = phone.open(key).await.map_err(lost)?;
    let session = phone.claim(key, &ticket).await.map_err(lost)?;
    phone.ready(&session).await.map_err(lost)?;
    phone.end(&session).await.map_err(lost)?;
    let deadline = Instant::now() + ENDED_WITHIN;
    while phone.status(&session).await.map_err(lost)?.0 != "ended" || !world.processes().is_empty()
    {
        anyhow::ensure!(Instant::now() < deadline, "{} does not end", session.id);
        sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}

//! Measures how long a visitor waits from the click until the app answers in their own session:
//! started for them, and started ahead; with starts that take longer, as they do where an image
//! must be fetched first. And ten visitors at once on a pool of ten. `cargo bench -p casting-tests
//! --bench staged --profile dev` (minutes, because the slow starts are waited for).

#![expect(
    clippy::expect_used,
    reason = "equipment of tests fails by panicking, as tests do"
)]

use std::time::{Duration, Instant};

use casting_core::session::State;
use casting_core::staging::StagingConfig;
use casting_identity::web_client;
use casting_local::stack::{Freedom, Stack, TaskKind};
use casting_tests::inside::Inside;
use casting_tests::{binaries, instance};
use futures_util::future::join_all;
use reqwest::Client;
use serde_json::Value;

/// Starts that take longer than a process does on this machine.
const DELAYS: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(500),
    Duration::from_secs(57),
];
/// Visitors of each kind, one after the other; of the slow starts only one, because each takes a
/// minute.
const VISITORS: usize = 10;
/// Visitors who come at once, and sessions that are ready for them.
const AT_ONCE: u32 = 10;

#[tokio::main]
async fn main() {
    let tasks = TaskKind::Processes {
        executable: binaries::path("casting"),
        engine: None,
        freedom: Freedom::default(),
    };
    let stack = instance::stack_of(tasks).await.expect("a stack");
    println!(
        "| starts take | started for the visitor, ms | started ahead, median ms | p95 ms \
              |\n|---|---|---|---|"
    );
    for delay in DELAYS {
        stack.ecs.set_start_delay(delay);
        keep(&stack, 0).await;
        let visitors = if delay.as_secs() > 1 { 1 } else { VISITORS };
        let mut cold = Vec::new();
        for _ in 0..visitors {
            cold.push(visit(&stack).await);
        }
        keep(&stack, VISITORS as u32).await;
        let mut staged = Vec::new();
        for _ in 0..VISITORS {
            staged.push(visit(&stack).await);
        }
        let (cold, median, slow) = (
            quantile(&mut cold, 0.5),
            quantile(&mut staged, 0.5),
            quantile(&mut staged, 0.95),
        );
        println!(
            "| {} s longer | {cold:.0} | {median:.0} | {slow:.0} |",
            delay.as_secs_f64()
        );
    }
    stack.ecs.set_start_delay(Duration::from_secs(30));
    keep(&stack, AT_ONCE).await;
    let mut all = join_all((0..AT_ONCE).map(|_| visit(&stack))).await;
    let slowest = quantile(&mut all, 1.0);
    println!(
        "\n{AT_ONCE} visitors at once on a pool of {AT_ONCE}: the last one was in after \
              {slowest:.0} ms."
    );
    stack.stop().await;
}

/// Keeps so many sessions ready, and waits until they are. Nothing is refilled meanwhile.
async fn keep(stack: &Stack, desired: u32) {
    let store = &stack.control_plane.store;
    let before = store
        .records::<StagingConfig>(None, 1)
        .await
        .expect("pools")
        .items
        .pop()
        .expect("the demo's");
    let mut after = StagingConfig {
        version: before.version + 1,
        ..before.clone()
    };
    after.settings.desired_sessions = desired;
    store
        .put_record(&after, Some(before.version), None)
        .await
        .expect("written");
    stack.control_plane.forget();
    loop {
        stack.control_plane.refill().await.expect("a round");
        let waiting = store.pool(&after.id).await.expect("a pool");
        if waiting.len() == desired as usize
            && waiting
                .iter()
                .all(|session| matches!(session.state, State::Ready { .. }))
        {
            stack.control_plane.forget();
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Opens the demo link and goes on until the app itself answers; gives how long that took from the
/// click.
async fn visit(stack: &Stack) -> f64 {
    let http = web_client::build(Duration::from_secs(120)).expect("a client");
    let page = http
        .get(stack.demo_link())
        .header("accept", "text/html")
        .send()
        .await
        .expect("an answer")
        .text()
        .await
        .expect("a page");
    let ticket = page
        .split("name=\"ticket\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a ticket")
        .to_owned();
    let clicked = Instant::now();
    let claim = http
        .post(format!("{}/claims", stack.demo_link()))
        .header("accept", "text/html")
        .header("cookie", "cast-probe=yes")
        .form(&[("ticket", ticket)])
        .send()
        .await;
    let claim = claim.expect("an answer");
    let header = |name: &str| claim.headers()[name].to_str().expect("text").to_owned();
    let session = header("location")
        .rsplit('/')
        .next()
        .expect("an id")
        .to_owned();
    let owner = header("set-cookie")
        .split(';')
        .next()
        .expect("a cookie")
        .to_owned();
    loop {
        let status: Value = ask(
            &http,
            &format!("{}/session/{session}/status", stack.url),
            &owner,
            None,
        )
        .await
        .json()
        .await
        .expect("JSON");
        if status["state"] == "ready" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let entered = ask(
        &http,
        &format!("{}/session/{session}/enter", stack.url),
        &owner,
        None,
    )
    .await;
    let to = entered.headers()["location"]
        .to_str()
        .expect("text")
        .to_owned();
    let here = format!("http://{}", stack.address);
    let inside = Inside::enter(&http, &here, &to).await;
    let app = inside.get(&http, &here, "/").await;
    assert_eq!(app.status(), 200, "the app answers");
    clicked.elapsed().as_secs_f64() * 1000.0
}

async fn ask(http: &Client, url: &str, cookie: &str, host: Option<&str>) -> reqwest::Response {
    let mut request = http.get(url).header("cookie", cookie);
    if let Some(host) = host {
        request = request.header("host", host);
    }
    request.send().await.expect("an answer")
}

fn quantile(times: &mut [f64], quantile: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    times[((times.len() - 1) as f64 * quantile).round() as usize]
}

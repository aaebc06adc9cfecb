//! Measures how quickly an administrator is answered when there are many casts and very many
//! claims: the same pages and lists over an empty store and over a crowded one. `cargo bench -p
//! casting-tests --bench crowded --profile dev -- CASTS CLAIMS` (10,000 and 1,000,000 by default;
//! making them takes minutes).

#![expect(
    clippy::expect_used,
    reason = "equipment of tests fails by panicking, as tests do"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use casting_boot::SystemClock;
use casting_core::cast::Cast;
use casting_core::denial::DenialCode;
use casting_core::hourly_stats::{HOUR_SECONDS, HourKey, HourlyStats, hour_of, sum};
use casting_core::ids::{CastId, CastKey, Nonce, SessionId, random_bytes};
use casting_core::ports::{Created, Fault, FaultKind, RefusalCount, Store};
use casting_core::session::{EndReason, Endpoint, Session};
use casting_core::testing::{self, SeededEntropy};
use casting_core::time::{Clock, Timestamp};
use casting_identity::web_client;
use casting_local::stack::Stack;
use casting_tests::instance::simulated_stack_in;
use futures_util::StreamExt;
use reqwest::Client;

/// How long ago the first claim was made, in seconds (90 days).
const SPAN: u64 = 90 * 86_400;
/// Writes that are under way at once.
const AT_ONCE: usize = 16;
/// So many claims of a link come one after the other, as when a class begins.
const BURST: usize = 20;
/// Rows that are written in one call.
const AT_A_TIME: usize = 200;
/// The most claims that are kept in memory, and not in a folder.
const IN_MEMORY: usize = 1_000_000;
/// How often a write is tried.
const TRIES: usize = 20;
/// How often each page is asked for.
const ROUNDS: usize = 30;

#[tokio::main]
async fn main() {
    let numbers: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let (casts, claims) = (
        numbers.first().copied().unwrap_or(10_000),
        numbers.get(1).copied().unwrap_or(1_000_000),
    );
    // So many rows do not fit into memory.
    let folder = tempfile::tempdir().expect("a folder");
    let data = (claims > IN_MEMORY).then(|| folder.path().to_owned());
    let stack = simulated_stack_in(data).await.expect("a stack");
    let visitor = Visitor::sign_in(&stack).await;
    let empty = visitor.measure(&stack, None).await;
    let began = Instant::now();
    let one = crowd(&stack, casts, claims).await;
    println!(
        "{casts} casts and {claims} claims were made in {} s",
        began.elapsed().as_secs()
    );
    let crowded = visitor.measure(&stack, Some(&one)).await;
    println!(
        "\n| page or list | empty, median ms | crowded, median ms | crowded, p95 ms | KB \
              |\n|---|---|---|---|---|"
    );
    for ((name, before), (_, after)) in empty.iter().zip(&crowded) {
        println!(
            "| {name} | {:.1} | {:.1} | {:.1} | {} |",
            before.at(0.5),
            after.at(0.5),
            after.at(0.95),
            after.bytes / 1024
        );
    }
    stack.stop().await;
}

/// Casts, and claims of the last [`SPAN`] spread over them, with the hours that follow from them.
/// Returns a cast that has some.
async fn crowd(stack: &Stack, casts: usize, claims: usize) -> Cast {
    let (store, entropy, now) = (&stack.dynamodb, SeededEntropy::new(1), SystemClock.now());
    let cast = |n: usize| {
        let mut cast = testing::cast(1);
        cast.id = CastId::from_bytes(random_bytes(&entropy));
        cast.settings.key = CastKey::random(&entropy);
        cast.settings.name = format!(
            "{} class {n}",
            ["Spring", "Summer", "Autumn", "Winter"][n % 4]
        );
        cast.created_at = now.minus_seconds(n as u64);
        cast
    };
    let all: Vec<Cast> = (0..casts).map(cast).collect();
    futures_util::stream::iter(&all)
        .for_each_concurrent(AT_ONCE, async |cast| {
            assert_eq!(store.create_cast(cast, None).await, Ok(Created::Done));
        })
        .await;

    let step = (SPAN * 1000) as f64 / claims.max(1) as f64;
    let claim = |n: usize| {
        let at =
            Timestamp::from_millis(now.minus_seconds(SPAN).millis() + (n as f64 * step) as i64);
        session(&all[n / BURST * 7919 % all.len()], &entropy, at)
    };
    let settled = hour_of(now) - 2 * HOUR_SECONDS;
    let mut hours: BTreeMap<HourKey, HourlyStats> = BTreeMap::new();
    for from in (0..claims).step_by(50_000) {
        let sessions: Vec<Session> = (from..(from + 50_000).min(claims)).map(claim).collect();
        for chunk in sessions.chunks(AT_A_TIME) {
            insist(async || store.import_sessions(chunk).await).await;
        }
        for (of, counts) in sum(&sessions, &refusals(&all, &sessions), |_| 0) {
            if of.1 <= settled {
                hours.entry(of).or_default().add(&counts);
            }
        }
        eprintln!("{} claims", from + sessions.len());
    }
    // The newest hour of all stands for «made until here».
    hours.entry((None, settled)).or_default();
    let hours: Vec<(HourKey, HourlyStats)> = hours.into_iter().collect();
    for chunk in hours.chunks(AT_A_TIME) {
        insist(async || store.put_hours(chunk).await).await;
    }
    // A sweep goes on for some batches at a time.
    for _ in 0..=claims / 50_000 {
        insist(async || store.list_claims(now.minus_seconds(90), now).await).await;
    }
    // As a sweep leaves it: all claims until now are in the schedule or have ended.
    insist(async || store.set_scheduled_until(now).await).await;
    all[0].clone()
}

/// Writes what may be written twice. A machine that is busy otherwise answers late; one that is
/// never done with it is given up.
async fn insist(write: impl AsyncFn() -> Result<(), Fault>) {
    for left in (0..TRIES).rev() {
        match write().await {
            Ok(()) => return,
            Err(fault) => assert!(left > 0 && fault.kind == FaultKind::Unavailable, "{fault}"),
        }
    }
}

/// A few refusals in every hour.
fn refusals(casts: &[Cast], sessions: &[Session]) -> Vec<RefusalCount> {
    let mut hours: Vec<i64> = sessions
        .iter()
        .map(|session| hour_of(session.created_at))
        .collect();
    hours.dedup();
    let count = |hour: i64| RefusalCount {
        cast_id: Some(casts[0].id.clone()),
        hour,
        code: DenialCode::IpLimit.to_string(),
        count: 9,
        samples: Vec::new(),
    };
    hours.into_iter().map(count).collect()
}

/// A session that was served and has ended.
fn session(cast: &Cast, entropy: &SeededEntropy, at: Timestamp) -> Session {
    let mut session = testing::session(cast, 1);
    session.id = SessionId::from_nonce(&cast.id, &Nonce::from_bytes(random_bytes(entropy)));
    session.created_at = at;
    let endpoint = Endpoint {
        host: "10.0.0.1".into(),
        port: 18080,
    };
    let ready = session
        .ready(endpoint, at.plus_seconds(30))
        .expect("gets ready");
    ready
        .ended(EndReason::Owner, at.plus_seconds(600))
        .expect("ends")
}

/// What one page took.
struct Taken {
    times: Vec<Duration>,
    bytes: usize,
}

impl Taken {
    /// This quantile, in milliseconds.
    fn at(&self, quantile: f64) -> f64 {
        let index = ((self.times.len() - 1) as f64 * quantile).round() as usize;
        self.times[index].as_secs_f64() * 1000.0
    }
}

/// The client of a signed-in administrator.
struct Visitor {
    http: Client,
    cookie: String,
}

impl Visitor {
    async fn sign_in(stack: &Stack) -> Self {
        let http = web_client::build(Duration::from_secs(60)).expect("a client");
        let sent = http
            .post(format!("{}/admin/sign-in", stack.url))
            .form(&[("key", &stack.admin_key)])
            .send()
            .await
            .expect("an answer");
        let cookie = sent.headers()["set-cookie"]
            .to_str()
            .expect("text")
            .split(';')
            .next()
            .expect("a cookie")
            .to_owned();
        Self { http, cookie }
    }

    async fn measure(&self, stack: &Stack, cast: Option<&Cast>) -> Vec<(&'static str, Taken)> {
        let demo = stack
            .control_plane
            .store
            .cast_by_key(&CastKey::parse("welcome").expect("a key"))
            .await
            .expect("read")
            .expect("the demo");
        let id = cast.unwrap_or(&demo).id.to_string();
        let mut all = Vec::new();
        for (name, path) in [
            ("overview", "/admin".to_owned()),
            ("cast list", "/admin/casts".to_owned()),
            (
                "cast list, searched",
                "/admin/casts?search=autumn+class+99".to_owned(),
            ),
            (
                "cast list over the API, newest first",
                "/api/admin/casts?sort=-created_at".to_owned(),
            ),
            ("one cast with its charts", format!("/admin/casts/{id}")),
            ("claims of a day", "/admin/claims".to_owned()),
            (
                "claims of 30 days with charts",
                "/admin/claims?hours=720".to_owned(),
            ),
            (
                "statistics of 30 days over the API",
                format!(
                    "/api/admin/statistics?since={}",
                    SystemClock.now().minus_seconds(30 * 86_400)
                ),
            ),
            (
                "claims of 30 days, searched in vain",
                "/admin/claims?hours=720&search=nobody".to_owned(),
            ),
            (
                "claims of one link",
                format!("/admin/casts/{id}/claims?hours=720"),
            ),
            ("audit log", "/admin/audit".to_owned()),
            (
                "audit log, searched in vain",
                "/admin/audit?search=nobody".to_owned(),
            ),
            ("sessions of a day", "/admin/sessions?show=all".to_owned()),
            ("live sessions", "/admin/sessions".to_owned()),
            (
                "sessions of one link over the API",
                format!("/api/admin/sessions?cast={id}"),
            ),
            (
                "a claim by its reference",
                "/api/admin/claims?ref=aaaa-aaaa".to_owned(),
            ),
        ] {
            let mut taken = Taken {
                times: Vec::new(),
                bytes: 0,
            };
            for _ in 0..ROUNDS {
                let began = Instant::now();
                let answer = self
                    .http
                    .get(format!("{}{path}", stack.url))
                    .header("cookie", &self.cookie)
                    .send()
                    .await
                    .expect("an answer");
                assert!(answer.status().is_success(), "{name}: {}", answer.status());
                taken.bytes = answer.bytes().await.expect("a body").len();
                taken.times.push(began.elapsed());
            }
            taken.times.sort_unstable();
            all.push((name, taken));
        }
        all
    }
}

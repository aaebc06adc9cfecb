//! Measures how quickly an administrator is answered when there are many casts and very many
//! claims: the same pages and lists over an empty store and over a crowded one. `cargo bench -p
//! casting-tests --bench crowded -- CASTS CLAIMS` (10,000 and 1,000,000 by default; making them
//! takes minutes). The database is a file in a temporary folder (`TMPDIR`), some 2 GB for each
//! million of claims.

#![expect(
    clippy::expect_used,
    reason = "equipment of tests fails by panicking, as tests do"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use casting_boot::SystemClock;
use casting_core::actor::Scope;
use casting_core::api_key::{ApiKey, ApiKeySettings};
use casting_core::cast::Cast;
use casting_core::denial::DenialCode;
use casting_core::group::Group;
use casting_core::hourly_stats::{HOUR_SECONDS, HourKey, HourlyStats, hour_of, sum};
use casting_core::ids::{
    ApiKeyId, CastId, CastKey, GroupId, ImageId, Nonce, Reference, SessionId, UserId, random_bytes,
};
use casting_core::ports::{Created, Fault, FaultKind, RefusalCount, Saved, Store};
use casting_core::profile::Profile;
use casting_core::session::{EndReason, Endpoint, Owner, Session};
use casting_core::summary::SessionSummary;
use casting_core::testing::{self, SeededEntropy};
use casting_core::time::{Clock, Timestamp};
use casting_identity::web_client;
use casting_local::stack::Stack;
use casting_tests::filling::{Filler, add_records, creation};
use casting_tests::instance::simulated_stack_in;
use reqwest::Client;

/// How long ago the first claim was made, in seconds (89 days: sessions are forgotten after 90).
const SPAN: u64 = 89 * 86_400;
/// So many claims of a link come one after the other, as when a class begins.
const BURST: usize = 20;
/// Sessions that live.
const LIVE: usize = 1000;
/// Users, invitations to one link, and deliveries of its hook.
const RECORDS: usize = 10_000;
/// Images, groups and API keys: what people make by hand.
const BY_HAND: usize = 100;
/// Every so many casts have an entry in the log of changes.
const LOGGED: usize = 2;
/// How often a write is tried.
const TRIES: usize = 20;
/// So many calls a minute are allowed, so that none is refused.
const MOST_CALLS: u32 = 100_000;
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
    let folder = tempfile::tempdir().expect("a folder");
    let stack = simulated_stack_in(Some(folder.path().to_owned())).await;
    let stack = stack.expect("a stack");
    let visitor = Visitor::sign_in(&stack).await;
    let empty = visitor.measure(&stack, &Crowd::none(&stack).await).await;
    let began = Instant::now();
    let crowd = crowd(&stack, &folder.path().join("casting.db"), casts, claims).await;
    println!(
        "{casts} casts and {claims} claims were made in {} s",
        began.elapsed().as_secs()
    );
    let crowded = visitor.measure(&stack, &crowd).await;
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

/// What is asked for of a store.
struct Crowd {
    /// A cast with claims, invitations and deliveries.
    cast: CastId,
    /// A session that lives.
    live: Option<SessionId>,
    /// One of the first sessions, and one of the last.
    old: SessionId,
    young: SessionId,
    /// A user.
    user: Option<UserId>,
}

impl Crowd {
    /// What there is in a new store.
    async fn none(stack: &Stack) -> Self {
        let store = &stack.control_plane.store;
        let key = CastKey::parse("welcome").expect("a key");
        let demo = store.cast_by_key(&key).await.expect("read");
        Self {
            cast: demo.expect("the demo").id,
            live: None,
            old: SessionId::from_bytes([1; 16]),
            young: SessionId::from_bytes([2; 16]),
            user: None,
        }
    }
}

/// Casts, and claims of the last [`SPAN`] spread over them, with the hours that follow from them,
/// live sessions, and records of every other kind.
async fn crowd(stack: &Stack, file: &Path, casts: usize, claims: usize) -> Crowd {
    let filler = Filler::open(file).expect("the database");
    let store = filler.store(stack.dynamodb.tables().clone());
    let (entropy, now) = (SeededEntropy::new(1), SystemClock.now());
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
    for (n, cast) in all.iter().enumerate() {
        let audit = (n % LOGGED == 0).then(|| creation(cast, cast.created_at, &entropy));
        let made = store.create_cast(cast, audit.as_ref()).await;
        assert_eq!(made, Ok(Created::Done));
    }
    eprintln!("{} casts", all.len());
    by_hand(&store, &entropy).await;
    let filled = add_records(&store, &entropy, &all[0], now, RECORDS).await;
    filled.expect("are there");
    let user = (&store as &dyn Store)
        .records::<Profile>(None, 1)
        .await
        .expect("are read");

    let step = (SPAN * 1000) as f64 / claims.max(1) as f64;
    let claim = |n: usize| {
        let at =
            Timestamp::from_millis(now.minus_seconds(SPAN).millis() + (n as f64 * step) as i64);
        let of = &all[n / BURST * 7919 % all.len()];
        session(of, &entropy, at, n + LIVE < claims)
    };
    let settled = hour_of(now) - 2 * HOUR_SECONDS;
    let mut hours: BTreeMap<HourKey, HourlyStats> = BTreeMap::new();
    let mut marked: Vec<SessionId> = Vec::new();
    for from in (0..claims).step_by(50_000) {
        let sessions: Vec<Session> = (from..(from + 50_000).min(claims)).map(claim).collect();
        marked.extend(sessions.first().map(|session| session.id.clone()));
        marked.extend(sessions.last().map(|session| session.id.clone()));
        store.import_sessions(&sessions).await.expect("are there");
        let summaries: Vec<SessionSummary> = sessions.iter().map(Into::into).collect();
        for (of, counts) in sum(&summaries, &refusals(&all, &sessions), |_| 0) {
            if of.1 <= settled {
                hours.entry(of).or_default().add(&counts);
            }
        }
        eprintln!("{} claims", from + sessions.len());
    }
    // The newest hour of all stands for «made until here».
    hours.entry((None, settled)).or_default();
    let hours: Vec<(HourKey, HourlyStats)> = hours.into_iter().collect();
    store.put_hours(&hours).await.expect("are there");
    filler.finish().expect("is written");
    // A sweep goes on for some batches at a time.
    for _ in 0..=claims / 50_000 {
        let listed = store.list_claims(now.minus_seconds(90), now).await;
        listed.expect("are listed");
        filler.finish().expect("is written");
    }
    // As a sweep leaves it: all claims until now are in the schedule or have ended.
    insist(async || stack.dynamodb.set_scheduled_until(now).await).await;
    Crowd {
        cast: all[0].id.clone(),
        live: marked.last().cloned(),
        old: marked[0].clone(),
        young: marked[marked.len().saturating_sub(3)].clone(),
        user: user.items.first().map(|user| user.id.clone()),
    }
}

/// Images, groups and API keys.
async fn by_hand(store: &dyn Store, entropy: &SeededEntropy) {
    for n in 0..BY_HAND {
        let mut image = testing::image(1);
        image.id = ImageId::from_bytes(random_bytes(entropy));
        image.settings.name = format!("Desktop {n}");
        let saved = store.put_record(&image, None, None).await;
        assert_eq!(saved, Ok(Saved::Done));
        let mut group = Group::all_users();
        group.id = GroupId::from_bytes(random_bytes(entropy));
        group.settings.name = format!("Year {n}");
        let saved = store.put_record(&group, None, None).await;
        assert_eq!(saved, Ok(Saved::Done));
        let settings = ApiKeySettings {
            name: format!("Robot {n}"),
            scopes: BTreeSet::from([Scope::Casts]),
            expires_at: None,
        };
        let id = ApiKeyId::from_bytes(random_bytes(entropy));
        let secret = random_bytes(entropy);
        let (key, _) = ApiKey::with_secret(id, &secret, SystemClock.now(), settings);
        let saved = store.put_record(&key, None, None).await;
        assert_eq!(saved, Ok(Saved::Done));
    }
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

/// A session that was served, and has ended or lives.
fn session(cast: &Cast, entropy: &SeededEntropy, at: Timestamp, has_ended: bool) -> Session {
    let mut session = testing::session(cast, 1);
    session.id = SessionId::from_nonce(&cast.id, &Nonce::from_bytes(random_bytes(entropy)));
    session.created_at = at;
    session.owner = Owner::Anonymous {
        id: UserId::of_session(&session.id),
        group: None,
        expires_at: None,
    };
    let endpoint = Endpoint {
        host: "10.0.0.1".into(),
        port: 18080,
    };
    let ready = session.ready(endpoint, at.plus_seconds(30));
    let ready = ready.expect("gets ready");
    if has_ended {
        let ended = ready.ended(EndReason::Owner, at.plus_seconds(600));
        return ended.expect("ends");
    }
    ready.checked(SystemClock.now().plus_seconds(300))
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
        let settings = http
            .patch(format!("{}/api/admin/settings", stack.url))
            .bearer_auth(&stack.admin_key)
            .json(&serde_json::json!({ "calls_per_minute": MOST_CALLS }))
            .send()
            .await
            .expect("an answer");
        assert!(settings.status().is_success(), "{}", settings.status());
        Self { http, cookie }
    }

    async fn measure(&self, stack: &Stack, crowd: &Crowd) -> Vec<(&'static str, Taken)> {
        let mut all = Vec::new();
        for (name, path) in pages(crowd) {
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
                let is_known = crowd.live.is_some();
                let status = answer.status();
                assert!(status.is_success() || !is_known, "{name}: {status}");
                taken.bytes = answer.bytes().await.expect("a body").len();
                taken.times.push(began.elapsed());
            }
            taken.times.sort_unstable();
            eprintln!("{name}: {:.1} ms", taken.at(0.5));
            all.push((name, taken));
        }
        all
    }
}

/// Every list of the console and of the API that grows, and the pages of what it names. A new
/// store has no session and no user: their pages are missing there.
fn pages(crowd: &Crowd) -> Vec<(&'static str, String)> {
    let cast = &crowd.cast;
    let live = crowd.live.as_ref().unwrap_or(&crowd.old);
    let user = crowd.user.clone().unwrap_or(UserId::of_session(&crowd.old));
    let month = SystemClock.now().minus_seconds(30 * 86_400);
    let (old, young) = (Reference::of(&crowd.old), Reference::of(&crowd.young));
    vec![
        ("overview", "/admin".to_owned()),
        ("overview of 30 days", "/admin?hours=720".to_owned()),
        ("casts", "/admin/casts".to_owned()),
        (
            "casts, the newest first",
            "/admin/casts?sort=-created".to_owned(),
        ),
        (
            "casts, searched",
            "/admin/casts?search=autumn+class+99".to_owned(),
        ),
        (
            "casts, searched in vain",
            "/admin/casts?search=nobody".to_owned(),
        ),
        ("casts, only disabled", "/admin/casts?state=off".to_owned()),
        ("one cast with its charts", format!("/admin/casts/{cast}")),
        ("the form of a cast", format!("/admin/casts/{cast}/edit")),
        (
            "the deletion of a cast",
            format!("/admin/casts/{cast}/delete"),
        ),
        ("the test of a link", format!("/admin/casts/{cast}/test")),
        (
            "claims of one link, 30 days",
            format!("/admin/casts/{cast}/claims?hours=720"),
        ),
        (
            "invitations to one link",
            format!("/admin/casts/{cast}/invitations"),
        ),
        (
            "invitations, searched",
            format!("/admin/casts/{cast}/invitations?search=guest+77"),
        ),
        (
            "invitations as a sheet",
            format!("/admin/casts/{cast}/invitation-sheet"),
        ),
        (
            "one hook with its deliveries",
            format!("/admin/hooks/{cast}"),
        ),
        ("claims of a day", "/admin/claims".to_owned()),
        (
            "claims of 30 days with charts",
            "/admin/claims?hours=720".to_owned(),
        ),
        (
            "claims of 30 days, searched in vain",
            "/admin/claims?hours=720&search=nobody".to_owned(),
        ),
        (
            "claims of 30 days, refused",
            "/admin/claims?hours=720&outcome=refused".to_owned(),
        ),
        (
            "claims of 30 days, of one address",
            "/admin/claims?hours=720&address=none".to_owned(),
        ),
        ("live sessions", "/admin/sessions".to_owned()),
        (
            "live sessions, sorted by user",
            "/admin/sessions?sort=user".to_owned(),
        ),
        (
            "live sessions, searched in vain",
            "/admin/sessions?search=nobody".to_owned(),
        ),
        ("sessions of a day", "/admin/sessions?show=all".to_owned()),
        (
            "ended sessions, searched in vain",
            "/admin/sessions?show=ended&search=nobody".to_owned(),
        ),
        ("one session that lives", format!("/admin/sessions/{live}")),
        (
            "one session that has ended",
            format!("/admin/sessions/{}", crowd.old),
        ),
        ("a reference of today", format!("/admin/find?q={young}")),
        (
            "a reference of three months ago",
            format!("/admin/find?q={old}"),
        ),
        (
            "a reference that is none",
            "/admin/find?q=aaaa-aaaa".to_owned(),
        ),
        (
            "words in the command bar",
            "/admin/find?format=json&q=autumn".to_owned(),
        ),
        ("users", "/admin/users".to_owned()),
        (
            "users, searched",
            "/admin/users?search=student+77".to_owned(),
        ),
        ("one user", format!("/admin/users/{user}")),
        ("anonymous users", "/admin/users?kind=anonymous".to_owned()),
        ("images", "/admin/images".to_owned()),
        ("groups", "/admin/groups".to_owned()),
        ("API keys", "/admin/api-keys".to_owned()),
        ("networks", "/admin/networks".to_owned()),
        ("staging configs", "/admin/staging".to_owned()),
        ("settings", "/admin/settings".to_owned()),
        ("audit log", "/admin/audit".to_owned()),
        (
            "audit log of one cast",
            format!("/admin/audit?about={cast}"),
        ),
        (
            "audit log, searched in vain",
            "/admin/audit?search=nobody".to_owned(),
        ),
        (
            "API: casts, the newest first",
            "/api/admin/casts?sort=-created_at".to_owned(),
        ),
        (
            "API: invitations to one link",
            format!("/api/admin/casts/{cast}/invitations"),
        ),
        (
            "API: deliveries of one hook",
            format!("/api/admin/hooks/{cast}/deliveries"),
        ),
        ("API: claims", "/api/admin/claims".to_owned()),
        (
            "API: claims of one link",
            format!("/api/admin/casts/{cast}/claims"),
        ),
        (
            "API: a claim by an old reference",
            format!("/api/admin/claims?ref={old}"),
        ),
        (
            "API: statistics of 30 days",
            format!("/api/admin/statistics?since={month}"),
        ),
        ("API: sessions", "/api/admin/sessions".to_owned()),
        (
            "API: sessions of one link",
            format!("/api/admin/sessions?cast={cast}"),
        ),
        ("API: users", "/api/admin/users".to_owned()),
        (
            "API: anonymous users",
            "/api/admin/users?kind=anonymous".to_owned(),
        ),
        ("API: audit log", "/api/admin/audit".to_owned()),
    ]
}

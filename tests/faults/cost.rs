//! Owns what a visit costs: every step is taken over the real adapters, what DynamoDB asks for it
//! is counted, and `docs/cost.md` must say the same in dollars.

use casting_core::cast::{CountBy, IpLimit};
use casting_core::start_times;
use casting_core::{ClaimRequest, Claimed};
use casting_tests::faults::{FaultPlan, Spent, run_actor};
use casting_tests::sim_world::{Limits, SharedDb, SimWorld, open, open_with, visitor};

use crate::pools::fill;

/// List prices of us-east-1 in dollars for a million, as `docs/cost.md` says them: a request to the
/// HTTP API, a call of a function, a millisecond of 128 MB on arm64, a unit of writing, a unit of
/// reading.
const PRICES: [f64; 5] = [1.00, 0.20, 0.001_667, 0.625, 0.125];
/// The memory of the function that shows links and takes claims, in 128 MB.
const CAST: f64 = 1.0;
/// The memory of the function that answers waiting pages, in 128 MB.
const SESSION: f64 = 2.0;
/// How long a function works on a request, in milliseconds: a guess on the safe side.
const USUAL_MS: f64 = 10.0;
/// How long it works where it waits for ECS to start a task.
const START_MS: f64 = 300.0;
/// The latency of notifying the gate of a session that was started in advance.
const TELL_MS: f64 = 30.0;
/// How long a start takes, in milliseconds.
const START: u32 = 30_000;

/// The line of the table that a million of these must have.
fn line(name: &str, memory: f64, requests: f64, milliseconds: f64, spent: Spent) -> String {
    let [gateway, call, millisecond, write, read] = PRICES;
    let function = requests * (call + milliseconds * memory * millisecond);
    let database = spent.writes * write + spent.reads * read;
    let total = requests * gateway + function + database;
    let Spent { writes, reads } = spent;
    format!(
        "| {name} | {requests} | {writes} | {reads} | ${:.2} | ${function:.2} | ${database:.2} | \
         ${total:.2} |",
        requests * gateway
    )
}

/// A claim of a link with these limits where one was served before, and its first status.
async fn claim(shared_db: &SharedDb, seed: u64, limits: Limits) -> (Spent, Spent) {
    let mut world = SimWorld::new(shared_db, seed, limits.clone())
        .await
        .expect("a world");
    fill(&mut world, 3).await.expect("its pool is filled");
    let (process, key) = (world.stable_process(), world.cast.settings.key.as_str());
    let proof = |n: u8| limits.captcha.then(|| format!("good-{seed}-{n}"));
    let parameters = world.parameters();
    let open = async |n| {
        let opened = open_with(process, key, &parameters, &visitor(n)).await;
        opened.expect("is open")
    };
    let first = open(2).await;
    let request = ClaimRequest {
        captcha: proof(2),
        ..first
    };
    let first = process.claim(key, &request, &visitor(2)).await;
    first.expect("is accepted");
    let opened = open(1).await;
    let captcha = proof(1);
    let claimed = run_actor(
        1,
        FaultPlan::None,
        process.claim(key, &ClaimRequest { captcha, ..opened }, &visitor(1)),
    )
    .await;
    let Claimed {
        session,
        owner_ticket,
        ..
    } = claimed
        .result
        .expect("no crash")
        .expect("is accepted")
        .session()
        .expect("a session");
    let asked = run_actor(
        1,
        FaultPlan::None,
        process.status(&session.id, Some(&owner_ticket)),
    )
    .await;
    asked.result.expect("no crash").expect("is told");
    (claimed.spent, asked.spent)
}

#[tokio::test(start_paused = true)]
async fn documented_cost_of_a_visit_is_measured() {
    let shared_db = SharedDb::new().await.expect("a database");
    let world = SimWorld::new(&shared_db, 1, Limits::default())
        .await
        .expect("a world");
    let key = world.cast.settings.key.as_str();
    let first = run_actor(
        1,
        FaultPlan::None,
        open(world.stable_process(), key, &visitor(1)),
    )
    .await
    .spent;
    let again = run_actor(
        1,
        FaultPlan::None,
        open(world.stable_process(), key, &visitor(2)),
    )
    .await
    .spent;

    let sold_out = SimWorld::new(
        &shared_db,
        2,
        Limits {
            total: Some(0),
            ..Limits::default()
        },
    )
    .await
    .expect("a world");
    let key = sold_out.cast.settings.key.as_str();
    let _ = open(sold_out.stable_process(), key, &visitor(1)).await;
    let told = run_actor(
        1,
        FaultPlan::None,
        open(sold_out.stable_process(), key, &visitor(2)),
    )
    .await;
    assert!(told.result.expect("no crash").is_err());
    for _ in 0..8 {
        let _ = open(sold_out.stable_process(), key, &visitor(2)).await;
    }
    let refused = run_actor(
        1,
        FaultPlan::None,
        open(sold_out.stable_process(), key, &visitor(2)),
    )
    .await;
    assert!(refused.result.expect("no crash").is_err());

    let ip = Some(IpLimit {
        sessions: 2,
        within_seconds: 600,
        by: CountBy::Address,
        exempt: Vec::new(),
    });
    let (free, status) = claim(&shared_db, 3, Limits::default()).await;
    let hooked = Limits {
        hooked: true,
        ..Limits::default()
    };
    let (hooked, _) = claim(&shared_db, 9, hooked).await;
    let (full, _) = claim(
        &shared_db,
        4,
        Limits {
            total: Some(3),
            ip: ip.clone(),
            live: Some(3),
            captcha: true,
            ..Limits::default()
        },
    )
    .await;
    let (staged, _) = claim(
        &shared_db,
        5,
        Limits {
            ready: Some(2),
            ..Limits::default()
        },
    )
    .await;
    let invited = Limits {
        invited: Some(9),
        ..Limits::default()
    };
    let world = SimWorld::new(&shared_db, 7, invited.clone())
        .await
        .expect("a world");
    let (key, process) = (world.cast.settings.key.as_str(), world.stable_process());
    let parameters = world.parameters();
    let look = async |n| {
        let guest = visitor(n);
        let opening = open_with(process, key, &parameters, &guest);
        run_actor(1, FaultPlan::None, opening).await
    };
    drop(look(1).await);
    let seen = look(2).await.spent;
    let (by_invitation, _) = claim(&shared_db, 8, invited).await;
    let (with_bans, _) = claim(
        &shared_db,
        6,
        Limits {
            total: Some(3),
            ip: ip.clone(),
            live: Some(3),
            captcha: true,
            bans: 250,
            ..Limits::default()
        },
    )
    .await;
    assert_eq!(
        with_bans.writes, full.writes,
        "the settings' size is not paid for"
    );
    let waiting = |usual| {
        let polls = start_times::asked_by(usual, START) as f64;
        let spent = Spent {
            writes: polls * status.writes,
            reads: polls * status.reads,
        };
        (polls, spent)
    };
    let ((known, known_spent), (unknown, unknown_spent)) = (waiting(Some(START)), waiting(None));

    let page = include_str!("../../docs/cost.md");
    let lines = [
        line(
            "a link's page, for the first time in a function instance",
            CAST,
            1.0,
            USUAL_MS,
            first,
        ),
        line("a link's page, remembered", CAST, 1.0, USUAL_MS, again),
        line(
            "one of the first ten refusals of an instance",
            CAST,
            1.0,
            USUAL_MS,
            told.spent,
        ),
        line(
            "a refusal after them, remembered",
            CAST,
            1.0,
            USUAL_MS,
            refused.spent,
        ),
        line(
            "a claim that takes nothing but the session",
            CAST,
            1.0,
            START_MS,
            free,
        ),
        line(
            "a claim with every limit and a proof",
            CAST,
            1.0,
            START_MS,
            full,
        ),
        line(
            "a link's page by an invitation, remembered",
            CAST,
            1.0,
            USUAL_MS,
            seen,
        ),
        line(
            "a claim by an invitation",
            CAST,
            1.0,
            START_MS,
            by_invitation,
        ),
        line(
            "a claim of a session that was started ahead",
            CAST,
            1.0,
            TELL_MS,
            staged,
        ),
        line(
            "30 seconds of waiting, where that is usual for the image",
            SESSION,
            known,
            USUAL_MS,
            known_spent,
        ),
        line(
            "30 seconds of waiting, where the image is new",
            SESSION,
            unknown,
            USUAL_MS,
            unknown_spent,
        ),
    ];
    let more = hooked.writes - free.writes;
    let said = format!("With a webhook a claim costs {more} units of writing more");
    assert!(page.contains(&said), "docs/cost.md must say: {said}");
    assert_eq!(hooked.reads, free.reads, "a hook is read with the link");
    let missing: Vec<&String> = lines.iter().filter(|line| !page.contains(*line)).collect();
    assert!(
        missing.is_empty(),
        "docs/cost.md must say:\n{}",
        lines.join("\n")
    );
    assert_eq!(
        (again, refused.spent),
        (Spent::default(), Spent::default()),
        "what is remembered is not read again, and nothing is written"
    );
}

#[test]
fn load_balancer_cost_is_consistent_in_all_pages() {
    let page = include_str!("../../docs/cost.md");
    let (_, table) = page
        .split_once("The edge `load-balancer` runs always.")
        .expect("its parts");
    let mut sum = 0.0;
    let mut parts = 0;
    for row in table
        .lines()
        .filter(|line| line.starts_with("| ") && line.matches('|').count() == 4)
    {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, computed, amount] = cells[..] else {
            continue;
        };
        let Some(amount) = amount
            .strip_prefix('$')
            .and_then(|amount| amount.parse::<f64>().ok())
        else {
            continue;
        };
        if name == "together" {
            assert!((amount - sum).abs() < 0.005, "{sum} and not {amount}");
            assert_eq!(parts, 4);
            let said = format!("{amount:.2} USD a month");
            for (file, text) in [
                (
                    "infra/template.yaml",
                    include_str!("../../infra/template.yaml"),
                ),
                (
                    "infra/cdk/lib/session-casting.ts",
                    include_str!("../../infra/cdk/lib/session-casting.ts"),
                ),
            ] {
                assert!(text.contains(&said), "{file} does not say {said}");
            }
            return;
        }
        let product = computed
            .split(" × ")
            .map(|factor| factor.parse::<f64>().expect("a number"))
            .product::<f64>();
        assert!(
            (product - amount).abs() < 0.01,
            "{name}: {product} and not {amount}"
        );
        sum += amount;
        parts += 1;
    }
    panic!("the table has no end");
}

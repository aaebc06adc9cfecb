//! Measures how many sessions sweeps handle, if each call takes its time: 0 to 40 ms to DynamoDB, 60 ms to ECS. `cargo bench -p casting-tests
//! --bench sweep --profile dev -- SESSIONS` makes so many that are due at once (20,000 by default: of 100,000 that live and are looked after
//! every five minutes, those of one minute). The store is real, over the embedded database; ECS is one that knows every task; time is
//! virtual, so the speed of the machine does not matter.

#![expect(
    clippy::expect_used,
    reason = "equipment of tests fails by panicking, as tests do"
)]

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use casting_core::ids::{Nonce, SessionId};
use casting_core::image::Image;
use casting_core::keys::Keyring;
use casting_core::ports::{Fault, FaultKind, Launcher, Run, Task, TaskSpec};
use casting_core::session::{Endpoint, SWEEP_INTERVAL_SECONDS, Session, TaskRef, TaskStatus};
use casting_core::testing::{self, NOON, SeededEntropy, TokenVerifier};
use casting_core::time::{Clock, Timestamp};
use casting_core::{ControlPlane, Ports, PublicUrls};
use casting_tests::faults::{FaultPlan, run_actor};
use casting_tests::sim_world::SharedDb;

/// How long a call to ECS takes.
const ECS_CALL: Duration = Duration::from_millis(60);

struct VirtualClock(tokio::time::Instant);

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(NOON.millis() + self.0.elapsed().as_millis() as i64)
    }
}

/// An ECS whose tasks all run.
#[derive(Default)]
struct AllRun {
    calls: AtomicU64,
}

fn not_asked<T>() -> Result<T, Fault> {
    Err(Fault {
        kind: FaultKind::Refused,
        what: "run a bench",
        detail: "nothing else is asked".into(),
    })
}

#[async_trait::async_trait]
impl Launcher for AllRun {
    fn capacities(&self) -> u32 {
        1
    }

    fn starts_per_second(&self) -> u32 {
        u32::MAX
    }

    async fn run(&self, _: &TaskSpec) -> Run {
        Run::Refused("nothing is started".into())
    }

    async fn stop(&self, _: &str, _: &str) -> Result<Option<Task>, Fault> {
        not_asked()
    }

    async fn describe(&self, arns: &[String]) -> Result<Vec<Task>, Fault> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(ECS_CALL).await;
        let task = |arn: &String| Task {
            task: task_ref(arn),
            session: None,
            stop_detail: String::new(),
            exit_code: None,
            app_reason: None,
            start_failed: false,
        };
        Ok(arns.iter().map(task).collect())
    }

    async fn find(&self, _: &SessionId) -> Result<Vec<Task>, Fault> {
        not_asked()
    }

    async fn gate_address(&self, _: &SessionId) -> Result<Option<IpAddr>, Fault> {
        Ok(None)
    }

    fn log_url(&self, _: &Session) -> Option<String> {
        None
    }

    async fn register(&self, _: &Image) -> Result<Result<String, String>, Fault> {
        not_asked()
    }
}

fn task_ref(arn: &str) -> TaskRef {
    TaskRef {
        arn: arn.to_owned(),
        status: TaskStatus::Running,
        version: 3,
        times: casting_core::session::TaskTimes::default(),
    }
}

/// The `n`th session that is due.
fn session(n: u64) -> Session {
    let cast = testing::cast(1);
    let mut nonce = [0; 16];
    nonce[..8].copy_from_slice(&n.to_be_bytes());
    let mut session = testing::session(&cast, 0);
    session.id = SessionId::from_nonce(&cast.id, &Nonce::from_bytes(nonce));
    session.time_limit_seconds = 86_400;
    let endpoint = Endpoint {
        host: "10.0.0.1".into(),
        port: 18080,
    };
    let arn = format!("arn:aws:ecs:eu-central-1:123456789012:task/casting/{n:032x}");
    let started = session.started(task_ref(&arn)).expect("starts");
    let mut ready = started.ready(endpoint, NOON).expect("gets ready");
    ready.due_at = Some(NOON);
    ready
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let sessions: u64 = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .next()
        .unwrap_or(20_000);
    let shared_db = SharedDb::new().await.expect("a database");
    let store = shared_db.store();
    for first in (0..sessions).step_by(1000) {
        let rows: Vec<Session> = (first..sessions.min(first + 1000)).map(session).collect();
        store.import_sessions(&rows).await.expect("are written");
    }
    let began = tokio::time::Instant::now();
    let clock = Arc::new(VirtualClock(began));
    let ecs = Arc::new(AllRun::default());
    let urls = PublicUrls {
        public_url: "http://cast.test".into(),
        report_url: "http://cast.test".into(),
        session_url: "http://{session}.cast.test".into(),
    };
    let ports = Ports {
        store: Arc::new(store.clone()),
        launcher: ecs.clone(),
        captcha: Arc::new(TokenVerifier),
        clock: clock.clone(),
        entropy: Arc::new(SeededEntropy::new(1)),
    };
    let plane = ControlPlane::new(ports, Keyring::new(&[7; 32]), urls);
    println!("sweep | begins after | looked at | took | DescribeTasks");
    for sweep in 1.. {
        let after = SWEEP_INTERVAL_SECONDS * sweep;
        tokio::time::sleep_until(began + Duration::from_secs(after)).await;
        let (asked, calls) = (
            tokio::time::Instant::now(),
            ecs.calls.load(Ordering::Relaxed),
        );
        let swept = run_actor(sweep, FaultPlan::Random { percent: 0 }, plane.sweep()).await;
        let swept = swept.result.expect("no crash").expect("sweeps");
        let (took, calls) = (asked.elapsed(), ecs.calls.load(Ordering::Relaxed) - calls);
        println!(
            "{sweep} | {after} s | {} | {:.1} s | {calls}",
            swept.looked_at,
            took.as_secs_f64()
        );
        if swept.looked_at == 0 || u64::from(swept.looked_at) == sessions {
            break;
        }
    }
}

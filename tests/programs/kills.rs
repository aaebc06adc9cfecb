//! Owns what becomes of sessions whose processes are killed without a word: what the visitor reads,
//! what the ledger says, and what is left running.

use casting_tests::inside::Inside;
use casting_tests::processes::{soon, with_environment};
use casting_tests::program::Program;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::{Value, json};

/// A visitor in a session.
pub struct Visitor {
    pub session: String,
    inside: Inside,
}

/// Enters a session of the link with this key, which parameters may follow.
pub async fn enter(program: &Program, key: &str) -> Visitor {
    let describe = program
        .http
        .get(format!("{}/api/casts/{key}", program.url))
        .send()
        .await
        .expect("an answer");
    let described: Value = describe.json().await.expect("JSON");
    let bare = key.split('?').next().unwrap_or_default();
    let claim = program
        .http
        .post(format!("{}/cast/{bare}/claims", program.url))
        .json(&json!({"ticket": described["ticket"]}));
    let claimed: Value = claim
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let text = |name: &str| {
        claimed[name]
            .as_str()
            .expect("a claim that is accepted")
            .to_owned()
    };
    let (session, owner) = (text("session_id"), text("session_token"));
    let status = format!("{}/session/{session}", program.url);
    let enter = async || {
        let answer = program
            .http
            .get(format!("{status}/enter"))
            .bearer_auth(&owner)
            .send()
            .await
            .expect("an answer");
        answer
            .headers()
            .get("location")
            .and_then(|to| to.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    assert!(
        soon(async || enter().await.contains("/.cast/enter?")).await,
        "{}",
        enter().await
    );
    let entrance = enter().await;
    Visitor {
        session,
        inside: Inside::enter(&program.http, &program.url, &entrance).await,
    }
}

impl Visitor {
    /// What the session's origins say to a browser.
    pub async fn read(&self, program: &Program, path: &str) -> (u16, String) {
        let answer = self.inside.get(&program.http, &program.url, path).await;
        (answer.status().as_u16(), answer.text().await.expect("text"))
    }

    /// The session's process whose command line has this word first.
    pub fn process(&self, word: &str) -> Pid {
        let is_it = |id: &u32| {
            let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let first = line
                .split(|byte| *byte == 0)
                .next()
                .unwrap_or_default()
                .to_vec();
            String::from_utf8_lossy(&first).ends_with(word)
        };
        let id = with_environment(&self.session)
            .into_iter()
            .find(is_it)
            .expect("it runs");
        Pid::from_raw(i32::try_from(id).expect("a process id"))
    }

    pub async fn ledger(&self, program: &Program) -> Value {
        program
            .admin(Method::GET, &format!("sessions/{}", self.session))
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("JSON")
    }
}

#[tokio::test]
async fn killed_app_or_gate_ends_the_session_with_a_reason() {
    let program = Program::start(["--memory", "--port", "0"])
        .await
        .expect("starts");
    for word in ["demo-app", "gate"] {
        let visitor = enter(&program, "welcome").await;
        assert_eq!(visitor.read(&program, "/").await.0, 200, "{word}: alive");
        kill(visitor.process(word), Signal::SIGKILL).expect("killed");
        let ended = soon(async || visitor.ledger(&program).await["state"] == "ended").await;
        let ledger = visitor.ledger(&program).await;
        assert!(
            ended && ledger["reason"] == "task-stopped" && ledger["outcome"] == "served",
            "{word}: {ledger}"
        );
        assert!(
            soon(async || with_environment(&visitor.session).is_empty()).await,
            "{word}: nothing of it runs on"
        );
        for path in ["/", "/.cast/", "/.cast/state"] {
            let (status, page) = visitor.read(&program, path).await;
            assert!(
                status == 410 && page.contains("This session has ended"),
                "{word} {path}: {status} {page}"
            );
            assert!(
                page.contains(&format!("/session/{}", visitor.session)),
                "{word}: where to read why"
            );
        }
    }
}

#[tokio::test]
async fn twenty_sessions_run_side_by_side() {
    let program = Program::start(["--memory", "--port", "0"])
        .await
        .expect("starts");
    let program = &program;
    let visitors = futures_util::future::join_all((0..20).map(|_| enter(program, "welcome"))).await;
    for visitor in &visitors {
        let (status, page) = visitor.read(program, "/").await;
        assert!(
            status == 200 && page.contains(&visitor.session),
            "each sees its own: {status}"
        );
    }
    let mut stranger = Visitor {
        session: visitors[0].session.clone(),
        inside: visitors[0].inside.clone(),
    };
    stranger.inside.app.cookie = visitors[1].inside.app.cookie.clone();
    assert_eq!(
        stranger.read(program, "/").await.0,
        403,
        "a neighbour's ticket opens nothing"
    );
}

//! Owns sessions that are real containers, where this machine has a Docker engine; where it has none, there is nothing to be seen.

use std::process::{Command, Stdio};

use casting_local::options::engine_socket;
use casting_tests::processes::soon;
use casting_tests::program::Program;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::{Value, json};

use crate::kills::{Visitor, enter};

const IMAGE: &str = "casting-test-busybox:1";

/// Has the test's image: one file, as the package `busybox-static` brings it. `None` where that cannot be had.
fn make_image() -> Option<()> {
    engine_socket()?;
    let docker = |arguments: &[&str]| {
        Command::new("docker")
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    };
    if docker(&["image", "inspect", IMAGE]) {
        return Some(());
    }
    let line = format!("tar -C /bin -c busybox | docker import - {IMAGE}");
    Command::new("sh")
        .args(["-c", &line])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
        .then_some(())
}

fn containers(session: &str) -> String {
    let output = Command::new("docker")
        .args([
            "ps",
            "-a",
            "-q",
            "--filter",
            &format!("name=casting-{session}"),
        ])
        .output();
    output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default()
}

async fn make(program: &Program, path: &str, document: Value) -> Value {
    let answer = program
        .admin(Method::POST, path)
        .json(&document)
        .send()
        .await
        .expect("an answer");
    let (status, text) = (answer.status(), answer.text().await.expect("text"));
    assert_eq!(status, 201, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

#[tokio::test]
async fn an_image_reference_becomes_a_container_that_ends_with_its_session() {
    if make_image().is_none() {
        eprintln!("There is no Docker engine here, or no busybox for it.");
        return;
    }
    let program = Program::start(["--memory", "--port", "0"])
        .await
        .expect("starts");
    let serve = "/busybox mkdir /www && echo \"$CAST_NAME:$CAST_SESSION_SECRET.\" > /www/index.html && exec /busybox httpd -f -p 8080 -h /www";
    let go = "echo \"$KASM_URL\" > /www/gone";
    let image = make(
        &program,
        "images",
        json!({
            "name": "Container", "container_image": IMAGE, "port": 8080, "cpu": 256, "memory": 512,
            "command": ["/busybox", "sh", "-c", serve],
            "exec_config": {"first_launch": {"cmd": ["/busybox", "sh", "-c", go], "environment": {"KASM_URL": "https://first.example/"}}},
        }),
    );
    let image = image.await["id"].clone();
    make(
        &program,
        "casts",
        json!({"name": "Boxed", "key": "boxed-link", "image_id": image, "allow_anonymous": true}),
    )
    .await;
    let visitor = enter(&program, "boxed-link").await;
    assert_eq!(
        visitor.read(&program, "/index.html").await,
        (200, "Boxed:.\n".to_owned()),
        "its own values, and not the gate's secret"
    );
    let ran = soon(async || {
        visitor.read(&program, "/gone").await == (200, "https://first.example/\n".to_owned())
    })
    .await;
    assert!(
        ran,
        "commands run inside the container: {:?}",
        visitor.read(&program, "/gone").await
    );
    assert!(!containers(&visitor.session).is_empty());
    program
        .admin(Method::POST, &format!("sessions/{}/stop", visitor.session))
        .json(&json!({}))
        .send()
        .await
        .expect("an answer");
    assert!(
        soon(async || containers(&visitor.session).is_empty()).await,
        "nothing stays"
    );

    // Killed without a word, the program that stands for the container leaves it to be removed.
    let visitor: Visitor = enter(&program, "boxed-link").await;
    kill(visitor.process("container-app"), Signal::SIGKILL).expect("killed");
    assert!(
        soon(async || containers(&visitor.session).is_empty()).await,
        "nothing stays"
    );
    assert!(
        soon(async || visitor.ledger(&program).await["reason"] == "task-stopped").await,
        "{}",
        visitor.ledger(&program).await
    );
    let pid =
        Pid::from_raw(i32::try_from(program.child.id().expect("it runs")).expect("a process id"));
    kill(pid, Signal::SIGTERM).expect("told");
}

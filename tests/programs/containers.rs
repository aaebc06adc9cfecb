//! Owns sessions that are real containers, where this machine has a Docker engine; where it has none, there is nothing to be seen.

use std::process::{Command, Stdio};

use casting_local::options::engine_socket;
use casting_tests::binaries;
use casting_tests::processes::soon;
use casting_tests::program::Program;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use reqwest::Method;
use serde_json::{Value, json};

use crate::kills::{Visitor, enter};

const IMAGE: &str = "casting-test-busybox:1";
/// The hostile app in an image, as a user who is not root.
const HOSTILE: &str = "casting-test-hostile:1";

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

/// Has an image of the hostile app with the libraries that it needs, from this build.
fn make_hostile() -> Option<()> {
    engine_socket()?;
    let program = binaries::path("hostile-app").display().to_string();
    let folder = std::env::temp_dir().join(format!("casting-hostile-{}", std::process::id()));
    let root = folder.display();
    let line = format!(
        "rm -rf {root} && mkdir -p {root}/bin && cp {program} {root}/bin/hostile-app \
         && for library in $(ldd {program} | grep -o '/[^ ]*'); do mkdir -p {root}$(dirname $library) && cp -L $library {root}$library; done \
         && tar -C {root} -c . | docker import -c 'USER 1000' - {HOSTILE}; ended=$?; rm -rf {root}; exit $ended"
    );
    Command::new("sh")
        .args(["-c", &line])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
        .then_some(())
}

/// What the engine says of a session's container, by this format.
fn inspect(session: &str, format: &str) -> String {
    let output = Command::new("docker")
        .args(["inspect", "-f", format, &format!("casting-{session}")])
        .output();
    let output = output.expect("the engine answers");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
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
async fn image_reference_runs_as_container_until_session_end() {
    if make_image().is_none() {
        eprintln!("There is no Docker engine here, or no busybox for it.");
        return;
    }
    let program = Program::start(["--memory", "--port", "0"])
        .await
        .expect("starts");
    let serve = "/busybox mkdir /www && echo \"$CAST_IMAGE:$CAST_BOOTSTRAP_TOKEN.\" > /www/index.html && exec /busybox httpd -f -p 8080 -h /www";
    let go = "echo \"$KASM_URL $PORT\" > /www/gone";
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
        (200, "Container:.\n".to_owned()),
        "its own values, and not the gate's secret"
    );
    let ran = soon(async || {
        visitor.read(&program, "/gone").await == (200, "https://first.example/ 8080\n".to_owned())
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

/// Claims a link; gives the session's id.
async fn claim(program: &Program, key: &str) -> String {
    let describe = program.http.get(format!("{}/api/casts/{key}", program.url));
    let described: Value = answer(describe).await;
    let claim = program
        .http
        .post(format!("{}/cast/{key}/claims", program.url));
    let claimed = answer(claim.json(&json!({"ticket": described["ticket"]}))).await;
    claimed["session_id"].as_str().expect("a claim").to_owned()
}

async fn answer(request: reqwest::RequestBuilder) -> Value {
    let answer = request.send().await.expect("an answer");
    answer.json().await.expect("JSON")
}

#[tokio::test]
async fn failed_container_start_is_explained() {
    if make_image().is_none() {
        eprintln!("There is no Docker engine here, or no busybox for it.");
        return;
    }
    let program = Program::start(["--memory", "--port", "0"])
        .await
        .expect("starts");
    for name in ["casting-test-lab", "casting-test-none"] {
        let network = json!({
            "name": name, "subnets": ["subnet-0123456789abcdef0"],
            "security_groups": ["sg-0123456789abcdef0"], "assign_public_ip": true,
        });
        make(&program, "networks", network).await;
    }
    let serve = json!(["/busybox", "httpd", "-f", "-p", "8080"]);
    for (key, image, command, network, said) in [
        (
            "missing-image",
            "casting-test-missing:1",
            &serve,
            None,
            "cannot be fetched",
        ),
        (
            "wrong-command",
            IMAGE,
            &json!(["/no/such"]),
            None,
            "/no/such",
        ),
        (
            "it-fails",
            IMAGE,
            &json!(["/busybox", "sh", "-c", "echo no display; exit 3"]),
            None,
            "no display",
        ),
        (
            "no-network",
            IMAGE,
            &serve,
            Some("casting-test-none"),
            "has no network casting-test-none",
        ),
    ] {
        let image = json!({
            "name": key, "container_image": image, "port": 8080, "cpu": 256, "memory": 512,
            "command": command, "network": network,
        });
        let image = make(&program, "images", image).await["id"].clone();
        let cast = json!({"name": key, "key": key, "image_id": image, "allow_anonymous": true});
        make(&program, "casts", cast).await;
        let session = claim(&program, key).await;
        let mut seen = Value::Null;
        for _ in 0..6 {
            soon(async || {
                seen = answer(program.admin(Method::GET, &format!("sessions/{session}"))).await;
                seen["state"] == "ended"
            })
            .await;
        }
        let told = seen["said"][0]["text"].as_str().unwrap_or_default();
        assert!(told.contains(said), "{key}: {seen}");
        assert_eq!(seen["outcome"], "refunded", "{key}: {seen}");
    }

    // A network that the engine has is the container's own.
    let docker = |arguments: &[&str]| {
        let output = Command::new("docker").args(arguments).output();
        assert!(
            output.is_ok_and(|output| output.status.success()),
            "{arguments:?}"
        );
    };
    docker(&["network", "create", "casting-test-lab"]);
    let image = json!({
        "name": "Lab", "container_image": IMAGE, "port": 8080, "cpu": 256, "memory": 512,
        "command": serve, "network": "casting-test-lab",
    });
    let image = make(&program, "images", image).await["id"].clone();
    let cast =
        json!({"name": "Lab", "key": "lab-link", "image_id": image, "allow_anonymous": true});
    make(&program, "casts", cast).await;
    let visitor = enter(&program, "lab-link").await;
    let networks = inspect(
        &visitor.session,
        "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}",
    );
    let row = visitor.ledger(&program).await;
    docker(&["rm", "-f", &format!("casting-{}", visitor.session)]);
    docker(&["network", "rm", "casting-test-lab"]);
    assert_eq!(networks.trim(), "casting-test-lab");
    assert_eq!(row["network"], "casting-test-lab", "{row}");
    let pid =
        Pid::from_raw(i32::try_from(program.child.id().expect("it runs")).expect("a process id"));
    kill(pid, Signal::SIGTERM).expect("told");
}

#[tokio::test]
async fn leftover_container_is_removed() {
    if make_image().is_none() {
        eprintln!("There is no Docker engine here, or no busybox for it.");
        return;
    }
    let program = Program::start(["--memory", "--port", "0"])
        .await
        .expect("starts");
    let image = json!({
        "name": "Container", "container_image": IMAGE, "port": 8080, "cpu": 256, "memory": 512,
        "command": ["/busybox", "httpd", "-f", "-p", "8080"],
    });
    let image = make(&program, "images", image).await["id"].clone();
    let cast = json!({"name": "Boxed", "key": "left-over-link", "image_id": image, "allow_anonymous": true});
    make(&program, "casts", cast).await;
    let visitor = enter(&program, "left-over-link").await;
    // As one that an engine could not be asked to remove, because it was away.
    let folder = inspect(
        &visitor.session,
        "{{index .Config.Labels \"session-casting.folder\"}}",
    );
    let begin = |name: &str, folder: &str| {
        let label = format!("session-casting.folder={folder}");
        let name = format!("casting-{name}");
        let arguments = [
            "run", "-d", "--label", &label, "--name", &name, IMAGE, "/busybox", "sleep", "600",
        ];
        let begun = Command::new("docker")
            .args(arguments)
            .stdout(Stdio::null())
            .status();
        assert!(begun.is_ok_and(|status| status.success()), "{name}");
    };
    let (left, other) = ("leftover-of-a-session", "of-another-stack");
    begin(left, &folder);
    begin(other, "/another/folder");
    let mut is_gone = false;
    for _ in 0..10 {
        is_gone = is_gone || soon(async || containers(left).is_empty()).await;
    }
    let (other_there, own_there) = (containers(other), containers(&visitor.session));
    let _ = Command::new("docker")
        .args(["rm", "-f", &format!("casting-{other}")])
        .output();
    let _ = Command::new("docker")
        .args(["rm", "-f", &format!("casting-{left}")])
        .output();
    assert!(is_gone, "it has no session");
    assert!(!other_there.is_empty(), "another stack's");
    assert!(!own_there.is_empty(), "its session lives");
    let pid =
        Pid::from_raw(i32::try_from(program.child.id().expect("it runs")).expect("a process id"));
    kill(pid, Signal::SIGTERM).expect("told");
}

#[tokio::test]
async fn hostile_container_reaches_no_other_session() {
    if make_hostile().is_none() {
        eprintln!("There is no Docker engine here.");
        return;
    }
    let program = Program::start(["--memory", "--port", "0"])
        .await
        .expect("starts");
    let address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    let gateway = "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}";
    let session_of = async |key: &str, targets: Value| {
        let environment = json!({"TARGETS": targets.to_string(), "LISTEN": "0.0.0.0"});
        let image = json!({
            "name": key, "container_image": HOSTILE, "port": 8080, "cpu": 256, "memory": 512,
            "command": ["/bin/hostile-app"], "environment": environment,
            "exec_config": {"go": {"cmd": ["/bin/hostile-app"], "user": "1000"}},
        });
        let image = make(&program, "images", image).await;
        let cast =
            json!({"name": key, "key": key, "image_id": image["id"], "allow_anonymous": true});
        make(&program, "casts", cast).await;
        enter(&program, key).await
    };
    let neighbour = session_of("neighbour", json!({})).await;
    let (beside, bridge) = (
        inspect(&neighbour.session, address),
        inspect(&neighbour.session, gateway),
    );
    let stack = program.url.rsplit_once(':').expect("a port").1.to_owned();
    let others = [
        format!("{beside}:8080"),
        format!("{bridge}:{stack}"),
        format!("172.17.0.1:{stack}"),
    ];
    let targets =
        json!({"addresses": others, "secrets": [program.key.chars().rev().collect::<String>()]});
    let visitor = session_of("attacker", targets).await;
    let (status, text) = visitor.read(&program, "/report").await;
    assert_eq!(status, 200, "{text}");
    let attempts: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    // What is its own container's it may look at: its init, its files, its ports.
    let own = [
        "open /proc/1/",
        "open /sys/",
        "find something",
        "reach other ports",
    ];
    let breaches: Vec<&Value> = attempts
        .iter()
        .filter(|attempt| attempt["refused"] == false)
        .filter(|attempt| {
            let name = attempt["attempt"].as_str().expect("a name");
            !own.iter().any(|own| name.starts_with(own))
                && !name.contains("169.254.")
                && name != "send by UDP"
        })
        .collect();
    assert!(breaches.is_empty(), "{breaches:#?}");
    for other in &others {
        let name = format!("connect to {other}");
        assert!(
            attempts
                .iter()
                .any(|attempt| attempt["attempt"] == name.as_str()),
            "{name}"
        );
    }
    for (format, expected) in [
        ("{{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}}", "[ALL] []"),
        ("{{.HostConfig.SecurityOpt}}", "[no-new-privileges]"),
        ("{{.HostConfig.PidsLimit}}", "2048"),
        (
            "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}",
            "536870912 536870912",
        ),
        ("{{.HostConfig.Privileged}}", "false"),
    ] {
        assert_eq!(inspect(&visitor.session, format), expected, "{format}");
    }
    assert_ne!(
        inspect(&visitor.session, "{{.HostConfig.NetworkMode}}"),
        inspect(&neighbour.session, "{{.HostConfig.NetworkMode}}")
    );
    let network = format!("casting-{}", visitor.session);
    program
        .admin(Method::POST, &format!("sessions/{}/stop", visitor.session))
        .json(&json!({}))
        .send()
        .await
        .expect("an answer");
    let is_gone = async || {
        let name = format!("name={network}");
        let listed = Command::new("docker")
            .args(["network", "ls", "-q", "-f", &name])
            .output();
        listed.is_ok_and(|output| output.stdout.is_empty())
    };
    assert!(soon(is_gone).await, "its network goes with it");
}

//! Owns the examples of the API in `docs/api.md`: each is taken from there and run against a real
//! program.

use std::process::Stdio;

use casting_tests::program::Program;
use reqwest::Method;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

const MANUAL: &str = include_str!("../../docs/api.md");

/// The example in this language.
fn example(language: &str) -> String {
    let (_, section) = MANUAL
        .split_once("\n## Examples\n")
        .expect("a section of examples");
    let section = section.split("\n## ").next().unwrap_or_default();
    let (_, block) = section
        .split_once(&format!("```{language}\n"))
        .expect("an example in this language");
    block.split("\n```").next().unwrap_or_default().to_owned()
}

/// The example without its types, which Node 20 cannot read.
fn without_types(typescript: &str) -> String {
    let types = [": string", ": unknown", ": Cast"];
    let lines = typescript.lines().filter(|line| !line.starts_with("type "));
    let plain = lines.map(|line| {
        types.iter().fold(line.to_owned(), |line, annotation| {
            line.replace(&format!("?{annotation}"), "")
                .replace(annotation, "")
        })
    });
    plain.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn examples_of_the_api_manual_run() {
    let program = Program::start(["--memory", "--port", "0"])
        .await
        .expect("starts");
    for (name, command, code) in [
        ("From curl", &["bash", "-eu", "-s"][..], example("sh")),
        ("From Python", &["python3", "-"], example("python")),
        (
            "From TypeScript",
            &["node", "--input-type=module", "-"],
            without_types(&example("ts")),
        ),
    ] {
        assert!(code.contains(name), "{name}: {code}");
        let mut child = Command::new(command[0])
            .args(&command[1..])
            .env("API", format!("{}/api/admin", program.url))
            .env("KEY", &program.key)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect(name);
        let mut stdin = child.stdin.take().expect("its input");
        stdin.write_all(code.as_bytes()).await.expect("is read");
        drop(stdin);
        let output = child.wait_with_output().await.expect("ends");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success()
                && said.contains("the old key works until 2")
                && said.contains("live sessions: 0"),
            "{name}: {said} {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let casts = program.admin(Method::GET, "casts?search=From").send().await;
    let casts: Value = casts.expect("an answer").json().await.expect("JSON");
    assert_eq!(casts["items"], Value::Array(Vec::new()), "each tidied up");
}

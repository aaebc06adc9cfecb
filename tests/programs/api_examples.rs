//! Owns the examples of the API in `docs/api.md`: each is taken from there and run against a real
//! program.

use std::path::Path;
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

/// The typed client of the part about claims.
fn typed_client() -> &'static str {
    let (_, section) = MANUAL
        .split_once("\n## Claims by programs\n")
        .expect("a section about claims");
    let (_, block) = section.split_once("```ts\n").expect("an example");
    block.split("\n```").next().unwrap_or_default()
}

/// Runs a command to its end and gives what it has written.
async fn output_of(command: &mut Command) -> String {
    let output = command.output().await.expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (written, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{written}\n{errors}");
    written
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

#[tokio::test]
async fn typed_client_of_the_manual_compiles_and_claims() {
    let tools = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/typescript"));
    let bin = tools.join("node_modules/.bin");
    assert!(
        bin.is_dir(),
        "`npm ci --prefix tests/typescript` installs the compiler; ./test.sh does"
    );
    let program = Program::start(["--memory", "--port", "0"])
        .await
        .expect("starts");
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let document = program.admin(Method::GET, "openapi.json").send().await;
    let document = document
        .expect("an answer")
        .bytes()
        .await
        .expect("a document");
    std::fs::write(at("openapi.json"), document).expect("is written");
    std::fs::write(at("example.ts"), typed_client()).expect("is written");
    for name in ["package.json", "tsconfig.json"] {
        std::fs::copy(tools.join(name), at(name)).expect("is copied");
    }
    std::os::unix::fs::symlink(tools.join("node_modules"), at("node_modules")).expect("a link");

    let mut types = Command::new(bin.join("openapi-typescript"));
    types.args([
        "openapi.json",
        "--default-non-nullable=false",
        "--output",
        "casting.d.ts",
    ]);
    output_of(types.current_dir(folder.path())).await;
    output_of(Command::new(bin.join("tsc")).current_dir(folder.path())).await;
    let mut example = Command::new("node");
    example
        .arg("example.js")
        .env("BASE_URL", &program.url)
        .env("LINK", "welcome");
    let written = output_of(example.current_dir(folder.path())).await;
    assert!(written.starts_with("ready at http://"), "{written}");
}

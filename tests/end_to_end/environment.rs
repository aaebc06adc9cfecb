//! Owns the environment of an app in a real session, end to end: what `docs/environment.md` lists,
//! and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use casting_core::session_environment::{BESIDE_GATE, OF_APP, OF_GATE};
use reqwest::Method;
use serde_json::{Value, json};

use crate::test_stack::{Caller, TestStack};

/// What the machine, the shell that runs the script, or what confines it has in every environment.
const OF_MACHINE: [&str; 10] = [
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "USER",
    "ALL_PROXY",
    "PWD",
    "OLDPWD",
    "SHLVL",
    "_",
];

/// The environment that the app of this session has written into its task's log.
async fn read(session: &str) -> BTreeMap<String, String> {
    let own = format!("TOLD:CAST_SESSION_ID={session}\n");
    for _ in 0..600 {
        let folders = std::fs::read_dir(std::env::temp_dir()).expect("the folder of all stacks");
        let logs = folders
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter_map(|path| std::fs::read_dir(path.join("tasks")).ok())
            .flatten()
            .filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok());
        let is_whole = |log: &String| log.contains(&own) && log.contains("TOLD:THE-END=1");
        if let Some(log) = logs.into_iter().find(is_whole) {
            let lines = log.lines().filter_map(|line| line.split_once("TOLD:"));
            return lines
                .filter_map(|(_, pair)| pair.split_once('='))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .filter(|(name, _)| name != "THE-END")
                .collect();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the app has not said what it is told")
}

#[tokio::test]
async fn app_gets_exactly_the_documented_variables() {
    let stack = TestStack::with_processes().await;
    let script = "(env; echo THE-END=1) | sed 's/^/TOLD:/'; sleep 60";
    let image = json!({
        "name": "Writes", "container_image": "local/writes", "command": ["sh", "-c", script],
        "environment": {"OF_THE_IMAGE": "1"}, "cpu": 256, "memory": 512,
    });
    let image = stack.admin(Method::POST, "images", Some(&image)).await;
    assert_eq!(image.status, 201, "{}", image.text);
    let fields = json!({
        "name": "A secret name", "image_id": image.json()["id"], "kasm_url": "https://example.com/",
    });
    let cast = stack.cast(&fields).await;
    let claimed = stack
        .claim(Caller(1), cast["key"].as_str().expect("a key"))
        .await;
    assert_eq!(claimed.status, 202, "{}", claimed.text);

    let session = claimed.json()["session_id"].as_str().map(str::to_owned);
    let told = read(&session.expect("an id")).await;
    let names: BTreeSet<&str> = told.keys().map(String::as_str).collect();
    let documented: BTreeSet<&str> = OF_APP.into_iter().chain(BESIDE_GATE).collect();
    let others: Vec<&&str> = names
        .iter()
        .filter(|name| !documented.contains(**name) && !OF_MACHINE.contains(*name))
        .collect();
    assert_eq!(others, [&"OF_THE_IMAGE"], "{told:?}");
    assert!(OF_GATE.iter().all(|name| !names.contains(name)), "{told:?}");
    // This visitor has not logged in, was not invited, may do everything, has no DevTools, and has no files that are
    // kept; the app is no streaming server.
    let not_set = [
        "CAST_INVITED",
        "CAST_INVITATION_LABEL",
        "CAST_DEVTOOLS_PORT",
        "SELKIES_MASTER_TOKEN",
        "KASM_USER",
        "CAST_PROFILE_PATH",
        "KASM_SVC_SEND_CUT_TEXT",
        "KASM_SVC_ACCEPT_CUT_TEXT",
    ];
    let missing: Vec<&&str> = documented.difference(&names).collect();
    assert!(
        missing.iter().all(|name| not_set.contains(name)),
        "{missing:?} of {told:?}"
    );
    assert!(!told.values().any(|value| value.contains("A secret name")));

    let id = cast["id"].as_str().expect("an id");
    let claims = stack
        .admin(Method::GET, &format!("casts/{id}/claims"), None)
        .await;
    let claims: Value = claims.json();
    let text = claims.to_string();
    for name in ["CAST_ADDRESS_HASH", "CAST_USER", "CAST_SESSION_ID"] {
        let value = &told[name];
        assert!(
            value.len() > 8 && text.contains(value.as_str()),
            "{name} {value}: {text}"
        );
    }
    assert_eq!(told["CAST_ID"], id);
}

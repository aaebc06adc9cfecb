//! The solver of the link's page, as it is sent, run under Node: with the browser's own key derivation,
//! and without it as on plain http.

use std::process::Command;

use altcha::{CreateChallengeOptions, SolveChallengeOptions, create_challenge, solve_challenge};
use serde_json::{Value, json};

/// Runs a script of `build.rs` in a page whose browser derives keys itself, or does not.
const HARNESS: &str = r#"
const { webcrypto } = require('node:crypto');
const [script, challenge, derives] = process.argv.slice(1);
const crypto = derives === 'yes' ? webcrypto : {};
const names = [...script.matchAll(/(?:^|;)const ([\w$]+)=/g)].map((found) => found[1]);
const solver = names.find((name) => script.includes(`const ${name}=async`));
const solve = new Function('crypto', `${script};return ${solver}`)(crypto);
solve({ challenge }).then((proof) => console.log(Buffer.from(proof, 'base64').toString()));
"#;

#[test]
fn sent_solver_finds_the_solution_with_and_without_subtle() {
    let options = CreateChallengeOptions {
        cost: 50,
        key_prefix: "0".to_owned(),
        hmac_signature_secret: Some("secret".to_owned()),
        ..CreateChallengeOptions::default()
    };
    let challenge = create_challenge(options).expect("a challenge");
    let known = solve_challenge(SolveChallengeOptions::new(&challenge));
    let known = known.expect("can be solved").expect("in time");
    let expected = json!({ "challenge": challenge, "solution": known });
    let (counter, key) = (
        &expected["solution"]["counter"],
        &expected["solution"]["derivedKey"],
    );
    let altcha = include_str!(concat!(env!("OUT_DIR"), "/solve-altcha.js"));
    let derive = include_str!(concat!(env!("OUT_DIR"), "/solve-derive.js"));
    let solved = |script: &str, derives: &str| -> Value {
        let challenge = serde_json::to_string(&challenge).expect("JSON");
        let node = Command::new("node")
            .args(["-e", HARNESS, script, &challenge, derives])
            .output()
            .expect("node; test.sh installs it");
        let error = String::from_utf8_lossy(&node.stderr);
        assert!(error.is_empty(), "{error}");
        serde_json::from_slice(&node.stdout).expect("a proof")
    };
    for (name, script, derives) in [
        ("https", altcha, "yes"),
        ("this machine over http", derive, "yes"),
        ("plain http", derive, "no"),
    ] {
        let found = solved(script, derives);
        let solution = &found["solution"];
        assert_eq!(found["challenge"], expected["challenge"], "{name}");
        assert_eq!(&solution["counter"], counter, "{name}");
        assert_eq!(&solution["derivedKey"], key, "{name}");
    }
}

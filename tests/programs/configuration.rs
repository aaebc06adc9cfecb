//! Owns the commands that move a configuration (`casting export`, `apply`, `import`), as a person
//! uses them: files, what is printed, exit codes.

use std::path::Path;

use casting_tests::program::{Program, casting};

/// Runs the command to its end: the exit code, its output and its errors.
async fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = casting(arguments).output().await.expect("runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

async fn stack() -> Program {
    Program::start(["--memory", "--port", "0"])
        .await
        .expect("starts")
}

#[tokio::test]
async fn configuration_moves_from_stack_to_stack_by_file() {
    let (first, second) = (stack().await, stack().await);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("casting.yaml").display().to_string();
    let of = |program: &Program| {
        [
            "--url".to_owned(),
            program.url.clone(),
            "--key".to_owned(),
            program.key.clone(),
        ]
    };
    let with = |command: &[&str], program: &Program| {
        let all = command
            .iter()
            .map(|word| (*word).to_owned())
            .chain(of(program));
        all.collect::<Vec<String>>()
    };
    let call = async |arguments: Vec<String>| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(&arguments).await
    };

    let (code, _, errors) = call(with(&["export", "--output", &file], &first)).await;
    assert_eq!(code, Some(0), "{errors}");
    let written = std::fs::read_to_string(&file).expect("a file");
    assert!(written.contains("key: welcome"), "{written}");

    let (code, plan, _) = call(with(&["apply", &file, "--plan"], &second)).await;
    assert_eq!(code, Some(0), "two new stacks are alike: {plan}");
    std::fs::write(&file, written.replace("key: welcome", "key: come-in-here")).expect("written");
    let (code, plan, _) = call(with(&["apply", &file, "--prune", "--plan"], &second)).await;
    assert_eq!(code, Some(1), "{plan}");
    assert!(
        plan.contains("+ cast            come-in-here")
            && plan.contains("- cast            welcome"),
        "{plan}"
    );

    let (code, _, errors) = call(with(&["apply", &file, "--prune"], &second)).await;
    assert_eq!(code, Some(1));
    assert!(errors.contains("--yes"), "nobody can answer here: {errors}");
    let (code, done, errors) = call(with(&["apply", &file, "--prune", "--yes"], &second)).await;
    assert_eq!(code, Some(0), "{done}{errors}");
    assert!(done.contains("2 of 2 changes made."), "{done}");
    let (code, json, _) = call(with(&["export", "--format", "json"], &second)).await;
    assert_eq!(code, Some(0));
    assert!(
        json.contains("\"come-in-here\"") && !json.contains("\"welcome\""),
        "{json}"
    );

    std::fs::write(
        &file,
        "version: 1\ncasts:\n  - name: A\n    image: Nothing\n",
    )
    .expect("written");
    let (code, _, errors) = call(with(&["apply", &file, "--yes"], &second)).await;
    assert_eq!(code, Some(1));
    assert!(
        errors.contains("/casts/0/image is the name of none"),
        "{errors}"
    );
}

#[tokio::test]
async fn kasm_export_is_translated_with_a_report() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let casts = write(
        "casts.json",
        r#"{"cast_configs": [{"casting_config_name": "Demo", "key": "demo-key", "image_id": "i1", "remote_app_configs": {"a": 1}}]}"#,
    );
    let images = write(
        "images.yaml",
        "images:\n  - image_id: i1\n    name: kasmweb/chrome:1.16\n    friendly_name: Chrome\n",
    );
    let (code, written, report) = run(&["import", "kasm", &casts, &images]).await;
    assert_eq!(code, Some(0), "{report}");
    assert!(
        written.contains("image: Chrome") && written.contains("key: demo-key"),
        "{written}"
    );
    assert!(
        report.contains("cast \u{201c}Demo\u{201d}: remote_app_configs"),
        "{report}"
    );
    assert!(report.contains("1 casts, 1 images"), "{report}");

    let missing = Path::new(&folder.path())
        .join("none.yaml")
        .display()
        .to_string();
    let other = write("other.yaml", "users: []\n");
    let broken = write("broken.yaml", "a: [\n");
    for (file, words) in [
        (&missing, "cannot be read"),
        (&other, "nothing of Kasm"),
        (&broken, "neither YAML nor JSON"),
    ] {
        let (code, _, errors) = run(&["import", "kasm", file]).await;
        assert_eq!(code, Some(1), "{file}");
        assert!(errors.contains(words), "{errors}");
    }
}

#[tokio::test]
async fn unreachable_deployment_and_missing_key_are_explained() {
    let (code, _, errors) = run(&["export", "--url", "http://127.0.0.1:9", "--key", "k"]).await;
    assert_eq!(code, Some(1));
    assert!(errors.contains("Nothing listens"), "{errors}");
    let (code, _, errors) = run(&["export", "--url", "http://127.0.0.1:9"]).await;
    assert_eq!(code, Some(1));
    assert!(errors.contains("CASTING_ADMIN_KEY"), "{errors}");
    let (code, schema, _) = run(&["schema"]).await;
    assert_eq!(code, Some(0));
    assert!(schema.contains("staging_configs"), "{schema}");
}

//! Owns the directions between crates, as ARCHITECTURE.md draws them, and what every source file
//! must have.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Each crate and the ones of ours that it may use. Another direction is a change of
/// ARCHITECTURE.md first.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("core", &["protocol"]),
    ("retry", &[]),
    ("dynamo", &["core", "retry"]),
    ("ecs", &["core", "retry"]),
    ("s3", &["core"]),
    ("eventbridge", &["core"]),
    ("geo", &["core"]),
    ("identity", &["core"]),
    ("words", &["protocol"]),
    ("web", &["core", "words"]),
    (
        "boot",
        &[
            "core",
            "dynamo",
            "ecs",
            "eventbridge",
            "geo",
            "identity",
            "s3",
        ],
    ),
    ("fn-auth", &["boot", "core", "identity", "web"]),
    ("fn-cast", &["boot", "core", "web"]),
    ("fn-session", &["boot", "core", "web"]),
    ("fn-admin", &["boot", "core", "web"]),
    ("fn-error", &["boot", "core", "web"]),
    ("fn-lifecycle", &["boot", "core", "ecs"]),
    ("gate", &["protocol", "words"]),
    ("client", &["protocol"]),
];

/// What must not be in a crate's tree, and why.
const BANNED: &[(&[&str], &[&str], &str)] = &[
    (
        &["core", "protocol"],
        &[
            "tokio",
            "http",
            "hyper",
            "reqwest",
            "lambda_http",
            "aws-sdk-dynamodb",
            "aws-sdk-ecs",
            "aws-sdk-eventbridge",
        ],
        "the rules know neither HTTP nor AWS",
    ),
    (
        &[
            "fn-auth",
            "fn-cast",
            "fn-session",
            "fn-admin",
            "fn-error",
            "fn-lifecycle",
        ],
        &[
            "dynoxide-rs",
            "libsqlite3-sys",
            "clap",
            "axum",
            "openssl",
            "native-tls",
            "aws-lc-sys",
            "aws-config",
        ],
        "a function starts fast because it is small",
    ),
    (
        &[
            "core", "dynamo", "ecs", "identity", "web", "boot", "gate", "local",
        ],
        &["aws-sdk-ec2"],
        "it takes minutes to build",
    ),
];

fn metadata() -> Metadata {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    MetadataCommand::new()
        .manifest_path(manifest)
        // Not offline: the graph names crates of other platforms, which no build has fetched.
        .other_options(["--locked".to_owned()])
        .exec()
        .expect("cargo metadata")
}

/// What each package uses outside of its tests.
fn uses(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    let nodes = &metadata.resolve.as_ref().expect("a resolved graph").nodes;
    let name = |id: &cargo_metadata::PackageId| metadata[id].name.to_string();
    let normal = |node: &cargo_metadata::Node| {
        let of_kind = |dep: &&cargo_metadata::NodeDep| {
            dep.dep_kinds
                .iter()
                .any(|kind| kind.kind == DependencyKind::Normal)
        };
        node.deps
            .iter()
            .filter(of_kind)
            .map(|dep| name(&dep.pkg))
            .collect()
    };
    nodes
        .iter()
        .map(|node| (name(&node.id), normal(node)))
        .collect()
}

fn tree<'a>(uses: &'a BTreeMap<String, BTreeSet<String>>, root: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = uses[root].iter().map(String::as_str).collect();
    while let Some(next) = open.pop() {
        if found.insert(next) {
            open.extend(uses[next].iter().map(String::as_str));
        }
    }
    found
}

#[test]
fn crate_dependencies_follow_the_map() {
    let uses = uses(&metadata());
    for (name, allowed) in DIRECTIONS {
        let ours = uses[&format!("casting-{name}")]
            .iter()
            .filter_map(|used| used.strip_prefix("casting-"));
        let strays: Vec<_> = ours.filter(|used| !allowed.contains(used)).collect();
        assert!(
            strays.is_empty(),
            "casting-{name} uses {strays:?}; ARCHITECTURE.md lets it use {allowed:?}"
        );
    }
    let drawn: BTreeSet<String> = DIRECTIONS
        .iter()
        .map(|(name, _)| format!("casting-{name}"))
        .collect();
    let missing: Vec<_> = uses
        .keys()
        .filter(|name| name.starts_with("casting-") && !drawn.contains(*name))
        .collect();
    assert_eq!(
        missing,
        ["casting-fuzz", "casting-local", "casting-tests"],
        "every crate but the three that may use all has its line in DIRECTIONS"
    );
}

#[test]
fn dependency_trees_exclude_forbidden_crates() {
    let uses = uses(&metadata());
    for (roots, banned, why) in BANNED {
        for root in *roots {
            let tree = tree(&uses, &format!("casting-{root}"));
            let found: Vec<_> = banned.iter().filter(|name| tree.contains(**name)).collect();
            assert!(found.is_empty(), "casting-{root} pulls in {found:?}: {why}");
        }
    }
}

#[test]
fn crates_use_workspace_lints_and_dependencies() {
    let metadata = metadata();
    let mut used = BTreeSet::new();
    for package in metadata.workspace_packages() {
        let manifest = std::fs::read_to_string(&package.manifest_path).expect("a manifest");
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{} does not take over the workspace's lints",
            package.name
        );
        used.extend(
            package
                .dependencies
                .iter()
                .map(|dependency| dependency.name.clone()),
        );
    }
    let root =
        std::fs::read_to_string(metadata.workspace_root.join("Cargo.toml")).expect("a manifest");
    let table = root
        .split("[workspace.dependencies]")
        .nth(1)
        .and_then(|rest| rest.split("\n[").next())
        .expect("a table");
    let names = table
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.trim());
    let idle: Vec<_> = names
        .filter(|name| !name.starts_with('#') && !used.contains(*name))
        .collect();
    assert!(idle.is_empty(), "nobody uses {idle:?}");
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
    {
        let name = entry
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if entry.is_dir() && name != "target" && !name.starts_with('.') {
            sources(&entry, found);
        } else if name.ends_with(".rs") {
            found.push(entry);
        }
    }
}

#[test]
fn every_source_file_has_a_header() {
    let mut files = Vec::new();
    sources(metadata().workspace_root.as_std_path(), &mut files);
    assert!(
        files.len() > 100,
        "{} files are not the whole project",
        files.len()
    );
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source file");
        assert!(
            text.starts_with("//! "),
            "{} does not say what it owns",
            file.display()
        );
    }
}

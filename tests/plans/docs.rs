//! Owns the comparison of `docs/` and `README.md` with the code: links, parameters, outputs,
//! alarms, variables, and codes of refusals.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use casting_core::denial::DenialCode;
use casting_core::image::ImageSource;
use casting_core::pricing::session_hour;
use casting_core::session::ENTRY_TIMEOUT_SECONDS;
use casting_core::session_environment::{BESIDE_GATE, OF_APP, OF_SELKIES};
use casting_web::{Code, RequestError};
use serde_yaml_ng::Value;

use crate::test_names::walk;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Every page by its path from the top.
fn pages() -> Vec<(PathBuf, String)> {
    let folder = std::fs::read_dir(Path::new(ROOT).join("docs"))
        .expect("docs")
        .map(|entry| entry.expect("an entry").path());
    let pages = folder.filter(|path| path.extension().is_some_and(|end| end == "md"));
    let pages: Vec<_> = pages.chain([Path::new(ROOT).join("README.md")]).collect();
    pages
        .into_iter()
        .map(|path| (path.clone(), std::fs::read_to_string(path).expect("text")))
        .collect()
}

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join("docs").join(name)).expect("a page")
}

fn template() -> Value {
    serde_yaml_ng::from_str(include_str!("../../infra/template.yaml")).expect("YAML")
}

fn names(part: &Value) -> BTreeSet<String> {
    part.as_mapping()
        .expect("a part of the template")
        .keys()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}

/// What stands between backticks on one line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

fn is_logical_name(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && text.bytes().any(|byte| byte.is_ascii_lowercase())
}

#[test]
fn doc_links_resolve_and_pages_are_indexed() {
    let mut seen = 0;
    for (path, text) in pages() {
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = target.split('#').next().unwrap_or_default();
            if !target.contains("://") && !file.is_empty() {
                assert!(
                    path.parent().expect("a folder").join(file).exists(),
                    "{}: {target} leads nowhere",
                    path.display()
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "{seen} links");
    let index = page("README.md");
    for (path, _) in pages() {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        assert!(
            ["README.md", "index.md"].contains(&name) || index.contains(&format!("({name})")),
            "{name} is not in the index"
        );
    }
}

#[test]
fn documented_variables_are_read_by_boot() {
    let source = include_str!("../../shared/boot/src/environment.rs")
        .split("#[cfg(test)]")
        .next()
        .unwrap_or_default();
    let mut seen = 0;
    for (path, text) in pages() {
        for rest in text.split("CASTING_").skip(1) {
            let end = rest
                .find(|c: char| !c.is_ascii_uppercase() && c != '_')
                .unwrap_or(rest.len());
            let name = format!("\"CASTING_{}\"", &rest[..end]);
            assert!(
                source.contains(&name),
                "{}: boot reads no {name}",
                path.display()
            );
            seen += 1;
        }
    }
    assert!(seen > 3, "{seen} variables");
}

#[test]
fn environment_page_lists_every_app_variable() {
    let page = include_str!("../../docs/environment.md");
    let listed: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(name, _)| name)
        .collect();
    let declared: Vec<&str> = OF_APP
        .into_iter()
        .chain(OF_SELKIES)
        .chain(BESIDE_GATE)
        .collect();
    assert_eq!(listed, declared);
}

/// Whatever looks like a name of the template is one, so that a parameter, output or alarm that is
/// renamed is found here.
#[test]
fn quoted_template_names_exist() {
    let template = template();
    let known: BTreeSet<String> = ["Parameters", "Outputs", "Resources"]
        .into_iter()
        .flat_map(|part| names(&template[part]))
        .collect();
    // Names of AWS and of HTTP.
    const OTHERS: [&str; 6] = [
        "Authorization",
        "Link",
        "Location",
        "ETag",
        "TaskFailedToStart",
        "ResourceInitializationError",
    ];
    let mut seen = 0;
    // The glossary names types of the code.
    let of_template = |(path, _): &(PathBuf, String)| !path.ends_with("glossary.md");
    for (path, text) in pages().into_iter().filter(of_template) {
        for name in text
            .lines()
            .flat_map(quoted)
            .filter(|name| is_logical_name(name) && !OTHERS.contains(name))
        {
            assert!(
                known.contains(name),
                "{}: the template has no {name}",
                path.display()
            );
            seen += 1;
        }
    }
    assert!(seen > 60, "{seen} names");
}

#[test]
fn runbook_covers_every_alarm_and_names_real_codes() {
    let (template, runbook) = (template(), page("runbook.md"));
    let resources = template["Resources"].as_mapping().expect("resources");
    for (name, _) in resources
        .iter()
        .filter(|(_, resource)| resource["Type"] == "AWS::CloudWatch::Alarm")
    {
        let name = name.as_str().expect("a name");
        assert!(
            runbook.contains(&format!("`{name}`")),
            "the runbook does not know {name}"
        );
    }
    let codes = |text: &str| {
        DenialCode::parse(text).is_some()
            || RequestError::ALL
                .iter()
                .any(|error| Code::RequestError(*error).as_str() == text)
    };
    let table = runbook.split("## Codes").nth(1).expect("a part with codes");
    let mut documented = BTreeSet::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        for code in quoted(row.split('|').nth(1).unwrap_or_default()) {
            assert!(codes(code), "there is no code {code}");
            documented.insert(code.to_owned());
        }
    }
    for code in DenialCode::ALL {
        assert!(
            documented.contains(code.as_str()),
            "the runbook says nothing of {code}"
        );
    }
}

#[test]
fn files_named_by_the_threat_model_exist() {
    let mut seen = 0;
    for path in page("threats.md")
        .lines()
        .flat_map(quoted)
        .filter(|text| text.contains('/') && text.contains(".") && !text.contains(' '))
    {
        if [".rs", ".py", ".js", ".yaml", ".yml", ".toml"]
            .iter()
            .any(|end| path.ends_with(end))
        {
            assert!(Path::new(ROOT).join(path).exists(), "{path} is not there");
            seen += 1;
        }
    }
    assert!(seen > 15, "{seen} files");
}

/// The names of the code that a document quotes: `SettingsCache`, `Session::deliveries`.
fn code_names(document: &str) -> BTreeSet<String> {
    let parts = document.lines().flat_map(quoted).flat_map(|text| {
        let parts: Vec<&str> = text.split("::").collect();
        let is_name = is_logical_name(parts[0])
            && parts.iter().all(|part| {
                part.bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            });
        if is_name { parts } else { Vec::new() }
    });
    parts.map(str::to_owned).collect()
}

/// A type that was renamed must not live on in the documents that developers read.
#[test]
fn code_names_of_documents_exist_in_the_code() {
    let mut known = BTreeSet::new();
    for folder in ["functions", "gate", "local", "shared", "tests"] {
        walk(&Path::new(ROOT).join(folder), &mut |_, text| {
            let words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            known.extend(words.map(str::to_owned));
        });
    }
    known.extend(names(&template()["Resources"]));
    known.extend(names(&template()["Parameters"]));
    known.extend(names(&template()["Outputs"]));
    for (name, document) in [
        ("glossary.md", page("glossary.md")),
        (
            "ARCHITECTURE.md",
            std::fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).expect("text"),
        ),
    ] {
        let quoted = code_names(&document);
        assert!(quoted.len() > 20, "{name}: {quoted:?}");
        let unknown: Vec<_> = quoted.difference(&known).collect();
        assert!(unknown.is_empty(), "{name} names {unknown:?}");
    }
}

#[test]
fn documented_change_delay_matches_the_code() {
    let seconds = format!("{} seconds", casting_core::CHANGE_SECONDS);
    let pages = [
        ("limits.md", "cache links and settings for"),
        ("cost.md", "is what a function instance keeps for"),
        ("runbook.md", "the deployment's settings holds within"),
        ("runbook.md", "claims succeed again within"),
        ("captcha.md", "A change takes effect within"),
    ];
    for (name, words) in pages {
        let expected = format!("{words} {seconds}");
        assert!(page(name).contains(&expected), "{name}: {expected}");
    }
    let said = format!("A new number holds within {seconds}.");
    let schema = casting_core::cast_form::schemas().change;
    let api = schema["properties"]["sessions_remaining"]["description"].to_string();
    let form = casting_core::cast_form::resource();
    let field = form.field_at("/sessions_remaining");
    let console = field.map_or("", |(field, _)| field.help);
    for (name, text) in [("the API", api.as_str()), ("the console", console)] {
        assert!(text.contains(&said), "{name}: {said}");
    }
}

/// The cells of the row of a page that begins with this label.
fn row(page: &str, label: &str) -> Vec<String> {
    let start = format!("| {label}");
    let line = page.lines().find(|line| line.starts_with(&start));
    line.unwrap_or_else(|| panic!("no row {label:?}"))
        .trim_matches('|')
        .split('|')
        .skip(1)
        .map(|cell| cell.trim().to_owned())
        .collect()
}

/// Dollars and cents, of millionths of a dollar.
fn dollars(micros: u64) -> String {
    let cents = (micros + 5_000) / 10_000;
    format!("${}.{:02}", cents / 100, cents % 100)
}

#[test]
fn idle_month_is_summed_from_the_template() {
    const MINUTES: u64 = 30 * 24 * 60;
    let page = page("cost.md");
    let template = template();
    let resources = template["Resources"].as_mapping().expect("resources");
    let unconditional = |kind: &str| {
        let all = resources.iter().map(|(_, resource)| resource);
        all.filter(|one| one["Type"] == kind && one["Condition"].is_null())
            .cloned()
            .collect::<Vec<Value>>()
    };
    let secrets = unconditional("AWS::SecretsManager::Secret").len() as u64;
    let alarms = unconditional("AWS::CloudWatch::Alarm");
    let metrics: usize = alarms
        .iter()
        .map(|alarm| {
            let list = alarm["Properties"]["Metrics"]
                .as_sequence()
                .cloned()
                .unwrap_or_default();
            let stats = list.iter().filter(|one| !one["MetricStat"].is_null());
            stats.count().max(1)
        })
        .sum();
    let metrics = metrics as u64;
    let dashboards = unconditional("AWS::CloudWatch::Dashboard").len() as u64;
    assert_eq!(alarms.len(), 17, "as the row of their metrics says");
    // Millionths of a dollar: $0.20 a million calls, and 10 ms of a quarter of a GB each.
    let sweep = MINUTES * 233 / 1000;
    let paid = [
        secrets * 400_000,
        metrics * 100_000,
        dashboards * 3_000_000,
        sweep,
    ];
    let free = [
        paid[0],
        metrics.saturating_sub(10) * 100_000,
        dashboards.saturating_sub(3) * 3_000_000,
        0,
    ];
    for (n, (label, count)) in [
        ("secrets", format!("{secrets} × 0.40")),
        (
            "metrics of the seventeen alarms",
            format!("{metrics} × 0.10"),
        ),
        ("dashboard", format!("{dashboards} × 3.00")),
        ("calls of the sweep", "43,200 × $0.0000002".to_owned()),
    ]
    .into_iter()
    .enumerate()
    {
        let cells = row(&page, label);
        assert!(cells[0].starts_with(&count), "{label}: {count}");
        assert_eq!(cells[1..], [dollars(paid[n]), dollars(free[n])], "{label}");
    }
    let sums = [paid, free].map(|parts| dollars(parts.iter().sum()));
    let together = page
        .lines()
        .find(|line| line.starts_with("| together | | $6"));
    let expected = format!("| together | | {} | {} |", sums[0], sums[1]);
    assert_eq!(together, Some(expected.as_str()));
}

#[test]
fn table_of_attacks_is_what_code_and_template_make() {
    const QUOTA: u64 = 1_000;
    const TIME_LIMIT: u64 = 3_600;
    let page = page("cost.md");
    let template = template();
    let default = |name: &str| {
        let value = &template["Parameters"][name]["Default"];
        value.as_u64().unwrap_or_else(|| panic!("{name}"))
    };
    let mut image = casting_core::testing::image(1);
    if let ImageSource::Container(source) = &mut image.settings.source {
        (source.cpu, source.memory) = (1024, 2048);
    }
    let hour = session_hour(&image).expect("a size");
    let (lives, most) = (u64::from(ENTRY_TIMEOUT_SECONDS), default("MaxSessions"));
    let claims = default("ClaimsPerSecond") * 3_600;
    let of_claim: f64 = row(&page, "a claim with every limit and a proof")
        .last()
        .and_then(|cell| cell.strip_prefix('$')?.parse().ok())
        .expect("a price");
    let requests = (of_claim * 1e6) as u64 * claims / 1_000_000;
    let turns = 3_600 / lives;
    let thousands = |number: u64| match number {
        0..1_000 => number.to_string(),
        _ => format!("{},{:03}", number / 1_000, number % 1_000),
    };
    for (label, expected) in [
        (
            "lifetime of a session that no visitor enters",
            [
                format!("{} s", thousands(TIME_LIMIT)),
                format!("{lives} s"),
                format!("{lives} s"),
            ],
        ),
        (
            "sessions at once",
            [
                format!("{} (quota)", thousands(QUOTA)),
                format!("{most} (`max_sessions`)"),
                format!("{} (quota)", thousands(QUOTA)),
            ],
        ),
        (
            "tasks, an hour",
            [QUOTA, most, QUOTA].map(|live| format!("= {}", dollars(live * hour))),
        ),
        (
            "claims in the hour",
            [
                format!("{}, then", thousands(QUOTA)),
                format!("{most} × {turns} = {}", thousands(most * turns)),
                format!(
                    "{} × {turns} = {}",
                    thousands(QUOTA),
                    thousands(QUOTA * turns)
                ),
            ],
        ),
        (
            "held by the budgets",
            [
                "–".to_owned(),
                format!(
                    "{} an hour, {} a day",
                    dollars(default("BudgetPerHour") * 1_000_000),
                    dollars(default("BudgetPerDay") * 1_000_000)
                ),
                "–".to_owned(),
            ],
        ),
        (
            "after the attacker has left",
            [(QUOTA, TIME_LIMIT), (most, lives), (QUOTA, lives)].map(|(live, seconds)| {
                let left = dollars(live * hour * seconds / 3_600);
                format!("up to {} s: {left}", thousands(seconds))
            }),
        ),
        (
            "360,000 claims",
            [requests, requests, requests].map(dollars),
        ),
    ] {
        let cells = row(&page, label);
        for (cell, expected) in cells.iter().zip(&expected) {
            assert!(
                cell.contains(expected.as_str()),
                "{label}: {cell:?}, not {expected:?}"
            );
        }
        assert_eq!(cells.len(), expected.len(), "{label}");
    }
    assert_eq!(claims, 360_000);
}

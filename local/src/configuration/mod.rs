//! Owns the commands that move the configuration of a deployment (`casting export`, `apply`,
//! `import`): files in YAML or JSON, requests to the deployment, and what is printed. Must not know
//! what a configuration may contain, or how it is compared (the deployment does).

pub mod kasm;

use std::fmt::Write as _;
use std::io::{IsTerminal, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use casting_core::admin::configuration;
use casting_core::urls;
use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::doctor::ask::{Answer, Asker};
use crate::doctor::outside;
use crate::options::{Apply, Deployment, Export, FileFormat, Import};

/// How long a value is in a printed plan, in characters.
const SHOWN: usize = 60;

/// Writes the configuration of a deployment.
///
/// # Errors
/// When the deployment does not answer, refuses it, or the file cannot be written.
pub async fn export(options: &Export) -> Result<()> {
    let client = Client::of(&options.deployment)?;
    let document = client
        .ask(Method::GET, urls::ADMIN_CONFIGURATION, None)
        .await?;
    let text = match options.format {
        FileFormat::Json => format!("{:#}\n", document),
        FileFormat::Yaml => format!(
            "# Configuration of {}. Apply it with: casting apply FILE --url URL --key KEY\n{}",
            client.base,
            serde_yaml_ng::to_string(&document)?
        ),
    };
    write(options.output.as_deref(), &text)
}

/// Applies a configuration file: shows what would change, asks, and changes it. Returns whether
/// everything is applied.
///
/// # Errors
/// When the file cannot be read, or the deployment refuses it.
pub async fn apply(options: &Apply) -> Result<bool> {
    let document = read(&options.file)?;
    let client = Client::of(&options.deployment)?;
    let request = |plan: Option<&Value>| json!({ "configuration": document, "prune": options.prune, "plan": plan });
    let plans = format!("{}/plans", urls::ADMIN_CONFIGURATION);
    let plan = client
        .ask(Method::POST, &plans, Some(&request(None)))
        .await?;
    print!("{}", written_plan(&plan));
    let steps = plan["steps"].as_array().map_or(0, Vec::len);
    if options.plan {
        return Ok(steps == 0);
    }
    if steps == 0 {
        return Ok(true);
    }
    if !options.yes && !is_confirmed()? {
        println!("Nothing was changed.");
        return Ok(false);
    }
    let (mut done, mut digest) = (0, plan["plan"].clone());
    loop {
        let applied = client
            .ask(
                Method::POST,
                urls::ADMIN_CONFIGURATION,
                Some(&request(Some(&digest))),
            )
            .await
            .with_context(|| {
                format!(
                    "{done} of {steps} changes were made. Apply the file again to make the others."
                )
            })?;
        let now = applied["applied"].as_array().map_or(0, Vec::len);
        done += now;
        println!("{done} of {steps} changes made.");
        if applied["remaining"] == json!(0) || now == 0 {
            return Ok(applied["remaining"] == json!(0));
        }
        digest = applied["plan"].clone();
    }
}

/// Translates another system's export; prints what has no counterpart.
///
/// # Errors
/// When a file cannot be read, or has nothing of that system.
pub fn import(options: &Import) -> Result<()> {
    let Import::Kasm { files, output } = options;
    let documents = files
        .iter()
        .map(|file| read(file))
        .collect::<Result<Vec<Value>>>()?;
    let imported = kasm::import(&documents).map_err(anyhow::Error::msg)?;
    let text = format!(
        "# Imported from Kasm Workspaces. See what applying it changes with: casting apply FILE --plan\n{}",
        serde_yaml_ng::to_string(&imported.configuration)?
    );
    write(output.as_deref(), &text)?;
    for note in &imported.notes {
        eprintln!("{note}");
    }
    let count = |section: &str| {
        imported.configuration[section]
            .as_array()
            .map_or(0, Vec::len)
    };
    eprintln!(
        "{} casts, {} images, {} groups and {} staging configs; {} notes above.",
        count("casts"),
        count("images"),
        count("groups"),
        count("staging_configs"),
        imported.notes.len()
    );
    Ok(())
}

/// Prints the JSON Schema of a configuration file, for editors.
pub fn print_schema() {
    println!("{:#}", configuration::schema());
}

/// A deployment that is asked with an administrator's key.
struct Client {
    asker: Asker,
    base: Url,
    key: String,
}

impl Client {
    fn of(deployment: &Deployment) -> Result<Self> {
        let base = deployment.base()?;
        let key = deployment.key.clone();
        let key = key.context("An administrator's key is needed: --key, or CASTING_ADMIN_KEY.")?;
        Ok(Self {
            asker: Asker::new()?,
            base,
            key,
        })
    }

    /// The document of a successful answer.
    async fn ask(&self, method: Method, path: &str, document: Option<&Value>) -> Result<Value> {
        let url = self.base.join(path)?;
        let answer = self
            .asker
            .send(method, &url, Some(&self.key), document)
            .await;
        match answer {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(answer.json()),
            Ok(answer) => bail!("{}", refusal(&answer)),
            Err(error) => {
                let found = outside::unreachable(&self.base, &error);
                bail!("{} {}", found.what, found.todo)
            }
        }
    }
}

/// A problem in words: its sentence, and each invalid value.
fn refusal(answer: &Answer) -> String {
    let problem = answer.json();
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    let mut words = match (text("detail"), text("title")) {
        (detail, _) if !detail.is_empty() => detail,
        (_, title) if !title.is_empty() => title,
        _ => format!("The deployment answered with status {}.", answer.status),
    };
    for error in problem["errors"].as_array().into_iter().flatten() {
        let part = |name: &str| error[name].as_str().unwrap_or_default();
        _ = write!(words, "\n  {} {}", part("pointer"), part("detail"));
    }
    words
}

/// A plan as it is printed: a line for each record, and one for each field that changes.
fn written_plan(plan: &Value) -> String {
    let mut text = String::new();
    let mut counts = [0, 0, 0];
    for step in plan["steps"].as_array().into_iter().flatten() {
        let word = |name: &str| step[name].as_str().unwrap_or_default();
        let (sign, place) = match word("action") {
            "create" => ('+', 0),
            "change" => ('~', 1),
            _ => ('-', 2),
        };
        counts[place] += 1;
        _ = writeln!(text, "{sign} {:15} {}", word("kind"), word("name"));
        for change in step["changes"].as_array().into_iter().flatten() {
            let field = change["field"].as_str().unwrap_or_default();
            let (before, after) = (shown(&change["before"]), shown(&change["after"]));
            if sign == '~' {
                _ = writeln!(text, "    {field}: {before} \u{2192} {after}");
            }
        }
    }
    let [created, changed, deleted] = counts;
    let unchanged = plan["unchanged"].as_u64().unwrap_or_default();
    if counts == [0, 0, 0] {
        _ = writeln!(
            text,
            "Nothing to change: {unchanged} records are as the file says."
        );
    } else {
        _ = writeln!(
            text,
            "{created} to create, {changed} to change, {deleted} to delete; {unchanged} are as the file says."
        );
    }
    text
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= SHOWN {
        return text;
    }
    let start: String = text.chars().take(SHOWN).collect();
    format!("{start}\u{2026}")
}

fn is_confirmed() -> Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("Nothing was changed: confirm with --yes, or look at the plan alone with --plan.");
    }
    print!("Apply? [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// A file in YAML, of which JSON is a part; `-` is the standard input.
fn read(path: &Path) -> Result<Value> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        text = std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read.", path.display()))?;
    }
    serde_yaml_ng::from_str(&text)
        .with_context(|| format!("{} is neither YAML nor JSON.", path.display()))
}

fn write(path: Option<&Path>, text: &str) -> Result<()> {
    match path {
        Some(path) => std::fs::write(path, text)
            .with_context(|| format!("{} cannot be written.", path.display())),
        None => Ok(std::io::stdout().write_all(text.as_bytes())?),
    }
}

//! Owns the check of a deployment from the outside (`casting doctor`): which requests are sent in
//! which order. It only reads, unless a trial ([`trial`]) was asked for. The evaluation is in
//! [`machine`], [`outside`], [`inside`] and [`trial_findings`].

pub mod ask;
pub mod finding;
pub mod inside;
pub mod machine;
pub mod outside;
pub mod trial;
pub mod trial_findings;

use std::path::Path;

use anyhow::{Context, Result, bail};
use casting_boot::{SystemClock, SystemEntropy};
use casting_core::denial::DenialCode;
use casting_core::ids::{CastKey, SessionId};
use casting_core::session_origin;
use casting_core::time::Clock;
use casting_core::urls;
use reqwest::Method;
use serde_json::Value;
use url::{Host, Url};

use crate::confine::probe;
use crate::options::{self, Doctor};
use crate::{browser_app, streamed_app};
use ask::{Answer, AskError, Asker};
use finding::{Finding, Severity, error, summary, warning};
use machine::Machine;

const PAGE: &str = "text/html";
const DOCUMENT: &str = "application/json";
/// The maximum number of pages of a list that are read; links beyond these are not checked.
const PAGES: usize = 20;

/// Runs all checks and prints each finding at once. Returns whether there are no errors. What a
/// machine lacks is none: a stack runs without it.
///
/// # Errors
/// When the addresses on the command line are none, or there is no TLS.
pub async fn run(options: &Doctor) -> Result<bool> {
    let base = options.deployment.base()?;
    let is_here = outside::is_this_machine(&base);
    if is_here {
        println!("This machine\n");
        for finding in machine::findings(&machine()?) {
            println!("{finding}");
        }
        println!();
    }
    println!("Checking {base}\n");
    let mut checkup = Checkup {
        asker: Asker::new()?,
        base,
        findings: Vec::new(),
    };
    if checkup.outside().await? {
        checkup.edge(options.session_url.as_deref()).await?;
        match &options.deployment.key {
            Some(key) => {
                checkup.inside(key).await?;
                if options.deep {
                    checkup.trial(key, options.image.as_deref()).await?;
                }
            }
            None => println!(
                "\n  With an administrator's key (--key), links and settings are checked too."
            ),
        }
    }
    println!("\n{}", summary(&checkup.findings));
    Ok(checkup
        .findings
        .iter()
        .all(|finding| finding.severity != Severity::Error))
}

/// What there is on this machine.
fn machine() -> Result<Machine> {
    let path = options::search_path();
    let executable = std::env::current_exe().context("This program's own file is not known.")?;
    let folder = tempfile::tempdir().context("No folder can be made for a trial.")?;
    let own_users = nix::unistd::Uid::effective().is_root();
    let found = probe::find(&executable, folder.path(), own_users);
    Ok(Machine {
        browser: browser_app::packages::missing(&path),
        streaming: streamed_app::packages::install_lines(
            &path,
            Path::new(streamed_app::packages::FOLDER),
        ),
        engine: options::engine_socket(),
        has_engine: path
            .split(':')
            .any(|folder| Path::new(folder).join("dockerd").is_file()),
        confinement: found.level,
        reasons: found.reasons,
    })
}

struct Checkup {
    asker: Asker,
    base: Url,
    findings: Vec<Finding>,
}

impl Checkup {
    fn report(&mut self, finding: Finding) {
        println!("{finding}");
        self.findings.push(finding);
    }

    async fn get(
        &self,
        path: &str,
        accept: &str,
        key: Option<&str>,
    ) -> Result<Result<Answer, AskError>> {
        Ok(self.asker.get(&self.base.join(path)?, accept, key).await)
    }

    /// The checks without credentials; whether it answers at all.
    async fn outside(&mut self) -> Result<bool> {
        self.report(outside::address(&self.base));
        // No link has this key: there are 2^128 keys.
        let key = CastKey::random(&SystemEntropy::new());
        let first = match self.get(&urls::cast(&key), PAGE, None).await? {
            Ok(answer) => answer,
            Err(ask_error) => {
                self.report(outside::unreachable(&self.base, &ask_error));
                return Ok(false);
            }
        };
        if let Some(finding) = outside::clock(&first, SystemClock.now()) {
            self.report(finding);
        }
        self.report(outside::unknown_link(&first));
        let error_page = urls::error_page(DenialCode::UnknownCast);
        let error_page = format!("{error_page}?ref=k3f7-2mqa");
        match self.get(&error_page, PAGE, None).await? {
            Ok(answer) => outside::error_page(&answer)
                .into_iter()
                .for_each(|finding| self.report(finding)),
            Err(ask_error) => {
                self.report(outside::unreachable(
                    &self.base.join(&error_page)?,
                    &ask_error,
                ));
            }
        }
        for (path, accept, evaluate) in [
            (
                urls::cast_description(&key),
                DOCUMENT,
                outside::described as fn(&Answer) -> Finding,
            ),
            (
                format!("{}/casts", urls::ADMIN_API),
                DOCUMENT,
                outside::admin_without_key,
            ),
        ] {
            match self.get(&path, accept, None).await? {
                Ok(answer) => self.report(evaluate(&answer)),
                Err(ask_error) => {
                    self.report(outside::unreachable(&self.base.join(&path)?, &ask_error));
                }
            }
        }
        let login = self.base.join(urls::LOGIN)?;
        match self.asker.open(&login, PAGE).await {
            Ok(answer) => outside::login(&answer, &self.base)
                .into_iter()
                .for_each(|finding| self.report(finding)),
            Err(ask_error) => self.report(outside::unreachable(&login, &ask_error)),
        }
        Ok(true)
    }

    /// Where sessions are: as it was named, or a name below that of the deployment.
    async fn edge(&mut self, named: Option<&str>) -> Result<()> {
        let template = match (named, self.base.host()) {
            (Some(named), _) => named.to_owned(),
            (None, Some(Host::Domain(host))) => {
                let port = self
                    .base
                    .port()
                    .map_or_else(String::new, |port| format!(":{port}"));
                format!("{}://{{session}}.{host}{port}", self.base.scheme())
            }
            (None, _) => {
                self.report(warning(
                    "Where sessions are cannot be guessed from an address without a name.",
                    outside::NAME_IT,
                ));
                return Ok(());
            }
        };
        if !template.contains("{session}") {
            bail!(
                "{template} does not say where the session's id stands: https://{{session}}.sessions.example.com."
            );
        }
        let unknown = SessionId::from_bytes([0; 16]);
        let url = Url::parse(&template.replace("{session}", unknown.as_str()))
            .with_context(|| format!("{template} is no web address."))?;
        let outcome = self.asker.get(&url, PAGE, None).await;
        let found = outside::edge(&url, named.is_some(), &outcome);
        let answers = found.severity == Severity::Ok;
        self.report(found);
        if answers && let Some(app) = app_of(&url, &unknown) {
            let outcome = self.asker.get(&app, PAGE, None).await;
            self.report(outside::app(&app, &outcome));
        }
        Ok(())
    }

    /// What an administrator's key shows.
    async fn inside(&mut self, key: &str) -> Result<()> {
        let Some(settings) = self
            .read(&format!("{}/settings", urls::ADMIN_API), key)
            .await?
        else {
            return Ok(());
        };
        let (Some(casts), Some(images)) = (
            self.list("casts", key).await?,
            self.list("images", key).await?,
        ) else {
            return Ok(());
        };
        let deployment = inside::Deployment {
            settings,
            casts,
            images,
        };
        inside::evaluate(&deployment, &self.base)
            .into_iter()
            .for_each(|finding| self.report(finding));
        if inside::asks_for_keys(&deployment) {
            let url = self
                .base
                .join(&format!("{}/settings/captcha-checks", urls::ADMIN_API))?;
            let checked = self.asker.send(Method::POST, &url, Some(key), None).await;
            let found = checked
                .ok()
                .and_then(|answer| inside::captcha_keys(&answer.json()));
            found.into_iter().for_each(|finding| self.report(finding));
        }
        Ok(())
    }

    /// Starts a session with a link of its own, enters it and ends it.
    async fn trial(&mut self, key: &str, image: Option<&str>) -> Result<()> {
        println!("\n  A trial session, which may take minutes to start:");
        let image = match image {
            Some(image) => image.to_owned(),
            None => {
                let Some(images) = self.list("images", key).await? else {
                    return Ok(());
                };
                // The smallest starts soonest and costs least.
                let usable = images
                    .iter()
                    .filter(|image| image["enabled"] != false)
                    .min_by_key(|image| image["memory"].as_u64());
                let Some(id) = usable.and_then(|image| image["id"].as_str()) else {
                    self.report(warning(
                        "There is no image to start a session from.",
                        "Register one, or name one with --image.",
                    ));
                    return Ok(());
                };
                id.to_owned()
            }
        };
        let mut findings = Vec::new();
        let trial = trial::Trial {
            asker: &self.asker,
            base: &self.base,
            key,
            report: &mut |finding: Finding| {
                println!("{finding}");
                findings.push(finding);
            },
        };
        trial.run(&image).await?;
        self.findings.append(&mut findings);
        Ok(())
    }

    async fn list(&mut self, name: &str, key: &str) -> Result<Option<Vec<Value>>> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        for _ in 0..PAGES {
            let Some(mut page) = self
                .read(
                    &format!("{}/{name}?limit=100{cursor}", urls::ADMIN_API),
                    key,
                )
                .await?
            else {
                return Ok(None);
            };
            items.extend(
                page["items"]
                    .as_array_mut()
                    .map(std::mem::take)
                    .unwrap_or_default(),
            );
            match page["next"].as_str() {
                Some(next) => {
                    cursor = format!(
                        "&cursor={}",
                        url::form_urlencoded::byte_serialize(next.as_bytes()).collect::<String>()
                    );
                }
                None => return Ok(Some(items)),
            }
        }
        self.report(warning(
            format!("There are more {name} than are looked at."),
            "What is said of them is said of the first ones.",
        ));
        Ok(Some(items))
    }

    /// A document of the admin API; an error becomes a finding.
    async fn read(&mut self, path: &str, key: &str) -> Result<Option<Value>> {
        match self.get(path, DOCUMENT, Some(key)).await? {
            Ok(answer) if answer.status == 200 => return Ok(Some(answer.json())),
            Ok(answer) if matches!(answer.status, 401 | 403) => {
                self.report(error(
                    "The key is not let in.",
                    "Check that it is whole, an administrator's, and of this deployment.",
                ));
            }
            Ok(answer) => {
                let what = format!("{path} answers {} to an administrator.", answer.status);
                self.report(error(
                    what,
                    format!(
                        "See the admin function's log. It says: {}",
                        answer.json()["detail"]
                    ),
                ));
            }
            Err(ask_error) => self.report(outside::unreachable(&self.base.join(path)?, &ask_error)),
        }
        Ok(None)
    }
}

/// Where the app of the session at this address is, if it has a host name of its own.
fn app_of(viewer: &Url, session: &SessionId) -> Option<Url> {
    let host = session_origin::app_host(viewer.host_str()?, session)?;
    let mut app = viewer.clone();
    app.set_host(Some(&host)).ok()?;
    Some(app)
}

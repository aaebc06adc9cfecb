//! Owns the command line of `casting`: what can be said there, and what it means. The only place of this crate that the environment reaches.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use casting_identity::oidc::OidcSettings;
use clap::{Args, Parser, Subcommand, ValueEnum};
use url::Url;

use crate::confine::reach::Reach;
use crate::stack::Freedom;
use crate::streamed_app::packages;

/// Session casting on one machine: public links that start a session for each visitor.
///
/// Needs nothing else: no AWS account, no Docker. Prints a demo link that you can open at once.
#[derive(Clone, Debug, Parser)]
#[command(name = "casting", version, after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub struct Options {
    /// Something else than to run the stack
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Port to listen on; 0 takes any free one
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 8300,
        env = "CASTING_PORT"
    )]
    pub port: u16,

    /// Address to listen on; 0.0.0.0 lets other machines in, which also need a --public-url
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub listen: IpAddr,

    /// Folder that keeps casts, sessions, keys and session logs
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = ".casting",
        env = "CASTING_DATA"
    )]
    pub data: PathBuf,

    /// Keep everything in memory and forget it at the end
    #[arg(long)]
    pub memory: bool,

    /// Begin anew: first delete what an earlier run left in the data folder
    #[arg(long, conflicts_with = "memory")]
    pub reset: bool,

    /// Where visitors reach this machine, when it is not http://localhost:PORT
    #[arg(long, value_name = "URL", env = "CASTING_PUBLIC_URL")]
    pub public_url: Option<String>,

    /// Where visitors reach sessions: a name of its own for each, as in http://{session}.cast.lan:8300;
    /// by default names below the public URL's host
    #[arg(long, value_name = "URL", env = "CASTING_SESSION_URL")]
    pub session_url: Option<String>,

    /// Offer the two demo users also where other machines may reach this stack (with --listen or
    /// --public-url): anyone can then log in as Bob, and as the administrator with the printed password
    #[arg(long, conflicts_with = "oidc_issuer")]
    pub demo_logins: bool,

    /// A proxy in front adds the visitor's address at the end of X-Forwarded-For
    #[arg(long)]
    pub behind_proxy: bool,

    /// Database of the countries or the networks (ASNs) of addresses, in MaxMind's format (.mmdb), or a
    /// folder of them, for access tiers; may be given more than once
    #[arg(long, value_name = "FILE")]
    pub geo_database: Vec<PathBuf>,

    /// Let commands of sessions do what you can do on this machine; without it they are confined to
    /// a home of their own
    #[arg(long)]
    pub unconfined: bool,

    /// Folder that commands of sessions may read, besides /usr and /opt; may be given more than
    /// once
    #[arg(long, value_name = "FOLDER")]
    pub show: Vec<PathBuf>,

    /// Virtual environment of Python with Selkies, which streams browsers and desktops with video
    /// and sound
    #[arg(long, value_name = "FOLDER", default_value = packages::FOLDER, env = "CASTING_SELKIES")]
    pub selkies: PathBuf,

    /// Address that commands of sessions may connect to although it is not public, such as
    /// 10.1.0.0/16 or 127.0.0.1:3000; may be given more than once
    #[arg(long, value_name = "ADDRESS")]
    pub reach: Vec<Reach>,

    /// Start so many sessions a second at most, as ECS does (20 on Fargate); the others wait in line
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub starts_per_second: Option<u32>,

    /// Login provider (OpenID Connect), instead of this machine's own with its two demo users
    #[arg(
        long,
        value_name = "URL",
        requires = "oidc_client_id",
        env = "CASTING_OIDC_ISSUER"
    )]
    pub oidc_issuer: Option<String>,

    /// What that provider calls this stack; its secret, if any, is read from CASTING_OIDC_CLIENT_SECRET
    #[arg(
        long,
        value_name = "ID",
        requires = "oidc_issuer",
        env = "CASTING_OIDC_CLIENT_ID"
    )]
    pub oidc_client_id: Option<String>,

    /// The secret that goes with the client id
    #[arg(
        long,
        hide = true,
        env = "CASTING_OIDC_CLIENT_SECRET",
        hide_env_values = true
    )]
    pub oidc_client_secret: Option<String>,

    /// How much to log: error, warn, info, debug, or a filter such as casting_core=debug
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "warn",
        env = "CASTING_LOG"
    )]
    pub log: String,
}

/// What can be done besides running the stack.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Look at a deployment, or at a stack that runs here, from outside: what is wrong, and what to do
    Doctor(Doctor),

    /// Write the configuration of a deployment to a file: casts, images, groups, networks, staging configs and settings, without secrets
    Export(Export),

    /// Make a deployment agree with a configuration file, after showing what would change
    Apply(Apply),

    /// Turn another system's export into a configuration file
    #[command(subcommand)]
    Import(Import),

    /// Print the JSON Schema of configuration files, for editors
    Schema,
}

/// A deployment, and the key to it.
#[derive(Clone, Debug, Args)]
pub struct Deployment {
    /// Where visitors reach it
    #[arg(long, value_name = "URL", default_value = "http://localhost:8300")]
    pub url: String,

    /// An administrator's key
    #[arg(
        long,
        value_name = "KEY",
        env = "CASTING_ADMIN_KEY",
        hide_env_values = true
    )]
    pub key: Option<String>,
}

impl Deployment {
    /// Its address.
    ///
    /// # Errors
    /// When it is none.
    pub fn base(&self) -> anyhow::Result<Url> {
        let url = Url::parse(&self.url).ok();
        url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .with_context(|| {
                format!(
                    "{} is no web address, such as https://cast.example.com.",
                    self.url
                )
            })
    }
}

/// How a configuration is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FileFormat {
    /// YAML
    Yaml,
    /// JSON
    Json,
}

/// What is exported, and where to.
#[derive(Clone, Debug, Args)]
pub struct Export {
    /// The deployment
    #[command(flatten)]
    pub deployment: Deployment,

    /// Format of the file
    #[arg(long, value_enum, default_value_t = FileFormat::Yaml)]
    pub format: FileFormat,

    /// The file; the standard output when it is left out
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What is applied, and how.
#[derive(Clone, Debug, Args)]
pub struct Apply {
    /// The configuration, in YAML or JSON; - is the standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The deployment
    #[command(flatten)]
    pub deployment: Deployment,

    /// Also delete records that the file does not name, in the sections that it has
    #[arg(long)]
    pub prune: bool,

    /// Only show what would change; the exit code is 1 if something would
    #[arg(long)]
    pub plan: bool,

    /// Change it without asking
    #[arg(long, conflicts_with = "plan")]
    pub yes: bool,
}

/// The system that the export is from.
#[derive(Clone, Debug, Subcommand)]
pub enum Import {
    /// Kasm Workspaces: answers of its API (get_cast_configs, get_images, get_groups and the like), or its preseed document
    Kasm {
        /// The files, in JSON or YAML; they are taken together
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,

        /// Where the configuration is written; the standard output when it is left out
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// What shall be looked at.
#[derive(Clone, Debug, Args)]
pub struct Doctor {
    /// The deployment; without a key, links and settings are not looked at
    #[command(flatten)]
    pub deployment: Deployment,

    /// Where sessions are, when it is not a name below the deployment's: https://{session}.sessions.example.com
    #[arg(long, value_name = "URL")]
    pub session_url: Option<String>,

    /// Also make a link, start a session with it, enter it, end it and remove the link; needs --key with the scopes casts, images and sessions
    #[arg(long, requires = "key")]
    pub deep: bool,

    /// With --deep: the id of the image that the session is started from; otherwise the smallest that is enabled
    #[arg(long, value_name = "ID", requires = "deep")]
    pub image: Option<String>,
}

const AFTER_HELP: &str = "\
Examples:
  cargo run                          start on http://localhost:8300
  cargo run -- --port 9000           on another port
  cargo run -- --memory              leave nothing behind
  cargo run -- --reset               throw away what earlier runs kept
  cargo run -- --listen 0.0.0.0 --public-url http://cast.lan:8300
                                     for other machines, which find cast.lan and *.cast.lan here
  cargo run -- doctor --url https://cast.example.com
  cargo run -- doctor --url https://cast.example.com --key KEY --deep
                                     starts a session, enters it and ends it
  cargo run -- export --key KEY -o casting.yaml
  cargo run -- apply casting.yaml --url https://cast.example.com --key KEY
  cargo run -- import kasm casts.json images.json -o casting.yaml

Ctrl-C stops everything: every session ends, and no process stays.";

impl Options {
    /// The login provider that was named.
    pub fn login(&self) -> Option<OidcSettings> {
        let (issuer, client_id) = (self.oidc_issuer.clone()?, self.oidc_client_id.clone()?);
        Some(OidcSettings {
            client_secret: self.oidc_client_secret.clone(),
            ..OidcSettings::new(issuer, client_id)
        })
    }

    /// What commands of sessions may do.
    ///
    /// # Errors
    /// When a folder to be shown is not there, or is one of those that hold the session's own
    /// things.
    pub fn freedom(&self) -> anyhow::Result<Freedom> {
        let show = |path: &PathBuf| {
            let found = path.canonicalize();
            found.with_context(|| format!("--show {}: it cannot be found.", path.display()))
        };
        Ok(Freedom {
            unconfined: self.unconfined,
            shown: self.show.iter().map(show).collect::<anyhow::Result<_>>()?,
            reach: self.reach.clone(),
            // Its programs name the folder by its real path.
            selkies: self
                .selkies
                .canonicalize()
                .unwrap_or_else(|_| self.selkies.clone()),
        })
    }

    /// Where to listen.
    pub const fn address(&self) -> SocketAddr {
        SocketAddr::new(self.listen, self.port)
    }
}

/// The socket of a Docker or Podman engine that answers: where `DOCKER_HOST` says, else where they usually are.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks for the machine's environment"
)]
pub fn engine_socket() -> Option<PathBuf> {
    let named = std::env::var("DOCKER_HOST")
        .ok()
        .and_then(|host| host.strip_prefix("unix://").map(PathBuf::from));
    let usual = ["/var/run/docker.sock", "/run/podman/podman.sock"].map(PathBuf::from);
    named
        .into_iter()
        .chain(usual)
        .find(|socket| crate::container_app::engine::is_there(socket))
}

/// Where tasks look for programs.
pub fn search_path() -> String {
    task_environment().remove("PATH").unwrap_or_default()
}

/// What a task finds in its environment besides its own values: where programs, the home folder and temporary files are, and the language.
/// Everything else that this process was started with stays with it.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks for the machine's environment"
)]
pub fn task_environment() -> BTreeMap<String, String> {
    let names = ["PATH", "HOME", "LANG", "TMPDIR"];
    names
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
        .collect()
}

//! Owns the confinement where namespaces cannot be had: Landlock holds files, TCP ports, abstract
//! sockets and signals. It knows no addresses, no UDP and no sockets in folders. Must not start
//! anything.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope, path_beneath_rules,
};

use super::Plan;

/// What the kernel must have: scopes, which came with Linux 6.12.
const NEEDED: ABI = ABI::V6;
/// What programs need, for reading.
const READ: [&str; 22] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/opt",
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/nsswitch.conf",
    "/etc/passwd",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/certs",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
];
/// Devices that say nothing of this machine.
const DEVICES: [&str; 5] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];
/// Where a command may connect to: the web. The address cannot be held.
const WEB: [u16; 2] = [80, 443];

/// Restricts this process and all that it starts, for good.
///
/// # Errors
/// When the kernel cannot hold all of it.
pub(super) fn restrict(plan: &Plan, port: Option<u16>) -> anyhow::Result<()> {
    let all = AccessFs::from_all(NEEDED);
    let read: BitFlags<AccessFs> = AccessFs::from_read(NEEDED);
    let devices = AccessFs::ReadFile | AccessFs::WriteFile;
    let own = ["home", "tmp"].map(|name| plan.folder.join(name));
    let own = own
        .into_iter()
        .chain(plan.profile.iter().map(|(here, _)| here.clone()));
    let executable = std::env::current_exe().context("this program cannot be found")?;
    let read_only = there(READ.iter().map(PathBuf::from))
        .chain(plan.shown.iter().cloned())
        .chain([executable]);
    let ports = port.into_iter();
    let web = WEB.into_iter().chain(port);
    let status =
        Ruleset::default()
            .set_compatibility(CompatLevel::HardRequirement)
            .handle_access(all)?
            .handle_access(AccessNet::from_all(NEEDED))?
            .scope(Scope::from_all(NEEDED))?
            .create()?
            .add_rules(path_beneath_rules(read_only, read))?
            .add_rules(path_beneath_rules(
                there(DEVICES.iter().map(PathBuf::from)),
                devices,
            ))?
            .add_rules(path_beneath_rules(own, all))?
            .add_rules(ports.map(|port| {
                Ok::<_, landlock::RulesetError>(NetPort::new(port, AccessNet::BindTcp))
            }))?
            .add_rules(web.map(|port| {
                Ok::<_, landlock::RulesetError>(NetPort::new(port, AccessNet::ConnectTcp))
            }))?
            .restrict_self()?;
    if status.ruleset != RulesetStatus::FullyEnforced {
        bail!("Landlock does not hold everything on this machine");
    }
    Ok(())
}

fn there(paths: impl Iterator<Item = PathBuf>) -> impl Iterator<Item = PathBuf> {
    paths.filter(|path: &PathBuf| Path::new(path).exists())
}

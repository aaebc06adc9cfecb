//! Owns what process 1 of a session gives up before it starts anything: root, capabilities, new
//! privileges, and resources without bound. Must not know files or networks.

use anyhow::Context;
use nix::sys::prctl::{set_dumpable, set_no_new_privs, set_pdeathsig};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities,
};

use super::{Level, Plan};

/// How many processes and threads a session may have.
const PROCESSES: u64 = 2048;
/// How many files a process may have open.
const OPEN_FILES: u64 = 8192;

/// Gives everything up, for good.
///
/// # Errors
/// When the kernel does not take it; nothing may be started then.
pub(super) fn drop_all(plan: &Plan) -> anyhow::Result<()> {
    limit(Resource::RLIMIT_CORE, 0)?;
    limit(Resource::RLIMIT_NOFILE, OPEN_FILES)?;
    // Elsewhere this counts every process of the user who runs the stack.
    if plan.level == Level::Namespaces || plan.user.is_some() {
        limit(Resource::RLIMIT_NPROC, PROCESSES)?;
    }
    if let Some(user) = plan.user {
        let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
        setgroups(&[]).context("the groups of root cannot be left")?;
        setresgid(gid, gid, gid).context("the group of root cannot be left")?;
        setresuid(uid, uid, uid).context("root cannot be left")?;
    }
    if plan.level != Level::Unconfined || plan.user.is_some() {
        clear_ambient_capability_set().context("capabilities cannot be given up")?;
        let none = CapabilitySet::empty();
        let none = CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        };
        set_capabilities(None, none).context("capabilities cannot be given up")?;
        set_no_new_privs().context("new privileges cannot be given up")?;
    }
    // After the user has changed, which undoes both.
    set_dumpable(false).context("memory cannot be closed to others")?;
    set_pdeathsig(Signal::SIGKILL).context("the end of this process cannot be tied to its parent's")
}

fn limit(resource: Resource, most: u64) -> anyhow::Result<()> {
    let (_, hard) = getrlimit(resource)?;
    let most = most.min(hard);
    setrlimit(resource, most, most).with_context(|| format!("{resource:?} cannot be limited"))
}

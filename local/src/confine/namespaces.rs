//! Owns the namespaces of a session: users (unless root runs the stack), mounts, processes,
//! network, IPC and the machine's name. Must not know what is in them.

use anyhow::Context;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, capabilities, configure_capability_in_ambient_set, set_capabilities,
};

use super::Plan;

/// What process 1 needs until it has built the session's root: mounts and the loopback interface.
const NEEDED: [CapabilitySet; 2] = [CapabilitySet::SYS_ADMIN, CapabilitySet::NET_ADMIN];

/// Enters new namespaces; the process list is that of the next child. This process must have one
/// thread.
///
/// # Errors
/// When the kernel does not let this user.
pub(super) fn enter(plan: &Plan) -> anyhow::Result<()> {
    let (uid, gid) = (Uid::effective(), Gid::effective());
    let mut flags = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    // Root needs no namespace of users: process 1 becomes another user before it starts anything.
    let has_users = plan.user.is_none();
    if has_users {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    unshare(flags).context("this machine lets no user make namespaces")?;
    if has_users {
        let write = |name: &str, text: String| {
            let path = format!("/proc/self/{name}");
            std::fs::write(&path, text).with_context(|| format!("{path} cannot be written"))
        };
        write("setgroups", "deny".to_owned())?;
        write("uid_map", format!("{uid} {uid} 1\n"))?;
        write("gid_map", format!("{gid} {gid} 1\n"))?;
        hand_on_capabilities().context("the capabilities of the namespace cannot be kept")?;
    }
    Ok(())
}

/// Lets the next program that this process runs keep what it needs in the new namespaces.
fn hand_on_capabilities() -> rustix::io::Result<()> {
    let mut sets = capabilities(None)?;
    for needed in NEEDED {
        sets.inheritable |= needed;
    }
    set_capabilities(None, sets)?;
    for needed in NEEDED {
        configure_capability_in_ambient_set(needed, true)?;
    }
    Ok(())
}

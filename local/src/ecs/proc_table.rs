//! Owns reading `/proc` on Linux, and killing processes by it. On other systems nothing is known.
//! Must not know whose processes they are.

use std::collections::HashMap;
use std::fs;
use std::str::FromStr;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::task::Process;

/// The process with this id, as it is now.
pub(super) fn process(pid: i32) -> Process {
    Process {
        pid,
        start: start_of(pid),
    }
}

/// Kills a process group, if its leader is still the very process that was written down.
pub(super) fn kill_group(process: Process) {
    if process.start.is_some() && start_of(process.pid) == process.start {
        let _ = killpg(Pid::from_raw(process.pid), Signal::SIGKILL);
    }
}

/// Kills whatever descends from `ancestor`, in whichever process group it is.
pub(super) fn kill_descendants(ancestor: i32) {
    for pid in Tree::read().below(ancestor) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// Who is whose child, at one moment. To read it costs as much as there are processes on the
/// machine.
#[derive(Debug)]
pub(super) struct Tree {
    parents: HashMap<i32, i32>,
    children: HashMap<i32, Vec<i32>>,
}

impl Tree {
    pub(super) fn read() -> Self {
        let (mut parents, mut children) = (HashMap::new(), HashMap::<_, Vec<_>>::new());
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
            // After the name: state, parent.
            if let Some(parent) = field(pid, 1) {
                parents.insert(pid, parent);
                children.entry(parent).or_default().push(pid);
            }
        }
        Self { parents, children }
    }

    fn below(&self, ancestor: i32) -> Vec<i32> {
        let (mut found, mut open) = (Vec::new(), vec![ancestor]);
        while let Some(next) = open.pop() {
            let more = self.children.get(&next).map_or(&[][..], Vec::as_slice);
            found.extend_from_slice(more);
            open.extend_from_slice(more);
        }
        found
    }

    /// The memory of a process and of whatever else its parent has below it, in KiB: the sum of the
    /// greatest resident memory of each process that lives now. Shared pages count once for each.
    pub(super) fn peak_memory_kib(&self, process: Process) -> Option<u64> {
        let supervisor = self.parents.get(&process.pid)?;
        self.below(*supervisor)
            .into_iter()
            .filter_map(peak_of)
            .reduce(|sum, peak| sum + peak)
    }
}

fn peak_of(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?
        .trim()
        .strip_suffix("kB")?
        .trim()
        .parse()
        .ok()
}

/// When a process started, in clock ticks since the machine did: field 22 of its line.
fn start_of(pid: i32) -> Option<u64> {
    field(pid, 19)
}

/// A field after the process's name, which may itself hold spaces and brackets.
fn field<T: FromStr>(pid: i32, index: usize) -> Option<T> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    line.rsplit_once(')')?
        .1
        .split_ascii_whitespace()
        .nth(index)?
        .parse()
        .ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn process_is_identified_by_its_start_time() {
        use std::os::unix::process::CommandExt;
        let mut child = Command::new("sleep")
            .arg("1000")
            .process_group(0)
            .spawn()
            .unwrap();
        let known = process(child.id().cast_signed());
        assert!(known.start.is_some());
        assert!(
            Tree::read()
                .peak_memory_kib(known)
                .is_some_and(|kib| kib > 0)
        );
        kill_group(Process {
            start: known.start.map(|start| start + 1),
            ..known
        });
        assert!(
            child.try_wait().unwrap().is_none(),
            "a later process of the same id is left alone"
        );
        kill_group(known);
        assert!(!child.wait().unwrap().success());
        assert_eq!(process(known.pid).start, None);
    }
}

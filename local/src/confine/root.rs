//! Owns the root folder of a session in namespaces: what is seen there, and nothing else of this
//! machine. Must not know who uses it.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::Context;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};
use nix::sys::stat::{Mode, umask};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{Uid, pivot_root, sethostname};
use std::os::fd::AsRawFd;

use super::Plan;
use super::plan::{BIN, HOME, NET_SOCKET};

/// Folders with the programs of this machine; links are made again as links.
const PROGRAMS: [&str; 8] = [
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt",
];
/// What programs need of `/etc`: where libraries, fonts, certificates and their own settings are.
/// Users, hosts and secrets are not among it.
const SETTINGS: [&str; 42] = [
    "ImageMagick-6",
    "X11",
    "alternatives",
    "bash.bashrc",
    "ca-certificates",
    "ca-certificates.conf",
    "chromium",
    "chromium.d",
    "crypto-policies",
    "dconf",
    "debian_version",
    "firefox",
    "firefox-esr",
    "fonts",
    "gnutls",
    "gtk-2.0",
    "gtk-3.0",
    "gtk-4.0",
    "inputrc",
    "java",
    "java-11-openjdk",
    "java-17-openjdk",
    "java-21-openjdk",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "magic",
    "mime.types",
    "os-release",
    "perl",
    "pki",
    "profile",
    "profile.d",
    "protocols",
    "pulse",
    "python3",
    "python3.11",
    "services",
    "ssl",
    "timezone",
    "xdg",
];
/// Caches that programs read, and would make again at each start.
const CACHES: [&str; 2] = ["/var/cache/fontconfig", "/var/lib/xkb"];
/// Devices that say nothing of this machine.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
/// What this executable is called there.
const NAMES: [&str; 4] = [
    crate::stack::DEMO_APP,
    crate::stack::BROWSER_APP,
    crate::stack::STREAMED_BROWSER_APP,
    crate::stack::STREAMED_DESKTOP_APP,
];
/// How many files a session may have that are not the user's own.
const INODES: u32 = 100_000;

/// Makes the root, enters it and the home in it, and leaves everything else behind. The current
/// folder is the task's.
///
/// # Errors
/// What cannot be mounted, made or entered.
pub(super) fn enter(plan: &Plan) -> anyhow::Result<()> {
    // Mounts come and go here alone.
    attach(
        None,
        Path::new("/"),
        None,
        MsFlags::MS_REC | MsFlags::MS_SLAVE,
        "",
    )?;
    let umask_before = umask(Mode::from_bits_truncate(0o022));
    let root = Root::make(plan)?;
    root.fill()?;
    umask(umask_before);
    std::env::set_current_dir(&root.path).context("the root cannot be entered")?;
    pivot_root(".", ".").context("the root cannot be changed")?;
    umount2(".", MntFlags::MNT_DETACH).context("the old root cannot be left")?;
    std::env::set_current_dir(HOME).context("the home folder cannot be entered")?;
    sethostname("session").context("the host name cannot be set")?;
    start_loopback().context("the loopback interface cannot be started")
}

struct Root<'a> {
    plan: &'a Plan,
    path: PathBuf,
}

impl<'a> Root<'a> {
    fn make(plan: &'a Plan) -> anyhow::Result<Self> {
        let path = plan.folder.join("root");
        // Of its own mode outside, where it is seen as long as the session lives.
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)?;
        let root = Self { plan, path };
        root.memory("/", "size=4m,mode=755")?;
        Ok(root)
    }

    /// Where a path of the session is while its root is made.
    fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.path.join(path.strip_prefix("/").unwrap_or(path))
    }

    fn fill(&self) -> anyhow::Result<()> {
        for folder in PROGRAMS {
            self.show(Path::new(folder))?;
        }
        for name in SETTINGS {
            self.show(&Path::new("/etc").join(name))?;
        }
        for folder in CACHES {
            self.show(Path::new(folder))?;
        }
        self.users()?;
        for folder in &self.plan.shown {
            self.show(folder)?;
        }
        self.folder("/proc")?;
        let strict = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        attach(Some("proc"), &self.at("/proc"), Some("proc"), strict, "")?;
        self.devices()?;
        let (scratch, owner) = (self.plan.scratch_mib, self.owner());
        self.memory(
            "/tmp",
            &format!("size={scratch}m,nr_inodes={INODES},mode=1777"),
        )?;
        self.memory(
            HOME,
            &format!("size={scratch}m,nr_inodes={INODES},mode=700,uid={owner},gid={owner}"),
        )?;
        self.folder("/var")?;
        symlink("/tmp", self.at("/var/tmp"))?;
        self.own_programs()?;
        if Path::new(NET_SOCKET).exists() {
            let inside = Path::new(BIN).with_file_name(NET_SOCKET);
            std::fs::File::create(self.at(&inside))?;
            bind(Path::new(NET_SOCKET), &self.at(&inside))?;
        }
        if let Some((here, inside)) = &self.plan.profile {
            self.folder(inside)
                .with_context(|| format!("the user's files cannot be at {}", inside.display()))?;
            bind(here, &self.at(inside))?;
        }
        // Nothing is added to the root itself from now on.
        let closed = MsFlags::MS_REMOUNT
            | MsFlags::MS_BIND
            | MsFlags::MS_RDONLY
            | MsFlags::MS_NOSUID
            | MsFlags::MS_NODEV;
        attach(None, &self.path, None, closed, "")
    }

    fn owner(&self) -> u32 {
        self.plan.user.unwrap_or(Uid::effective().as_raw())
    }

    fn folder(&self, path: impl AsRef<Path>) -> anyhow::Result<()> {
        let path = self.at(path);
        std::fs::create_dir_all(&path)
            .with_context(|| format!("the folder {} cannot be made", path.display()))
    }

    /// Files that are in memory and end with the session.
    fn memory(&self, path: &str, options: &str) -> anyhow::Result<()> {
        self.folder(path)?;
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        attach(Some("tmpfs"), &self.at(path), Some("tmpfs"), flags, options)
    }

    /// Shows a file or folder of this machine at its own place, for reading; what is not there is
    /// left out, links are made again.
    fn show(&self, path: &Path) -> anyhow::Result<()> {
        let Ok(kind) = std::fs::symlink_metadata(path) else {
            return Ok(());
        };
        let place = self.at(path);
        if let Some(parent) = place.parent() {
            std::fs::create_dir_all(parent)?;
        }
        if kind.is_symlink() {
            return Ok(symlink(std::fs::read_link(path)?, place)?);
        }
        if kind.is_dir() {
            std::fs::create_dir_all(&place)?;
        } else {
            std::fs::File::create(&place)?;
        }
        bind(path, &place)?;
        read_only(&place)
    }

    /// Names for the few users that there are in the session.
    fn users(&self) -> anyhow::Result<()> {
        self.folder("/etc")?;
        let owner = self.owner();
        let lines = [
            (
                "/etc/passwd",
                format!(
                    "session:x:{owner}:{owner}:Session:{HOME}:/bin/sh\n\
                     root:x:0:0:root:/:/bin/sh\n\
                     nobody:x:65534:65534:nobody:/:/bin/false\n"
                ),
            ),
            (
                "/etc/group",
                format!("session:x:{owner}:\nroot:x:0:\nnogroup:x:65534:\n"),
            ),
            (
                "/etc/hosts",
                "127.0.0.1 localhost session\n::1 localhost\n".to_owned(),
            ),
            (
                "/etc/nsswitch.conf",
                "passwd: files\ngroup: files\nhosts: files\n".to_owned(),
            ),
        ];
        for (path, text) in lines {
            std::fs::File::create(self.at(path))?.write_all(text.as_bytes())?;
        }
        Ok(())
    }

    fn devices(&self) -> anyhow::Result<()> {
        self.memory("/dev", "size=1m,mode=755")?;
        for name in DEVICES {
            let place = self.at(Path::new("/dev").join(name));
            std::fs::File::create(&place)?;
            bind(&Path::new("/dev").join(name), &place)?;
        }
        for (name, to) in [
            ("fd", "/proc/self/fd"),
            ("stdin", "/proc/self/fd/0"),
            ("stdout", "/proc/self/fd/1"),
            ("stderr", "/proc/self/fd/2"),
            ("ptmx", "pts/ptmx"),
        ] {
            symlink(to, self.at(Path::new("/dev").join(name)))?;
        }
        self.memory(
            "/dev/shm",
            &format!("size={}m,mode=1777", self.plan.scratch_mib),
        )?;
        self.folder("/dev/pts")?;
        let strict = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
        let options = "newinstance,ptmxmode=0666,mode=620";
        attach(
            Some("devpts"),
            &self.at("/dev/pts"),
            Some("devpts"),
            strict,
            options,
        )
    }

    /// This executable under the names of its apps.
    fn own_programs(&self) -> anyhow::Result<()> {
        self.folder(BIN)?;
        let place = self.at(Path::new(BIN).join("casting"));
        std::fs::File::create(&place)?;
        bind(Path::new("/proc/self/exe"), &place)?;
        read_only(&place)?;
        for name in NAMES {
            symlink("casting", self.at(Path::new(BIN).join(name)))?;
        }
        Ok(())
    }
}

fn bind(from: &Path, to: &Path) -> anyhow::Result<()> {
    let from = from.to_str().context("a path is no text")?;
    attach(Some(from), to, None, MsFlags::MS_BIND | MsFlags::MS_REC, "")
}

/// Closes a mount for writing. What the mount forbids already stays forbidden, because the kernel
/// insists.
fn read_only(place: &Path) -> anyhow::Result<()> {
    let given = statvfs(place)?.flags();
    let mut flags = MsFlags::MS_REMOUNT
        | MsFlags::MS_BIND
        | MsFlags::MS_RDONLY
        | MsFlags::MS_NOSUID
        | MsFlags::MS_NODEV;
    for (is, keep) in [
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ] {
        if given.contains(is) {
            flags |= keep;
        }
    }
    attach(None, place, None, flags, "")
}

fn attach(
    from: Option<&str>,
    to: &Path,
    kind: Option<&str>,
    flags: MsFlags,
    options: &str,
) -> anyhow::Result<()> {
    let options = Some(options).filter(|text| !text.is_empty());
    mount(from, to, kind, flags, options)
        .with_context(|| format!("{} cannot be mounted", to.display()))
}

/// Brings `lo` up by one netlink message (RTM_NEWLINK of interface 1 with IFF_UP), and waits for
/// the kernel's word.
fn start_loopback() -> anyhow::Result<()> {
    const RTM_NEWLINK: u16 = 16;
    const REQUEST_AND_ACK: u16 = 1 | 4;
    const IFF_UP: u32 = 1;
    let mut message = Vec::with_capacity(32);
    // The header: length, type, flags, sequence, port.
    message.extend_from_slice(&32_u32.to_ne_bytes());
    message.extend_from_slice(&RTM_NEWLINK.to_ne_bytes());
    message.extend_from_slice(&REQUEST_AND_ACK.to_ne_bytes());
    message.extend_from_slice(&[0; 8]);
    // The interface: family and type, index, flags, which of them change.
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(&1_i32.to_ne_bytes());
    message.extend_from_slice(&IFF_UP.to_ne_bytes());
    message.extend_from_slice(&IFF_UP.to_ne_bytes());
    let kernel = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    sendto(
        kernel.as_raw_fd(),
        &message,
        &NetlinkAddr::new(0, 0),
        MsgFlags::empty(),
    )?;
    let mut answer = [0; 256];
    let length = recv(kernel.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    let code = answer
        .get(16..20)
        .filter(|_| length >= 20)
        .and_then(|bytes| bytes.try_into().ok())
        .map(i32::from_ne_bytes);
    match code {
        Some(0) => Ok(()),
        Some(code) => Err(nix::errno::Errno::from_raw(-code).into()),
        None => anyhow::bail!("the kernel's answer is too short"),
    }
}

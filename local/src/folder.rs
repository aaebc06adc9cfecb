//! Owns the data folder: its lock, its keys, its access rights, and what may be deleted in it. Must
//! not know what the database or the tasks keep there.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use casting_core::ids::{Entropy, random_bytes};
use data_encoding::BASE64URL_NOPAD;

/// Everything that a run may leave in the folder; `--reset` deletes these and nothing else.
const OURS: [&str; 14] = [
    "casting.db",
    "casting.db-wal",
    "casting.db-shm",
    "casting.db-journal",
    "ecs.jsonl",
    "ecs.new",
    "signing-key",
    "admin-key",
    crate::login_provider::PASSWORD_FILE,
    "browser-offered",
    "streaming-offered",
    "tasks",
    crate::bucket::FOLDER,
    "bin",
];

/// The access rights that an owner may have; group and others have none.
const OWNER: u32 = 0o700;
/// The access rights of a new file.
const PRIVATE_FILE: u32 = 0o600;
/// The sticky bit of a folder that many users share, such as `/tmp`.
const SHARED: u32 = 0o1000;

/// A data folder that this process alone uses.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    lock: File,
}

impl Folder {
    /// Makes the folder if need be, locks it until this value is dropped or the process dies, and
    /// takes the access of other users to it away.
    ///
    /// # Errors
    /// One plain sentence: the folder cannot be made or written, it is shared with other users, or
    /// another process uses it.
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(OWNER)
            .create(path);
        made.with_context(|| {
            format!("Cannot make the data folder {shown}. Choose another one with --data.")
        })?;
        let path = path
            .canonicalize()
            .with_context(|| format!("Cannot find the data folder {shown}."))?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(PRIVATE_FILE)
            .open(path.join("lock"))
            .with_context(|| {
                format!("Cannot write in the data folder {shown}. Choose another one with --data.")
            })?;
        match lock.try_lock() {
            Ok(()) => {
                make_private(&path)?;
                Ok(Self { path, lock })
            }
            Err(TryLockError::WouldBlock) => {
                let url = fs::read_to_string(path.join("lock")).unwrap_or_default();
                let place = if url.is_empty() {
                    String::new()
                } else {
                    format!(" It answers at {}.", url.trim())
                };
                bail!(
                    "Session casting already runs on the data folder {shown}.{place} Stop it \
                       first, or choose another folder with --data."
                )
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("Cannot lock the data folder {shown}."))
            }
        }
    }

    /// Makes an empty file that only its owner can read, unless it is there, and gives its path.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn private_file(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        let mut options = File::options();
        options.create(true).append(true).mode(PRIVATE_FILE);
        options
            .open(&path)
            .with_context(|| format!("Cannot write {}.", path.display()))?;
        Ok(path)
    }

    /// The folder's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes this process's address into the lock file, for another process that finds it locked.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn announce(&mut self, url: &str) -> io::Result<()> {
        self.lock.set_len(0)?;
        self.lock.write_all(url.as_bytes())
    }

    /// Deletes what earlier runs left, and nothing else.
    ///
    /// # Errors
    /// When something cannot be deleted.
    pub fn reset(&self) -> Result<()> {
        for name in OURS {
            let path = self.path.join(name);
            let deleted = if path.is_dir() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            match deleted {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error)
                        .with_context(|| format!("Cannot delete {}.", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads a small secret, or makes it and keeps it where only its owner can read it. The flag
    /// says whether it is new.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn secret(&self, name: &str, make: impl FnOnce() -> String) -> Result<(String, bool)> {
        let path = self.path.join(name);
        match fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => return Ok((text.trim().to_owned(), false)),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("Cannot read {}.", path.display()));
            }
            _ => {}
        }
        let text = make();
        write_private(&path, &text).with_context(|| format!("Cannot write {}.", path.display()))?;
        Ok((text, true))
    }

    /// Whether this is the first call for `name` in this folder.
    ///
    /// # Errors
    /// When that cannot be kept.
    pub fn once(&self, name: &str) -> Result<bool> {
        self.secret(name, || "yes".to_owned())
            .map(|(_, is_new)| is_new)
    }
}

/// Takes the access of group and others away from the folder and all that earlier runs left in it.
fn make_private(folder: &Path) -> Result<()> {
    let shown = folder.display();
    let mode = fs::metadata(folder)
        .with_context(|| format!("Cannot read the data folder {shown}."))?
        .mode();
    if mode & SHARED != 0 {
        bail!("The folder {shown} is shared with other users. Choose another one with --data.");
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(OWNER)).with_context(|| {
        format!(
            "Cannot close the data folder {shown} to other users: it is not yours. Choose \
                 another one with --data."
        )
    })?;
    let mut open: Vec<PathBuf> = OURS
        .into_iter()
        .chain(["lock"])
        .map(|name| folder.join(name))
        .collect();
    while let Some(path) = open.pop() {
        // Links are left alone: their targets are programs of the machine.
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        if metadata.is_symlink() {
            continue;
        }
        let mode = metadata.mode();
        if mode & !OWNER & 0o777 != 0 {
            let private = fs::Permissions::from_mode(mode & OWNER);
            if let Err(error) = fs::set_permissions(&path, private) {
                tracing::warn!(path = %path.display(), %error, "A file stays open to other users");
            }
        }
        if metadata.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            open.extend(entries.map(|entry| entry.path()));
        }
    }
    Ok(())
}

/// Writes a file that only its owner can read, whole or not at all.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut options = File::options();
    options.create(true).truncate(true).write(true);
    options.mode(PRIVATE_FILE);
    let mut file = options.open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(draft, path)
}

/// A new master key: 32 bytes in base64url.
pub fn draw_signing_key(entropy: &dyn Entropy) -> String {
    let halves = [random_bytes(entropy), random_bytes(entropy)];
    BASE64URL_NOPAD.encode(&halves.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let path =
            std::env::temp_dir().join(format!("casting-folder-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn second_process_gets_the_address_of_the_first() {
        let path = scratch("second");
        let mut first = Folder::open(&path).expect("opens");
        first.announce("http://localhost:8300").expect("announces");
        let refusal = Folder::open(&path).expect_err("is locked").to_string();
        assert!(
            refusal.contains("already runs") && refusal.contains("http://localhost:8300"),
            "{refusal}"
        );
        drop(first);
        Folder::open(&path).expect("opens again");
    }

    #[test]
    fn secret_is_created_once_with_private_mode() {
        let path = scratch("secret");
        let folder = Folder::open(&path).expect("opens");
        assert_eq!(
            folder.secret("admin-key", || "one".into()).expect("makes"),
            ("one".into(), true)
        );
        assert_eq!(
            folder.secret("admin-key", || "two".into()).expect("reads"),
            ("one".into(), false)
        );
        assert_eq!(rights(&path.join("admin-key")), 0o600);
    }

    fn rights(path: &Path) -> u32 {
        fs::symlink_metadata(path).expect("is there").mode() & 0o777
    }

    #[test]
    fn readable_folder_is_made_private() {
        let path = scratch("private");
        fs::create_dir_all(path.join("tasks/one")).expect("folders");
        for name in [
            "casting.db",
            "casting.db-wal",
            "tasks/one/log",
            "lock",
            "holiday.jpg",
        ] {
            fs::write(path.join(name), "x").expect("writes");
        }
        std::os::unix::fs::symlink("/bin/sh", path.join("tasks/link")).expect("a link");
        let open = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("sets");
        };
        open(&path, 0o755);
        open(&path.join("tasks"), 0o775);
        open(&path.join("casting.db"), 0o644);
        open(&path.join("tasks/one/log"), 0o666);
        open(&path.join("holiday.jpg"), 0o644);
        let folder = Folder::open(&path).expect("opens");
        folder.private_file("ecs.jsonl").expect("makes");
        for (name, expected) in [
            ("", 0o700),
            ("tasks", 0o700),
            ("tasks/one", 0o700),
            ("tasks/one/log", 0o600),
            ("casting.db", 0o600),
            ("casting.db-wal", 0o600),
            ("lock", 0o600),
            ("ecs.jsonl", 0o600),
            ("holiday.jpg", 0o644),
        ] {
            assert_eq!(rights(&path.join(name)), expected, "{name}");
        }
        let _ = fs::remove_dir_all(&path);
    }

    #[test]
    fn new_folder_is_private() {
        let path = scratch("new");
        drop(Folder::open(&path.join("a/b")).expect("opens"));
        for name in ["a", "a/b"] {
            assert_eq!(rights(&path.join(name)), 0o700, "{name}");
        }
        let _ = fs::remove_dir_all(&path);
    }

    #[test]
    fn shared_folder_is_refused() {
        let path = scratch("shared");
        fs::create_dir_all(&path).expect("a folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o1777)).expect("sets");
        let refusal = Folder::open(&path).expect_err("is shared").to_string();
        assert!(refusal.contains("--data"), "{refusal}");
        assert_eq!(rights(&path), 0o777, "it is left as it was");
        let _ = fs::remove_dir_all(&path);
    }

    #[test]
    fn reset_deletes_only_own_files() {
        let path = scratch("reset");
        let folder = Folder::open(&path).expect("opens");
        fs::write(path.join("casting.db"), "x").expect("writes");
        fs::write(path.join("holiday.jpg"), "x").expect("writes");
        folder.reset().expect("resets");
        assert!(!path.join("casting.db").exists());
        assert!(path.join("holiday.jpg").exists());
    }

    #[test]
    fn file_instead_of_folder_is_named() {
        let path = scratch("file");
        fs::write(&path, "x").expect("writes");
        let refusal = Folder::open(&path).expect_err("is a file").to_string();
        assert!(refusal.contains("--data"), "{refusal}");
        let _ = fs::remove_file(&path);
    }
}

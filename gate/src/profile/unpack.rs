//! Owns how an archive becomes a folder. Must not trust the archive: the app whose files it holds
//! may have written it itself.
//!
//! First it is taken in and held against its announcement, then read through and held to the
//! limits; only then is anything written, so what is refused is refused whole. Nothing is written
//! outside of the folder, nothing through a link, and nothing but files, folders and links that
//! stay inside. Whatever else an archive holds is left out, because it is no reason to withhold a
//! user's files.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, BufReader, Read, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use nix::fcntl::OFlag;
use ring::digest::{Context, SHA256};
use tar::{Archive, Entry, EntryType, Header};

use super::limits::{self, Excess, Limits};
use super::links;

/// The size of an entry's head, to whose multiples contents are filled up, in bytes.
const HEAD: u64 = 512;
/// An archive may make us remember so much of it, as a power of two: 8 MiB, which is four times
/// what ours need.
const MAX_WINDOW_LOG: u32 = 23;

/// What came of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Unpacked {
    /// How many of its entries were written.
    pub entries: u64,
    /// How many were left out.
    pub left_out: u64,
}

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It is over a limit; nothing was written.
    #[error(transparent)]
    Excess(#[from] Excess),
    /// It is none of ours; nothing was written.
    #[error("the archive holds what profiles do not have: {0}")]
    Foreign(&'static str),
    /// It could not be read, or the folder could not be written.
    #[error("the archive cannot be unpacked: {0}")]
    Io(#[from] io::Error),
}

/// Takes an archive in, into a file without a name: not a byte more than was announced.
///
/// # Errors
/// When it cannot be read, or is another one than was announced.
pub fn receive(mut reader: impl Read, bytes: u64, sha256: &str) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    let (mut hash, mut received) = (Context::new(&SHA256), 0);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = reader.read(&mut buffer)?;
        received += read as u64;
        if read == 0 || received > bytes {
            break;
        }
        hash.update(&buffer[..read]);
        file.write_all(&buffer[..read])?;
    }
    if received != bytes || HEXLOWER.encode(hash.finish().as_ref()) != sha256 {
        return Err(io::Error::other(
            "what came is another archive than was announced",
        ));
    }
    file.rewind()?;
    Ok(file)
}

/// Unpacks an archive into `folder`, over what is there, once all of it is known to keep the
/// limits. Modes and times are kept; owners only by root, because no other user can set them.
///
/// # Errors
/// As [`UnpackError`] says.
pub fn unpack(file: &mut File, folder: &Path, limits: Limits) -> Result<Unpacked, UnpackError> {
    let packed = file.metadata()?.len();
    file.rewind()?;
    inspect(reader(file)?, packed, limits)?;
    file.rewind()?;
    std::fs::create_dir_all(folder)?;
    let mut archive = Archive::new(reader(file)?);
    let keeps_owners = nix::unistd::Uid::effective().is_root();
    archive.set_preserve_mtime(true);
    // Whatever an archive says, no program runs as its file's owner because of it.
    archive.set_preserve_permissions(false);
    archive.set_preserve_ownerships(keeps_owners);
    let (mut unpacked, mut folders) = (Unpacked::default(), Vec::new());
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !may_be_written(&entry, folder)? {
            unpacked.left_out += 1;
            continue;
        }
        unpacked.entries += 1;
        if entry.header().entry_type() == EntryType::Directory {
            let place = folder.join(entry.path()?);
            std::fs::create_dir_all(&place)?;
            folders.push(Folder::read(place, entry.header(), keeps_owners)?);
        } else {
            entry.unpack_in(folder)?;
        }
    }
    // Last, because a folder may be read-only, and its time is that of its last
    // change; the inner ones before the outer ones.
    folders.sort_unstable_by(|a, b| b.path.cmp(&a.path));
    for folder in folders {
        folder.finish()?;
    }
    Ok(unpacked)
}

fn reader(file: &File) -> io::Result<zstd::Decoder<'static, BufReader<&File>>> {
    let mut reader = zstd::Decoder::new(file)?;
    reader.window_log_max(MAX_WINDOW_LOG)?;
    Ok(reader)
}

/// Reads an archive through and writes nothing.
fn inspect(reader: impl Read, packed: u64, limits: Limits) -> Result<(), UnpackError> {
    // Before the first entry is read: even an archive that is skipped has to be unpacked for that.
    limits.check_bytes(packed, 0)?;
    let (mut entries, mut unpacked) = (0, 0_u64);
    let mut archive = Archive::new(reader);
    // Raw, because otherwise names of any length would be read into memory first.
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        entries += 1;
        limits::check_entries(entries)?;
        let size = entry.size();
        unpacked = unpacked
            .saturating_add(HEAD)
            .saturating_add(size.next_multiple_of(HEAD));
        limits.check_bytes(packed, unpacked)?;
        limits::check_path(&entry.path()?)?;
        match entry.header().entry_type() {
            EntryType::GNULongName | EntryType::GNULongLink => {
                // With the zero at its end.
                if size > limits::MAX_PATH_BYTES as u64 + 1 {
                    return Err(Excess::PathBytes.into());
                }
                let mut name = Vec::new();
                entry.read_to_end(&mut name)?;
                let name = name.strip_suffix(&[0]).unwrap_or(&name);
                limits::check_path(Path::new(OsStr::from_bytes(name)))?;
            }
            EntryType::XHeader | EntryType::XGlobalHeader => {
                return Err(UnpackError::Foreign("extended headers"));
            }
            EntryType::GNUSparse => return Err(UnpackError::Foreign("a sparse file")),
            _ => {}
        }
    }
    Ok(())
}

/// A folder whose mode, time and owner are still to be set.
struct Folder {
    path: PathBuf,
    mode: u32,
    modified: SystemTime,
    owner: Option<(u32, u32)>,
}

impl Folder {
    fn read(path: PathBuf, header: &Header, keeps_owners: bool) -> io::Result<Self> {
        let id = |id: u64| u32::try_from(id).map_err(io::Error::other);
        let owner = if keeps_owners {
            Some((id(header.uid()?)?, id(header.gid()?)?))
        } else {
            None
        };
        Ok(Self {
            path,
            mode: header.mode()? & 0o777,
            modified: UNIX_EPOCH
                .checked_add(Duration::from_secs(header.mtime()?))
                .unwrap_or(UNIX_EPOCH),
            owner,
        })
    }

    fn finish(self) -> io::Result<()> {
        // By the open folder, so that nothing that has taken its place is changed.
        let folder = OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_DIRECTORY).bits())
            .open(&self.path)?;
        if let Some((user, group)) = self.owner {
            std::os::unix::fs::fchown(&folder, Some(user), Some(group))?;
        }
        folder.set_modified(self.modified)?;
        folder.set_permissions(Permissions::from_mode(self.mode))
    }
}

fn may_be_written<R: Read>(entry: &Entry<'_, R>, folder: &Path) -> io::Result<bool> {
    let place = entry.path()?;
    if !place
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
        || place.as_os_str().is_empty()
    {
        return Ok(false);
    }
    let leads_through_a_link = |path: &Path| {
        let here = |path: &Path| {
            folder
                .join(path)
                .symlink_metadata()
                .is_ok_and(|metadata| metadata.is_symlink())
        };
        path.ancestors()
            .any(|above| !above.as_os_str().is_empty() && here(above))
    };
    Ok(match entry.header().entry_type() {
        EntryType::Directory => !leads_through_a_link(&place),
        EntryType::Regular => !place.parent().is_some_and(leads_through_a_link),
        EntryType::Symlink => {
            let target = entry.link_name()?;
            !place.parent().is_some_and(leads_through_a_link)
                && target.is_some_and(|target| links::stays_inside(&place, &target))
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    use casting_protocol::report::NotSaved;
    use tar::Builder;
    use tempfile::tempdir;

    use super::*;
    use crate::profile::pack::{Pack, PackError, Packed, pack};

    fn all(folder: &Path) -> Pack {
        Pack {
            folder: folder.to_owned(),
            exclude: Vec::new(),
            limits: LIMITS,
        }
    }

    const LIMITS: Limits = Limits {
        archive_bytes: 4 << 20,
    };

    /// Unpacks an archive.
    fn bring_back(archive: &[u8], folder: &Path) -> Result<Unpacked, UnpackError> {
        let sha256 = HEXLOWER.encode(ring::digest::digest(&SHA256, archive).as_ref());
        let mut file = receive(archive, archive.len() as u64, &sha256)?;
        let limits = Limits {
            archive_bytes: 1 << 30,
        };
        unpack(&mut file, folder, limits)
    }

    fn bytes_of(packed: &Packed) -> Vec<u8> {
        let mut bytes = Vec::new();
        packed
            .from_start()
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .expect("reads");
        bytes
    }

    #[test]
    fn pack_and_unpack_restore_a_folder() {
        let (from, to) = (tempdir().expect("a folder"), tempdir().expect("a folder"));
        fs::create_dir_all(from.path().join("a/closed")).expect("folders");
        fs::write(from.path().join("a/closed/run.sh"), "echo hello").expect("a file");
        fs::set_permissions(
            from.path().join("a/closed/run.sh"),
            fs::Permissions::from_mode(0o750),
        )
        .expect("a mode");
        fs::set_permissions(
            from.path().join("a/closed"),
            fs::Permissions::from_mode(0o500),
        )
        .expect("a mode");
        symlink("closed/run.sh", from.path().join("a/short")).expect("a link");
        symlink("/etc/passwd", from.path().join("out")).expect("a link");
        let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
        fs::create_dir_all(from.path().join(&long).parent().expect("a parent")).expect("a folder");
        fs::write(from.path().join(&long), "long").expect("a file");
        let _socket =
            std::os::unix::net::UnixListener::bind(from.path().join("socket")).expect("a socket");
        let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        fs::File::open(from.path().join("a/closed/run.sh"))
            .and_then(|file| file.set_modified(old))
            .expect("a time");

        let packed = pack(&all(from.path())).expect("packs");
        let unpacked = bring_back(&bytes_of(&packed), to.path()).expect("unpacks");
        assert_eq!(unpacked.left_out, 0);
        let file = fs::metadata(to.path().join("a/short")).expect("by the link");
        assert_eq!(
            (file.permissions().mode() & 0o777, file.mtime()),
            (0o750, 1_000_000)
        );
        assert_eq!(
            fs::metadata(to.path().join("a/closed"))
                .expect("a folder")
                .permissions()
                .mode()
                & 0o777,
            0o500
        );
        assert_eq!(
            fs::read_to_string(to.path().join(long)).expect("a file"),
            "long"
        );
        assert!(!to.path().join("out").is_symlink() && !to.path().join("socket").exists());
        assert_eq!(pack(&all(to.path())).expect("packs").sha256, {
            fs::remove_file(from.path().join("out"))
                .and(fs::remove_file(from.path().join("socket")))
                .expect("removes");
            let times = |path: &Path| fs::metadata(path).expect("there").mtime();
            assert_eq!(times(&from.path().join("a")), times(&to.path().join("a")));
            pack(&all(from.path())).expect("packs").sha256
        });
        for folder in [from.path(), to.path()] {
            fs::set_permissions(folder.join("a/closed"), fs::Permissions::from_mode(0o700))
                .expect("a mode");
        }
    }

    #[test]
    fn excluded_paths_are_skipped_and_oversize_is_refused() {
        let from = tempdir().expect("a folder");
        for place in [
            "keep.txt",
            ".cache/x",
            "Default/Cache/x",
            "Default/Code Cache/x",
            "notes.tmp",
            "deep/notes.tmp",
            "SingletonLock",
        ] {
            let path = from.path().join(place);
            fs::create_dir_all(path.parent().expect("a parent"))
                .and(fs::write(path, "x"))
                .expect("a file");
        }
        let usual = casting_protocol::report::USUAL_EXCLUDE.map(str::to_owned);
        let exclude = usual.into_iter().chain(["**/*.tmp".to_owned()]).collect();
        let packed = pack(&Pack {
            exclude,
            ..all(from.path())
        })
        .expect("packs");
        let mut archive =
            Archive::new(zstd::Decoder::new(packed.from_start().expect("reads")).expect("zstd"));
        let names: Vec<_> = archive
            .entries()
            .expect("tar")
            .map(|entry| entry.expect("whole").path().expect("a path").into_owned())
            .collect();
        let names: Vec<_> = names
            .iter()
            .map(|name| name.to_str().expect("text"))
            .collect();
        assert_eq!(names, ["Default", "deep", "keep.txt"]);
        assert!(matches!(
            pack(&Pack {
                limits: Limits { archive_bytes: 30 },
                ..all(from.path())
            }),
            Err(PackError::Excess(
                Excess::Packed(30) | Excess::Unpacked(300)
            ))
        ));
        assert!(matches!(
            pack(&all(&from.path().join("nowhere"))),
            Err(PackError::Missing)
        ));
    }

    /// An archive that `pack` never makes.
    fn foreign(entries: &[(EntryType, &str, &str)]) -> Vec<u8> {
        let mut tar = Builder::new(zstd::Encoder::new(Vec::new(), 0).expect("zstd"));
        for (kind, place, text) in entries {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o4777);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            // Past what the crate would refuse to write.
            header.as_old_mut().name[..place.len()].copy_from_slice(place.as_bytes());
            let is_link = matches!(kind, EntryType::Symlink | EntryType::Link);
            if is_link {
                header.as_old_mut().linkname[..text.len()].copy_from_slice(text.as_bytes());
            }
            let data: &[u8] = if is_link { &[] } else { text.as_bytes() };
            header.set_size(data.len() as u64);
            header.set_cksum();
            tar.append(&header, data).expect("writes");
        }
        tar.into_inner().expect("tar").finish().expect("zstd")
    }

    #[test]
    fn hostile_archive_writes_nothing_outside_the_folder() {
        use EntryType::{Block, Char, Directory, Fifo, Link, Regular, Symlink};
        let room = tempdir().expect("a folder");
        let folder = room.path().join("deep/profile");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(room.path().join("mine"), "mine").expect("a file");
        fs::set_permissions(room.path(), fs::Permissions::from_mode(0o700)).expect("a mode");
        let above = format!("{}/mine", room.path().display());
        let archive = foreign(&[
            (Regular, "../mine", "theirs"),
            (Regular, "a/../../mine", "theirs"),
            (Regular, &above, "theirs"),
            (Symlink, "up", "../.."),
            (Symlink, "way", &above),
            (Symlink, "around", "inside/../../../mine"),
            (Regular, "up/mine", "theirs"),
            (Directory, "inside", ""),
            (Symlink, "link", "inside"),
            (Regular, "link/through", "theirs"),
            (Directory, "link", ""),
            (Link, "hard", &above),
            (Char, "null", ""),
            (Block, "disk", ""),
            (Fifo, "pipe", ""),
            (Regular, "good", "good"),
        ]);
        let unpacked = bring_back(&archive, &folder).expect("unpacks");
        assert_eq!((unpacked.entries, unpacked.left_out), (4, 12));
        let mut names: Vec<_> = fs::read_dir(&folder)
            .expect("reads")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["good", "inside", "link", "up"]);
        assert_eq!(
            fs::read_to_string(room.path().join("mine")).expect("reads"),
            "mine"
        );
        assert_eq!(fs::read_dir(room.path()).expect("reads").count(), 2);
        assert_eq!(
            fs::metadata(folder.join("good"))
                .expect("there")
                .permissions()
                .mode()
                & 0o7777,
            0o777,
            "no program runs as its owner"
        );
    }

    #[test]
    fn truncated_archive_is_refused() {
        let from = tempdir().expect("a folder");
        let noise: Vec<u8> = (0..100_000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        fs::write(from.path().join("noise"), noise).expect("a file");
        let packed = pack(&all(from.path())).expect("packs");
        let bytes = bytes_of(&packed);
        assert_eq!(packed.bytes, bytes.len() as u64);
        assert!(receive(bytes.as_slice(), packed.bytes, &packed.sha256).is_ok());
        for length in [0, 10, bytes.len() / 2, bytes.len() - 1] {
            let half = receive(&bytes[..length], packed.bytes, &packed.sha256);
            assert!(half.is_err(), "{length} bytes");
            let to = tempdir().expect("a folder");
            assert!(
                bring_back(&bytes[..length], to.path()).is_err(),
                "{length} bytes"
            );
            assert_eq!(
                fs::read_dir(to.path()).expect("reads").count(),
                0,
                "{length} bytes"
            );
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(receive(longer.as_slice(), packed.bytes, &packed.sha256).is_err());
        let mut other = bytes;
        other[50] ^= 1;
        assert!(receive(other.as_slice(), packed.bytes, &packed.sha256).is_err());
    }

    /// An archive with one entry for each head, and so many MiB of zeros after it. Each part is a
    /// frame of its own, because packing a gigabyte takes its time.
    fn archive_of(entries: impl Iterator<Item = (Header, usize)>) -> Vec<u8> {
        let frame = |bytes: &[u8]| zstd::encode_all(bytes, 1).expect("zstd");
        let (mut archive, mut heads) = (Vec::new(), Vec::new());
        let zeros = frame(&vec![0; 1 << 20]);
        for (mut header, mebibytes) in entries {
            header.set_cksum();
            heads.extend_from_slice(header.as_bytes());
            if mebibytes > 0 {
                archive.extend(frame(&std::mem::take(&mut heads)));
                archive.extend(zeros.repeat(mebibytes));
            }
        }
        heads.extend_from_slice(&[0; 1024]);
        archive.extend(frame(&heads));
        archive
    }

    fn head(kind: EntryType, name: &str, size: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(size);
        header
    }

    fn with_long_name(kind: EntryType, name: &str) -> Vec<u8> {
        let mut tar = Builder::new(zstd::Encoder::new(Vec::new(), 1).expect("zstd"));
        let mut header = head(kind, "././@LongLink", name.len() as u64 + 1);
        header.set_cksum();
        tar.append(&header, [name.as_bytes(), &[0]].concat().as_slice())
            .expect("writes");
        let mut header = head(EntryType::Regular, "short", 0);
        header.set_cksum();
        tar.append(&header, io::empty()).expect("writes");
        tar.into_inner().expect("tar").finish().expect("zstd")
    }

    #[test]
    fn hostile_archive_is_refused_before_any_write() {
        use EntryType::{
            Fifo, GNULongLink, GNULongName, GNUSparse, Regular, XGlobalHeader, XHeader,
        };
        const GIB: u64 = 1 << 30;
        let after_good = |kind, name: &str, size, mebibytes| {
            let good = (head(Regular, "good", 0), 0);
            archive_of([good, (head(kind, name, size), mebibytes)].into_iter())
        };
        let many = (0..=limits::MAX_ENTRIES).map(|n| (head(Regular, &format!("{n}"), 0), 0));
        let mut sparse = head(GNUSparse, "sparse", 0);
        let numbers = sparse.as_gnu_mut().expect("GNU");
        numbers.realsize[..11].copy_from_slice(b"77777777777");
        for (name, archive, reason) in [
            (
                "zeros",
                after_good(Regular, "zeros", GIB, 1024),
                "times as large",
            ),
            (
                "zeros that are left out",
                after_good(Fifo, "zeros", GIB, 1024),
                "times as large",
            ),
            (
                "a size that is a lie",
                after_good(Regular, "lie", 1 << 40, 0),
                "unpacked",
            ),
            (
                "the largest size",
                after_good(Regular, "lie", u64::MAX, 0),
                "unpacked",
            ),
            ("empty files", archive_of(many), "250000 files"),
            (
                "deep in a name",
                with_long_name(GNULongName, &"a/".repeat(limits::MAX_DEPTH + 1)),
                "100 deep",
            ),
            (
                "a long name",
                with_long_name(GNULongName, &"a".repeat(limits::MAX_PATH_BYTES + 1)),
                "2048 bytes",
            ),
            (
                "a long link",
                with_long_name(GNULongLink, &"a".repeat(limits::MAX_PATH_BYTES + 1)),
                "2048 bytes",
            ),
            (
                "an endless name",
                after_good(GNULongName, "name", 200 << 20, 200),
                "2048 bytes",
            ),
            (
                "an extended header",
                after_good(XHeader, "pax", 1 << 20, 1),
                "extended",
            ),
            (
                "a global header",
                after_good(XGlobalHeader, "pax", 1 << 20, 1),
                "extended",
            ),
            (
                "a sparse file",
                archive_of([(sparse, 0)].into_iter()),
                "sparse",
            ),
        ] {
            let to = tempdir().expect("a folder");
            assert!(archive.len() < 1 << 20, "{name}: {} bytes", archive.len());
            let refused = bring_back(&archive, to.path()).expect_err(name).to_string();
            assert!(refused.contains(reason), "{name}: {refused}");
            assert_eq!(fs::read_dir(to.path()).expect("reads").count(), 0, "{name}");
        }
    }

    #[test]
    fn archive_with_a_large_window_is_refused() {
        let mut packed = zstd::Encoder::new(Vec::new(), 1).expect("zstd");
        packed.window_log(27).expect("128 MiB");
        packed.write_all(&[0; 1024]).expect("writes");
        let to = tempdir().expect("a folder");
        assert!(bring_back(&packed.finish().expect("zstd"), to.path()).is_err());
    }

    /// What is wrong with a folder, how it comes to be so, and why it is not saved.
    type Case = (&'static str, fn(&Path), NotSaved);

    #[test]
    fn hostile_folder_is_refused_with_a_reason() {
        let cases: [Case; 6] = [
            (
                "a sparse file",
                |folder| {
                    let file = File::create(folder.join("sparse")).expect("a file");
                    file.set_len(1 << 40).expect("a size");
                },
                NotSaved::TooLarge,
            ),
            (
                "zeros",
                |folder| {
                    let file = File::create(folder.join("zeros")).expect("a file");
                    file.set_len(600 << 20).expect("a size");
                },
                NotSaved::TooCompressible,
            ),
            (
                "zeros in pieces",
                |folder| {
                    for n in 0..60 {
                        let file = File::create(folder.join(format!("{n}"))).expect("a file");
                        file.set_len(10 << 20).expect("a size");
                    }
                },
                NotSaved::TooCompressible,
            ),
            (
                "deep folders",
                |folder| {
                    let deep = folder.join("a/".repeat(limits::MAX_DEPTH + 1));
                    fs::create_dir_all(deep).expect("folders");
                },
                NotSaved::TooDeep,
            ),
            (
                "long paths",
                |folder| {
                    let long = folder.join(format!("{}/", "a".repeat(250)).repeat(9));
                    fs::create_dir_all(long).expect("folders");
                },
                NotSaved::TooDeep,
            ),
            (
                "noise",
                |folder| {
                    let mut state = 7_u64;
                    let noise: Vec<u8> = (0..(5 << 20) / 8)
                        .flat_map(|_| {
                            state ^= state << 13;
                            state ^= state >> 7;
                            state ^= state << 17;
                            state.to_le_bytes()
                        })
                        .collect();
                    fs::write(folder.join("noise"), noise).expect("a file");
                },
                NotSaved::TooLarge,
            ),
        ];
        for (name, fill, why) in cases {
            let from = tempdir().expect("a folder");
            fill(from.path());
            // Small for noise, which takes long to make, and large for zeros.
            let archive_bytes = if name == "noise" { 4 << 20 } else { 64 << 20 };
            let refused = pack(&Pack {
                limits: Limits { archive_bytes },
                ..all(from.path())
            })
            .expect_err(name);
            assert_eq!(refused.why(), why, "{name}: {refused}");
        }
    }

    #[test]
    fn packed_archives_satisfy_the_unpack_limits() {
        let (from, to) = (tempdir().expect("a folder"), tempdir().expect("a folder"));
        fs::create_dir_all(from.path().join("a/".repeat(limits::MAX_DEPTH - 1))).expect("folders");
        let file = File::create(from.path().join("empty")).expect("a file");
        file.set_len(200 << 20).expect("a size");
        symlink("a/".repeat(limits::MAX_DEPTH - 1), from.path().join("link")).expect("a link");
        let packed = pack(&Pack {
            limits: Limits {
                archive_bytes: 64 << 20,
            },
            ..all(from.path())
        })
        .expect("packs");
        bring_back(&bytes_of(&packed), to.path()).expect("unpacks");
        let size = fs::metadata(to.path().join("empty")).expect("there").len();
        assert_eq!(size, 200 << 20);
    }
}

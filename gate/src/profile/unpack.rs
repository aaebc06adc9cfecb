//! Owns how an archive becomes a folder. Must not trust the archive: the app whose files it holds may have written it itself.
//!
//! Nothing is written outside of the folder, nothing through a link, and nothing but files, folders and links that stay inside. Whatever else an
//! archive holds is left out, because it is no reason to keep somebody from their files.

use std::io::{self, Read};
use std::path::{Component, Path};

use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};
use tar::{Archive, Entry, EntryType};

use super::links;

/// What came of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of it, in small hexadecimal digits.
    pub sha256: String,
    /// How many of its entries were written.
    pub entries: u64,
    /// How many were left out.
    pub left_out: u64,
}

/// Unpacks an archive into `folder`, over what is there. Modes and times are kept; owners only by root, because nobody else can.
///
/// # Errors
/// When it cannot be read as an archive, or the folder cannot be written.
pub fn unpack(reader: impl Read, folder: &Path) -> io::Result<Unpacked> {
    std::fs::create_dir_all(folder)?;
    let mut source = Source {
        reader,
        hash: Context::new(&SHA256),
        bytes: 0,
    };
    let mut archive = Archive::new(zstd::Decoder::new(&mut source)?);
    archive.set_preserve_mtime(true);
    // Whatever an archive says, no program runs as its file's owner because of it.
    archive.set_preserve_permissions(false);
    archive.set_preserve_ownerships(nix::unistd::Uid::effective().is_root());
    let (mut entries, mut left_out, mut folders) = (0, 0, Vec::new());
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !may_be_written(&entry, folder)? {
            left_out += 1;
            continue;
        }
        entries += 1;
        if entry.header().entry_type() == EntryType::Directory {
            // Last, because a folder may be one that nobody may write in, and its time is that of its last change.
            folders.push(entry);
        } else {
            entry.unpack_in(folder)?;
        }
    }
    folders.sort_by(|a, b| b.path_bytes().cmp(&a.path_bytes()));
    for mut entry in folders {
        entry.unpack_in(folder)?;
    }
    // The checksum is that of every byte, also of what comes after the last entry.
    io::copy(&mut source, &mut io::sink())?;
    Ok(Unpacked {
        bytes: source.bytes,
        sha256: HEXLOWER.encode(source.hash.finish().as_ref()),
        entries,
        left_out,
    })
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

/// What is read, with its size and its checksum.
struct Source<R> {
    reader: R,
    hash: Context,
    bytes: u64,
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.hash.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use tar::{Builder, Header};
    use tempfile::tempdir;

    use super::*;
    use crate::profile::pack::{Pack, PackError, pack};

    fn all(folder: &Path) -> Pack {
        Pack {
            folder: folder.to_owned(),
            exclude: Vec::new(),
            max_bytes: 1 << 20,
        }
    }

    #[test]
    fn a_folder_comes_back_as_it_was() {
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
        let unpacked = unpack(packed.from_start().expect("reads"), to.path()).expect("unpacks");
        assert_eq!(
            (unpacked.bytes, unpacked.sha256, unpacked.left_out),
            (packed.bytes, packed.sha256.clone(), 0)
        );
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
    fn what_is_left_out_is_left_out_and_what_is_too_large_is_not_packed() {
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
        let usual = casting_core::persistent_profile::USUAL_EXCLUDE.map(str::to_owned);
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
                max_bytes: 30,
                ..all(from.path())
            }),
            Err(PackError::TooLarge)
        ));
        assert!(matches!(
            pack(&all(&from.path().join("nowhere"))),
            Err(PackError::Missing)
        ));
    }

    /// An archive as nobody of ours makes it.
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
    fn a_hostile_archive_writes_nothing_outside() {
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
        let unpacked = unpack(archive.as_slice(), &folder).expect("unpacks");
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
    fn half_an_archive_is_none() {
        let from = tempdir().expect("a folder");
        let noise: Vec<u8> = (0..100_000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        fs::write(from.path().join("noise"), noise).expect("a file");
        let packed = pack(&all(from.path())).expect("packs");
        let mut bytes = Vec::new();
        packed
            .from_start()
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .expect("reads");
        for length in [0, 10, bytes.len() / 2, bytes.len() - 1] {
            let to = tempdir().expect("a folder");
            let half = unpack(&bytes[..length], to.path());
            assert!(
                half.is_err() || half.is_ok_and(|half| half.sha256 != packed.sha256),
                "{length} bytes"
            );
        }
    }
}

//! Owns what the archive of a profile must not do.

use std::fs;
use std::io::{Seek, Write};
use std::path::Path;

use casting_gate::profile::{Limits, unpack};

/// The most bytes of an archive.
const ARCHIVE_BYTES: u64 = 64 * 1024;

/// Whatever an archive says, nothing is written outside of its folder, and nothing but files,
/// folders and links that stay inside is written at all. The first byte says whether the rest is a
/// packed archive, or one that is packed here.
pub fn archives(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    let packed = if kind % 4 == 0 {
        rest.to_vec()
    } else {
        zstd::encode_all(rest, 1).expect("memory can be written")
    };
    let around = tempfile::tempdir().expect("a folder");
    let (inside, outside) = (around.path().join("home"), around.path().join("outside"));
    fs::create_dir(&inside).expect("a folder");
    fs::write(&outside, "untouched").expect("a file");
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(&packed).expect("can be written");
    file.rewind().expect("can be read");
    let limits = Limits {
        archive_bytes: ARCHIVE_BYTES,
    };
    let _ = unpack::unpack(&mut file, &inside, limits);
    assert_eq!(
        fs::read_to_string(&outside).expect("is still there"),
        "untouched"
    );
    let beside = fs::read_dir(around.path()).expect("a folder").count();
    assert_eq!(beside, 2, "something was written beside the folder");
    let mut bytes = 0;
    walk(&inside, &inside, &mut bytes);
    assert!(bytes <= ARCHIVE_BYTES * 10, "{bytes} bytes were unpacked");
}

/// Holds that everything below `folder` is a file, a folder, or a link that stays inside `root`.
fn walk(root: &Path, folder: &Path, bytes: &mut u64) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let kind = entry.file_type().expect("a kind");
        if kind.is_dir() {
            walk(root, &entry.path(), bytes);
        } else if kind.is_symlink() {
            let led = fs::canonicalize(entry.path());
            let root = fs::canonicalize(root).expect("is there");
            assert!(
                led.as_ref().is_ok_and(|to| to.starts_with(&root)) || led.is_err(),
                "a link leads outside: {led:?}"
            );
        } else {
            assert!(kind.is_file(), "neither file, folder nor link");
            *bytes += entry.metadata().map_or(0, |about| about.len());
        }
    }
}

//! Owns how a folder becomes an archive: tar in zstd, in a file without a name, which is gone with
//! its process. Must not know where it is sent.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use casting_protocol::report::NotSaved;
use data_encoding::HEXLOWER;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use nix::fcntl::OFlag;
use ring::digest::{Context, SHA256};
use tar::{Builder, EntryType, Header};

use super::limits::{self, Excess, Limits};
use super::links;

/// Fast enough for the smallest tasks.
const LEVEL: i32 = 3;

/// The folder to pack, and the limits.
#[derive(Clone, Debug)]
pub struct Pack {
    /// The folder.
    pub folder: PathBuf,
    /// Patterns of files that are excluded.
    pub exclude: Vec<String>,
    /// How large and how complicated it may be.
    pub limits: Limits,
}

/// A packed folder.
#[derive(Debug)]
pub struct Packed {
    file: File,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of it, in small hexadecimal digits.
    pub sha256: String,
    /// What could not be read: the first few paths.
    pub left_out: Vec<String>,
}

/// So many paths are remembered of what could not be read.
const LEFT_OUT: usize = 5;

impl Packed {
    /// The archive, to be read from its beginning.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn from_start(&self) -> io::Result<File> {
        let mut file = self.file.try_clone()?;
        file.rewind()?;
        Ok(file)
    }
}

/// Why a folder was not packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// There is no such folder.
    #[error("the profile's folder is gone")]
    Missing,
    /// It is over a limit.
    #[error(transparent)]
    Excess(#[from] Excess),
    /// A pattern is none.
    #[error("what is to be left out cannot be read: {0}")]
    Pattern(#[from] globset::Error),
    /// It could not be read, or written.
    #[error("the profile could not be packed: {0}")]
    Io(#[from] io::Error),
}

impl PackError {
    /// The same as it is reported to the control plane.
    pub const fn why(&self) -> NotSaved {
        match self {
            Self::Missing => NotSaved::Missing,
            Self::Excess(excess) => excess.why(),
            Self::Pattern(_) | Self::Io(_) => NotSaved::Failed,
        }
    }
}

/// Packs a folder: files, folders, and links that stay inside; anything else has no meaning
/// elsewhere.
///
/// # Errors
/// As [`PackError`] says.
pub fn pack(what: &Pack) -> Result<Packed, PackError> {
    if !what.folder.is_dir() {
        return Err(PackError::Missing);
    }
    let exclude = patterns(&what.exclude)?;
    let sink = Sink {
        file: tempfile::tempfile()?,
        hash: Context::new(&SHA256),
        bytes: 0,
    };
    let content = Content {
        encoder: zstd::Encoder::new(sink, LEVEL)?,
        bytes: 0,
        limits: what.limits,
    };
    let mut packing = Packing {
        tar: Builder::new(content),
        root: &what.folder,
        exclude: &exclude,
        entries: 0,
        limits: what.limits,
        left_out: Vec::new(),
    };
    packing.add_folder(Path::new(""))?;
    let left_out = std::mem::take(&mut packing.left_out);
    let content = packing.tar.into_inner()?;
    let unpacked = content.bytes;
    let mut sink = content.encoder.finish()?;
    sink.flush()?;
    what.limits.check_bytes(sink.bytes, unpacked)?;
    Ok(Packed {
        file: sink.file,
        bytes: sink.bytes,
        sha256: HEXLOWER.encode(sink.hash.finish().as_ref()),
        left_out,
    })
}

fn patterns(exclude: &[String]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in exclude {
        set.add(GlobBuilder::new(pattern).literal_separator(true).build()?);
    }
    set.build()
}

/// An archive in the making.
struct Packing<'a> {
    tar: Builder<Content>,
    root: &'a Path,
    exclude: &'a GlobSet,
    entries: u64,
    limits: Limits,
    left_out: Vec<String>,
}

impl Packing<'_> {
    /// Adds what is in a folder, by name, so that the same files make the same archive.
    fn add_folder(&mut self, folder: &Path) -> Result<(), PackError> {
        let Some(entries) = self.if_readable(folder, fs::read_dir(self.root.join(folder)))? else {
            return Ok(());
        };
        let mut names: Vec<OsString> = Vec::new();
        for entry in entries {
            names.push(entry?.file_name());
            limits::check_entries(self.entries + names.len() as u64)?;
        }
        names.sort_unstable();
        for name in names {
            self.add(&folder.join(name))?;
        }
        Ok(())
    }

    fn add(&mut self, place: &Path) -> Result<(), PackError> {
        if self.exclude.is_match(place) {
            return Ok(());
        }
        let path = self.root.join(place);
        let Some(metadata) = self.if_readable(place, fs::symlink_metadata(&path))? else {
            return Ok(());
        };
        if metadata.is_dir() {
            self.count(place)?;
            let mut header = header(&metadata, EntryType::Directory, 0);
            self.append(&mut header, place, io::empty())?;
            self.add_folder(place)?;
        } else if metadata.is_symlink() {
            let target = fs::read_link(&path)?;
            if links::stays_inside(place, &target) {
                self.count(place)?;
                limits::check_path(&target)?;
                let mut header = header(&metadata, EntryType::Symlink, 0);
                let appended = self.tar.append_link(&mut header, place, &target);
                self.judge(appended)?;
            }
        } else if metadata.is_file() {
            let Some((file, metadata)) = self.if_readable(place, open(&path))? else {
                return Ok(());
            };
            self.count(place)?;
            let size = metadata.len();
            // A sparse file may say that it is larger than any disk.
            let content = self.tar.get_ref().bytes.saturating_add(size);
            self.limits
                .check_bytes(self.limits.archive_bytes, content)?;
            // Whatever still writes to it: what follows in the archive begins where its head says.
            let whole = file.take(size).chain(io::repeat(0)).take(size);
            self.append(
                &mut header(&metadata, EntryType::Regular, size),
                place,
                whole,
            )?;
        }
        Ok(())
    }

    /// What has been removed meanwhile is left out, and so is what the gate's user cannot read; the
    /// latter is reported.
    fn if_readable<T>(&mut self, place: &Path, read: io::Result<T>) -> io::Result<Option<T>> {
        let error = match read {
            Ok(read) => return Ok(Some(read)),
            Err(error) => error,
        };
        match error.kind() {
            io::ErrorKind::NotFound => {}
            io::ErrorKind::PermissionDenied => {
                if self.left_out.len() < LEFT_OUT {
                    self.left_out.push(place.to_string_lossy().into_owned());
                }
            }
            _ => return Err(error),
        }
        tracing::warn!(%error, "The profile is saved without {}", place.display());
        Ok(None)
    }

    fn count(&mut self, place: &Path) -> Result<(), Excess> {
        self.entries += 1;
        limits::check_entries(self.entries)?;
        limits::check_path(place)
    }

    fn append(
        &mut self,
        header: &mut Header,
        place: &Path,
        content: impl Read,
    ) -> Result<(), PackError> {
        let appended = self.tar.append_data(header, place, content);
        self.judge(appended)
    }

    /// An error of writing is a limit's, if one was reached.
    fn judge(&self, appended: io::Result<()>) -> Result<(), PackError> {
        self.tar.get_ref().check()?;
        Ok(appended?)
    }
}

fn header(metadata: &Metadata, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_metadata(metadata);
    header.set_entry_type(kind);
    header.set_size(size);
    header
}

/// Opens a file, and nothing that has taken its place since: neither a link nor a pipe without a
/// writer.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok((file, metadata))
    } else {
        Err(io::Error::from(io::ErrorKind::NotFound))
    }
}

/// What is packed, on its way to be compressed. Counts, and stops at the limits.
struct Content {
    encoder: zstd::Encoder<'static, Sink>,
    bytes: u64,
    limits: Limits,
}

/// What the compressor may hold back before it is written, in bytes.
const HELD_BACK: u64 = 4 << 20;

impl Content {
    fn check(&self) -> Result<(), Excess> {
        let packed = self.encoder.get_ref().bytes;
        self.limits.check_bytes(packed, 0)?;
        // What is held back may still bring it into proportion; the end tells.
        let most = packed
            .saturating_add(HELD_BACK)
            .min(self.limits.archive_bytes);
        self.limits.check_bytes(most, self.bytes)
    }
}

impl Write for Content {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.encoder.write(buffer)?;
        self.bytes += written as u64;
        self.check().map_err(io::Error::other)?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encoder.flush()
    }
}

/// A file that knows its size and its checksum.
struct Sink {
    file: File,
    hash: Context,
    bytes: u64,
}

impl Write for Sink {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buffer)?;
        self.hash.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

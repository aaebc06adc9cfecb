//! Owns how a folder becomes an archive: tar in zstd, in a file without a name, which is gone with its process. Must not know where it is sent.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use casting_core::NotSaved;
use data_encoding::HEXLOWER;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use ring::digest::{Context, SHA256};
use tar::{Builder, EntryType, Header};

use super::links;

/// Fast enough for the smallest tasks.
const LEVEL: i32 = 3;

/// What is to be packed.
#[derive(Clone, Debug)]
pub struct Pack {
    /// The folder.
    pub folder: PathBuf,
    /// What of it is left out, as patterns.
    pub exclude: Vec<String>,
    /// How large the archive may be.
    pub max_bytes: u64,
}

/// A packed folder.
#[derive(Debug)]
pub struct Packed {
    file: File,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of it, in small hexadecimal digits.
    pub sha256: String,
}

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
    /// The archive would be too large.
    #[error("the profile is larger than its image allows")]
    TooLarge,
    /// A pattern is none.
    #[error("what is to be left out cannot be read: {0}")]
    Pattern(#[from] globset::Error),
    /// It could not be read, or written.
    #[error("the profile could not be packed: {0}")]
    Io(#[from] io::Error),
}

impl PackError {
    /// The same as the control plane is told it.
    pub const fn why(&self) -> NotSaved {
        match self {
            Self::Missing => NotSaved::Missing,
            Self::TooLarge => NotSaved::TooLarge,
            Self::Pattern(_) | Self::Io(_) => NotSaved::Failed,
        }
    }
}

/// Packs a folder: files, folders, and links that stay inside; what else there is means nothing elsewhere.
///
/// # Errors
/// As [`PackError`] says.
pub fn pack(what: &Pack) -> Result<Packed, PackError> {
    if !what.folder.is_dir() {
        return Err(PackError::Missing);
    }
    let exclude = patterns(&what.exclude)?;
    let mut sink = Sink {
        file: tempfile::tempfile()?,
        hash: Context::new(&SHA256),
        bytes: 0,
        most: what.max_bytes,
        is_full: false,
    };
    let packed = pack_into(&mut sink, &what.folder, &exclude);
    if sink.is_full {
        return Err(PackError::TooLarge);
    }
    packed?;
    Ok(Packed {
        file: sink.file,
        bytes: sink.bytes,
        sha256: HEXLOWER.encode(sink.hash.finish().as_ref()),
    })
}

fn patterns(exclude: &[String]) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in exclude {
        set.add(GlobBuilder::new(pattern).literal_separator(true).build()?);
    }
    set.build()
}

fn pack_into(sink: &mut Sink, folder: &Path, exclude: &GlobSet) -> io::Result<()> {
    let mut tar = Builder::new(zstd::Encoder::new(sink, LEVEL)?);
    add_folder(&mut tar, folder, Path::new(""), exclude)?;
    tar.into_inner()?.finish()?.flush()
}

/// Adds what is in a folder, by name, so that the same files make the same archive.
fn add_folder<W: Write>(
    tar: &mut Builder<W>,
    root: &Path,
    place: &Path,
    exclude: &GlobSet,
) -> io::Result<()> {
    let Some(entries) = if_readable(place, fs::read_dir(root.join(place)))? else {
        return Ok(());
    };
    let mut names: Vec<_> = entries
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<io::Result<_>>()?;
    names.sort_unstable();
    for name in names {
        let place = place.join(name);
        if exclude.is_match(&place) {
            continue;
        }
        let path = root.join(&place);
        let Some(metadata) = if_readable(&place, fs::symlink_metadata(&path))? else {
            continue;
        };
        if metadata.is_dir() {
            let mut header = header(&metadata, EntryType::Directory, 0);
            tar.append_data(&mut header, &place, io::empty())?;
            add_folder(tar, root, &place, exclude)?;
        } else if metadata.is_symlink() {
            let target = fs::read_link(&path)?;
            if links::stays_inside(&place, &target) {
                tar.append_link(
                    &mut header(&metadata, EntryType::Symlink, 0),
                    &place,
                    &target,
                )?;
            }
        } else if metadata.is_file() {
            let Some(file) = if_readable(&place, File::open(&path))? else {
                continue;
            };
            let size = metadata.len();
            // Whatever still writes to it: what follows in the archive begins where its head says.
            let whole = file.take(size).chain(io::repeat(0)).take(size);
            tar.append_data(
                &mut header(&metadata, EntryType::Regular, size),
                &place,
                whole,
            )?;
        }
    }
    Ok(())
}

fn header(metadata: &Metadata, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_metadata(metadata);
    header.set_entry_type(kind);
    header.set_size(size);
    header
}

/// What went away meanwhile is left out, and so is what the app's own user cannot read.
fn if_readable<T>(place: &Path, read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
            ) =>
        {
            tracing::warn!(%error, "The profile is saved without {}", place.display());
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A file that knows its size and its checksum, and when it is full.
struct Sink {
    file: File,
    hash: Context,
    bytes: u64,
    most: u64,
    is_full: bool,
}

impl Write for Sink {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.bytes + buffer.len() as u64 > self.most {
            self.is_full = true;
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        let written = self.file.write(buffer)?;
        self.hash.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

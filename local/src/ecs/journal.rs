//! Owns what survives a restart: a file of JSON lines, appended to at every change and rewritten
//! now and then. Must not know what a change means.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::definitions::Definition;
use super::task::{Progress, Task};

/// A file that grew to this many bytes may be rewritten.
const BLOATED_BYTES: u64 = 16 << 20;

/// A line to write.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line<'a> {
    Definition(&'a Definition),
    Task(&'a Task),
    Progress {
        arn: &'a str,
        progress: &'a Progress,
    },
}

/// A line that was read; its form is that of [`Line`].
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum OwnedLine {
    Definition(Box<Definition>),
    Task(Box<Task>),
    Progress {
        arn: String,
        progress: Box<Progress>,
    },
}

impl Line<'_> {
    /// The line in one piece, so that one write takes it: a process that is killed leaves whole
    /// lines.
    fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

type Definitions = BTreeMap<String, BTreeMap<u32, Definition>>;

/// An open journal.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
    bytes_at_first: u64,
}

impl Journal {
    /// Reads what an earlier run left. A line that cannot be read is left out: the last one may be
    /// torn.
    pub(super) fn read(path: &Path) -> Result<(Definitions, BTreeMap<String, Task>)> {
        let (mut definitions, mut tasks) = (Definitions::new(), BTreeMap::new());
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok((definitions, tasks));
            }
            Err(error) => {
                return Err(error).with_context(|| format!("Cannot read {}.", path.display()));
            }
        };
        for line in BufReader::new(file).split(b'\n') {
            let line = line.with_context(|| format!("Cannot read {}.", path.display()))?;
            match serde_json::from_slice(&line) {
                Ok(OwnedLine::Definition(definition)) => {
                    definitions
                        .entry(definition.family.clone())
                        .or_default()
                        .insert(definition.revision, *definition);
                }
                Ok(OwnedLine::Task(task)) => {
                    tasks.insert(task.arn.clone(), *task);
                }
                Ok(OwnedLine::Progress { arn, progress }) => {
                    if let Some(task) = tasks.get_mut(&arn) {
                        task.progress = *progress;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "Left out a line of {} that cannot be read", path.display());
                }
            }
        }
        Ok((definitions, tasks))
    }

    /// Replaces the file by these lines, wholly or not at all, and goes on appending to it.
    pub(super) fn write<'a>(path: &Path, lines: impl Iterator<Item = Line<'a>>) -> Result<Self> {
        let draft = path.with_extension("new");
        let write = || -> io::Result<Self> {
            // The environments of tasks hold secrets of their sessions.
            let mut options = File::options();
            options.create(true).truncate(true).write(true);
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let (mut writer, mut bytes) = (BufWriter::new(options.open(&draft)?), 0);
            for line in lines {
                let line = line.to_bytes()?;
                bytes += line.len() as u64;
                writer.write_all(&line)?;
            }
            let file = writer
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?;
            file.sync_all()?;
            fs::rename(&draft, path)?;
            Ok(Self {
                path: path.to_owned(),
                file,
                bytes,
                bytes_at_first: bytes,
            })
        };
        write().with_context(|| format!("Cannot write {}.", path.display()))
    }

    /// Adds a line. It is not forced to the disk: if the machine goes down, so do the tasks.
    pub(super) fn append(&mut self, line: &Line<'_>) -> io::Result<()> {
        let bytes = line.to_bytes()?;
        self.bytes += bytes.len() as u64;
        self.file.write_all(&bytes)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether most of it is likely to be of the past.
    pub(super) fn is_bloated(&self) -> bool {
        self.bytes > BLOATED_BYTES && self.bytes > 4 * self.bytes_at_first
    }
}

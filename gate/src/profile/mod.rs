//! Owns the profile of the gate's session: brings the user's files back before the app starts, and
//! saves them after it has ended. Must not know where archives are kept: the control plane names a
//! URL for each.
//!
//! A session that cannot get its files is never started with an empty folder: what it saved at its
//! end would take their place.

mod limits;
mod links;
pub mod pack;
pub mod unpack;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use casting_protocol::report::{Download, NotSaved, ProfileDirectives, ProfileReport, Upload};
use futures_util::TryStreamExt;
use reqwest::{Body, Client, Response, StatusCode};
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::io::{ReaderStream, StreamReader, SyncIoBridge};

use crate::report::Reporter;
use limits::Excess;
pub use limits::Limits;
use pack::{Pack, Packed};
use unpack::UnpackError;

/// How long it may take to bring the files back.
const RESTORE_WITHIN: Duration = Duration::from_secs(150);
/// How long saving may take. ECS kills a container two minutes after it has asked it to end, and
/// the app has had some of them.
const SAVE_WITHIN: Duration = Duration::from_secs(100);
/// The pause before something is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// A profile that was brought back, to be saved at the end.
pub struct ProfileSync {
    folder: PathBuf,
    client: Client,
    reporter: Arc<Reporter>,
    directives: ProfileDirectives,
}

impl ProfileSync {
    /// Brings the files back into `folder`.
    ///
    /// # Errors
    /// When that does not come about in time. The folder may then hold anything, and no app must be
    /// started.
    pub async fn restore(folder: &Path, reporter: Arc<Reporter>) -> anyhow::Result<Self> {
        let client = crate::report::client(|builder| {
            builder
                .connect_timeout(Duration::from_secs(5))
                .read_timeout(Duration::from_secs(30))
        })?;
        let until = Instant::now() + RESTORE_WITHIN;
        loop {
            let tried = timeout_at(until, try_to_restore(folder, &client, &reporter))
                .await
                .context("it took too long");
            match tried? {
                Ok(directives) => {
                    return Ok(Self {
                        folder: folder.to_owned(),
                        client,
                        reporter,
                        directives,
                    });
                }
                Err(ProfileError::Final(error)) => {
                    if let Some(excess) = error.downcast_ref::<Excess>() {
                        let report = ProfileReport::NotSaved { why: excess.why() };
                        let _ = tokio::time::timeout(PAUSE * 3, reporter.profile(&report)).await;
                    }
                    return Err(error);
                }
                Err(ProfileError::Transient(error)) => {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "The profile could not be brought back; it is tried again"
                    );
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Saves the files. If that fails, the previous archive stays, and the control plane gets the
    /// reason.
    pub async fn save(self) {
        let until = Instant::now() + SAVE_WITHIN;
        let outcome = timeout_at(until, self.try_to_save(until)).await;
        let why = match outcome {
            Ok(Ok(bytes)) => {
                tracing::info!(bytes, "The profile was saved");
                return;
            }
            Ok(Err(why)) => why,
            Err(_) => {
                tracing::warn!("The profile could not be saved in time");
                NotSaved::Failed
            }
        };
        let _ = tokio::time::timeout(
            PAUSE * 3,
            self.reporter.profile(&ProfileReport::NotSaved { why }),
        )
        .await;
    }

    async fn try_to_save(&self, until: Instant) -> Result<u64, NotSaved> {
        let pack = Pack {
            folder: self.folder.clone(),
            exclude: self.directives.exclude.clone(),
            limits: Limits {
                archive_bytes: self.directives.max_bytes,
            },
        };
        let packed = tokio::task::spawn_blocking(move || pack::pack(&pack))
            .await
            .map_err(|_| NotSaved::Failed)?;
        let packed = packed.map_err(|error| {
            tracing::warn!(error = format!("{error:#}"), "The profile was not saved");
            error.why()
        })?;
        while Instant::now() < until {
            match self.send(&packed).await {
                Ok(()) => return Ok(packed.bytes),
                Err(ProfileError::Final(error)) => {
                    tracing::warn!(error = format!("{error:#}"), "The profile was not saved");
                    return Err(NotSaved::Failed);
                }
                Err(ProfileError::Transient(error)) => {
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "The profile could not be sent; it is tried again"
                    );
                    sleep(PAUSE).await;
                }
            }
        }
        Err(NotSaved::Failed)
    }

    async fn send(&self, packed: &Packed) -> Result<(), ProfileError> {
        let (bytes, sha256) = (packed.bytes, packed.sha256.clone());
        let directives = self
            .reporter
            .profile(&ProfileReport::Save {
                bytes,
                sha256: sha256.clone(),
            })
            .await?;
        if let Some(upload) = directives.and_then(|directives| directives.upload) {
            self.upload(&upload, packed)
                .await
                .map_err(ProfileError::Transient)?;
        }
        self.reporter
            .profile(&ProfileReport::Saved {
                bytes,
                sha256,
                left_out: packed.left_out.clone(),
            })
            .await?;
        Ok(())
    }

    async fn upload(&self, upload: &Upload, packed: &Packed) -> anyhow::Result<()> {
        let mut request = self.client.put(&upload.url);
        for (name, value) in &upload.headers {
            request = request.header(name, value);
        }
        let file = tokio::fs::File::from_std(packed.from_start()?);
        let sent = request
            .body(Body::wrap_stream(ReaderStream::with_capacity(
                file,
                256 * 1024,
            )))
            .send()
            .await;
        let answer = sent.map_err(reqwest::Error::without_url)?;
        if answer.status().is_success() {
            Ok(())
        } else {
            bail!("the archive was answered with {}", answer.status())
        }
    }
}

/// Why a transfer failed.
#[derive(Debug)]
pub enum ProfileError {
    /// Trying again may help.
    Transient(anyhow::Error),
    /// It does not.
    Final(anyhow::Error),
}

async fn try_to_restore(
    folder: &Path,
    client: &Client,
    reporter: &Reporter,
) -> Result<ProfileDirectives, ProfileError> {
    let directives = reporter.profile(&ProfileReport::Restore).await?;
    let directives = directives.ok_or_else(|| {
        ProfileError::Transient(anyhow::anyhow!(
            "the control plane said nothing of the profile"
        ))
    })?;
    match &directives.archive {
        Some(archive) => {
            // An archive of before the image's limit was lowered still holds.
            let limits = Limits {
                archive_bytes: directives.max_bytes.max(archive.bytes),
            };
            fetch(folder, client, archive, limits).await?;
        }
        None => std::fs::create_dir_all(folder)
            .context("the profile's folder cannot be made")
            .map_err(ProfileError::Final)?,
    }
    Ok(directives)
}

/// Takes the archive in and unpacks it.
async fn fetch(
    folder: &Path,
    client: &Client,
    archive: &Download,
    limits: Limits,
) -> Result<(), ProfileError> {
    let answer = client
        .get(&archive.url)
        .send()
        .await
        .map_err(|error| ProfileError::Transient(error.without_url().into()))?;
    match answer.status() {
        StatusCode::NOT_FOUND => Err(ProfileError::Final(anyhow::anyhow!(
            "the archive is not there any more"
        ))),
        status if !status.is_success() => Err(ProfileError::Transient(anyhow::anyhow!(
            "the archive was answered with {status}"
        ))),
        _ => unpack_answer(folder, answer, archive, limits).await,
    }
}

async fn unpack_answer(
    folder: &Path,
    answer: Response,
    archive: &Download,
    limits: Limits,
) -> Result<(), ProfileError> {
    let stream = answer
        .bytes_stream()
        .map_err(|error| std::io::Error::other(error.without_url()));
    let (folder, reader) = (folder.to_owned(), StreamReader::new(stream));
    let (bytes, sha256) = (archive.bytes, archive.sha256.clone());
    let unpacking = tokio::task::spawn_blocking(move || {
        let received = unpack::receive(SyncIoBridge::new(reader), bytes, &sha256);
        let mut file = received.map_err(|error| ProfileError::Transient(error.into()))?;
        // From here on, another try finds the same.
        unpack::unpack(&mut file, &folder, limits).map_err(|error| {
            ProfileError::Final(match error {
                UnpackError::Excess(excess) => excess.into(),
                error => error.into(),
            })
        })
    });
    let unpacked = unpacking
        .await
        .map_err(|error| ProfileError::Transient(error.into()))??;
    tracing::info!(
        bytes,
        entries = unpacked.entries,
        left_out = unpacked.left_out,
        "The profile was brought back"
    );
    Ok(())
}

//! Owns the S3 endpoint of one machine: one bucket, kept in a folder. Signatures are checked as S3 checks them. Must not know what is kept.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;

/// The bucket for the archives of profiles.
pub const BUCKET: &str = "profiles";
/// The folder in the data folder that holds buckets.
pub const FOLDER: &str = "s3";
/// What requests are signed with: see `AwsSettings::local`.
const CREDENTIALS: &str = "local";

/// Answers as S3 does, from the folder [`FOLDER`] below `root`.
///
/// # Errors
/// When the folder cannot be made.
pub fn router(root: &Path) -> Result<Router> {
    let folder = folder(root);
    std::fs::create_dir_all(folder.join(BUCKET))
        .with_context(|| format!("Cannot make the folder {}.", folder.display()))?;
    let files = FileSystem::new(&folder)
        .map_err(|error| anyhow!("Cannot use the folder {}: {error:?}.", folder.display()))?;
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single(CREDENTIALS, CREDENTIALS));
    let service = service.build();
    Ok(Router::new().fallback(move |request| answer(service.clone(), request)))
}

/// Answers on a task of its own: S3 keeps what has come whole also when whoever sent it is gone by then, and so does this.
async fn answer(
    service: S3Service,
    request: Request<Body>,
) -> Result<Response<s3s::Body>, StatusCode> {
    let answered =
        tokio::spawn(async move { service.call(request.map(s3s::Body::http_body_unsync)).await })
            .await;
    answered
        .map_err(|error| error.to_string())
        .and_then(|reply| reply.map_err(|error| format!("{error:?}")))
        .map_err(|error| {
            tracing::error!(error, "The S3 endpoint failed");
            StatusCode::INTERNAL_SERVER_ERROR
        })
}

fn folder(root: &Path) -> PathBuf {
    root.join(FOLDER)
}

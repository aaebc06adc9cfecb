//! Owns the S3 endpoint of one machine: one bucket, kept in a folder. It answers requests that are
//! signed in their URLs, as gates send them, and no others. Must not know what is kept.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode};
use axum::response::IntoResponse;
use casting_core::ids::{Entropy, random_bytes};
use data_encoding::HEXLOWER;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;

/// The bucket for the archives of profiles.
pub const BUCKET: &str = "profiles";
/// The folder in the data folder that holds buckets.
pub const FOLDER: &str = "s3";
/// The query parameter with the signature of a presigned URL.
const SIGNATURE: &str = "X-Amz-Signature=";

/// The key that signs requests to the endpoint. It is generated at each start and kept in memory
/// only.
#[derive(Clone)]
pub struct AccessKey {
    /// Its public name.
    pub id: String,
    /// Its secret.
    pub secret: String,
}

impl AccessKey {
    /// A new key of 256 random bits.
    pub fn random(entropy: &dyn Entropy) -> Self {
        Self {
            id: HEXLOWER.encode(&random_bytes(entropy)),
            secret: HEXLOWER.encode(&[random_bytes(entropy), random_bytes(entropy)].concat()),
        }
    }
}

/// Answers as S3 does, from the folder [`FOLDER`] below `root`, requests that are signed with
/// `key`.
///
/// # Errors
/// When the folder cannot be made.
pub fn router(root: &Path, key: &AccessKey) -> Result<Router> {
    let folder = folder(root);
    std::fs::create_dir_all(folder.join(BUCKET))
        .with_context(|| format!("Cannot make the folder {}.", folder.display()))?;
    let files = FileSystem::new(&folder)
        .map_err(|error| anyhow!("Cannot use the folder {}: {error:?}.", folder.display()))?;
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single(key.id.clone(), key.secret.as_str()));
    let service = service.build();
    Ok(Router::new().fallback(async move |request: Request<Body>| {
        if is_presigned(&request) {
            answer(service.clone(), request).await.into_response()
        } else {
            StatusCode::FORBIDDEN.into_response()
        }
    }))
}

/// Whether this is a request for an object of the bucket, with a signature in its URL. Everything
/// else that S3 has (lists, forms, signatures in headers) is not needed here, and stays closed.
fn is_presigned(request: &Request<Body>) -> bool {
    let is_method =
        [Method::GET, Method::HEAD, Method::PUT, Method::DELETE].contains(request.method());
    let object = request
        .uri()
        .path()
        .strip_prefix('/')
        .and_then(|path| path.strip_prefix(BUCKET))
        .and_then(|path| path.strip_prefix('/'));
    let query = request.uri().query().unwrap_or_default();
    is_method
        && object.is_some_and(|object| !object.is_empty())
        && query.split('&').any(|pair| pair.starts_with(SIGNATURE))
}

/// Answers on a task of its own: S3 keeps what has arrived whole even if the client is gone by
/// then.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_signed_urls_of_objects_reach_s3() {
        for (name, method, uri, passes) in [
            (
                "an object",
                Method::GET,
                "/profiles/a/b?X-Amz-Signature=1",
                true,
            ),
            (
                "an upload",
                Method::PUT,
                "/profiles/a?x=1&X-Amz-Signature=1",
                true,
            ),
            ("unsigned", Method::GET, "/profiles/a/b", false),
            (
                "a list of buckets",
                Method::GET,
                "/?X-Amz-Signature=1",
                false,
            ),
            (
                "a list of objects",
                Method::GET,
                "/profiles/?X-Amz-Signature=1",
                false,
            ),
            (
                "the bucket",
                Method::DELETE,
                "/profiles?X-Amz-Signature=1",
                false,
            ),
            (
                "another bucket",
                Method::GET,
                "/other/a?X-Amz-Signature=1",
                false,
            ),
            (
                "a form",
                Method::POST,
                "/profiles/a?X-Amz-Signature=1",
                false,
            ),
            (
                "a preflight",
                Method::OPTIONS,
                "/profiles/a?X-Amz-Signature=1",
                false,
            ),
        ] {
            let request = Request::builder()
                .method(method)
                .uri(uri)
                .body(Body::empty());
            assert_eq!(is_presigned(&request.expect("a request")), passes, "{name}");
        }
    }
}

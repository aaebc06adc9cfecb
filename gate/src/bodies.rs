//! Owns bodies that end early: when their sender or receiver has lost access, or when nothing
//! arrives. Must not know why access was lost.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

type Until = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A body that breaks off.
pub struct Breakable<K> {
    body: Body,
    until: Option<Until>,
    stalls: Option<(Duration, Pin<Box<Sleep>>)>,
    _kept: K,
}

/// The body, until `until` comes to pass; `kept` is dropped with it.
pub fn until<K: Send + Unpin + 'static>(
    body: Body,
    until: impl Future<Output = ()> + Send + 'static,
    kept: K,
) -> Body {
    Body::new(Breakable {
        body,
        until: Some(Box::pin(until)),
        stalls: None,
        _kept: kept,
    })
}

/// The body, as long as each piece comes within `patience`.
pub fn unless_it_stalls(body: Body, patience: Duration) -> Body {
    if body.is_end_stream() {
        return body;
    }
    Body::new(Breakable {
        body,
        until: None,
        stalls: Some((patience, Box::pin(sleep(patience)))),
        _kept: (),
    })
}

/// Whether a body is certain to be empty.
pub fn is_empty(body: &Body) -> bool {
    body.size_hint().exact() == Some(0)
}

impl<K: Unpin> HttpBody for Breakable<K> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if let Some(until) = &mut this.until
            && until.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Some(Err(axum::Error::new(BrokenOff))));
        }
        let frame = Pin::new(&mut this.body).poll_frame(context);
        if let Some((patience, stalled)) = &mut this.stalls {
            if frame.is_ready() {
                stalled.as_mut().reset(Instant::now() + *patience);
            } else if stalled.as_mut().poll(context).is_ready() {
                return Poll::Ready(Some(Err(axum::Error::new(BrokenOff))));
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the body was broken off")]
struct BrokenOff;

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::sync::oneshot;

    use super::*;

    fn endless() -> Body {
        Body::from_stream(futures_util::stream::pending::<Result<Bytes, BrokenOff>>())
    }

    #[tokio::test(start_paused = true)]
    async fn stalled_body_times_out() {
        let began = Instant::now();
        let body = unless_it_stalls(endless(), Duration::from_secs(60));
        assert!(body.collect().await.is_err());
        assert_eq!(began.elapsed().as_secs(), 60);
        let whole = unless_it_stalls(Body::from("hello"), Duration::from_secs(60));
        assert_eq!(whole.size_hint().exact(), Some(5), "its length stays known");
        let whole = whole.collect().await.expect("whole").to_bytes();
        assert_eq!(whole, "hello");
    }

    #[tokio::test]
    async fn body_ends_with_its_guard_and_releases_it() {
        let (out, is_out) = oneshot::channel::<()>();
        let (kept, mut let_go) = oneshot::channel::<()>();
        let body = until(
            endless(),
            async {
                let _ = is_out.await;
            },
            kept,
        );
        out.send(()).expect("still there");
        assert!(body.collect().await.is_err());
        assert!(
            let_go
                .try_recv()
                .is_err_and(|error| error == oneshot::error::TryRecvError::Closed)
        );
    }
}

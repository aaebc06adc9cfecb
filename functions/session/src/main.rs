//! Boots the session function.

use lambda_http::{Error, Request, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let control = casting_boot::start().await?;
    let control = &control;
    run(service_fn(async move |request: Request| Ok::<_, Error>(casting_fn_session::handle(control, request).await))).await
}

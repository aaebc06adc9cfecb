//! Boots the admin function.

use std::convert::Infallible;

use lambda_http::{Error, Request, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let control = casting_boot::start().await?;
    let control = &control;
    run(service_fn(async move |request: Request| Ok::<_, Infallible>(casting_fn_admin::handle(control, request).await))).await
}

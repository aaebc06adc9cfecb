//! Boots the admin function.

use std::convert::Infallible;

use casting_web::{TrustedProxy, event};
use lambda_http::{Error, Request, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut control = casting_boot::start_calling_out().await?;
    control.login_reader = casting_boot::login_reader().await?;
    let hop = &casting_boot::trusted_hop()
        .await?
        .map(|(header, proof)| TrustedProxy { header, proof });
    let control = &control;
    event::run(service_fn(async move |request: Request| {
        Ok::<_, Infallible>(
            casting_fn_admin::handle(control, TrustedProxy::on(hop.as_ref(), request)).await,
        )
    }))
    .await
}

//! Boots the auth function.

use casting_identity::oidc::Oidc;
use casting_web::{TrustedProxy, event};
use lambda_http::{Error, Request, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let control = casting_boot::start().await?;
    let oidc = casting_boot::login_settings()
        .await?
        .map(Oidc::new)
        .transpose()?;
    let hop = &casting_boot::trusted_hop()
        .await?
        .map(|(header, proof)| TrustedProxy { header, proof });
    let both = &(control, oidc);
    event::run(service_fn(async move |request: Request| {
        Ok::<_, Error>(
            casting_fn_auth::handle(
                &both.0,
                both.1.as_ref(),
                TrustedProxy::on(hop.as_ref(), request),
            )
            .await,
        )
    }))
    .await
}

//! Boots the error function.

use casting_boot::SystemEntropy;
use casting_web::event;
use lambda_http::{Error, Request, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    casting_boot::log::to_stdout_as_json(None, None);
    let entropy = &SystemEntropy::new();
    event::run(service_fn(async move |request: Request| {
        Ok::<_, Error>(casting_fn_error::handle(entropy, &request))
    }))
    .await
}

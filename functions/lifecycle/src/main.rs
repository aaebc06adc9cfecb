//! Boots the lifecycle function.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let control = casting_boot::start_delivering().await?;
    let control = &control;
    // The runtime logs the fault, and EventBridge sends the event again.
    run(service_fn(async move |event: LambdaEvent<Value>| {
        casting_fn_lifecycle::handle(control, event.payload)
            .await
            .map_err(Error::from)
    }))
    .await
}

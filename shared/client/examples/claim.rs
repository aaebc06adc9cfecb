//! Claims a session of a link, waits until it is ready, and ends it: `claim BASE_URL LINK`.

use std::time::Duration;

use anyhow::Context;
use casting_client::Client;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let base_url = arguments.next().context("the address of the deployment")?;
    let link = arguments.next().context("the key of a link")?;

    let session = match Client::new(&base_url)?.claim(&link).await {
        Ok(session) => session,
        Err(error) => {
            // What a program decides by: the code, and when to come back.
            if let Some(problem) = error.problem() {
                eprintln!("{} (again in {:?} s)", problem.code, problem.retry_after);
            }
            return Err(error.into());
        }
    };
    let status = session.ready(Duration::from_secs(120)).await?;
    println!("ready at {}", status.enter_url.unwrap_or_default());
    if status.devtools_url.is_some() {
        println!("driven at {}", session.devtools().await?.url);
    }
    println!("{:?}", session.end().await?.state);
    Ok(())
}

//! Owns the reading of secrets: where a variable `NAME_ARN` stands in place of `NAME`, it names a
//! secret of Secrets Manager, which is read once while the function starts. So who may see a
//! function's environment sees no secret. Must not know what a secret is for.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use futures_util::future;

use crate::environment::Variables;

/// The variables whose text may be in Secrets Manager.
pub const SECRETS: [&str; 6] = [
    "CASTING_SIGNING_KEY",
    "CASTING_SIGNING_KEY_PREVIOUS",
    "CASTING_ADMIN_KEY",
    "CASTING_CAPTCHA_SECRET",
    "CASTING_VISITOR_PROOF",
    "CASTING_OIDC_CLIENT_SECRET",
];

/// The secrets that these variables name: the variable to set, and the ARN of its text.
pub(crate) fn named(variables: &Variables) -> Vec<(&'static str, String)> {
    let arn = |name: &&'static str| {
        let arn = variables.get(&format!("{name}_ARN"))?.trim();
        (!arn.is_empty()).then(|| (*name, arn.to_owned()))
    };
    SECRETS.iter().filter_map(arn).collect()
}

/// Reads these secrets, all at once, and puts their texts into the variables.
///
/// # Errors
/// Each that cannot be read, by the name of its variable.
pub(crate) async fn read(
    client: &Client,
    named: Vec<(&'static str, String)>,
    variables: &mut Variables,
) -> Result<(), Vec<String>> {
    let reading = named.into_iter().map(async |(name, arn)| {
        let answer = client.get_secret_value().secret_id(&arn).send().await;
        let problem =
            |words: String| format!("{name}_ARN names a secret that cannot be read: {words}");
        let answer = answer.map_err(|error| problem(DisplayErrorContext(&error).to_string()))?;
        let text = answer.secret_string;
        let text = text.ok_or_else(|| problem("it is no text.".to_owned()))?;
        Ok((name, text))
    });
    let mut problems = Vec::new();
    for result in future::join_all(reading).await {
        match result {
            Ok((name, text)) => _ = variables.insert(name.to_owned(), text),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

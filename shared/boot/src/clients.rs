//! Owns how the AWS clients are set up. Must not call them.
//!
//! The clients do not retry: the adapters do, because only they know which repetition is safe and
//! what it means. The client of Secrets Manager only reads, and repeats by itself.

use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use casting_core::event_bus::EventBusArn;

use crate::http::CONNECT_TIMEOUT;
use crate::settings::AwsSettings;

/// How long DynamoDB may take for one answer.
const DYNAMODB_TIMEOUT: Duration = Duration::from_secs(3);
/// How long ECS may take for one answer; RunTask takes its time.
const ECS_TIMEOUT: Duration = Duration::from_secs(8);
/// How long EventBridge may take for one answer: as long as any receiver of events.
const EVENTBRIDGE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long Secrets Manager may take for one answer.
const SECRETS_TIMEOUT: Duration = Duration::from_secs(3);

/// The configs are types of their own with the same methods.
macro_rules! configure {
    ($service:ident, $aws:expr, $http:expr, $timeout:expr) => {
        $service::Config::builder()
            .behavior_version($service::config::BehaviorVersion::latest())
            .region($service::config::Region::new($aws.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new($aws.credentials.clone()))
            // The credentials stay the same as long as the process lives.
            .identity_cache($service::config::IdentityCache::no_cache())
            .http_client($http.clone())
            .sleep_impl(TokioSleep::new())
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_TIMEOUT)
                    .read_timeout($timeout)
                    .build(),
            )
            // Answers are small and come at once; the limit on the whole call is enough.
            .stalled_stream_protection($service::config::StalledStreamProtectionConfig::disabled())
    };
}

/// A DynamoDB client.
pub fn dynamodb(aws: &AwsSettings, http: &SharedHttpClient) -> aws_sdk_dynamodb::Client {
    let mut config = configure!(aws_sdk_dynamodb, aws, http, DYNAMODB_TIMEOUT);
    config.set_endpoint_url(aws.dynamodb_endpoint.clone());
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

/// An ECS client.
pub fn ecs(aws: &AwsSettings, http: &SharedHttpClient) -> aws_sdk_ecs::Client {
    let mut config = configure!(aws_sdk_ecs, aws, http, ECS_TIMEOUT);
    config.set_endpoint_url(aws.ecs_endpoint.clone());
    aws_sdk_ecs::Client::from_conf(config.build())
}

/// An EventBridge client for the region of this bus.
pub fn event_bridge(
    aws: &AwsSettings,
    http: &SharedHttpClient,
    bus: &EventBusArn,
) -> aws_sdk_eventbridge::Client {
    use aws_sdk_eventbridge::config::Region;
    let mut config = configure!(aws_sdk_eventbridge, aws, http, EVENTBRIDGE_TIMEOUT)
        .region(Region::new(bus.region().to_owned()));
    config.set_endpoint_url(aws.events_endpoint.clone());
    aws_sdk_eventbridge::Client::from_conf(config.build())
}

/// A Secrets Manager client.
pub fn secrets(aws: &AwsSettings, http: &SharedHttpClient) -> aws_sdk_secretsmanager::Client {
    let mut config = configure!(aws_sdk_secretsmanager, aws, http, SECRETS_TIMEOUT)
        .retry_config(RetryConfig::standard());
    config.set_endpoint_url(aws.secrets_endpoint.clone());
    aws_sdk_secretsmanager::Client::from_conf(config.build())
}

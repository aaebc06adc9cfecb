//! Owns the names of the environment variables, and is the only reader of the environment in the functions. Must not build anything.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::PathBuf;
use std::sync::Arc;

use aws_credential_types::Credentials;
use casting_core::PublicUrls;
use casting_core::deployment::FirstLimits;
use casting_core::event_bus::EventBusArn;
use casting_core::settings_form::MAX_CENTS;
use casting_dynamo::TableNames;
use casting_ecs::{Capacity, EcsSettings, LogSettings, MAX_STARTS_PER_SECOND, STARTS_PER_SECOND};
use casting_identity::oidc::OidcSettings;
use casting_identity::webhooks::Receivers;
use http::HeaderName;

use crate::settings::{
    AwsSettings, Settings, SettingsError, parse_admin_key, parse_issuer, parse_origin,
    parse_session_url, parse_signing_key,
};
use crate::system::{SystemClock, SystemEntropy};

/// How much is logged; read before everything else.
pub(crate) const LOG: &str = "CASTING_LOG";
/// The name of the stack, a dimension of each metric; read before everything else.
pub(crate) const STACK: &str = "CASTING_STACK";

/// The environment, or what a test puts in its place. An empty variable counts as missing.
pub(crate) type Variables = BTreeMap<String, String>;

/// This process's environment.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub(crate) fn variables() -> Variables {
    std::env::vars().collect()
}

/// Reads all settings.
///
/// # Errors
/// Every variable that is missing or wrong, by its name.
pub(crate) fn read(variables: &Variables) -> Result<Settings, SettingsError> {
    let mut reader = Reader {
        variables,
        problems: Vec::new(),
    };
    let public_url = reader.parsed("CASTING_PUBLIC_URL", parse_origin);
    let report_url = reader.optional_parsed("CASTING_REPORT_URL", parse_origin);
    let session_url = reader.parsed("CASTING_SESSION_URL", parse_session_url);
    let signing_key = reader.parsed("CASTING_SIGNING_KEY", parse_signing_key);
    let previous_signing_key =
        reader.optional_parsed("CASTING_SIGNING_KEY_PREVIOUS", parse_signing_key);
    let deployment_key = reader.optional_parsed("CASTING_ADMIN_KEY", parse_admin_key);
    let has_logins = reader.get("CASTING_OIDC_ISSUER").is_some();
    let captcha_secret = reader.get("CASTING_CAPTCHA_SECRET").map(str::to_owned);
    let tables = TableNames {
        casts: reader.required("CASTING_TABLE_CASTS"),
        sessions: reader.required("CASTING_TABLE_SESSIONS"),
        claims: reader.required("CASTING_TABLE_CLAIMS"),
        limits: reader.required("CASTING_TABLE_LIMITS"),
        catalog: reader.required("CASTING_TABLE_CATALOG"),
        audit: reader.required("CASTING_TABLE_AUDIT"),
    };
    let profile_bucket = reader.get("CASTING_PROFILE_BUCKET").map(str::to_owned);
    let geo_database = reader.get("CASTING_GEO_DATABASE").map(PathBuf::from);
    let hooks_private = reader.optional_parsed("CASTING_HOOKS_PRIVATE", yes_or_no);
    let event_bus = reader.optional_parsed("CASTING_EVENT_BUS", EventBusArn::parse);
    let first_limits = read_first_limits(&mut reader);
    let aws = read_aws(&mut reader);
    let ecs = read_ecs(&mut reader, &aws.region);
    if !reader.problems.is_empty() {
        return Err(SettingsError(reader.problems));
    }
    Ok(Settings {
        urls: PublicUrls {
            report_url: report_url.unwrap_or_else(|| public_url.clone()),
            public_url,
            session_url,
        },
        signing_key,
        previous_signing_key,
        deployment_key,
        has_logins,
        captcha_secret,
        tables,
        profile_bucket,
        geo_database,
        hook_receivers: if hooks_private.unwrap_or_default() {
            Receivers::Any
        } else {
            Receivers::Public
        },
        event_bus,
        first_limits,
        ecs,
        aws,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy::new()),
    })
}

/// Reads how AWS is reached.
///
/// # Errors
/// Every variable that is missing or wrong, by its name.
pub(crate) fn read_access(variables: &Variables) -> Result<AwsSettings, SettingsError> {
    let mut reader = Reader {
        variables,
        problems: Vec::new(),
    };
    let aws = read_aws(&mut reader);
    if reader.problems.is_empty() {
        Ok(aws)
    } else {
        Err(SettingsError(reader.problems))
    }
}

/// Reads which login provider there is; `None` when none is set.
///
/// # Errors
/// Every variable that is missing or wrong, by its name.
pub(crate) fn read_login(variables: &Variables) -> Result<Option<OidcSettings>, SettingsError> {
    let mut reader = Reader {
        variables,
        problems: Vec::new(),
    };
    if reader.get("CASTING_OIDC_ISSUER").is_none() {
        return Ok(None);
    }
    let issuer = reader.parsed("CASTING_OIDC_ISSUER", parse_issuer);
    let usual = OidcSettings::new(issuer, reader.required("CASTING_OIDC_CLIENT_ID"));
    let text = |name: &str, usual: String| reader.get(name).map_or(usual, str::to_owned);
    let settings = OidcSettings {
        client_secret: reader.get("CASTING_OIDC_CLIENT_SECRET").map(str::to_owned),
        scopes: text("CASTING_OIDC_SCOPES", usual.scopes.join(" "))
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        roles_claim: text("CASTING_OIDC_ROLES_CLAIM", usual.roles_claim),
        groups_claim: text("CASTING_OIDC_GROUPS_CLAIM", usual.groups_claim),
        admin_value: text("CASTING_OIDC_ADMIN_VALUE", usual.admin_value),
        auditor_value: text("CASTING_OIDC_AUDITOR_VALUE", usual.auditor_value),
        issuer: usual.issuer,
        client_id: usual.client_id,
    };
    if reader.problems.is_empty() {
        Ok(Some(settings))
    } else {
        Err(SettingsError(reader.problems))
    }
}

/// Reads in which header the one proxy in front of the gateway names the visitor, and how it proves that it is the one; `None` when there is no proxy.
///
/// # Errors
/// When the header's name is none.
pub(crate) fn read_hop(
    variables: &Variables,
) -> Result<Option<(HeaderName, Option<String>)>, SettingsError> {
    let mut reader = Reader {
        variables,
        problems: Vec::new(),
    };
    let name = |text: &str| {
        HeaderName::from_bytes(text.as_bytes()).map_err(|_| "must be the name of a header.")
    };
    let header = reader
        .optional_parsed("CASTING_VISITOR_HEADER", |text| name(text).map(Some))
        .flatten();
    let proof = reader.get("CASTING_VISITOR_PROOF").map(str::to_owned);
    if reader.problems.is_empty() {
        Ok(header.map(|header| (header, proof)))
    } else {
        Err(SettingsError(reader.problems))
    }
}

/// The names of the variables without which no function starts.
pub fn required() -> Vec<String> {
    let SettingsError(problems) = read(&Variables::new())
        .err()
        .unwrap_or(SettingsError(Vec::new()));
    problems
        .iter()
        .filter_map(|problem| problem.split(' ').next())
        .map(str::to_owned)
        .collect()
}

fn read_aws(reader: &mut Reader<'_>) -> AwsSettings {
    let endpoint = |service: &str, reader: &Reader<'_>| {
        reader
            .get(service)
            .or_else(|| reader.get("AWS_ENDPOINT_URL"))
            .map(str::to_owned)
    };
    let (id, secret) = (
        reader.required("AWS_ACCESS_KEY_ID"),
        reader.required("AWS_SECRET_ACCESS_KEY"),
    );
    let token = reader.get("AWS_SESSION_TOKEN").map(str::to_owned);
    AwsSettings {
        region: reader.required("AWS_REGION"),
        credentials: Credentials::new(id, secret, token, None, "environment"),
        ca_bundle: reader.get("AWS_CA_BUNDLE").map(PathBuf::from),
        dynamodb_endpoint: endpoint("AWS_ENDPOINT_URL_DYNAMODB", reader),
        ecs_endpoint: endpoint("AWS_ENDPOINT_URL_ECS", reader),
        s3_endpoint: endpoint("AWS_ENDPOINT_URL_S3", reader),
        events_endpoint: endpoint("AWS_ENDPOINT_URL_EVENTBRIDGE", reader),
        secrets_endpoint: endpoint("AWS_ENDPOINT_URL_SECRETS_MANAGER", reader),
        transport: None,
    }
}

fn read_ecs(reader: &mut Reader<'_>, region: &str) -> EcsSettings {
    let capacity = |text: &str| {
        Capacity::parse(text).ok_or(
            "must name capacity providers in the order in which they are tried, such as \
             FARGATE_SPOT,FARGATE.",
        )
    };
    let public_ip = |text: &str| match text {
        "ENABLED" => Ok(true),
        "DISABLED" => Ok(false),
        _ => Err("must be ENABLED or DISABLED."),
    };
    EcsSettings {
        cluster: reader.required("CASTING_ECS_CLUSTER"),
        subnets: reader.parsed("CASTING_ECS_SUBNETS", |text| list(text, 16)),
        security_groups: reader.parsed("CASTING_ECS_SECURITY_GROUPS", |text| list(text, 5)),
        edge_inside: reader
            .optional_parsed("CASTING_EDGE_INSIDE", yes_or_no)
            .unwrap_or_default(),
        assign_public_ip: reader
            .optional_parsed("CASTING_ECS_ASSIGN_PUBLIC_IP", public_ip)
            .unwrap_or_default(),
        execution_role_arn: reader
            .get("CASTING_ECS_EXECUTION_ROLE_ARN")
            .map(str::to_owned),
        gate_image: reader.get("CASTING_GATE_IMAGE").map(str::to_owned),
        capacity: reader
            .optional_parsed("CASTING_ECS_CAPACITY", capacity)
            .unwrap_or_default(),
        starts_per_second: reader
            .optional_parsed("CASTING_ECS_STARTS_PER_SECOND", |text| {
                whole(text, 1, MAX_STARTS_PER_SECOND)
            })
            .unwrap_or(STARTS_PER_SECOND),
        logs: reader
            .get("CASTING_ECS_LOG_GROUP")
            .map(|group| LogSettings {
                group: group.to_owned(),
                region: region.to_owned(),
            }),
    }
}

/// Reads a choice.
fn yes_or_no(text: &str) -> Result<bool, &'static str> {
    text.parse().map_err(|_| "must be true or false.")
}

/// A whole number of this range.
fn whole(text: &str, least: u32, most: u32) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("must be a whole number from {least} to {most}.")),
    }
}

/// Reads what a new deployment begins with; 0 is no limit.
fn read_first_limits(reader: &mut Reader<'_>) -> FirstLimits {
    let mut whole = |name: &str, most: u32| {
        reader
            .optional_parsed(name, |text| whole(text, 0, most))
            .filter(|number| *number > 0)
    };
    FirstLimits {
        max_sessions: whole("CASTING_FIRST_MAX_SESSIONS", 1_000_000),
        budget_per_hour_cents: whole("CASTING_FIRST_BUDGET_PER_HOUR_CENTS", MAX_CENTS),
        budget_per_day_cents: whole("CASTING_FIRST_BUDGET_PER_DAY_CENTS", MAX_CENTS),
    }
}

/// Reads `a,b, c`.
fn list(text: &str, most: usize) -> Result<Vec<String>, String> {
    let items: Vec<String> = text
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect();
    if (1..=most).contains(&items.len()) {
        Ok(items)
    } else {
        Err(format!(
            "must hold 1 to {most} ids with commas between them."
        ))
    }
}

/// Reads variables and collects errors. After an error a default is used; it never takes effect,
/// because the settings are refused.
struct Reader<'a> {
    variables: &'a Variables,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    fn required(&mut self, name: &str) -> String {
        self.parsed(name, |text| Ok::<_, String>(text.to_owned()))
    }

    fn parsed<T: Default, E: Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> T {
        if self.get(name).is_none() {
            self.problems.push(format!("{name} is not set."));
        }
        self.optional_parsed(name, parse).unwrap_or_default()
    }

    fn optional_parsed<T, E: Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match parse(self.get(name)?) {
            Ok(value) => Some(value),
            Err(detail) => {
                self.problems.push(format!("{name} {detail}"));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variables of the template.
    fn complete() -> Variables {
        [
            ("CASTING_PUBLIC_URL", "https://cast.example.com/"),
            ("CASTING_SESSION_URL", "https://{session}.example.com"),
            (
                "CASTING_SIGNING_KEY",
                "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            ),
            ("CASTING_TABLE_CASTS", "a"),
            ("CASTING_TABLE_SESSIONS", "b"),
            ("CASTING_TABLE_CLAIMS", "c"),
            ("CASTING_TABLE_LIMITS", "d"),
            ("CASTING_TABLE_CATALOG", "e"),
            ("CASTING_TABLE_AUDIT", "audit"),
            ("CASTING_ECS_CLUSTER", "casting"),
            ("CASTING_ECS_SUBNETS", "subnet-1, subnet-2"),
            ("CASTING_ECS_SECURITY_GROUPS", "sg-1"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
    }

    fn with(name: &str, value: &str) -> Variables {
        let mut variables = complete();
        variables.insert(name.to_owned(), value.to_owned());
        variables
    }

    #[test]
    fn required_variables_suffice() {
        let settings = read(&complete()).expect("complete");
        assert_eq!(settings.urls.public_url, "https://cast.example.com");
        assert_eq!(settings.urls.report_url, settings.urls.public_url);
        assert_eq!(settings.ecs.subnets, ["subnet-1", "subnet-2"]);
        assert_eq!(
            (settings.ecs.assign_public_ip, settings.ecs.capacity),
            (false, Capacity::default())
        );
        assert_eq!(settings.captcha_secret, None);
        assert_eq!(
            (settings.hook_receivers, settings.event_bus),
            (Receivers::Public, None)
        );
        assert_eq!(
            (
                settings.aws.dynamodb_endpoint,
                settings.aws.ecs_endpoint,
                settings.ecs.logs
            ),
            (None, None, None)
        );
        assert_eq!(settings.aws.ca_bundle, None);
        let with_bundle = read(&with("AWS_CA_BUNDLE", "/opt/roots.pem")).expect("complete");
        assert_eq!(
            with_bundle.aws.ca_bundle.as_deref(),
            Some(std::path::Path::new("/opt/roots.pem"))
        );
    }

    #[test]
    fn first_limits_are_read_and_0_means_none() {
        for (name, value, expected) in [
            ("CASTING_FIRST_MAX_SESSIONS", "100", (Some(100), None, None)),
            ("CASTING_FIRST_MAX_SESSIONS", "0", (None, None, None)),
            (
                "CASTING_FIRST_BUDGET_PER_HOUR_CENTS",
                "1000",
                (None, Some(1000), None),
            ),
            (
                "CASTING_FIRST_BUDGET_PER_DAY_CENTS",
                "5000",
                (None, None, Some(5000)),
            ),
        ] {
            let first = read(&with(name, value)).expect(name).first_limits;
            let found = (
                first.max_sessions,
                first.budget_per_hour_cents,
                first.budget_per_day_cents,
            );
            assert_eq!(found, expected, "{name}={value}");
        }
    }

    #[test]
    fn all_missing_variables_are_reported_at_once() {
        let SettingsError(problems) = read(&Variables::new()).expect_err("nothing is set");
        let missing: Vec<_> = problems
            .iter()
            .map(|problem| problem.split(' ').next().unwrap_or_default())
            .collect();
        let mut required: Vec<_> = complete().into_keys().collect();
        required.sort_unstable();
        let mut found = missing.clone();
        found.sort_unstable();
        assert_eq!(found, required);
    }

    #[test]
    fn each_variable_is_validated() {
        for (name, value) in [
            ("CASTING_PUBLIC_URL", ""),
            ("CASTING_PUBLIC_URL", "cast.example.com"),
            ("CASTING_REPORT_URL", "https://cast.example.com/reports"),
            ("CASTING_SESSION_URL", "https://example.com"),
            ("CASTING_SIGNING_KEY", "short"),
            ("CASTING_SIGNING_KEY_PREVIOUS", "short"),
            ("CASTING_ADMIN_KEY", "admin"),
            ("CASTING_TABLE_LIMITS", "  "),
            ("CASTING_ECS_SUBNETS", ","),
            ("CASTING_ECS_SECURITY_GROUPS", "1,2,3,4,5,6"),
            ("CASTING_ECS_ASSIGN_PUBLIC_IP", "yes"),
            ("CASTING_ECS_CAPACITY", "FARGATE_SPT"),
            ("CASTING_ECS_STARTS_PER_SECOND", "0"),
            ("CASTING_EDGE_INSIDE", "yes"),
            ("CASTING_EVENT_BUS", "casting"),
            ("CASTING_FIRST_MAX_SESSIONS", "-1"),
            ("CASTING_FIRST_BUDGET_PER_DAY_CENTS", "1.5"),
        ] {
            let SettingsError(problems) = read(&with(name, value)).expect_err(name);
            assert!(
                problems.len() == 1 && problems[0].starts_with(name) && problems[0].ends_with('.'),
                "{name}={value}: {problems:?}"
            );
        }
    }

    #[test]
    fn secret_errors_do_not_show_the_secret() {
        let text = read(&with("CASTING_SIGNING_KEY", "hunter2"))
            .expect_err("too short")
            .to_string();
        assert!(!text.contains("hunter2"), "{text}");
        let text = read(&with("CASTING_ADMIN_KEY", "hunter2"))
            .expect_err("too short")
            .to_string();
        assert!(!text.contains("hunter2"), "{text}");
        let shown = format!("{:?}", read(&complete()).expect("complete"));
        assert!(
            !shown.contains("wJalr") && !shown.contains("signing"),
            "{shown}"
        );
    }

    #[test]
    fn login_provider_is_optional_and_needs_a_client_id() {
        assert_eq!(read_login(&complete()), Ok(None));
        let has_logins = |variables: &Variables| read(variables).expect("complete").has_logins;
        assert!(!has_logins(&complete()) && !has_logins(&with("CASTING_OIDC_ISSUER", " ")));
        assert!(
            has_logins(&with("CASTING_OIDC_ISSUER", "https://login.example")),
            "and the console says so"
        );
        let SettingsError(problems) =
            read_login(&with("CASTING_OIDC_ISSUER", "https://login.example"))
                .expect_err("no client id");
        assert!(
            problems.len() == 1 && problems[0].starts_with("CASTING_OIDC_CLIENT_ID"),
            "{problems:?}"
        );
        let SettingsError(problems) =
            read_login(&with("CASTING_OIDC_ISSUER", "http://login.example"))
                .expect_err("not https");
        assert!(
            problems[0].starts_with("CASTING_OIDC_ISSUER"),
            "{problems:?}"
        );
        let mut variables = with("CASTING_OIDC_ISSUER", "https://login.example/realm");
        variables.insert("CASTING_OIDC_CLIENT_ID".into(), "casting".into());
        variables.insert("CASTING_OIDC_SCOPES".into(), "profile roles".into());
        let login = read_login(&variables).expect("complete").expect("is set");
        assert_eq!(
            (login.issuer.as_str(), login.scopes),
            (
                "https://login.example/realm",
                vec!["profile".to_owned(), "roles".to_owned()]
            )
        );
    }

    #[test]
    fn proxy_is_optional_and_named_by_its_header() {
        assert_eq!(read_hop(&complete()), Ok(None));
        let hop = |variables: &Variables| {
            read_hop(variables)
                .expect("is right")
                .map(|(header, proof)| (header.to_string(), proof))
        };
        let mut variables = with("CASTING_VISITOR_HEADER", "CloudFront-Viewer-Address");
        assert_eq!(
            hop(&variables),
            Some(("cloudfront-viewer-address".into(), None))
        );
        variables.insert("CASTING_VISITOR_PROOF".into(), "hush".into());
        assert_eq!(
            hop(&variables),
            Some(("cloudfront-viewer-address".into(), Some("hush".into())))
        );
        let SettingsError(problems) =
            read_hop(&with("CASTING_VISITOR_HEADER", "a header")).expect_err("is none");
        assert!(
            problems.len() == 1 && problems[0].starts_with("CASTING_VISITOR_HEADER"),
            "{problems:?}"
        );
    }

    #[test]
    fn endpoints_can_be_set_together_or_separately() {
        let both = read(&with("AWS_ENDPOINT_URL", "http://localhost:1"))
            .expect("complete")
            .aws;
        assert_eq!(
            (
                both.dynamodb_endpoint.as_deref(),
                both.ecs_endpoint.as_deref()
            ),
            (Some("http://localhost:1"), Some("http://localhost:1"))
        );
        let one = read(&with("AWS_ENDPOINT_URL_ECS", "http://localhost:2"))
            .expect("complete")
            .aws;
        assert_eq!(
            (one.dynamodb_endpoint, one.ecs_endpoint.as_deref()),
            (None, Some("http://localhost:2"))
        );
    }
}

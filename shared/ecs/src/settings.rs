//! Owns where tasks run: cluster, network, capacity and roles. Must not know where the values come
//! from (see `casting-boot`).

use aws_sdk_ecs::types::{AssignPublicIp, AwsVpcConfiguration, NetworkConfiguration};
use casting_core::network::Placement;

/// Where and how tasks run, as far as their sessions bring no placement of their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcsSettings {
    /// Name or ARN.
    pub cluster: String,
    /// Subnet ids, all of one VPC; at most 16.
    pub subnets: Vec<String>,
    /// Security group ids; at most five.
    pub security_groups: Vec<String>,
    /// Needed in a public subnet, to fetch the image and to reach the control plane.
    pub assign_public_ip: bool,
    /// Whether the edge is inside the network of the tasks, and so reaches them at their private
    /// addresses.
    pub edge_inside: bool,
    /// What fetches the image and writes the log, for task definitions that we register. Never
    /// handed to the container.
    pub execution_role_arn: Option<String>,
    /// The container image with the gate in it, for task definitions that we register; `None`: the
    /// session's own image brings the gate along.
    pub gate_image: Option<String>,
    /// What the tasks run on.
    pub capacity: Capacity,
    /// How many starts ECS allows in a second: a quota of the account. What exceeds it is queued.
    pub starts_per_second: u32,
    /// Where the containers' output goes, for task definitions that we register; `None`: nowhere.
    pub logs: Option<LogSettings>,
}

/// The capacity providers of the cluster that tasks run on, in the order in which they are tried.
/// Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capacity(Vec<Strategy>);

/// What one start asks for: one capacity provider, or several that share the tasks by weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Strategy(Vec<(String, i32)>);

/// How many starts ECS allows in a second where nothing else is said: its quota of task launches on
/// Fargate.
pub const STARTS_PER_SECOND: u32 = 20;
/// The most that may be set.
pub const MAX_STARTS_PER_SECOND: u32 = 1000;
/// Fargate on demand. Tasks that name no other provider are started without a strategy, which every
/// cluster allows.
const ON_DEMAND: &str = "FARGATE";
/// Spare Fargate capacity, taken back with a warning of two minutes.
const SPOT: &str = "FARGATE_SPOT";
/// ECS's bounds: providers in a strategy, weight, and length of a name.
const MAX_PROVIDERS: usize = 20;
const MAX_WEIGHT: i32 = 1000;
const MAX_NAME: usize = 255;
/// What names of an account's own capacity providers must not begin with.
const RESERVED: [&str; 3] = ["aws", "ecs", "fargate"];

impl Default for Capacity {
    /// Fargate, on demand.
    fn default() -> Self {
        Self(vec![Strategy(vec![(ON_DEMAND.to_owned(), 1)])])
    }
}

impl Capacity {
    /// Reads names of capacity providers in the order in which they are tried, with commas between
    /// them: `FARGATE_SPOT,FARGATE`. Providers with `+` between them share the tasks by weight:
    /// `FARGATE_SPOT:3+FARGATE:1`. `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let strategies = text
            .split(',')
            .map(Strategy::parse)
            .collect::<Option<_>>()?;
        Some(Self(strategies))
    }

    /// How many there are to try.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// What this attempt (the first is 1) asks for. Attempts beyond the list repeat the last.
    pub(crate) fn strategy(&self, attempt: u32) -> Option<&Strategy> {
        let at = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        self.0.get(at).or_else(|| self.0.last())
    }

    /// Whether some machines may be taken back with a warning.
    pub(crate) fn is_reclaimed(&self) -> bool {
        self.names().any(|name| name != ON_DEMAND)
    }

    /// Whether some tasks run on machines of the account, and not on Fargate.
    pub(crate) fn has_instances(&self) -> bool {
        self.names().any(|name| name != ON_DEMAND && name != SPOT)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let providers = self.0.iter().flat_map(|strategy| &strategy.0);
        providers.map(|(name, _)| name.as_str())
    }
}

impl Strategy {
    fn parse(text: &str) -> Option<Self> {
        let providers: Vec<_> = text.split('+').map(provider).collect::<Option<_>>()?;
        (providers.len() <= MAX_PROVIDERS).then_some(Self(providers))
    }

    /// Names and weights; `None` for Fargate on demand alone, which needs no strategy.
    pub(crate) fn providers(&self) -> Option<&[(String, i32)]> {
        match self.0.as_slice() {
            [(name, _)] if name == ON_DEMAND => None,
            providers => Some(providers),
        }
    }
}

/// `name`, or `name:weight`.
fn provider(text: &str) -> Option<(String, i32)> {
    let text = text.trim();
    let (name, weight) = match text.split_once(':') {
        Some((name, weight)) => (name, weight.parse().ok()?),
        None => (text, 1),
    };
    let is_name = (1..=MAX_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    // ECS gives no provider of an account such a name, so this is a typing mistake.
    let lower = name.to_ascii_lowercase();
    let is_reserved = RESERVED.iter().any(|prefix| lower.starts_with(prefix));
    let is_known = [ON_DEMAND, SPOT].contains(&name) || !is_reserved;
    (is_name && is_known && (1..=MAX_WEIGHT).contains(&weight)).then(|| (name.to_owned(), weight))
}

/// A CloudWatch log group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The group's name; it must exist.
    pub group: String,
    /// The group's region.
    pub region: String,
}

impl EcsSettings {
    /// An endpoint on this machine, which has one cluster and looks at no network.
    pub fn local(cluster: &str) -> Self {
        Self {
            cluster: cluster.to_owned(),
            subnets: vec!["subnet-local".to_owned()],
            security_groups: vec!["sg-local".to_owned()],
            assign_public_ip: false,
            edge_inside: false,
            execution_role_arn: None,
            gate_image: None,
            capacity: Capacity::default(),
            starts_per_second: STARTS_PER_SECOND,
            logs: None,
        }
    }

    /// The network of a task, as RunTask wants it: that of its session's own placement, else the
    /// deployment's.
    pub(crate) fn network(&self, placement: Option<&Placement>) -> Option<NetworkConfiguration> {
        let (subnets, security_groups, is_public) = match placement {
            Some(own) => (&own.subnets, &own.security_groups, own.assign_public_ip),
            None => (&self.subnets, &self.security_groups, self.assign_public_ip),
        };
        let public = if is_public {
            AssignPublicIp::Enabled
        } else {
            AssignPublicIp::Disabled
        };
        let vpc = AwsVpcConfiguration::builder()
            .set_subnets(Some(subnets.clone()))
            .set_security_groups(Some(security_groups.clone()))
            .assign_public_ip(public)
            .build()
            .ok()?;
        Some(
            NetworkConfiguration::builder()
                .awsvpc_configuration(vpc)
                .build(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_is_read_in_the_order_of_attempts() {
        let provider = |name: &str, weight| (name.to_owned(), weight);
        let spot = || Some(vec![provider("FARGATE_SPOT", 1)]);
        for (text, attempts) in [
            ("FARGATE", vec![None, None]),
            ("FARGATE_SPOT", vec![spot(), spot()]),
            ("FARGATE_SPOT,FARGATE", vec![spot(), None, None]),
            (
                "warm:3+FARGATE_SPOT , FARGATE",
                vec![
                    Some(vec![provider("warm", 3), provider("FARGATE_SPOT", 1)]),
                    None,
                ],
            ),
        ] {
            let capacity = Capacity::parse(text).expect(text);
            for (attempt, expected) in (1..).zip(attempts) {
                let strategy = capacity.strategy(attempt).expect(text);
                let providers = strategy.providers().map(<[_]>::to_vec);
                assert_eq!(providers, expected, "{text}, attempt {attempt}");
            }
        }
        for text in [
            "",
            ",",
            "FARGATE,",
            "+",
            "a:0",
            "a:1001",
            "a:x",
            "a:",
            "a b",
            "ä",
            "FARGATE_SPT",
            "fargate",
            "ecs-warm",
            &"a+".repeat(21),
            &vec!["a"; 21].join("+"),
            &"a".repeat(256),
        ] {
            assert_eq!(Capacity::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_fargate_on_demand_is_never_reclaimed() {
        for (text, is_reclaimed, has_instances) in [
            ("FARGATE", false, false),
            ("FARGATE_SPOT,FARGATE", true, false),
            ("warm,FARGATE", true, true),
        ] {
            let capacity = Capacity::parse(text).expect(text);
            assert_eq!(
                (capacity.is_reclaimed(), capacity.has_instances()),
                (is_reclaimed, has_instances),
                "{text}"
            );
        }
    }
}

//! Owns where tasks run: cluster, network, capacity and roles. Must not know where the values come from (see `casting-boot`).

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
    /// Whether the edge is inside the network of the tasks, and so reaches them at their private addresses.
    pub edge_inside: bool,
    /// What fetches the image and writes the log, for task definitions that we register. Never handed to the container.
    pub execution_role_arn: Option<String>,
    /// The container image with the gate in it, for task definitions that we register; `None`: the session's own image brings the gate along.
    pub gate_image: Option<String>,
    /// What the tasks are paid as.
    pub capacity: Capacity,
    /// Where the containers' output goes, for task definitions that we register; `None`: nowhere.
    pub logs: Option<LogSettings>,
}

/// What tasks are paid as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Capacity {
    /// On demand.
    #[default]
    Fargate,
    /// Cheaper, and taken away with a warning of two minutes. The cluster must have this capacity provider.
    FargateSpot,
}

impl Capacity {
    /// Reads `FARGATE` or `FARGATE_SPOT`; `None` when the text is neither.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "FARGATE" => Some(Self::Fargate),
            "FARGATE_SPOT" => Some(Self::FargateSpot),
            _ => None,
        }
    }
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
            capacity: Capacity::Fargate,
            logs: None,
        }
    }

    /// The network of a task, as RunTask wants it: that of its session's own placement, else the deployment's.
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

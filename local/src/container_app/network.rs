//! Owns the networks of containers: one for each session, or the engine's network that the session
//! names. Must not know containers.

use std::collections::HashMap;

use anyhow::{Context, bail};
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use bollard::query_parameters::{InspectNetworkOptions, ListNetworksOptionsBuilder};
use casting_core::network::DEFAULT_NETWORK;
use data_encoding::HEXLOWER;
use ring::digest;

use super::container_env::ContainerEnv;
use super::engine::{Engine, LABEL};

/// Sessions' networks are blocks of eight addresses of 198.18.0.0/15, which is for trials of
/// networks and so in use by none: an engine has few networks of its own to give.
const BLOCKS: u32 = 1 << 14;
/// How many of these are tried before there is no room.
const TRIES: u32 = 32;

impl Engine {
    /// The network that a session's container is to be in: one that it is alone in, so that there
    /// is no way from session to session.
    pub(super) async fn join_network(&self, env: &ContainerEnv) -> anyhow::Result<String> {
        match env.network.as_deref() {
            None | Some(DEFAULT_NETWORK) => self.make_network(env).await,
            Some(name) => {
                let found = self.0.inspect_network(name, None::<InspectNetworkOptions>);
                found.await.with_context(|| {
                    format!(
                        "the container engine has no network {name}: make it with `docker \
                             network create {name}`"
                    )
                })?;
                Ok(name.to_owned())
            }
        }
    }

    async fn make_network(&self, env: &ContainerEnv) -> anyhow::Result<String> {
        let name = env.place.name();
        self.remove_network(&name).await;
        let first = block_of(&name);
        for block in (first..first + TRIES).map(|block| block % BLOCKS) {
            let ipam = Ipam {
                config: Some(vec![IpamConfig {
                    subnet: Some(subnet(block)),
                    ..IpamConfig::default()
                }]),
                ..Ipam::default()
            };
            let request = NetworkCreateRequest {
                name: name.clone(),
                driver: Some("bridge".to_owned()),
                ipam: Some(ipam),
                labels: Some(HashMap::from([(LABEL.to_owned(), env.folder.clone())])),
                ..NetworkCreateRequest::default()
            };
            match self.0.create_network(request).await {
                Ok(_) => return Ok(name),
                Err(error) if is_taken(&error.to_string()) => {}
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("the network {name} cannot be made"));
                }
            }
        }
        bail!("the networks of sessions have no room for {name}")
    }

    /// Removes a session's network; one that is not there is removed already.
    pub(super) async fn remove_network(&self, name: &str) {
        let _ = self.0.remove_network(name).await;
    }

    /// The names of the networks of this folder's stack.
    pub(super) async fn networks_of(&self, folder: &str) -> anyhow::Result<Vec<String>> {
        let filters = HashMap::from([("label".to_owned(), vec![format!("{LABEL}={folder}")])]);
        let options = ListNetworksOptionsBuilder::default()
            .filters(&filters)
            .build();
        let networks = self.0.list_networks(Some(options)).await?;
        Ok(networks.into_iter().filter_map(|one| one.name).collect())
    }

    /// Removes every network that the stack of this folder has left.
    pub(super) async fn remove_networks_of(&self, folder: &str) -> anyhow::Result<()> {
        for network in self.networks_of(folder).await? {
            self.remove_network(&network).await;
        }
        Ok(())
    }
}

/// What engines say of a block that another network has.
fn is_taken(words: &str) -> bool {
    ["overlap", "already used", "already being used"]
        .iter()
        .any(|word| words.contains(word))
}

/// Where the search for a free block begins.
fn block_of(name: &str) -> u32 {
    let digest = HEXLOWER.encode(digest::digest(&digest::SHA256, name.as_bytes()).as_ref());
    let start = digest.get(..4).unwrap_or_default();
    u32::from_str_radix(start, 16).unwrap_or_default() % BLOCKS
}

fn subnet(block: u32) -> String {
    let base = u32::from(std::net::Ipv4Addr::new(198, 18, 0, 0));
    format!("{}/29", std::net::Ipv4Addr::from(base + block * 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_networks_use_the_benchmark_range() {
        assert_eq!(subnet(0), "198.18.0.0/29");
        assert_eq!(subnet(BLOCKS - 1), "198.19.255.248/29");
        assert_ne!(block_of("casting-a"), block_of("casting-b"));
    }
}

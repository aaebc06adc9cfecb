//! Owns where an edge looks for gates: at which addresses and ports. Must not know tickets, nor
//! what is passed on there. The edge in AWS (`infra/edge/router.js`) follows the same rules;
//! `tests/plans/edge_function.rs` holds both to one table.

use std::net::IpAddr;
use std::sync::Arc;

use casting_protocol::report::GATE_PORT;

use crate::proxy::Target;

/// Where gates can be: on other machines, at the gates' port; on this machine only at the ports
/// that are named.
///
/// Tickets name addresses that gates have reported from. This is what holds should one ever name
/// another.
#[derive(Clone)]
pub struct Places {
    loopback: Arc<dyn Fn(u16) -> bool + Send + Sync>,
}

impl Default for Places {
    fn default() -> Self {
        Self::with_loopback(|_| false)
    }
}

impl Places {
    /// The same, and the ports of this machine's loopback interface for which `loopback` says so.
    pub fn with_loopback(loopback: impl Fn(u16) -> bool + Send + Sync + 'static) -> Self {
        Self {
            loopback: Arc::new(loopback),
        }
    }

    /// The gate at this address; `None` when none can be there.
    pub fn gate(&self, host: &str, port: u16) -> Option<Target> {
        let address = host.parse::<IpAddr>().ok()?.to_canonical();
        let known = if address.is_loopback() {
            (self.loopback)(port)
        } else {
            port == GATE_PORT && is_a_machine(address)
        };
        known.then(|| Target::at(host, port)).flatten()
    }
}

/// Whether a task can have this address. No task has a link-local one: the metadata services of
/// machines are there.
fn is_a_machine(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, ..] = address.octets();
            // The last is a platform's own services.
            let services = [168, 63, 129, 16];
            first != 0
                && first < 224
                && !address.is_loopback()
                && !address.is_link_local()
                && address.octets() != services
        }
        IpAddr::V6(address) => {
            // Global unicast, and unique local but for the block of metadata services.
            let [first, second, ..] = address.segments();
            let unique_local = first & 0xfe00 == 0xfc00 && (first, second) != (0xfd00, 0x0ec2);
            first & 0xe000 == 0x2000 || unique_local
        }
    }
}

/// Reads a list of ports and ranges of ports, such as `18080,20000-20010`; `None` when it is none.
pub(crate) fn ports(text: &str) -> Option<Vec<(u16, u16)>> {
    let port = |text: &str| text.trim().parse().ok().filter(|port| *port > 0);
    text.split(',')
        .map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (port(first)?, port(last)?);
            (first <= last).then_some((first, last))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_reachable_at_listed_ports_only() {
        let named = Places::with_loopback(|port| port == 20_000);
        for (name, host, port, default, is_listed) in [
            ("a gate", "192.0.2.7", GATE_PORT, true, true),
            (
                "its machine's other port",
                "192.0.2.7",
                20_000,
                false,
                false,
            ),
            ("loopback", "127.0.0.1", 20_000, false, true),
            (
                "loopback, at the gates' port",
                "127.0.0.1",
                GATE_PORT,
                false,
                false,
            ),
            ("another of loopback", "127.9.9.9", 20_000, false, true),
            ("loopback of IPv6", "::1", 20_000, false, true),
            (
                "loopback, mapped",
                "::ffff:127.0.0.1",
                GATE_PORT,
                false,
                false,
            ),
            (
                "metadata, mapped",
                "::ffff:169.254.169.254",
                GATE_PORT,
                false,
                false,
            ),
            ("a gate by IPv6", "2001:db8::7", GATE_PORT, true, true),
            ("unique local", "fd12::7", GATE_PORT, true, true),
            ("metadata by IPv6", "fd00:ec2::254", GATE_PORT, false, false),
            ("link-local by IPv6", "fe80::1", GATE_PORT, false, false),
            ("unspecified", "::", GATE_PORT, false, false),
            ("a name", "localhost", 20_000, false, false),
        ] {
            assert_eq!(
                Places::default().gate(host, port).is_some(),
                default,
                "{name}"
            );
            assert_eq!(
                named.gate(host, port).is_some(),
                is_listed,
                "{name}, with a port"
            );
        }
    }

    #[test]
    fn port_ranges_are_parsed() {
        for (text, read) in [
            ("18080", Some(vec![(18_080, 18_080)])),
            (
                "18080, 20000-20010",
                Some(vec![(18_080, 18_080), (20_000, 20_010)]),
            ),
            ("20010-20000", None),
            ("0", None),
            ("70000", None),
            ("18080,", None),
            ("all", None),
        ] {
            assert_eq!(ports(text), read, "{text}");
        }
    }
}

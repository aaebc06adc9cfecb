//! Owns which addresses a confined command may connect to: public ones, and those that an
//! administrator opens. Must not connect.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Addresses that are not public and may be reached all the same, written `ADDRESS[/BITS][:PORT]`;
/// IPv6 with a port stands in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// The addresses.
    pub addresses: IpNet,
    /// The port; `None`: all.
    pub port: Option<u16>,
}

impl FromStr for Reach {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no address: write it as 10.1.2.3, 10.1.0.0/16, 10.1.2.3:8080 \
                        or [fd00::1]:8080"
            )
        };
        let block = |text: &str| {
            let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
            text.parse().ok().or_else(single)
        };
        if let Some(addresses) = block(text) {
            return Ok(Self {
                addresses,
                port: None,
            });
        }
        let (addresses, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let addresses = addresses
            .strip_prefix('[')
            .and_then(|inner| inner.strip_suffix(']'))
            .unwrap_or(addresses);
        let port = port
            .parse()
            .ok()
            .filter(|port| *port > 0)
            .ok_or_else(wrong)?;
        Ok(Self {
            addresses: block(addresses).ok_or_else(wrong)?,
            port: Some(port),
        })
    }
}

/// Whether a confined command may connect to this address.
pub fn is_open(address: IpAddr, port: u16, reach: &[Reach]) -> bool {
    let address = address.to_canonical();
    is_public(address)
        || reach.iter().any(|open| {
            open.addresses.contains(&address) && open.port.is_none_or(|only| only == port)
        })
}

/// Whether the address is one that the whole internet can reach: neither this machine, nor its
/// networks, nor a cloud's metadata service.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

const fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || (a == 100 && b & 0b1100_0000 == 64)
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && b & 0b1111_1110 == 18)
        || a >= 224)
}

/// Global unicast is `2000::/3`; what is left out of it translates to IPv4 addresses, or is for
/// documentation.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        let [.., a, b, c, d] = address.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    let is_unicast = segments[0] & 0xe000 == 0x2000;
    let is_translated = segments[0] == 0x2002 || (segments[0] == 0x2001 && segments[1] < 0x200);
    let is_documentation =
        (segments[0] == 0x2001 && segments[1] == 0xdb8) || segments[0] & 0xfff0 == 0x3ff0;
    is_unicast && !is_translated && !is_documentation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_open() {
        for (address, open) in [
            ("1.1.1.1", true),
            ("93.184.216.34", true),
            ("100.128.0.1", true),
            ("0.0.0.0", false),
            ("127.0.0.1", false),
            ("127.9.9.9", false),
            ("10.1.2.3", false),
            ("172.17.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("169.254.170.2", false),
            ("100.64.0.1", false),
            ("192.0.0.8", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("2606:4700::1111", true),
            ("64:ff9b::101:101", true),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::127.0.0.1", false),
            ("64:ff9b::7f00:1", false),
            ("2002:7f00:1::", false),
            ("2001::1", false),
            ("fe80::1", false),
            ("fd00:ec2::254", false),
            ("fc00::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
            ("2001:db8::1", false),
        ] {
            let parsed: IpAddr = address.parse().expect(address);
            assert_eq!(is_open(parsed, 443, &[]), open, "{address}");
        }
    }

    #[test]
    fn private_addresses_are_allowed_one_by_one() {
        let reach: Vec<Reach> = ["127.0.0.1:3000", "10.1.0.0/16", "[fd00::1]:80"]
            .map(|text| text.parse().expect(text))
            .into();
        for (address, port, open) in [
            ("127.0.0.1", 3000, true),
            ("::ffff:127.0.0.1", 3000, true),
            ("127.0.0.1", 3001, false),
            ("127.0.0.2", 3000, false),
            ("10.1.200.3", 22, true),
            ("10.2.0.1", 22, false),
            ("fd00::1", 80, true),
            ("fd00::1", 81, false),
        ] {
            let parsed: IpAddr = address.parse().expect(address);
            assert_eq!(is_open(parsed, port, &reach), open, "{address} {port}");
        }
        for wrong in ["", "localhost", "10.1.2.3:0", "10.1.2.3:x", "10.0.0.0/33"] {
            assert!(wrong.parse::<Reach>().is_err(), "{wrong}");
        }
    }
}

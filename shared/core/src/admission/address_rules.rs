//! Owns lists of addresses: single ones and blocks, each with a label that says whose they are.
//! Must not know what a list is for.

use std::fmt;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

/// The longest label, in characters.
pub const MAX_LABEL: usize = 60;

/// One line of a list: `192.0.2.0/24 Example University`. The label may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressRule {
    block: IpNet,
    label: String,
}

impl AddressRule {
    /// Reads a line as an administrator writes it: an address or a block, then maybe a label.
    ///
    /// # Errors
    /// One plain sentence.
    pub fn parse(line: &str) -> Result<Self, String> {
        let line = line.trim();
        let (block, label) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let label = label.trim();
        if label.chars().count() > MAX_LABEL || label.chars().any(char::is_control) {
            return Err(format!(
                "has a label that is longer than {MAX_LABEL} characters or not a single line."
            ));
        }
        let block = block
            .parse()
            .or_else(|_| block.parse::<IpAddr>().map(IpNet::from));
        let block = block.map_err(|_| {
            format!(
                "\u{201c}{line}\u{201d} does not begin with an address or a block such as \
                     192.0.2.0/24."
            )
        })?;
        Ok(Self {
            block: canonical(block)?.trunc(),
            label: label.to_owned(),
        })
    }

    /// Whether the address is in the block. An IPv4 address in IPv6 clothes is the IPv4 address.
    pub fn covers(&self, address: IpAddr) -> bool {
        self.block.contains(&address.to_canonical())
    }

    /// The label of these addresses; the block itself if it has none.
    pub fn label(&self) -> String {
        if self.label.is_empty() {
            self.block.to_string()
        } else {
            self.label.clone()
        }
    }
}

/// The block as visitors' addresses are read: one of IPv4-mapped IPv6 addresses is the IPv4 block,
/// because a visitor who comes from `::ffff:192.0.2.1` is the one at `192.0.2.1`.
fn canonical(block: IpNet) -> Result<IpNet, String> {
    /// The bits before the IPv4 address.
    const MAPPED_BITS: u8 = 96;
    let IpNet::V6(block) = block else {
        return Ok(block);
    };
    let Some(address) = block.addr().to_ipv4_mapped() else {
        return Ok(block.into());
    };
    block
        .prefix_len()
        .checked_sub(MAPPED_BITS)
        .and_then(|bits| Ipv4Net::new(address, bits).ok())
        .map(IpNet::from)
        .ok_or_else(|| {
            format!(
                "\u{201c}{block}\u{201d} is a block of IPv4 addresses; \
                 write it as one, such as 192.0.2.0/24."
            )
        })
}

/// The first line that covers the address.
pub fn find(rules: &[AddressRule], address: IpAddr) -> Option<&AddressRule> {
    rules.iter().find(|rule| rule.covers(address))
}

impl fmt::Display for AddressRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.block)?;
        if self.label.is_empty() {
            Ok(())
        } else {
            write!(f, " {}", self.label)
        }
    }
}

impl TryFrom<String> for AddressRule {
    type Error = String;
    fn try_from(line: String) -> Result<Self, String> {
        Self::parse(&line)
    }
}

impl From<AddressRule> for String {
    fn from(rule: AddressRule) -> Self {
        rule.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_matches_exactly_its_block() {
        for (name, line, address, covered) in [
            ("a block", "192.0.2.0/24", "192.0.2.200", true),
            ("its neighbour", "192.0.2.0/24", "192.0.3.1", false),
            ("one address", "192.0.2.1", "192.0.2.1", true),
            ("another address", "192.0.2.1", "192.0.2.2", false),
            (
                "host bits do not matter",
                "192.0.2.77/24",
                "192.0.2.1",
                true,
            ),
            ("IPv6", "2001:db8::/32", "2001:db8:1::1", true),
            ("IPv4 is not IPv6", "::/0", "192.0.2.1", false),
            ("capitals", "2001:DB8::/32", "2001:db8::1", true),
            ("in full", "2001:0DB8:0:0:0:0:0:0/32", "2001:db8::1", true),
            (
                "its last part as IPv4",
                "2001:db8::192.0.2.1",
                "2001:db8::c000:201",
                true,
            ),
            (
                "a mapped address in hexadecimal",
                "192.0.2.1",
                "::ffff:c000:201",
                true,
            ),
            (
                "IPv4 in IPv6 clothes",
                "192.0.2.0/24",
                "::ffff:192.0.2.1",
                true,
            ),
            ("everybody", "0.0.0.0/0", "203.0.113.9", true),
        ] {
            let rule = AddressRule::parse(line).expect(name);
            assert_eq!(rule.covers(address.parse().expect(name)), covered, "{name}");
        }
    }

    #[test]
    fn ipv4_mapped_block_equals_the_ipv4_block() {
        for (line, written) in [
            ("::ffff:192.0.2.0/120", Ok("192.0.2.0/24")),
            ("::ffff:192.0.2.77/120", Ok("192.0.2.0/24")),
            ("::ffff:c000:200/120", Ok("192.0.2.0/24")),
            ("0:0:0:0:0:FFFF:192.0.2.0/120", Ok("192.0.2.0/24")),
            ("::ffff:192.0.2.1", Ok("192.0.2.1/32")),
            ("::ffff:192.0.2.1/128", Ok("192.0.2.1/32")),
            ("::ffff:0:0/96", Ok("0.0.0.0/0")),
            ("::ffff:192.0.2.0/120 Lab", Ok("192.0.2.0/24 Lab")),
            ("::ffff:192.0.2.0/95", Err(())),
            ("::ffff:192.0.2.0/24", Err(())),
            ("::192.0.2.0/120", Ok("::c000:200/120")),
            ("::fffe:192.0.2.0/120", Ok("::fffe:c000:200/120")),
            ("64:ff9b::192.0.2.0/120", Ok("64:ff9b::c000:200/120")),
        ] {
            let rule = AddressRule::parse(line).map_err(drop);
            let found = rule.as_ref().map(ToString::to_string);
            assert_eq!(
                found.as_deref().map_err(|()| &()),
                written.as_ref().map(|s| *s),
                "{line}"
            );
        }
    }

    /// Whether the address is in the block, by masks over numbers.
    fn is_in(address: IpAddr, base: IpAddr, prefix: u32) -> bool {
        let number = |address: IpAddr| match address {
            IpAddr::V4(address) => u128::from(address.to_bits()) | 0xffff << 32,
            IpAddr::V6(address) => address.to_bits(),
        };
        let bits = if base.is_ipv4() { prefix + 96 } else { prefix };
        let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
        // IPv4 addresses, mapped or not, are in blocks of IPv4 addresses only.
        let is_v4 = |address: IpAddr| number(address) >> 32 == 0xffff;
        number(address) & mask == number(base) & mask && (is_v4(base) == is_v4(address))
    }

    #[test]
    fn rules_agree_with_bit_masks() {
        let mut random = fastrand::Rng::with_seed(22);
        for _ in 0..20_000 {
            let v4 = std::net::Ipv4Addr::from_bits(random.u32(..));
            let base: IpAddr = match random.u8(0..4) {
                0 | 1 => v4.into(),
                2 => v4.to_ipv6_mapped().into(),
                _ => std::net::Ipv6Addr::from_bits(random.u128(..)).into(),
            };
            let prefix = match base {
                IpAddr::V4(_) => random.u32(0..=32),
                IpAddr::V6(_) if base.to_canonical().is_ipv4() => random.u32(96..=128),
                IpAddr::V6(_) => random.u32(0..=128),
            };
            let rule = AddressRule::parse(&format!("{base}/{prefix}")).expect("a block");
            let near = |address: IpAddr, random: &mut fastrand::Rng| match address {
                IpAddr::V4(address) => {
                    let flip = 1_u32.checked_shl(random.u32(0..40)).unwrap_or(0);
                    IpAddr::from(std::net::Ipv4Addr::from_bits(address.to_bits() ^ flip))
                }
                IpAddr::V6(address) => {
                    let flip = 1_u128.checked_shl(random.u32(0..136)).unwrap_or(0);
                    IpAddr::from(std::net::Ipv6Addr::from_bits(address.to_bits() ^ flip))
                }
            };
            let address = near(base, &mut random);
            for address in [address, address.to_canonical(), v4.to_ipv6_mapped().into()] {
                assert_eq!(
                    rule.covers(address),
                    is_in(address, base, prefix),
                    "{base}/{prefix} and {address}, read as {rule}"
                );
            }
        }
    }

    #[test]
    fn rule_with_label_round_trips() {
        for (line, label) in [
            ("192.0.2.0/24 Example  University", "Example  University"),
            ("2001:db8::/32", "2001:db8::/32"),
        ] {
            let rule = AddressRule::parse(line).expect(line);
            assert_eq!(
                (rule.to_string().as_str(), rule.label().as_str()),
                (line, label)
            );
        }
    }

    #[test]
    fn invalid_rule_is_refused() {
        for line in [
            "",
            "example.com",
            "192.0.2.0/33",
            "192.0.2",
            "192.0.2.1-9",
            "192.0.2.*",
            "192.0.2.0/255.255.255.0",
            "192.000.002.001",
            "0xc0.0.2.1",
            "3221225985",
            "[2001:db8::1]",
            "fe80::1%eth0",
            "192.0.2.1:443",
            "192.0.2.0/-1",
            "192.0.2.0/",
            "::ffff:192.0.2.0/64",
            &format!("192.0.2.1 {}", "x".repeat(MAX_LABEL + 1)),
        ] {
            assert!(AddressRule::parse(line).is_err(), "{line}");
        }
    }
}

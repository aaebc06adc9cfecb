//! Owns which hosts the whole internet can reach, as far as their addresses and names say. Must not
//! know DNS: where a public name leads is decided when it is looked up, and the session's network
//! has the last word (see docs/network.md).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use url::Host;

/// Where a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// On the public internet.
    Public,
    /// In a private or reserved range, or under a name that only an inner network resolves.
    Inner,
    /// The machine that asks: loopback and unspecified addresses, and names for them.
    ThisMachine,
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// IPv4 blocks that are not public: the special-purpose registry of IANA (RFC 6890), multicast,
/// reserved, and one address of a cloud's own services.
const INNER_V4: [Ipv4Net; 16] = [
    v4(0, 0, 0, 0, 8),        // this network
    v4(10, 0, 0, 0, 8),       // private
    v4(100, 64, 0, 0, 10),    // shared, behind a carrier's NAT
    v4(127, 0, 0, 0, 8),      // loopback
    v4(168, 63, 129, 16, 32), // Azure's platform services
    v4(169, 254, 0, 0, 16),   // link-local, metadata services
    v4(172, 16, 0, 0, 12),    // private
    v4(192, 0, 0, 0, 24),     // protocol assignments
    v4(192, 0, 2, 0, 24),     // documentation
    v4(192, 88, 99, 0, 24),   // 6to4 relays
    v4(192, 168, 0, 0, 16),   // private
    v4(198, 18, 0, 0, 15),    // benchmarking
    v4(198, 51, 100, 0, 24),  // documentation
    v4(203, 0, 113, 0, 24),   // documentation
    v4(224, 0, 0, 0, 4),      // multicast
    v4(240, 0, 0, 0, 4),      // reserved, broadcast
];

/// The only IPv6 block that is routed on the internet. Everything else is not public: loopback,
/// IPv4-mapped and IPv4-compatible, NAT64, discard, unique local, link-local, site-local,
/// multicast.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

/// Parts of [`GLOBAL_V6`] that are not public.
const INNER_V6: [Ipv6Net; 4] = [
    v6(0x2001, 0, 0, 23),     // protocol assignments: Teredo, benchmarking, ORCHID
    v6(0x2001, 0xdb8, 0, 32), // documentation
    v6(0x2002, 0, 0, 16),     // 6to4, which carries an IPv4 address
    v6(0x3fff, 0, 0, 20),     // documentation
];

/// The interface identifier of ISATAP, which carries an IPv4 address in its last 32 bits.
const ISATAP: u16 = 0x5efe;

/// Last labels that no public name has: special use (RFC 6761 and others), set apart by ICANN, or
/// in common use on inner networks.
const INNER_TOP: [&str; 20] = [
    "alt",
    "arpa",
    "cluster",
    "consul",
    "corp",
    "domain",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "mail",
    "onion",
    "private",
    "svc",
    "test",
    "workgroup",
];

/// Public names of metadata services.
const METADATA: [&str; 4] = [
    "metadata.goog",
    "metadata.packet.net",
    "metadata.platformequinix.com",
    "metadata.tencentyun.com",
];

/// Public domains whose names lead to whatever address they spell, or to this machine.
const SPELLS_ADDRESSES: [&str; 19] = [
    "1u.ms",
    "42foo.com",
    "backname.io",
    "ddev.site",
    "fuf.me",
    "ipv6-literal.net",
    "lacolhost.com",
    "lndo.site",
    "local-ip.co",
    "localho.st",
    "localhost.direct",
    "localtest.me",
    "lvh.me",
    "nip.io",
    "rbndr.us",
    "sslip.io",
    "traefik.me",
    "vcap.me",
    "xip.io",
];

/// Where a host is. The caller has parsed it with the `url` crate, which writes every spelling of
/// an IPv4 address (decimal, octal, hexadecimal, short, full-width) as four numbers.
pub fn reach<S: AsRef<str>>(host: &Host<S>) -> Reach {
    match host {
        Host::Domain(name) => reach_of_name(name.as_ref()),
        Host::Ipv4(address) => reach_of_address(IpAddr::V4(*address)),
        Host::Ipv6(address) => reach_of_address(IpAddr::V6(*address)),
    }
}

/// Where an address is. An IPv6 address that carries an IPv4 address is never public, because
/// translators and tunnels would lead to that one.
pub fn reach_of_address(address: IpAddr) -> Reach {
    let canonical = address.to_canonical();
    if canonical.is_loopback() || canonical.is_unspecified() {
        return Reach::ThisMachine;
    }
    let inner = match address {
        IpAddr::V4(address) => INNER_V4.iter().any(|block| block.contains(&address)),
        IpAddr::V6(address) => {
            let [.., universal, isatap, _, _] = address.segments();
            !GLOBAL_V6.contains(&address)
                || INNER_V6.iter().any(|block| block.contains(&address))
                || (isatap == ISATAP && matches!(universal, 0 | 0x200))
        }
    };
    if inner { Reach::Inner } else { Reach::Public }
}

fn reach_of_name(name: &str) -> Reach {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let is_below = |domain: &str| {
        name.strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let Some((_, top)) = name.rsplit_once('.') else {
        return if name == "localhost" {
            Reach::ThisMachine
        } else {
            Reach::Inner
        };
    };
    if matches!(top, "localhost" | "localdomain") {
        return Reach::ThisMachine;
    }
    let spelled = spelled_address(&name).map(|address| reach_of_address(IpAddr::V4(address)));
    match spelled {
        Some(Reach::ThisMachine) => Reach::ThisMachine,
        Some(Reach::Inner) => Reach::Inner,
        _ if !is_well_formed(&name) || INNER_TOP.contains(&top) => Reach::Inner,
        _ if METADATA.iter().any(|domain| is_below(domain)) => Reach::Inner,
        // What such a name spells may be hidden in many ways, and most of them are for this
        // machine.
        _ if SPELLS_ADDRESSES.iter().any(|domain| is_below(domain)) => Reach::ThisMachine,
        _ => Reach::Public,
    }
}

/// Whether DNS could hold this name: labels of 1 to 63 characters, 253 in all, and a last label
/// that is no number.
fn is_well_formed(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    name.len() <= 253
        && name.split('.').all(is_label)
        && !name.rsplit('.').next().is_some_and(is_number)
}

/// The first address that is not public among those that a name spells with dots or hyphens, as in
/// `app.10.0.0.1.example.com` and `10-0-0-1.example.com`.
fn spelled_address(name: &str) -> Option<Ipv4Addr> {
    let parts: Vec<Option<u8>> = name
        .split(['.', '-'])
        .map(|part| {
            part.bytes()
                .all(|byte| byte.is_ascii_digit())
                .then(|| part.parse().ok())
                .flatten()
        })
        .collect();
    parts.windows(4).find_map(|part| match part {
        [Some(a), Some(b), Some(c), Some(d)] => {
            let address = Ipv4Addr::new(*a, *b, *c, *d);
            (reach_of_address(IpAddr::V4(address)) != Reach::Public).then_some(address)
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    fn reach_in(text: &str) -> Option<Reach> {
        Url::parse(&format!("http://{text}/"))
            .ok()?
            .host()
            .map(|host| reach(&host))
    }

    #[test]
    fn address_classes_are_recognised() {
        use Reach::{Inner, Public, ThisMachine};
        for (name, host, expected) in [
            ("public", "8.8.8.8", Public),
            ("just below 10/8", "9.255.255.255", Public),
            ("private", "10.0.0.1", Inner),
            ("just above 10/8", "11.0.0.0", Public),
            ("just below 172.16/12", "172.15.255.255", Public),
            ("private", "172.31.255.255", Inner),
            ("just above 172.16/12", "172.32.0.0", Public),
            ("private", "192.168.1.1", Inner),
            ("shared", "100.64.0.1", Inner),
            ("end of shared", "100.127.255.255", Inner),
            ("just above shared", "100.128.0.0", Public),
            ("this network", "0.1.2.3", Inner),
            ("unspecified", "0.0.0.0", ThisMachine),
            ("loopback", "127.8.9.1", ThisMachine),
            ("link-local", "169.254.1.1", Inner),
            ("metadata", "169.254.169.254", Inner),
            ("a task's credentials", "169.254.170.2", Inner),
            ("Azure's metadata", "168.63.129.16", Inner),
            ("protocol assignments", "192.0.0.192", Inner),
            ("documentation", "192.0.2.1", Inner),
            ("6to4 relay", "192.88.99.1", Inner),
            ("benchmarking", "198.19.255.255", Inner),
            ("documentation", "198.51.100.1", Inner),
            ("documentation", "203.0.113.1", Inner),
            ("multicast", "239.255.255.250", Inner),
            ("reserved", "240.0.0.1", Inner),
            ("broadcast", "255.255.255.255", Inner),
            ("decimal", "2130706433", ThisMachine),
            ("octal", "0177.0.0.1", ThisMachine),
            ("hexadecimal", "0x7f000001", ThisMachine),
            ("mixed", "0x7f.0.1", ThisMachine),
            ("short", "127.1", ThisMachine),
            ("short private", "10.1", Inner),
            ("zero", "0", ThisMachine),
            ("full-width digits", "１２７.0.0.1", ThisMachine),
            ("ideographic stops", "127。0。0。1", ThisMachine),
            ("circled digits", "①②⑦.0.0.1", ThisMachine),
            ("percent signs", "%31%32%37.0.0.1", ThisMachine),
            ("a trailing dot", "127.0.0.1.", ThisMachine),
            ("IPv6 loopback", "[::1]", ThisMachine),
            ("IPv6 unspecified", "[::]", ThisMachine),
            ("mapped loopback", "[::ffff:127.0.0.1]", ThisMachine),
            ("mapped private", "[::ffff:10.0.0.1]", Inner),
            ("mapped public", "[::ffff:8.8.8.8]", Inner),
            ("compatible", "[::10.0.0.1]", Inner),
            ("translated (RFC 2765)", "[::ffff:0:10.0.0.1]", Inner),
            ("NAT64", "[64:ff9b::10.0.0.1]", Inner),
            ("NAT64, local use", "[64:ff9b:1::10.0.0.1]", Inner),
            ("6to4", "[2002:a00:1::1]", Inner),
            ("Teredo", "[2001:0:4136:e378:8000:63bf:3fff:fdd2]", Inner),
            ("ISATAP", "[2606:4700::5efe:a00:1]", Inner),
            ("discard", "[100::1]", Inner),
            ("benchmarking", "[2001:2::1]", Inner),
            ("ORCHID", "[2001:20::1]", Inner),
            ("documentation", "[2001:db8::1]", Inner),
            ("documentation", "[3fff::1]", Inner),
            ("segment routing", "[5f00::1]", Inner),
            ("unique local", "[fd00:ec2::254]", Inner),
            ("link-local", "[fe80::1]", Inner),
            ("site-local", "[fec0::1]", Inner),
            ("multicast", "[ff02::1]", Inner),
            ("public IPv6", "[2606:4700::1111]", Public),
            ("public IPv6", "[2a00:1450:4001::200e]", Public),
        ] {
            assert_eq!(reach_in(host), Some(expected), "{name}: {host}");
        }
    }

    #[test]
    fn internal_names_are_recognised() {
        use Reach::{Inner, Public, ThisMachine};
        for (name, host, expected) in [
            ("public", "example.com", Public),
            ("with a dot", "example.com.", Public),
            ("an underscore", "a_b.example.com", Public),
            ("international", "bücher.example", Public),
            ("numbers in labels", "24.de", Public),
            ("a version", "v1.2.3.4.example.com", Public),
            ("a public address", "8-8-8-8.example.com", Public),
            (
                "a cloud's public name",
                "ec2-3-120-1-2.eu-central-1.compute.amazonaws.com",
                Public,
            ),
            ("localhost", "localhost", ThisMachine),
            ("with a dot", "localhost.", ThisMachine),
            ("upper case", "LOCALHOST", ThisMachine),
            ("full-width", "ｌｏｃａｌｈｏｓｔ", ThisMachine),
            ("below localhost", "foo.localhost", ThisMachine),
            ("percent signs", "%6cocalhost", ThisMachine),
            ("localdomain", "localhost.localdomain", ThisMachine),
            ("two dots", "127.0.0.1..", ThisMachine),
            ("two dots", "example.com..", Inner),
            ("an empty label", "a..example.com", Inner),
            ("one label", "intranet", Inner),
            ("mDNS", "printer.local", Inner),
            ("internal", "metadata.google.internal", Inner),
            ("a cloud's inner name", "ip-10-0-0-1.ec2.internal", Inner),
            ("Kubernetes", "kubernetes.default.svc", Inner),
            ("reverse lookup", "1.0.0.10.in-addr.arpa", Inner),
            ("home network", "router.home.arpa", Inner),
            ("onion", "abcdefgh.onion", Inner),
            ("metadata", "metadata.goog", Inner),
            ("metadata", "metadata.tencentyun.com.", Inner),
            ("spells loopback", "127.0.0.1.nip.io", ThisMachine),
            ("spells it in hexadecimal", "7f000001.nip.io", ThisMachine),
            ("spells private", "app.10.0.0.1.nip.io", Inner),
            ("with hyphens", "app-192-168-1-1.sslip.io", Inner),
            ("spells IPv6", "--1.sslip.io", ThisMachine),
            ("an unknown domain", "127.0.0.1.example.com", ThisMachine),
            ("an unknown domain", "169-254-169-254.example.com", Inner),
            ("always loopback", "anything.localtest.me", ThisMachine),
            ("ends like one", "notnip.io", Public),
        ] {
            assert_eq!(reach_in(host), Some(expected), "{name}: {host}");
        }
        let long = format!("{}.com", "a".repeat(64));
        assert_eq!(reach(&Host::Domain(long)), Reach::Inner, "a long label");
    }

    /// IANA's registries once more, as ranges of first and last address.
    const RESERVED: [(&str, &str); 17] = [
        ("0.0.0.0", "0.255.255.255"),
        ("10.0.0.0", "10.255.255.255"),
        ("100.64.0.0", "100.127.255.255"),
        ("127.0.0.0", "127.255.255.255"),
        ("168.63.129.16", "168.63.129.16"),
        ("169.254.0.0", "169.254.255.255"),
        ("172.16.0.0", "172.31.255.255"),
        ("192.0.0.0", "192.0.0.255"),
        ("192.0.2.0", "192.0.2.255"),
        ("192.88.99.0", "192.88.99.255"),
        ("192.168.0.0", "192.168.255.255"),
        ("198.18.0.0", "198.19.255.255"),
        ("198.51.100.0", "198.51.100.255"),
        ("203.0.113.0", "203.0.113.255"),
        ("224.0.0.0", "239.255.255.255"),
        ("240.0.0.0", "255.255.255.254"),
        ("255.255.255.255", "255.255.255.255"),
    ];

    #[test]
    fn addresses_agree_with_the_iana_registry() {
        let number = |text: &str| u32::from(text.parse::<Ipv4Addr>().expect(text));
        let edges = RESERVED.iter().flat_map(|(first, last)| {
            let (first, last) = (number(first), number(last));
            [first.saturating_sub(1), first, last, last.saturating_add(1)]
        });
        let mut random = fastrand::Rng::with_seed(18);
        let drawn: Vec<u32> = (0..20_000).map(|_| random.u32(..)).collect();
        for value in edges.chain(drawn) {
            let reserved = RESERVED
                .iter()
                .any(|(first, last)| (number(first)..=number(last)).contains(&value));
            let [a, b, c, d] = value.to_be_bytes();
            for text in [
                format!("{a}.{b}.{c}.{d}"),
                format!("{value}"),
                format!("0x{value:x}"),
                format!("0{a:o}.{b}.0x{c:X}.{d}."),
                format!("{a}.{}", value & 0xff_ffff),
            ] {
                let found = reach_in(&text);
                assert_eq!(found == Some(Reach::Public), !reserved, "{text}");
            }
            for (carried, text) in [
                ("mapped", format!("[::ffff:{a}.{b}.{c}.{d}]")),
                ("NAT64", format!("[64:ff9b::{a}.{b}.{c}.{d}]")),
                ("6to4", format!("[2002:{a:02x}{b:02x}:{c:02x}{d:02x}::]")),
            ] {
                assert_ne!(reach_in(&text), Some(Reach::Public), "{carried} {text}");
            }
            if reserved {
                for text in [
                    format!("{a}.{b}.{c}.{d}.nip.io"),
                    format!("x-{a}-{b}-{c}-{d}.example.com"),
                ] {
                    assert_ne!(reach_in(&text), Some(Reach::Public), "{text}");
                }
            }
        }
    }
}

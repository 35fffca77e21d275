//! Which network addresses may be asked.
//!
//! An address counts as what it is once resolved, however it was written: IPv4 within IPv6 is IPv4.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The networks that may be asked beside the public ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// Named by the configuration.
    pub named: Vec<IpNet>,
    /// Whether only these may be asked: a request in clear text does not leave the house.
    pub named_only: bool,
}

impl Networks {
    /// Whether this address may be asked.
    pub fn may_ask(&self, address: IpAddr) -> bool {
        let address = inner(address);
        self.named.iter().any(|network| network.contains(&address))
            || (!self.named_only && is_public(address))
    }
}

/// A network as the configuration writes it, or one address.
pub fn parse(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse::<IpNet>().ok().map(|network| network.trunc()).or_else(address)
}

/// The IPv4 address that an IPv6 address stands for, if it does.
fn inner(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    let four = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match six.segments() {
        // Mapped addresses, and the compatible ones that nobody uses any more; `::` and `::1` are themselves.
        [0, 0, 0, 0, 0, 0xffff, high, low] => four(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => four(high, low),
        // Translated (RFC 6052) and tunnelled (RFC 3056).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => four(high, low),
        [0x2002, high, low, ..] => four(high, low),
        _ => address,
    }
}

/// Whether an address belongs to the public internet: whatever IANA reserves for something else does not.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => !SPECIAL_V4.iter().any(|network| network.contains(&four)),
        IpAddr::V6(six) => {
            GLOBAL_V6.contains(&six) && !SPECIAL_V6.iter().any(|network| network.contains(&six))
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(first: u16, second: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0), prefix)
}

/// IANA's special-purpose registry for IPv4, and multicast.
const SPECIAL_V4: [Ipv4Net; 15] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
];

/// All of IPv6 that is assigned.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 3);

/// IANA's special-purpose registry for IPv6, as far as it lies in [`GLOBAL_V6`].
const SPECIAL_V6: [Ipv6Net; 3] = [v6(0x2001, 0, 23), v6(0x2001, 0xdb8, 32), v6(0x3fff, 0, 20)];

#[cfg(test)]
mod tests {
    use super::*;

    fn may(networks: &Networks, address: &str) -> bool {
        networks.may_ask(address.parse().unwrap())
    }

    #[test]
    fn what_is_not_public_is_refused_in_every_spelling() {
        let networks = Networks::default();
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "100::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!may(&networks, address), "{address}");
        }
        for address in ["8.8.8.8", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(may(&networks, address), "{address}");
        }
    }

    #[test]
    fn named_networks_may_be_asked_and_no_others_of_their_kind() {
        let named = vec![parse("10.20.0.0/16").unwrap(), parse("fd00::7").unwrap()];
        let networks = Networks { named: named.clone(), named_only: false };
        assert!(may(&networks, "10.20.3.4") && may(&networks, "::ffff:10.20.3.4"));
        assert!(may(&networks, "fd00::7") && may(&networks, "8.8.8.8"));
        assert!(!may(&networks, "10.21.0.1") && !may(&networks, "fd00::8"));
        let clear_text = Networks { named, named_only: true };
        assert!(may(&clear_text, "10.20.3.4") && !may(&clear_text, "8.8.8.8"));
    }

    #[test]
    fn networks_are_read_as_they_are_meant() {
        assert_eq!(parse("10.20.3.4/16"), parse("10.20.0.0/16"));
        assert_eq!(parse("127.0.0.1").unwrap().to_string(), "127.0.0.1/32");
        assert!(parse("localhost").is_none() && parse("10.0.0.0/33").is_none());
    }
}

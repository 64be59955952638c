//! How a container reaches a network.

use super::keep;
use super::user::number;
use crate::kernel::network::{Address, LinkKind};
use crate::text::{cut, parts, word};
use alloc::vec::Vec;
use core::ffi::CStr;
use core::net::IpAddr;

/// What is in the container's network namespace.
#[derive(Default)]
pub enum Network<'a> {
    /// Loopback alone.
    #[default]
    None,
    /// The host's interfaces: it is not isolated.
    Host,
    /// An existing namespace, by the name of its file.
    Join(&'a CStr),
    /// An interface that is connected to one of the host's.
    Link(Link<'a>),
    /// What pasta(1) brings: the host's addresses, without privilege.
    Pasta,
}

/// An interface of a container's.
pub struct Link<'a> {
    /// What it is.
    pub kind: LinkKind,
    /// The host's interface that it belongs to: the bridge of a veth.
    pub parent: &'a CStr,
    /// Its addresses.
    pub addresses: Vec<Address>,
    /// Where packets to elsewhere go.
    pub gateways: Vec<IpAddr>,
}

/// Bytes of an interface's name, at most; netdevice(7).
const NAME_BYTES_MAX: usize = 15;

impl<'a> Network<'a> {
    /// Reads `none`, `host`, `ns:PATH`, `pasta`, or `macvlan:PARENT`, `ipvlan:PARENT`, `veth:BRIDGE`
    /// with `ip=ADDRESS/PREFIX` and `gw=ADDRESS` behind commas, each once for a version of IP.
    #[must_use]
    pub fn parse(text: &CStr) -> Option<Network<'static>> {
        let (mode, rest) = cut(text.to_bytes(), b':');
        let Some(rest) = rest else {
            return Some(match word(mode) {
                "none" => Network::None,
                "host" => Network::Host,
                "pasta" => Network::Pasta,
                _ => return None,
            });
        };
        let kind = match word(mode) {
            "ns" if !rest.is_empty() => return keep(rest).map(Network::Join),
            "macvlan" => LinkKind::Macvlan,
            "ipvlan" => LinkKind::Ipvlan,
            "veth" => LinkKind::Veth,
            _ => return None,
        };
        Link::parse(kind, rest).map(Network::Link)
    }

    /// The interface, if it is one.
    #[must_use]
    pub fn link(&self) -> Option<&Link<'a>> {
        match self {
            Self::Link(link) => Some(link),
            _ => None,
        }
    }

    /// Whether names of the outside can be looked up through it.
    #[must_use]
    pub fn reaches_outside(&self) -> bool {
        matches!(self, Self::Link(_) | Self::Pasta)
    }
}

impl Link<'static> {
    fn parse(kind: LinkKind, text: &[u8]) -> Option<Self> {
        let (parent, rest) = cut(text, b',');
        if parent.is_empty() || parent.len() > NAME_BYTES_MAX {
            return None;
        }
        let parent = keep(parent)?;
        let mut link = Self { kind, parent, addresses: Vec::new(), gateways: Vec::new() };
        for option in rest.map(|rest| parts(rest, b',')).into_iter().flatten() {
            let (name, value) = cut(option, b'=');
            match word(name) {
                "ip" => link.addresses.push(address(value?)?),
                "gw" => link.gateways.push(ip(value?)?),
                _ => return None,
            }
        }
        let has = |v4| link.addresses.iter().any(|address| address.address.is_ipv4() == v4);
        let fits = link.gateways.iter().all(|gateway| has(gateway.is_ipv4()));
        fits.then_some(link)
    }
}

/// Reads `ADDRESS/PREFIX`.
fn address(text: &[u8]) -> Option<Address> {
    let (address, prefix) = cut(text, b'/');
    let address = ip(address)?;
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let prefix = number(prefix?).filter(|prefix| *prefix <= bits)?;
    Some(Address { address, prefix: prefix as u8 })
}

/// Reads an address as people write it; `core`'s reader takes three times the code.
fn ip(text: &[u8]) -> Option<IpAddr> {
    if cut(text, b':').1.is_some() {
        ipv6(text).map(IpAddr::from)
    } else {
        ipv4(text).map(IpAddr::from)
    }
}

fn ipv4(text: &[u8]) -> Option<[u8; 4]> {
    let mut octets = [0; 4];
    let mut fields = parts(text, b'.');
    for octet in &mut octets {
        *octet = u8::try_from(number(fields.next()?)?).ok()?;
    }
    fields.next().is_none().then_some(octets)
}

/// RFC 4291, 2.2: eight groups of hexadecimal digits, or fewer and `::` once for the others.
fn ipv6(text: &[u8]) -> Option<[u16; 8]> {
    let mut groups = [0; 8];
    let Some(gap) = text.windows(2).position(|pair| pair == b"::") else {
        return (fill(&mut groups, text)? == 8).then_some(groups);
    };
    let (front, back) = (text.get(..gap)?, text.get(gap + 2..)?);
    let mut last = [0; 8];
    let (before, behind) = (fill(&mut groups, front)?, fill(&mut last, back)?);
    let place = 8_usize.checked_sub(behind).filter(|place| *place > before)?;
    groups.get_mut(place..)?.copy_from_slice(last.get(..behind)?);
    Some(groups)
}

/// Puts the groups of digits, if any, to the front; how many there are.
fn fill(groups: &mut [u16; 8], text: &[u8]) -> Option<usize> {
    if text.is_empty() {
        return Some(0);
    }
    let mut count = 0;
    for group in parts(text, b':') {
        if group.is_empty() || group.len() > 4 {
            return None;
        }
        let value = group
            .iter()
            .try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)? as u16));
        *groups.get_mut(count)? = value?;
        count += 1;
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_has_a_parent_addresses_and_gateways() {
        let text = c"veth:br0,ip=10.0.0.2/24,gw=10.0.0.1,ip=fd00::2/64,gw=fd00::1";
        let Some(Network::Link(link)) = Network::parse(text) else { panic!("a link") };
        assert_eq!((link.kind, link.parent), (LinkKind::Veth, c"br0"));
        assert_eq!(link.addresses[0], Address { address: [10, 0, 0, 2].into(), prefix: 24 });
        assert_eq!(link.addresses[1].prefix, 64);
        assert_eq!(
            link.gateways,
            ["10.0.0.1".parse::<IpAddr>().unwrap(), "fd00::1".parse().unwrap()]
        );
        assert!(matches!(Network::parse(c"macvlan:eth0"), Some(Network::Link(_))));
        let Some(Network::Join(path)) = Network::parse(c"ns:/run/netns/a:b") else { panic!() };
        assert_eq!(path, c"/run/netns/a:b");
    }

    #[test]
    fn addresses_are_read_as_the_standard_library_reads_them() {
        for text in [
            "0.0.0.0",
            "255.255.255.255",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "1..2.3",
            "",
            "a.b.c.d",
            "::",
            "::1",
            "fd00::",
            "fd00::2",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1::2::3",
            ":1",
            "1:",
            ":::",
            "1:2:3:4:5:6:7::",
            "::2:3:4:5:6:7:8",
            "1:2:3:4::5:6:7:8",
            "12345::",
            "g::",
            "FE80::aB",
            "1:::2",
        ] {
            assert_eq!(ip(text.as_bytes()), text.parse::<IpAddr>().ok(), "{text}");
        }
    }

    #[test]
    fn what_is_of_another_form_is_no_network() {
        for text in [
            c"",
            c"nothing",
            c"none:",
            c"ns:",
            c"ns",
            c"veth",
            c"veth:",
            c"veth:a-name-that-is-long",
            c"veth:br0,ip=10.0.0.2",
            c"veth:br0,ip=10.0.0.2/33",
            c"veth:br0,ip=10.0.0.256/8",
            c"veth:br0,gw=10.0.0.1",
            c"veth:br0,ip=10.0.0.2/24,gw=fd00::1",
            c"veth:br0,mtu=1",
        ] {
            assert!(Network::parse(text).is_none(), "{text:?}");
        }
    }
}

//! Interfaces of a network namespace: loopback, and one that is connected to the host's.

use super::netlink::{Message, Socket};
use crate::error::{Cure, Doing, Fault, Object, Operation};
use core::ffi::CStr;
use core::net::IpAddr;
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::io::Errno;

/// A kind of interface.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub enum LinkKind {
    /// Another hardware address at the parent.
    Macvlan,
    /// Another network address at the parent, with its hardware address.
    Ipvlan,
    /// One end of a cable whose other end is in a bridge; veth(4).
    Veth,
}

/// An address and how much of it is the network's.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct Address {
    /// The address.
    pub address: IpAddr,
    /// Bits of the network's.
    pub prefix: u8,
}

/// What the container calls its interface, as Docker and Podman do.
const NAME: &[u8] = b"eth0\0";

/// Types, flags and attributes with the names of the kernel's `rtnetlink.h`, `if_link.h`,
/// `if_addr.h` and `veth.h`.
pub(super) mod header {
    pub const RTM_NEWLINK: u16 = 16;
    pub const RTM_DELLINK: u16 = 17;
    pub const RTM_GETLINK: u16 = 18;
    pub const RTM_NEWADDR: u16 = 20;
    pub const RTM_GETADDR: u16 = 22;
    pub const RTM_NEWROUTE: u16 = 24;
    pub const NEW: u16 = 0x400 | 0x200;
    pub const IFF_UP: u32 = 1;
    pub const IFLA_IFNAME: u16 = 3;
    pub const IFLA_LINK: u16 = 5;
    pub const IFLA_MASTER: u16 = 10;
    pub const IFLA_LINKINFO: u16 = 18;
    pub const IFLA_NET_NS_FD: u16 = 28;
    pub const IFLA_INFO_KIND: u16 = 1;
    pub const IFLA_INFO_DATA: u16 = 2;
    pub const IFLA_MACVLAN_MODE: u16 = 1;
    pub const MACVLAN_MODE_BRIDGE: u32 = 4;
    pub const VETH_INFO_PEER: u16 = 1;
    pub const IFA_ADDRESS: u16 = 1;
    pub const IFA_LOCAL: u16 = 2;
    pub const IFA_BROADCAST: u16 = 4;
    pub const IFA_FLAGS: u16 = 8;
    pub const IFA_RT_PRIORITY: u16 = 9;
    pub const IFA_F_NODAD: u8 = 2;
    pub const IFA_F_PERMANENT: u8 = 0x80;
    pub const RT_SCOPE_UNIVERSE: u8 = 0;
    pub const RTA_OIF: u16 = 4;
    pub const RTA_GATEWAY: u16 = 5;
    pub const AF_INET: u8 = 2;
    pub const AF_INET6: u8 = 10;
    pub const RT_TABLE_MAIN: u8 = 254;
    pub const RTPROT_BOOT: u8 = 3;
    pub const RTN_UNICAST: u8 = 1;
}
use header::{
    AF_INET, AF_INET6, IFA_ADDRESS, IFA_F_NODAD, IFA_LOCAL, IFF_UP, IFLA_IFNAME, IFLA_INFO_DATA,
    IFLA_INFO_KIND, IFLA_LINK, IFLA_LINKINFO, IFLA_MACVLAN_MODE, IFLA_MASTER, IFLA_NET_NS_FD,
    MACVLAN_MODE_BRIDGE, NEW, RT_TABLE_MAIN, RTA_GATEWAY, RTA_OIF, RTM_DELLINK, RTM_GETLINK,
    RTM_NEWADDR, RTM_NEWLINK, RTM_NEWROUTE, RTN_UNICAST, RTPROT_BOOT, VETH_INFO_PEER,
};

static LOOPBACK: Operation = Operation::new(rare!("bring the loopback interface up"));
static FIND: Operation = Operation {
    words: rare!("find the host's interface"),
    on: Object::Source,
    cures: &[(Errno::NODEV, Cure::Words(rare!("ip link lists the interfaces that there are")))],
};
static CREATE: Operation = Operation {
    words: rare!("make an interface for the container at"),
    on: Object::Source,
    cures: &[
        (
            Errno::PERM,
            Cure::Words(rare!(
                "this takes root privilege on the host; without it there is --network pasta"
            )),
        ),
        (
            Errno::OPNOTSUPP,
            Cure::Words(rare!(
                "the kernel has no such interfaces (CONFIG_MACVLAN, CONFIG_IPVLAN, CONFIG_VETH)"
            )),
        ),
        (Errno::BUSY, Cure::Words(rare!("one interface cannot have both macvlan and ipvlan"))),
        (
            Errno::INVAL,
            Cure::Words(rare!("veth takes a bridge, macvlan and ipvlan an Ethernet interface")),
        ),
    ],
};
static UP: Operation = Operation::new(rare!("bring the container's interface up"));
static ADDRESS: Operation = Operation::new(rare!("give the container's interface an address"));
static ROUTE: Operation = Operation {
    words: rare!("set the gateway"),
    on: Object::None,
    cures: &[
        (
            Errno::NETUNREACH,
            Cure::Words(rare!("the gateway has to be in the network of an address")),
        ),
        (
            Errno::HOSTUNREACH,
            Cure::Words(rare!("the gateway has to be in the network of an address")),
        ),
    ],
};

/// `struct ifinfomsg`: an interface by its number, and flags to set.
pub(super) fn interface(index: u32, flags: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[4..8].copy_from_slice(&index.to_ne_bytes());
    bytes[8..12].copy_from_slice(&flags.to_ne_bytes());
    bytes[12..16].copy_from_slice(&flags.to_ne_bytes());
    bytes
}

pub(super) fn set_up(socket: &mut Socket, index: u32) -> Result<(), Errno> {
    socket.request(&mut Message::new(RTM_NEWLINK, 0, &interface(index, IFF_UP)))
}

pub(super) fn index_of(socket: &mut Socket, name: &[u8]) -> Result<u32, Errno> {
    let mut message = Message::new(RTM_GETLINK, 0, &interface(0, 0));
    socket.index_of(message.attribute(IFLA_IFNAME, name))
}

/// Brings up the loopback interface of this network namespace; it is the first one.
///
/// # Errors
///
/// rtnetlink(7): `EPERM`.
pub fn loopback_up() -> Result<(), Fault> {
    Socket::open().and_then(|mut socket| set_up(&mut socket, 1)).doing(&LOOPBACK)
}

/// Makes an interface at `parent`, in this network namespace, that is `eth0` in the other one,
/// `namespace`. It goes when that goes. Of a veth, the end here is called `here`.
///
/// # Errors
///
/// rtnetlink(7): `EPERM`, `ENODEV`, `EOPNOTSUPP`.
pub fn create_link(
    kind: LinkKind,
    parent: &CStr,
    here: &CStr,
    namespace: BorrowedFd<'_>,
) -> Result<(), Fault> {
    let mut socket = Socket::open().doing(&CREATE)?;
    let parent = index_of(&mut socket, parent.to_bytes_with_nul()).doing(&FIND)?;
    let namespace = namespace.as_raw_fd().to_ne_bytes();
    let mut message = match kind {
        LinkKind::Veth => veth(parent, here, &namespace),
        _ => at_parent(kind, parent, &namespace),
    };
    socket.request(&mut message).doing(&CREATE)
}

/// Removes an interface of this network namespace, and with it the other end of the cable.
///
/// # Errors
///
/// rtnetlink(7): `ENODEV`.
pub fn remove_link(name: &CStr) -> Result<(), Errno> {
    let mut message = Message::new(RTM_DELLINK, 0, &interface(0, 0));
    Socket::open()?.request(message.attribute(IFLA_IFNAME, name.to_bytes_with_nul()))
}

fn at_parent(kind: LinkKind, parent: u32, namespace: &[u8]) -> Message {
    let mut message = Message::new(RTM_NEWLINK, NEW, &interface(0, 0));
    message.attribute(IFLA_IFNAME, NAME).attribute(IFLA_LINK, &parent.to_ne_bytes());
    message.attribute(IFLA_NET_NS_FD, namespace).nest(IFLA_LINKINFO, |info| {
        if kind == LinkKind::Macvlan {
            // Containers at one parent reach each other.
            let mode = MACVLAN_MODE_BRIDGE.to_ne_bytes();
            info.attribute(IFLA_INFO_KIND, b"macvlan").nest(IFLA_INFO_DATA, |data| {
                data.attribute(IFLA_MACVLAN_MODE, &mode);
            });
        } else {
            info.attribute(IFLA_INFO_KIND, b"ipvlan");
        }
    });
    message
}

/// One request makes both ends, puts one into the bridge and the other into the namespace, so that
/// nothing is left to be removed should a part of it fail.
fn veth(bridge: u32, here: &CStr, namespace: &[u8]) -> Message {
    let mut message = Message::new(RTM_NEWLINK, NEW, &interface(0, IFF_UP));
    message.attribute(IFLA_IFNAME, here.to_bytes_with_nul());
    message.attribute(IFLA_MASTER, &bridge.to_ne_bytes()).nest(IFLA_LINKINFO, |info| {
        info.attribute(IFLA_INFO_KIND, b"veth").nest(IFLA_INFO_DATA, |data| {
            data.nest(VETH_INFO_PEER, |peer| {
                peer.add(&interface(0, 0));
                peer.attribute(IFLA_IFNAME, NAME).attribute(IFLA_NET_NS_FD, namespace);
            });
        });
    });
    message
}

/// Brings `eth0` of this network namespace up, with these addresses and gateways.
///
/// # Errors
///
/// rtnetlink(7): `EPERM`, `ENETUNREACH` for a gateway that no address is near.
pub fn configure_link(addresses: &[Address], gateways: &[IpAddr]) -> Result<(), Fault> {
    let mut socket = Socket::open().doing(&UP)?;
    let index = index_of(&mut socket, NAME).doing(&UP)?;
    for address in addresses {
        add_address(&mut socket, index, address).doing(&ADDRESS)?;
    }
    set_up(&mut socket, index).doing(&UP)?;
    gateways.iter().try_for_each(|gateway| add_route(&mut socket, index, gateway)).doing(&ROUTE)
}

fn add_address(socket: &mut Socket, index: u32, address: &Address) -> Result<(), Errno> {
    // `struct ifaddrmsg`. Nobody else has the address, so it is of use at once.
    let (family, flags) = match address.address {
        IpAddr::V4(_) => (AF_INET, 0),
        IpAddr::V6(_) => (AF_INET6, IFA_F_NODAD),
    };
    let mut fixed = [family, address.prefix, flags, 0, 0, 0, 0, 0];
    fixed[4..8].copy_from_slice(&index.to_ne_bytes());
    let mut message = Message::new(RTM_NEWADDR, NEW, &fixed);
    with_octets(&address.address, |octets| {
        message.attribute(IFA_LOCAL, octets).attribute(IFA_ADDRESS, octets);
    });
    socket.request(&mut message)
}

fn add_route(socket: &mut Socket, index: u32, gateway: &IpAddr) -> Result<(), Errno> {
    let family = if gateway.is_ipv4() { AF_INET } else { AF_INET6 };
    // `struct rtmsg`: to everywhere.
    let fixed = [family, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, 0, RTN_UNICAST, 0, 0, 0, 0];
    let mut message = Message::new(RTM_NEWROUTE, NEW, &fixed);
    with_octets(gateway, |octets| {
        message.attribute(RTA_GATEWAY, octets).attribute(RTA_OIF, &index.to_ne_bytes());
    });
    socket.request(&mut message)
}

fn with_octets(address: &IpAddr, with: impl FnOnce(&[u8])) {
    match address {
        IpAddr::V4(address) => with(&address.octets()),
        IpAddr::V6(address) => with(&address.octets()),
    }
}

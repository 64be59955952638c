//! Interfaces of the host that are given to a container: `linux.netDevices` of the OCI
//! specification. An interface that changes its namespace loses its addresses; those that somebody
//! has given it are given to it again.

use super::netlink::{Message, NLM_F_DUMP, Socket, attributes, word};
use super::network::header::{
    AF_INET6, IFA_ADDRESS, IFA_BROADCAST, IFA_F_NODAD, IFA_F_PERMANENT, IFA_FLAGS, IFA_LOCAL,
    IFA_RT_PRIORITY, IFLA_IFNAME, IFLA_NET_NS_FD, NEW, RT_SCOPE_UNIVERSE, RTM_GETADDR, RTM_NEWADDR,
    RTM_NEWLINK,
};
use super::network::{index_of, interface, set_up};
use crate::error::{Cure, Doing, Fault, Object, Operation};
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::io::Errno;

static FIND: Operation = Operation {
    words: rare!("find the host's interface"),
    on: Object::Source,
    cures: &[(Errno::NODEV, Cure::Words(rare!("ip link lists the interfaces that there are")))],
};
static MOVE: Operation = Operation {
    words: rare!("give the container the interface"),
    on: Object::Source,
    cures: &[
        (Errno::PERM, Cure::Words(rare!("this takes root privilege on the host"))),
        (Errno::EXIST, Cure::Words(rare!("the container has an interface of this name already"))),
        (Errno::INVAL, Cure::Words(rare!("interfaces of this kind stay where they are"))),
    ],
};
static RESTORE: Operation =
    Operation { words: rare!("set up the container's interface"), on: Object::Target, cures: &[] };

/// An interface of this network namespace that is to be moved.
pub struct Link {
    socket: Socket,
    index: u32,
    /// Its addresses as the kernel describes them: each a `struct ifaddrmsg` and attributes;
    /// rtnetlink(7).
    addresses: Vec<Vec<u8>>,
}

/// Finds the interface `name`.
///
/// # Errors
///
/// rtnetlink(7): `ENODEV`.
pub fn find(name: &CStr) -> Result<Link, Fault> {
    let mut socket = Socket::open().doing(&FIND)?;
    let index = index_of(&mut socket, name.to_bytes_with_nul()).doing(&FIND)?;
    let mut addresses = Vec::new();
    let mut question = Message::new(RTM_GETADDR, NLM_F_DUMP, &[0; 8]);
    let mut keep = |address: &[u8]| {
        if word(address, 4) == index && is_kept(address) {
            addresses.push(address.to_vec());
        }
    };
    socket.list(&mut question, &mut keep).doing(&FIND)?;
    Ok(Link { socket, index, addresses })
}

/// Whether it is of global scope, and no protocol has brought it.
fn is_kept(address: &[u8]) -> bool {
    matches!(address, [_, _, flags, RT_SCOPE_UNIVERSE, ..] if flags & IFA_F_PERMANENT != 0)
}

/// Moves an interface to `namespace`, which this process has entered since it was found; there it
/// is called `name`, has its addresses again, and is up.
///
/// # Errors
///
/// rtnetlink(7): `EPERM`, `EEXIST`, `EINVAL`.
pub fn take(link: &mut Link, namespace: &OwnedFd, name: &CStr) -> Result<(), Fault> {
    let mut inside = Socket::open().doing(&RESTORE)?;
    // The kernel would move it first, and then refuse to call it so.
    match index_of(&mut inside, name.to_bytes_with_nul()) {
        Err(Errno::NODEV) => {}
        answer => return answer.and(Err(Errno::EXIST)).doing(&MOVE),
    }
    let mut message = Message::new(RTM_NEWLINK, 0, &interface(link.index, 0));
    message.attribute(IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
    message.attribute(IFLA_IFNAME, name.to_bytes_with_nul());
    link.socket.request(&mut message).doing(&MOVE)?;
    restore(&mut inside, name, &link.addresses).doing(&RESTORE)
}

fn restore(socket: &mut Socket, name: &CStr, addresses: &[Vec<u8>]) -> Result<(), Errno> {
    // It may have another number here.
    let index = index_of(socket, name.to_bytes_with_nul())?;
    for address in addresses {
        socket.request(&mut addition(index, address))?;
    }
    set_up(socket, index)
}

/// The message that gives an interface this address.
fn addition(index: u32, address: &[u8]) -> Message {
    let (fixed, list) = address.split_at_checked(8).unwrap_or_default();
    let family = fixed.first().copied().unwrap_or_default();
    let prefix = fixed.get(1).copied().unwrap_or_default();
    // It has moved, so nobody else has it: it is of use at once.
    let added = if family == AF_INET6 { IFA_F_NODAD } else { 0 };
    let mut fixed = [family, prefix, added, RT_SCOPE_UNIVERSE, 0, 0, 0, 0];
    fixed[4..].copy_from_slice(&index.to_ne_bytes());
    let mut message = Message::new(RTM_NEWADDR, NEW, &fixed);
    for (kind, value) in attributes(list) {
        match kind {
            IFA_FLAGS => {
                let flags = word(value, 0) | u32::from(added);
                message.attribute(kind, &flags.to_ne_bytes());
            }
            IFA_ADDRESS | IFA_LOCAL | IFA_BROADCAST | IFA_RT_PRIORITY => {
                message.attribute(kind, value);
            }
            // Its label is made of the interface's old name.
            _ => {}
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_gave_and_others_reach_is_kept() {
        assert!(is_kept(&[2, 24, 0x80, 0, 5, 0, 0, 0]));
        // Of the link alone; from a router; cut off.
        assert!(!is_kept(&[10, 64, 0x80, 253, 5, 0, 0, 0]));
        assert!(!is_kept(&[10, 64, 0, 0, 5, 0, 0, 0]));
        assert!(!is_kept(&[10, 64]));
    }
}

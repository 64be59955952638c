//! Who the program is: the id maps of a user namespace, user and group ids, and whose death ends
//! it.

use crate::error::{Cure, Doing, Fault, Object, Operation};
use crate::sys::descriptors::AsFd;
use core::ffi::CStr;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags, Timespec, openat};
use rustix::io::Errno;
use rustix::process::{Gid, Pid, Signal, Uid, getppid, set_parent_process_death_signal};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

static DENY_SETGROUPS: Operation =
    Operation { words: rare!("write /proc/self/setgroups"), on: Object::None, cures: NOT_ALLOWED };
static MAP_USERS: Operation =
    Operation { words: rare!("write /proc/self/uid_map"), on: Object::None, cures: NOT_ALLOWED };
static MAP_GROUPS: Operation =
    Operation { words: rare!("write /proc/self/gid_map"), on: Object::None, cures: NOT_ALLOWED };
const NOT_ALLOWED: &[(Errno, Cure)] = &[
    (Errno::PERM, Cure::AllowUserNamespaces),
    (Errno::ACCESS, Cure::AllowUserNamespaces),
    (Errno::NOENT, Cure::Words(rare!("/proc has to be mounted"))),
];
static SET_GROUPS: Operation = Operation {
    words: rare!("set the supplementary groups"),
    on: Object::None,
    cures: &[
        (
            Errno::PERM,
            Cure::Words(rare!(
                "in a user namespace this takes more groups than one: --map-groups auto"
            )),
        ),
        (
            Errno::INVAL,
            Cure::Words(rare!("this user namespace has no such id: --map-groups maps more")),
        ),
    ],
};
static SET_GROUP: Operation =
    Operation { words: rare!("set the group id"), on: Object::None, cures: NOT_MAPPED };
static SET_USER: Operation =
    Operation { words: rare!("set the user id"), on: Object::None, cures: NOT_MAPPED };
const NOT_MAPPED: &[(Errno, Cure)] = &[(
    Errno::INVAL,
    Cure::Words(rare!("this user namespace has no such id: --map-users maps more")),
)];
static DIE_WITH: Operation = Operation::new(rare!("tie the program to the launcher"));

/// Writes the id maps of the user namespace that this process is alone in; `user_namespaces(7)`.
/// Setting groups is forbidden first: the kernel asks for that before an unprivileged group map,
/// since dropping a group could give access that the group was denied.
///
/// # Errors
///
/// open(2) and write(2) on the files named: `ENOENT` without /proc, `EPERM`.
pub fn write_maps(users: &[u8], groups: &[u8]) -> Result<(), Fault> {
    write_file(c"/proc/self/setgroups", b"deny").doing(&DENY_SETGROUPS)?;
    write_file(c"/proc/self/uid_map", users).doing(&MAP_USERS)?;
    write_file(c"/proc/self/gid_map", groups).doing(&MAP_GROUPS)
}

pub(super) fn write_file(path: &CStr, content: &[u8]) -> Result<(), Errno> {
    let file = openat(CWD, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    match rustix::io::write(file.as_fd(), content)? {
        count if count == content.len() => Ok(()),
        _ => Err(Errno::IO),
    }
}

/// Makes these the supplementary groups.
///
/// # Errors
///
/// setgroups(2): `EPERM`, `EINVAL` for one that is not mapped.
pub fn set_groups(groups: &[Gid]) -> Result<(), Fault> {
    set_thread_groups(groups).doing(&SET_GROUPS)
}

/// Becomes this user and group, real, effective and saved; from root to any other this also gives
/// up all capabilities; capabilities(7).
///
/// # Errors
///
/// setresgid(2), setresuid(2): `EPERM`, `EINVAL` for an id that is not mapped.
pub fn switch_to(user: u32, group: u32) -> Result<(), Fault> {
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    set_thread_res_gid(group, group, group).doing(&SET_GROUP)?;
    set_thread_res_uid(user, user, user).doing(&SET_USER)
}

/// The launcher, as its child knows it.
pub struct Parent {
    /// By its number, which a child in another process namespace cannot see.
    pub process: Pid,
    /// Open, for a child that could not see otherwise that its parent is dead; `pidfd_open(2)`.
    pub file: Option<OwnedFd>,
}

/// Asks the kernel to kill this process when its parent dies; `PR_SET_PDEATHSIG(2const)`. A change of
/// user ids takes the wish back, so this comes after it.
///
/// # Errors
///
/// That the parent is dead already.
pub fn die_with(parent: &Parent) -> Result<(), Fault> {
    set_parent_process_death_signal(Some(Signal::KILL)).doing(&DIE_WITH)?;
    let lives = match &parent.file {
        Some(file) => {
            let mut files = [PollFd::from_borrowed_fd(file.as_fd(), PollFlags::IN)];
            poll(&mut files, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).doing(&DIE_WITH)? == 0
        }
        // Without a number it is in another namespace, on a kernel before 5.3.
        None => getppid().is_none_or(|now| now == parent.process),
    };
    if lives { Ok(()) } else { Err(Errno::SRCH).doing(&DIE_WITH) }
}

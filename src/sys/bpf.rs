//! Programs that the kernel asks whether a cgroup may use a device; bpf(2), Linux 4.15.
#![allow(unsafe_code)]

use super::{architecture, checked};
use core::ptr::from_mut;
use linux_raw_sys::general::__NR_bpf;
use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::io::Errno;

/// An instruction: the kernel's `bpf_insn`.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug, PartialEq))]
#[repr(C)]
pub struct Instruction {
    /// What is done.
    pub code: u8,
    /// To which register, in the lower half, and from which.
    pub registers: u8,
    /// How far a jump goes, or where memory is.
    pub offset: i16,
    /// A number.
    pub number: i32,
}

/// The commands that are used.
const PROG_LOAD: usize = 5;
const PROG_ATTACH: usize = 8;
const PROG_DETACH: usize = 9;
const PROG_GET_FD_BY_ID: usize = 13;
const PROG_QUERY: usize = 16;

/// Kinds of programs, and where they are attached; `linux/bpf.h`.
const KIND_CGROUP_DEVICE: u64 = 15;
const AT_CGROUP_DEVICE: u64 = 6;
const ALLOW_MULTI: u64 = 2;

/// The kernel's `bpf_attr`, as words of eight bytes. It is passed longer than the kernel's own: from Linux 6.17 to 7.1
/// it writes at the places of later fields, however short it was said to be.
struct Attributes([u64; 32]);

impl Attributes {
    /// The first words; numbers of four bytes go in pairs.
    fn new(words: &[u64]) -> Self {
        let mut all = [0; 32];
        for (place, word) in all.iter_mut().zip(words) {
            *place = *word;
        }
        Self(all)
    }

    fn call(&mut self, command: usize) -> Result<usize, Errno> {
        let attributes = from_mut(&mut self.0).expose_provenance();
        // SAFETY: a structure of the size named; what it points to, the callers borrow.
        checked(unsafe {
            architecture::syscall(__NR_bpf, [command, attributes, size_of::<Self>(), 0, 0])
        })
    }
}

/// Two numbers of four bytes, as they lie in memory.
const fn pair(first: u64, second: u64) -> u64 {
    if cfg!(target_endian = "little") { first | second << 32 } else { first << 32 | second }
}

fn number(file: BorrowedFd<'_>) -> u64 {
    u64::from(file.as_raw_fd().cast_unsigned())
}

fn descriptor(number: usize) -> OwnedFd {
    // SAFETY: the kernel has just made this descriptor for us.
    unsafe { OwnedFd::from_raw_fd(number as i32) }
}

/// Gives the kernel a program that decides about devices.
///
/// # Errors
///
/// bpf(2): `EPERM` without `CAP_SYS_ADMIN` on the host, and before Linux 5.11 when `RLIMIT_MEMLOCK` is used up; `EINVAL`,
/// `EACCES` for a program that is none.
pub fn load(program: &[Instruction]) -> Result<OwnedFd, Errno> {
    let instructions = program.as_ptr().expose_provenance() as u64;
    let license = c"GPL".as_ptr().expose_provenance() as u64;
    let kind = pair(KIND_CGROUP_DEVICE, program.len() as u64);
    Attributes::new(&[kind, instructions, license]).call(PROG_LOAD).map(descriptor)
}

/// Has the kernel ask the program about the devices of a cgroup, and of those below it. All that are asked have to agree.
///
/// # Errors
///
/// bpf(2).
pub fn attach(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<(), Errno> {
    let words = [pair(number(cgroup), number(program)), pair(AT_CGROUP_DEVICE, ALLOW_MULTI)];
    Attributes::new(&words).call(PROG_ATTACH).map(drop)
}

/// Has the kernel no longer ask the program of this number.
///
/// # Errors
///
/// bpf(2): `ENOENT` if it is not asked.
pub fn detach(cgroup: BorrowedFd<'_>, program: u32) -> Result<(), Errno> {
    let opened = Attributes::new(&[program.into()]).call(PROG_GET_FD_BY_ID).map(descriptor)?;
    let opened = u64::from(opened.as_raw_fd().cast_unsigned());
    Attributes::new(&[pair(number(cgroup), opened), AT_CGROUP_DEVICE]).call(PROG_DETACH).map(drop)
}

/// The numbers of the programs that are asked about devices; how many there are.
///
/// # Errors
///
/// bpf(2): `ENOSPC` if there is no room for all.
pub fn attached(cgroup: BorrowedFd<'_>, programs: &mut [u32]) -> Result<usize, Errno> {
    let (room, place) = (programs.len() as u64, programs.as_mut_ptr().expose_provenance() as u64);
    let mut attributes =
        Attributes::new(&[pair(number(cgroup), AT_CGROUP_DEVICE), 0, place, pair(room, 0)]);
    attributes.call(PROG_QUERY)?;
    let count = attributes.0.get(3).map_or(0, |word| pair(*word, 0) as u32);
    Ok((count as usize).min(programs.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structures_are_the_kernel_s() {
        assert_eq!(size_of::<Instruction>(), 8);
        assert!(size_of::<Attributes>() >= 160);
        let bytes = pair(1, 2).to_ne_bytes();
        assert_eq!(
            (bytes[..4].to_vec(), bytes[4..].to_vec()),
            (1_u32.to_ne_bytes().to_vec(), 2_u32.to_ne_bytes().to_vec())
        );
    }
}

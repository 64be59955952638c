//! Signals as the launcher takes them: blocked, and fetched one by one with where they came from;
//! `rt_sigprocmask(2)`, `rt_sigtimedwait(2)`, `rt_sigaction(2)`.
#![allow(unsafe_code)]

use super::{architecture, checked};
use core::ptr::{from_mut, from_ref};
use linux_raw_sys::general::{
    __NR_rt_sigaction, __NR_rt_sigprocmask, __NR_rt_sigtimedwait, __NR_signalfd4, O_CLOEXEC,
    O_NONBLOCK, SIG_BLOCK, SIG_SETMASK, kernel_sigaction,
};
use rustix::fd::{BorrowedFd, FromRawFd, OwnedFd};
use rustix::fs::Timespec;
use rustix::io::Errno;
use rustix::process::Signal;

/// A set of signals in the kernel's form: bit N - 1 stands for signal N.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct SignalSet(u64);

/// Bytes of a [`SignalSet`], which each of these calls wants to be told.
const SET_BYTES: usize = size_of::<SignalSet>();

impl SignalSet {
    /// The set of these signals.
    #[must_use]
    pub const fn of(signals: &[Signal]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < signals.len() {
            bits |= 1 << (signals[index].as_raw() - 1);
            index += 1;
        }
        Self(bits)
    }

    /// This set with the signals of `other`.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The signal of this number; None if programs have none such. Those between the named ones and the
/// first that programs are given are the C library's own.
#[must_use]
pub fn numbered(number: u32) -> Option<Signal> {
    if !matches!(number, 1..=31 | 34..=64) {
        return None;
    }
    // SAFETY: the number is a signal's, and nobody's here but the kernel's and programs'.
    Some(unsafe { Signal::from_raw_unchecked(number as i32) })
}

/// A signal that was fetched.
#[derive(Clone, Copy)]
pub struct Received {
    /// Which one, by its number.
    pub number: i32,
    /// Whether a process sent it with kill(2) or the like; otherwise the kernel did by itself, as
    /// it does for a key typed at the terminal, which every process of the foreground gets.
    pub sent_by_process: bool,
}

/// How signals were set up before [`hold`].
#[derive(Clone, Copy)]
pub struct Before {
    blocked: SignalSet,
    child_action: usize,
}

/// Blocks `signals`, so that [`wait`] can fetch them. `SIGCHLD` also gets its default action: a
/// process that ignores it, as it may have been started to, never learns how its children end.
///
/// # Errors
///
/// `rt_sigprocmask(2)` and sigaction(2): none with valid arguments.
pub fn hold(signals: SignalSet) -> Result<Before, Errno> {
    let child_action = replace_action(Signal::CHILD, SIG_DFL)?;
    // What was blocked already stays so: in between, one could get lost.
    let blocked = change_blocked(SIG_BLOCK, signals)?;
    Ok(Before { blocked, child_action })
}

impl Before {
    /// Sets signals up as they were before, for a program that is about to be executed.
    ///
    /// # Errors
    ///
    /// As for [`hold`].
    pub fn restore(self) -> Result<(), Errno> {
        if self.child_action == SIG_IGN {
            replace_action(Signal::CHILD, SIG_IGN)?;
        }
        change_blocked(SIG_SETMASK, self.blocked)?;
        Ok(())
    }
}

/// Makes `blocked` the set of signals that wait, or adds it to them, and returns the set before.
fn change_blocked(how: u32, blocked: SignalSet) -> Result<SignalSet, Errno> {
    let mut before = SignalSet(0);
    let arguments = [
        how as usize,
        from_ref(&blocked).expose_provenance(),
        from_mut(&mut before).expose_provenance(),
        SET_BYTES,
        0,
    ];
    // SAFETY: two sets of the size named, one to read and one to write.
    checked(unsafe { architecture::syscall(__NR_rt_sigprocmask, arguments) })?;
    Ok(before)
}

/// Sleeps until one of `signals`, all blocked, arrives, at most for `limit`.
///
/// # Errors
///
/// sigtimedwait(2): `EINTR`, after the process was stopped and continued; `EAGAIN`, when none came.
pub fn wait(signals: SignalSet, limit: Option<Timespec>) -> Result<Received, Errno> {
    /// `siginfo_t`, of which only the first three words are read.
    #[repr(C, align(8))]
    struct Information {
        signal: i32,
        errno: i32,
        code: i32,
        rest: [u32; 29],
    }
    let mut information = Information { signal: 0, errno: 0, code: 0, rest: [0; 29] };
    let arguments = [
        from_ref(&signals).expose_provenance(),
        from_mut(&mut information).expose_provenance(),
        limit.as_ref().map_or(0, |limit| from_ref(limit).expose_provenance()),
        SET_BYTES,
        0,
    ];
    // SAFETY: a set of the size named, 128 bytes for the information, and a
    // time of the kernel's layout or none.
    checked(unsafe { architecture::syscall(__NR_rt_sigtimedwait, arguments) })?;
    // sigaction(2): a code above zero comes from the kernel, the others from a sender.
    let sent_by_process = information.code <= 0;
    Ok(Received { number: information.signal, sent_by_process })
}

/// `signals`, all blocked, as a file that can be read when one has arrived; signalfd(2).
///
/// # Errors
///
/// signalfd(2): `EMFILE`, `ENFILE`, `ENOMEM`.
pub fn file_of(signals: SignalSet) -> Result<OwnedFd, Errno> {
    const NEW: usize = usize::MAX;
    let flags = (O_CLOEXEC | O_NONBLOCK) as usize;
    let arguments = [NEW, from_ref(&signals).expose_provenance(), SET_BYTES, flags, 0];
    // SAFETY: a set of the size named.
    let file = checked(unsafe { architecture::syscall(__NR_signalfd4, arguments) })?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(file as i32) })
}

/// Takes one signal from such a file; None if there is none.
///
/// # Errors
///
/// read(2).
pub fn read_from(file: BorrowedFd<'_>) -> Result<Option<Received>, Errno> {
    /// Bytes of `struct signalfd_siginfo`, of which the first three words are read.
    const INFORMATION_BYTES: usize = 128;
    let mut information = [0; INFORMATION_BYTES];
    match rustix::io::read(file, &mut information) {
        Err(Errno::AGAIN) => Ok(None),
        Err(errno) => Err(errno),
        Ok(_) => {
            let word = |place: usize| {
                let bytes =
                    information.get(place..place + 4).and_then(|bytes| bytes.try_into().ok());
                i32::from_ne_bytes(bytes.unwrap_or_default())
            };
            Ok(Some(Received { number: word(0), sent_by_process: word(8) <= 0 }))
        }
    }
}

/// The two actions that are not functions, as the kernel writes them.
const SIG_DFL: usize = 0;
const SIG_IGN: usize = 1;

/// The kernel's `struct sigaction` with an action that is no function.
type Action = [usize; size_of::<kernel_sigaction>() / size_of::<usize>()];

/// Gives `signal` another action, and returns the one before it.
fn replace_action(signal: Signal, action: usize) -> Result<usize, Errno> {
    let mut new: Action = [0; _];
    let mut old: Action = [0; _];
    new[0] = action;
    let arguments = [
        signal.as_raw() as usize,
        from_ref(&new).expose_provenance(),
        from_mut(&mut old).expose_provenance(),
        SET_BYTES,
        0,
    ];
    // SAFETY: two structures of the kernel's size, one to read and one to write. No function is
    // installed, so none can be called.
    checked(unsafe { architecture::syscall(__NR_rt_sigaction, arguments) })?;
    Ok(old[0])
}

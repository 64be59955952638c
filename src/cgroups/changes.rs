//! Limits as what is written to which file, and writing it.

use super::Cgroup;
use super::files::{Path, open, put};
use super::make::why_missing;
use crate::error::{Error, Why};
use crate::rare::Rare;
use crate::text::{Text, cut, decimal, keep};
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::io::Errno;

/// A value for a file; the file's name begins with that of its controller.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub struct Change {
    pub file: &'static [u8],
    pub value: &'static [u8],
    pub otherwise: Otherwise,
}

/// What is done where there is no such file.
#[derive(Clone, Copy, PartialEq)]
#[cfg_attr(test, derive(Debug))]
pub enum Otherwise {
    /// The limit is missing.
    Fail,
    /// There is nothing to be limited.
    Leave,
    /// This one does the same.
    Use(&'static str, &'static [u8]),
    /// No kernel has it, or not this version of cgroups: why.
    Never(Rare),
}

/// Changes, in their order.
#[derive(Default)]
pub struct Changes(pub Vec<Change>);

impl Changes {
    /// A number.
    pub fn number(&mut self, file: &str, number: Option<u64>) {
        if let Some(number) = number {
            self.text(file, decimal(number));
        }
    }

    /// A number that may be below zero.
    pub fn signed(&mut self, file: &str, number: Option<i64>) {
        if let Some(number) = number {
            self.text(file, signed(number).as_bytes());
        }
    }

    /// A list of numbers, unless it is empty.
    pub fn list(&mut self, file: &str, numbers: Option<&CStr>) {
        if let Some(numbers) = numbers.filter(|numbers| !numbers.is_empty()) {
            self.text(file, numbers.to_bytes());
        }
    }

    /// A number, or `max` for one below zero.
    pub fn limit(&mut self, file: &str, number: Option<i64>) {
        match number {
            Some(..0) => self.text(file, b"max"),
            number => self.signed(file, number),
        }
    }

    /// Any text.
    pub fn text(&mut self, file: &str, value: &[u8]) {
        let [file, value] = [file.as_bytes(), value].map(|text| keep(text).unwrap_or_default());
        let (file, value) = (file.to_bytes(), value.to_bytes());
        self.0.push(Change { file, value, otherwise: Otherwise::Fail });
    }

    /// For the last one, what is done where there is no such file.
    pub fn otherwise(&mut self, otherwise: Otherwise) {
        if let Some(change) = self.0.last_mut() {
            change.otherwise = otherwise;
        }
    }

    /// Something that cannot be had.
    pub fn never(&mut self, is_asked: bool, file: &str, why: Rare) {
        if is_asked {
            self.text(file, b"");
            self.otherwise(Otherwise::Never(why));
        }
    }
}

/// A number with its sign.
pub fn signed(number: i64) -> Text {
    let mut text = Text::new();
    text.push_signed(number);
    text
}

/// Nothing is said by 0, as runc has it: engines send it for what was not asked for.
pub fn asked<T: Default + PartialEq>(value: Option<T>) -> Option<T> {
    value.filter(|value| *value != T::default())
}

const SET: Rare = rare!("set a limit,");

impl Cgroup {
    /// Writes all of them. Some are only valid beside others (a limit of memory has to stay below that of memory
    /// and swap, whether they grow or shrink), so those that are not go last, as long as that helps.
    pub(super) fn set_all(&self, mut changes: Vec<Change>) -> Result<(), Error<'static>> {
        loop {
            let before = changes.len();
            let mut refused = None;
            let mut later = Vec::new();
            for change in changes {
                match self.set(&change)? {
                    Ok(()) => {}
                    Err(error) => {
                        refused = refused.or(Some(error));
                        later.push(change);
                    }
                }
            }
            match refused {
                None => return Ok(()),
                Some(error) if later.len() == before => return Err(error),
                Some(_) => changes = later,
            }
        }
    }

    /// Writes one; the inner error is that it is not valid by now.
    fn set(&self, change: &Change) -> Result<Result<(), Error<'static>>, Error<'static>> {
        let controller = cut(change.file, b'.').0;
        let folder = self.controlled(controller).filter(|folder| folder.is_usable);
        let failed = |path: &[u8], why, hint| Path::new(path, change.file).error(SET, why, hint);
        if let Otherwise::Never(why) = change.otherwise {
            return Err(Path::new(change.file, b"").error(SET, Why::Text(why), b""));
        }
        let Some(folder) = folder else { return Err(self.missing(controller)) };
        let mut file = open(folder.path, change.file);
        let mut value = change.value;
        if let (Err(Errno::NOENT), Otherwise::Use(other, converted)) = (&file, change.otherwise) {
            file = open(folder.path, other.as_bytes());
            value = converted;
        }
        let written = match file {
            Err(Errno::NOENT) if change.otherwise == Otherwise::Leave => return Ok(Ok(())),
            Err(Errno::NOENT) => {
                let hint = if self.is_unified && !has(folder.path, controller) {
                    why_missing(folder, controller)
                } else {
                    rare!(
                        "this kernel does not have it; for swap: swapaccount=1 on its command line"
                    )
                    .bytes()
                };
                return Err(failed(folder.path, Why::Errno(Errno::NOENT), hint));
            }
            file => file.and_then(|file| put(&file, value)),
        };
        match written {
            Ok(()) => Ok(Ok(())),
            Err(errno) => {
                let mut hint = Text::new();
                hint.say(rare!("the value is ")).push_name(value);
                if errno == Errno::BUSY {
                    hint.say(rare!(", and more than that is in use"));
                }
                let error = failed(folder.path, Why::Errno(errno), hint.leak());
                if errno == Errno::INVAL { Ok(Err(error)) } else { Err(error) }
            }
        }
    }

    /// There is no cgroup with this controller.
    #[cold]
    pub(super) fn missing(&self, controller: &[u8]) -> Error<'static> {
        let (why, hint) = if self.is_disabled {
            (rare!("limits take cgroups, which are disabled"), rare!("--cgroup-manager cgroupfs"))
        } else if self.controlled(controller).is_some() {
            let hint = rare!("it takes root, or a cgroup that is delegated to the caller");
            (rare!("the caller may not make cgroups there"), hint)
        } else {
            (
                rare!("this host has no such controller of cgroups mounted"),
                rare!("mount it below /sys/fs/cgroup"),
            )
        };
        Path::new(controller, b"").error(rare!("set limits of"), Why::Text(why), hint.bytes())
    }
}

/// Whether a cgroup of version 2 has a controller.
fn has(folder: &[u8], controller: &[u8]) -> bool {
    let controllers = super::files::value(folder, b"cgroup.controllers");
    crate::text::parts(controllers, b' ').any(|one| one == controller)
}

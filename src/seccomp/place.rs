//! Where in a profile a value stands, and how it is read from there.

use super::{Action, Call};
use crate::error::Error;
use crate::json::{Object, Value, as_number, as_str, get, is_null};
use crate::rare::Rare;
use crate::text::Text;
use alloc::vec::Vec;
use core::cell::Cell;
use rustix::io::Errno;

/// The largest number of an error that the kernel passes on: `MAX_ERRNO`.
const ERRNO_MAX: u64 = 4095;

pub const READING: Rare = rare!("read the seccomp profile,");
pub const MISSING: Rare = rare!("missing");
/// The call that sends the filter's descriptor to whoever listens; nobody could answer it.
const SENDING: &str = "sendmsg";
pub const UNHEARD: Rare =
    rare!("nobody can be asked about the call by which whoever is asked is told");

/// Where in the profile a value stands, for errors, and the ways to read it. Where something is wrong, the first
/// fault is noted, and reading goes on with nothing in its place: the whole is refused in the end.
#[derive(Clone, Copy)]
pub struct Place<'p> {
    /// What it stands in, if it is not a file of its own.
    pub within: &'static str,
    pub rule: Option<u32>,
    pub argument: Option<u32>,
    pub name: &'static str,
    /// Which of the list of that name it is.
    pub item: Option<u32>,
    pub fault: &'p Cell<Option<Error<'static>>>,
}

/// What stands where nothing is.
const NOTHING: &Value<'static> = &Value::Null;

impl<'p> Place<'p> {
    #[inline(never)]
    pub fn field(&self, name: &'static str) -> Place<'p> {
        Self { name, item: None, ..*self }
    }

    #[inline(never)]
    pub fn in_rule(&self, index: usize) -> Place<'p> {
        Self { rule: Some(index as u32), ..*self }
    }

    #[inline(never)]
    pub fn in_argument(&self, index: usize) -> Place<'p> {
        Self { argument: Some(index as u32), ..*self }
    }

    #[inline(never)]
    pub fn at(&self, index: usize) -> Place<'p> {
        Self { item: Some(index as u32), ..*self }
    }

    pub fn get<'a, 'b>(&self, object: &'b Object<'a>) -> &'b Value<'a> {
        get(object, self.name).unwrap_or_else(|| {
            self.wrong(None, MISSING);
            NOTHING
        })
    }

    #[inline(never)]
    pub fn object<'a, 'b>(&self, value: &'b Value<'a>) -> &'b Object<'a> {
        if let Value::Object(object) = value {
            return object;
        }
        self.wrong(Some(value), rare!("not an object"));
        &[]
    }

    #[inline(never)]
    pub fn text<'b>(&self, value: &'b Value<'_>) -> &'b str {
        as_str(value).unwrap_or_else(|| {
            self.wrong(Some(value), rare!("not a string"));
            ""
        })
    }

    /// Adds the call of this name, if it is known.
    pub fn add_call(&self, name: &Value<'_>, calls: &mut Vec<Call>) {
        calls.extend(Call::named(self.text(name).as_bytes()));
    }

    /// Whether somebody can be asked about this call.
    pub fn check_asked(&self, name: &Value<'_>) {
        if as_str(name) == Some(SENDING) {
            self.wrong(Some(name), UNHEARD);
        }
    }

    /// A list that may be left out.
    #[inline(never)]
    pub fn list<'a, 'b>(&self, object: &'b Object<'a>) -> &'b [Value<'a>] {
        match get(object, self.name) {
            None | Some(Value::Null) => {}
            Some(Value::Array(values)) => return values,
            other => self.wrong(other, rare!("not a list")),
        }
        &[]
    }

    /// The list at a name.
    #[inline(never)]
    pub fn list_at<'a, 'b>(&self, name: &'static str, object: &'b Object<'a>) -> &'b [Value<'a>] {
        self.field(name).list(object)
    }

    /// The number at a name, which may be left out.
    #[inline(never)]
    pub fn number_at(&self, name: &'static str, object: &Object<'_>, max: u64) -> Option<u64> {
        let value = get(object, name).filter(|value| !is_null(value))?;
        let why = match as_number(value) {
            Some(number) if number <= max => return Some(number),
            Some(_) => rare!("too large"),
            None => rare!("not a whole number from 0 on"),
        };
        self.field(name).wrong(Some(value), why);
        None
    }

    #[inline(never)]
    pub fn action(&self, object: &Object<'_>, errno: Option<u64>) -> Action {
        let value = self.get(object);
        let number = errno.unwrap_or(Errno::PERM.raw_os_error() as u64);
        let action = match self.text(value) {
            "SCMP_ACT_ERRNO" => {
                if number > ERRNO_MAX {
                    self.wrong(Some(value), rare!("there is no error of this number"));
                }
                return Action::Errno(number as u16);
            }
            "SCMP_ACT_TRACE" => {
                if number > u16::MAX.into() {
                    self.wrong(Some(value), rare!("its number is too large"));
                }
                return Action::Trace(number as u16);
            }
            "SCMP_ACT_ALLOW" => Action::Allow,
            "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Action::KillThread,
            "SCMP_ACT_KILL_PROCESS" => Action::KillProcess,
            "SCMP_ACT_TRAP" => Action::Trap,
            "SCMP_ACT_LOG" => Action::Log,
            "SCMP_ACT_NOTIFY" => {
                // The launcher has nobody to ask.
                if self.within.is_empty() {
                    let hint =
                        rare!("mini-container does not pass system calls on to another process");
                    self.refuse(Some(value), rare!("not supported"), hint);
                }
                Action::Notify
            }
            _ => {
                let hint = rare!(
                    "SCMP_ACT_ and one of ALLOW ERRNO KILL KILL_THREAD KILL_PROCESS TRAP LOG TRACE"
                );
                self.refuse(Some(value), rare!("no such action"), hint);
                Action::KillProcess
            }
        };
        if errno.is_some() {
            self.wrong(Some(value), rare!("this action takes no errnoRet"));
        }
        action
    }

    /// Notes what is wrong with a value.
    #[cold]
    #[inline(never)]
    pub fn wrong(&self, value: Option<&Value<'_>>, why: Rare) {
        self.refuse(value, why, Rare::NONE);
    }

    /// The same, with what would be right.
    #[cold]
    #[inline(never)]
    pub fn refuse(&self, value: Option<&Value<'_>>, why: Rare, hint: Rare) {
        // Only the first counts, and there may be many.
        if self.fault.get().is_none() {
            self.fault.set(Some(self.error(value, why, hint)));
        }
    }

    /// Says what is wrong with a value, and where it is.
    fn error(&self, value: Option<&Value<'_>>, why: Rare, hint: Rare) -> Error<'static> {
        let mut place = Text::new();
        place.push(self.within);
        for (name, index, is_named) in [
            ("syscalls", self.rule, self.rule.is_some()),
            ("args", self.argument, self.argument.is_some()),
            (self.name, self.item, !self.name.is_empty()),
        ] {
            if is_named {
                place.push(if place.is_empty() { "" } else { "." }).push(name);
            }
            if let Some(index) = index {
                place.push("[").push_number(index.into()).push("]");
            }
        }
        match value {
            Some(Value::String(text)) => place.push(" ").push_name(text.as_bytes()),
            Some(Value::Number((number, _))) => place.push(" ").push(number),
            _ => &mut place,
        };
        let reading = if self.within.is_empty() { READING } else { rare!("config.json:") };
        Error::usage(reading, place.leak(), why, hint.bytes())
    }
}

//! Where engines look for what went wrong: the file of `--log`, a line an error, as JSON or as text.

use super::time::timestamp;
use crate::cli::runtime::{Name, Typed};
use crate::error::Error;
use crate::text::Text;
use core::ffi::CStr;
use rustix::fs::{CWD, Mode, OFlags, openat};

/// The file, and how it is written.
pub struct Log<'a> {
    path: Option<&'a CStr>,
    is_json: bool,
}

impl<'a> Log<'a> {
    /// The one that was asked for.
    pub fn of(typed: &Typed<'a>) -> Self {
        let path = typed.value(Name::Log).filter(|path| !path.is_empty());
        let is_json = typed.value(Name::LogFormat).is_some_and(|format| format == c"json");
        Self { path, is_json }
    }

    /// Notes an error. Where the file cannot be written to, standard error has to do.
    pub fn note(&self, error: Error<'_>) {
        let Some(path) = self.path else { return };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::CLOEXEC;
        let Ok(file) = openat(CWD, path, flags, Mode::from_raw_mode(0o644)) else { return };
        let mut words = error.words();
        if !error.hint().is_empty() {
            words.push(" (").push_name(error.hint()).push(")");
        }
        let mut line = Text::new();
        if self.is_json {
            line.push("{\"level\":\"error\",\"msg\":").push_json(words.as_bytes());
            line.push(",\"time\":").push_json(timestamp().as_bytes()).push("}\n");
        } else {
            line.push("time=").push_json(timestamp().as_bytes()).say(rare!(" level=error msg="));
            line.push_json(words.as_bytes()).push("\n");
        }
        let _ = line.write_to(file);
    }
}

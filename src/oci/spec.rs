//! `spec`: a configuration to begin with.

use super::text::{absolute, joined};
use crate::cli::runtime::{Name, Typed};
use crate::error::{Doing, Error, Object, On, Operation};
use crate::kernel::caller::Caller;
use crate::text::{Text, parts};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;

static WRITE: Operation = Operation { on: Object::Target, ..Operation::new(rare!("write")) };

/// Writes `config.json` into the bundle, where there is none.
///
/// # Errors
///
/// There is one; open(2), write(2).
#[inline(never)]
pub fn spec(typed: &Typed<'_>, caller: Caller) -> Result<(), Error<'static>> {
    let bundle = absolute(typed.value(Name::Bundle).unwrap_or(c"."))?;
    let path = joined(&[bundle.to_bytes(), b"/config.json"]);
    let mut text = Text::new();
    if typed.has(Name::Rootless) {
        // The ids are put in where an @ is.
        let pieces = parts(rare!(file "oci/spec_rootless.json").bytes(), b'@');
        for (piece, id) in pieces.zip([Some(caller.user), Some(caller.group), None]) {
            text.push_raw(piece);
            if let Some(id) = id {
                text.push_number(id.into());
            }
        }
    } else {
        text.say(rare!(file "oci/spec.json"));
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = match openat(CWD, path, flags, Mode::from_raw_mode(0o644)) {
        Err(Errno::EXIST) => {
            let why = rare!("it exists already; remove it first");
            return Err(Error::usage(rare!("write"), path.to_bytes(), why, b""));
        }
        answer => answer.doing(&WRITE),
    };
    let written = file.and_then(|file| text.write_to(file).doing(&WRITE));
    written.on(path)
}

//! mini-container runs a program in a container: a root directory and namespaces of its own.
//!
//! The house, in the order that data goes through it:
//!
//! - [`check`] finds out what the host can do, and knows all of what follows,
//! - [`cli`] reads the command line into a request,
//! - [`container`] is what is wanted, in the user's terms,
//! - [`oci`] is the runtime that container engines call: its state and its commands,
//! - `lookup` reads what files of the host say about it,
//! - [`image`] opens image files and unpacks their layers,
//! - [`rootfs`] finds what programs of this system need, for a root that is made of them,
//! - [`plan`] is how it is done: an ordered list of steps, which can also print itself,
//! - [`launch`] clones the child that takes the steps, and waits for the program,
//! - [`cgroups`] is what all processes of a container together may use of the machine,
//! - [`kernel`] is what the steps do, a file per subject,
//! - [`seccomp`] is which system calls a container may make, and the filter that sees to it,
//! - [`sys`] is the system calls that rustix does not offer; besides the binary's program start, it
//!   is all that the compiler has to take our word for;
//! - [`Error`] is what went wrong, [`json`] reads JSON, [`rare`] keeps the texts that are
//!   seldom read, and `text` is how lines are built, without libc and without std.
//!
//! Imports go down this list, never up (`launch` knows `plan`).
#![cfg_attr(not(test), no_std)]

extern crate alloc;

// First, so that all that follow know its macro.
#[macro_use]
pub mod rare;

pub mod cgroups;
pub mod check;
pub mod cli;
pub mod container;
pub mod error;
pub mod image;
pub mod json;
pub mod kernel;
pub mod launch;
mod lookup;
pub mod oci;
pub mod plan;
pub mod rootfs;
pub mod seccomp;
pub mod sys;
pub mod text;

pub use error::Error;
pub use sys::process::exit;

use crate::rare::Rare;
use alloc::boxed::Box;
use alloc::vec::Vec;
use check::Form;
use cli::runtime::{Command, Typed};
use cli::{Purpose, Request, Rootfs};
use container::{Container, Programs, Source, environment};
use core::ffi::CStr;
use error::{Doing, Operation, Why, status};
use kernel::caller::Caller;
use kernel::own_file::{self, Started};
use lookup::image::Used;
use plan::Plan;
use rustix::termios::isatty;
use sys::files::standard_output;

/// How the process was started.
pub struct Invocation<'a> {
    /// The words of the command line, the launcher's own name first.
    pub args: Vec<&'a CStr>,
    /// The environment.
    pub env: Vec<&'a CStr>,
    /// The name by which the file was executed: `AT_EXECFN`, getauxval(3).
    pub file: &'a CStr,
    /// Whether the start gave the process privilege that its caller does not have: `AT_SECURE`,
    /// getauxval(3).
    pub secure: bool,
}

impl Invocation<'_> {
    fn started(&self) -> Started<'_> {
        Started { name: self.file, arguments: &self.args, environment: &self.env }
    }
}

/// Does what the command line asks for, and returns the exit status.
///
/// # Errors
///
/// What went wrong before the program ran; its exit status is in it.
pub fn run<'a>(invocation: &'a Invocation<'a>) -> Result<u8, Error<'a>> {
    if invocation.secure {
        let hint = rare!(
            "it would lend that privilege to any caller; take it from the file, and use sudo"
        )
        .bytes();
        return Err(Error::usage(
            Rare::NONE,
            b"",
            rare!("refusing to run setuid or with file capabilities"),
            hint,
        ));
    }
    if own_file::is_from_outside() {
        let why =
            Why::Text(rare!("refusing to be a container's program by the file outside of it"));
        let hint =
            rare!("the program, or the interpreter that it names, is /proc/self/exe").bytes();
        return Err(Error::new(
            rare!("execute"),
            b"/proc/self/exe",
            why,
            hint,
            status::NOT_EXECUTABLE,
        ));
    }
    if let Some(program) = launch::init::program(&invocation.args) {
        return Ok(launch::init::stay(program));
    }
    if let Some(status) = launch::criu::script(&invocation.args, &invocation.env) {
        return Ok(status);
    }
    let words = invocation.args.get(1..).unwrap_or_default();
    let ended = match command(invocation, words) {
        Ok(Next::Done(status)) => Ok(status),
        Ok(Next::Launch(plan, used)) => {
            let ended = launch::launch(plan);
            if let Some(mut used) = used {
                used.clean_up()?;
            }
            ended
        }
        Err(error) => Err(error),
    };
    // What is no command is taken for a program.
    ended.map_err(|error| cli::suggest(words.first().copied().unwrap_or_default(), error))
}

/// What is to be done when the words are understood.
enum Next<'a> {
    /// Nothing more.
    Done(u8),
    /// Run this, and then remove what was made for it.
    Launch(&'a Plan<'a>, Option<Box<Used>>),
}

/// Does what the words ask for, or plans it: what was only needed for that is not on the stack of a
/// launcher that waits, nor on that of a process 1.
#[inline(never)]
fn command<'a>(
    invocation: &'a Invocation<'a>,
    words: &'a [&'a CStr],
) -> Result<Next<'a>, Error<'a>> {
    if let Some(typed) = cli::runtime::parse(words)? {
        return runtime(invocation, typed).map(Next::Done);
    }
    let done = match cli::parse(words, &invocation.env)? {
        Request::Print(text) => print(&text)?,
        Request::Check(is_json) => {
            let is_plain = environment::value(&invocation.env, b"NO_COLOR").is_some();
            let colored = !is_plain && isatty(standard_output());
            let form = if is_json { Form::Json } else { Form::Lines { colored } };
            let (text, is_enough) = check::check(form);
            print(&text)?;
            u8::from(!is_enough)
        }
        Request::Rootfs(wanted) => make_root(wanted, &invocation.env).map(|()| 0)?,
        Request::Image(wanted) => {
            let caller = Caller::current();
            let (container, purpose, used) =
                lookup::image::prepare(wanted, &invocation.env, caller)?;
            return plan(container, purpose, caller, invocation, Some(used));
        }
        Request::Container(container, purpose) => {
            let caller = Caller::current();
            if let Source::Programs(Programs { list, pieces }) = &mut container.root.source {
                *pieces = rootfs::pieces(list, environment::path(&invocation.env))?;
            }
            let isolation = &mut container.isolation;
            lookup::auto(&mut isolation.users, &mut isolation.groups, caller)?;
            return plan(container, purpose, caller, invocation, None);
        }
    };
    Ok(Next::Done(done))
}

/// Does what an engine calls a runtime for.
#[inline(never)]
fn runtime<'a>(invocation: &'a Invocation<'a>, typed: Typed<'a>) -> Result<u8, Error<'a>> {
    let started = invocation.started();
    let covered = match typed.command {
        Command::Help => return print(&cli::runtime::help(&typed)),
        Command::Version => {
            let called = started.arguments.first().copied().unwrap_or_default();
            return print(&cli::runtime::version(called));
        }
        // One becomes the container's program, or whoever is there already may look at it.
        Command::Create | Command::Run | Command::Exec => started.cover(),
        // It is executed again, as CRIU's script.
        Command::Restore => started.seal(),
        _ => Ok(()),
    };
    covered.map_err(|fault| fault.into_error(b"", b""))?;
    oci::run(typed, started.environment)
}

/// Plans a container, or says how it would be run.
fn plan<'a>(
    container: &'a Container<'a>,
    purpose: Purpose,
    caller: Caller,
    invocation: &'a Invocation<'a>,
    used: Option<Box<Used>>,
) -> Result<Next<'a>, Error<'a>> {
    let filters = lookup::filters(&container.security, caller)?;
    // Errors name what is in it, so it lives as long: until the end.
    let plan = &*Box::leak(Box::new(Plan::new(container, caller, filters.leak())));
    if purpose == Purpose::Explain {
        return print(&plan.explain()).map(Next::Done);
    }
    if plan.is_seen() {
        let sealed = invocation.started().seal();
        sealed.map_err(|fault| fault.into_error(b"", b""))?;
    }
    Ok(Next::Launch(plan, used))
}

/// Makes a root directory, or removes what images were unpacked.
fn make_root<'a>(wanted: Rootfs<'a>, variables: &[&'a CStr]) -> Result<(), Error<'a>> {
    let caller = Caller::current();
    match wanted {
        Rootfs::Programs { output, programs, with, etc, list } => {
            let tree = rootfs::gather(&programs, &with, etc, environment::path(variables))?;
            if list {
                print(&rootfs::list(&tree)).map(drop)
            } else {
                rootfs::assemble(&tree, output)
            }
        }
        Rootfs::Image { output, image, mut users, mut groups, quiet } => {
            lookup::auto(&mut users, &mut groups, caller)?;
            let opened = image::open(&image)?;
            let files = lookup::image::files(&users, &groups, caller);
            lookup::image::rootfs(output, &opened, &files, quiet)
        }
        Rootfs::Prune { keep } => lookup::image::prune(keep, variables, caller),
    }
}

static PRINT: Operation = Operation::new(rare!("write to standard output"));

fn print(text: &text::Text) -> Result<u8, Error<'static>> {
    let written = text.write_to(standard_output()).doing(&PRINT);
    written.map_err(|fault| fault.into_error(b"", b""))?;
    Ok(0)
}

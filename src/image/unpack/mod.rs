//! Unpacking a layer: a tar archive, perhaps compressed, from a file into a folder.
//!
//! Two processes share the work. One reads, hashes and decompresses (`source`) into a pipe; this one
//! hashes what comes out of it (`stream`), takes the archive apart (`walk`, `entry`) and writes the
//! files (`place`, `parents`, `attributes`).

mod attributes;
mod deletion;
mod entry;
mod gzip;
mod names;
mod parents;
mod place;
mod source;
mod sparse;
mod stream;
mod walk;
mod write;

pub use entry::{Entry, Kind};
pub use stream::Stream;
pub use walk::{Content, Sink, Write, walk};

use super::digest::Digest;
use super::progress::Progress;
use super::store::named;
use crate::error::{Doing, Error, Operation, Why, status};
use crate::sys::files::close;
use crate::sys::namespaces::Namespaces;
use crate::sys::process::{Memory, Stack, clone, share};
use crate::text::Text;
use place::Folder;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use source::{Trouble, pour};

/// A layer as it lies in a file.
pub struct Blob<'a> {
    /// The file.
    pub file: BorrowedFd<'a>,
    /// Where the layer begins in it.
    pub start: u64,
    /// How long it is.
    pub bytes: u64,
    /// Of these bytes, if it is known.
    pub digest: Option<Digest>,
    /// Of the archive, when it is not compressed, if it is known.
    pub content: Option<Digest>,
    /// What it is called in messages.
    pub name: &'a [u8],
}

/// Where the files go.
#[derive(Clone, Copy)]
pub struct Destination<'a> {
    /// An open folder. What lies above it is never touched.
    pub folder: BorrowedFd<'a>,
    /// What becomes of it.
    pub form: Form,
    /// Who owns the files.
    pub owners: Owners,
}

/// What a folder with unpacked layers is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One layer of an overlay, to which deletions are marks.
    Overlay {
        /// Whether the overlay may be made with root privilege on the host, and so reads `trusted`
        /// attributes.
        privileged: bool,
    },
    /// A tree of all layers, in which deletions are done.
    Tree,
}

/// Who owns unpacked files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Owners {
    /// Who the archive says.
    Kept,
    /// The caller, whoever the archive says.
    Caller,
}

/// How much an image may be when it is unpacked; what is left of it.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Bytes of archives.
    pub bytes: u64,
    /// Files, folders and so on.
    pub entries: u64,
}

impl Limits {
    /// More than the largest images that are of use; less than would fill a disk unnoticed.
    pub const DEFAULT: Self = Self { bytes: 64 << 30, entries: 8 << 20 };
}

static START: Operation = Operation::new("start a process that decompresses");

const STACK_BYTES: usize = 256 * 1024;
const PIPE_BYTES: usize = 1 << 20;

/// Unpacks a layer. What was written until something failed is left to the caller.
///
/// # Errors
///
/// That it is damaged, or not what its digests say, or larger than the limits; what in it cannot be
/// unpacked safely; those of writing files.
pub fn unpack(
    blob: &Blob<'_>,
    into: Destination<'_>,
    limits: &mut Limits,
    progress: &mut Progress,
) -> Result<(), Error<'static>> {
    let failed = |errno| -> Error<'static> {
        let started: Result<(), _> = Err(errno).doing(&START);
        match started {
            Err(fault) => fault.into_error(b"", b""),
            Ok(()) => named("unpack", b"", Why::Errno(errno)),
        }
    };
    let source = Source::start(blob, progress).map_err(failed)?;
    let mut stream = Stream::new(&source.pipe, blob.content.is_some(), limits.bytes);
    let mut folder =
        Folder::new(into).map_err(|errno| named("unpack", blob.name, Why::Errno(errno)))?;
    let walked = walk(&mut stream, &mut limits.entries, blob.content.is_some(), &mut folder);
    let unpacked = walked.and_then(|()| folder.finish()).and_then(|()| stream.drain());
    let content = stream.finish(&mut limits.bytes);
    // What was wrong with the layer is the cause of what was wrong with the files.
    if let Some(why) = source.end(unpacked.is_ok()) {
        return Err(wrong(blob, why));
    }
    unpacked?;
    if blob.content.is_some() && content != blob.content {
        return Err(wrong(blob, "what it holds has another digest than the image says"));
    }
    progress.finish();
    folder.report(blob.name);
    Ok(())
}

/// The process that decompresses.
struct Source<'a> {
    pipe: OwnedFd,
    process: Pid,
    /// None as long as it has not come to an end.
    outcome: &'a Option<Result<(), Trouble>>,
}

impl Source<'_> {
    fn start(blob: &Blob<'_>, progress: &mut Progress) -> Result<Self, Errno> {
        let (pipe, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
        // More at a time is faster; less than that does, too.
        let _ = fcntl_setpipe_size(&theirs, PIPE_BYTES);
        let outcome: &mut Option<Result<(), Trouble>> = share(None)?;
        let mut stack = Stack::map(STACK_BYTES)?;
        // The end of the pipe is seen only when the outcome is.
        let mut child = || {
            // Only so does it learn that nobody reads any more.
            close(pipe.as_fd());
            *outcome = Some(pour(blob, &theirs, progress));
            0
        };
        let process = clone(&mut stack, Memory::Copied, Namespaces::NONE, &mut child)?;
        Ok(Self { pipe, process, outcome })
    }

    /// What was wrong with the layer, once the process has ended. If what it does is of no use any
    /// more, it is not waited for.
    fn end(self, is_of_use: bool) -> Option<&'static str> {
        let Self { pipe, process, outcome } = self;
        drop(pipe);
        if !is_of_use && outcome.is_none() {
            let _ = kill_process(process, Signal::KILL);
        }
        while let Err(Errno::INTR) | Ok(None) = waitpid(Some(process), WaitOptions::empty()) {}
        match outcome {
            None if is_of_use => Some("the process that decompresses it was killed"),
            None | Some(Ok(())) => None,
            Some(Err(trouble)) => words(*trouble),
        }
    }
}

fn words(trouble: Trouble) -> Option<&'static str> {
    match trouble {
        Trouble::NobodyReads => None,
        Trouble::Errno(_) => Some("it cannot be read"),
        Trouble::CutOff => Some("it is cut off"),
        Trouble::Damaged => Some("it is damaged: it cannot be decompressed"),
        Trouble::Trailing => Some("something stands behind its end"),
        Trouble::Window => Some("it takes more than 128 MiB of memory to decompress"),
        Trouble::Digest => Some("its content has another digest than its name"),
    }
}

fn wrong(blob: &Blob<'_>, why: &'static str) -> Error<'static> {
    named("unpack", blob.name, Why::Text(why))
}

/// What is wrong with something in a layer.
fn refused(name: &[u8], why: &'static str) -> Error<'static> {
    let mut on = Text::new();
    on.push("'").push_name(name).push("'");
    Error::new("unpack", on.leak(), Why::Text(why), b"", status::FAILED)
}

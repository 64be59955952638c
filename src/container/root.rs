//! What becomes `/`, and what an image says about the program that runs in it.

use crate::kernel::entry::Node;
use crate::kernel::mounts::Access;
use crate::kernel::pieces::Piece;
use alloc::vec::Vec;
use core::ffi::CStr;
use rustix::mount::MountPropagationFlags;
use rustix::process::Signal;

/// The root directory.
#[derive(Default)]
pub struct Root<'a> {
    /// What is in it.
    pub source: Source<'a>,
    /// Whether the program can write to it.
    pub access: Access,
    /// Whether what the program writes to it is thrown away.
    pub ephemeral: bool,
    /// Whether devices that lie in it can be used.
    pub devices: bool,
    /// Whether it is an image's, which may name a working directory that none of its layers has.
    pub is_image: bool,
    /// Devices that are made in it.
    pub nodes: Vec<Node<'a>>,
    /// How mounts in it are passed on between the host and the container; None: not at all.
    pub propagation: Option<MountPropagationFlags>,
}

/// Where a root comes from.
pub enum Source<'a> {
    /// A directory of the host; relative to the caller's working directory.
    Directory(&'a CStr),
    /// Programs of the host, and what they need.
    Programs(Programs<'a>),
    /// Directories of the host that lie over each other.
    Layers(Layers<'a>),
}

impl Default for Source<'_> {
    /// The tutorial's.
    fn default() -> Self {
        Self::Directory(c"rootfs")
    }
}

/// Files of the host that are shown at their own places, in a root that is in memory.
pub struct Programs<'a> {
    /// Paths, or names to be found in the PATH, with commas between them.
    pub list: &'a CStr,
    /// All that they need, each folder before what is in it; found before it is planned.
    pub pieces: Vec<Piece<'a>>,
}

/// Directories that are seen as one; the kernel's `Documentation/filesystems/overlayfs.rst`.
#[derive(Default)]
pub struct Layers<'a> {
    /// The topmost first. None of them is written to.
    pub lower: Vec<&'a CStr>,
    /// What is written.
    pub upper: Upper<'a>,
}

/// Where an overlay puts what is written.
#[derive(Clone, Copy, Default)]
pub enum Upper<'a> {
    /// In memory, which is gone with the container.
    #[default]
    Memory,
    /// In a directory of the host that has the folders `upper` and `work`.
    Kept(&'a CStr),
}

/// An image, in a file of the host.
#[derive(Clone, Copy)]
pub struct ImageFile<'a> {
    /// The file, or the folder.
    pub file: &'a CStr,
    /// For which machine, where there are several: `OS/ARCHITECTURE[/VARIANT]`.
    pub platform: Option<&'a CStr>,
    /// Its name, where there are several.
    pub tag: Option<&'a CStr>,
}

/// What holds for the program where the user says nothing.
#[derive(Default)]
pub struct Defaults<'a> {
    /// The words that the command stands behind.
    pub entrypoint: Vec<&'a CStr>,
    /// The program, or its arguments if there is an entrypoint.
    pub command: Vec<&'a CStr>,
    /// `NAME=value`, each name once.
    pub environment: Vec<&'a CStr>,
    /// Inside the root.
    pub working_directory: Option<&'a CStr>,
    /// What ends the program.
    pub stop_signal: Option<Signal>,
}

impl<'a> Defaults<'a> {
    /// The caller's environment, and no words but this command's.
    #[must_use]
    pub fn callers(command: Vec<&'a CStr>, environment: &[&'a CStr]) -> Self {
        Self { command, environment: environment.to_vec(), ..Self::default() }
    }
}

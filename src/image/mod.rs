//! A root from an image: the file that it is in (`store`, `archive`), the image in it that is meant
//! (`manifest`, `platform`, `config`), its layers (`unpack`), where they are kept unpacked (`cache`,
//! `kept`), and what is read from them before they are a root (`etc`, `users`).

mod archive;
pub mod cache;
mod config;
pub mod digest;
mod entry;
pub mod etc;
pub mod kept;
pub mod manifest;
mod over;
mod platform;
pub mod progress;
mod prune;
mod remove;
pub mod store;
pub mod tree;
pub mod unpack;
pub mod users;
pub mod whole;

pub use prune::{Pruned, prune};

use crate::container::ImageFile;
use crate::error::{Error, Object, Operation};
use crate::sys::descriptors::AsFd;
use alloc::vec::Vec;
use cache::Cache;
use config::Config;
use core::ffi::CStr;
use digest::Digest;
use manifest::{Image, Layer};
use over::Over;
use progress::Progress;
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, chmodat};
use store::Store;
use unpack::{Blob, Destination, Form, Limits, Owners, unpack};

static SET: Operation = Operation { on: Object::Target, ..Operation::new(rare!("set up")) };
/// What the root of an image has if it does not say.
const ROOT_MODE: Mode = Mode::from_raw_mode(0o755);

/// An image that was found.
pub struct Opened {
    store: Store,
    /// What it says about itself.
    pub config: &'static mut Config,
    /// What stands for each layer and those below it, the lowest first.
    pub layers: &'static [Digest],
    parts: &'static [Layer],
}

/// Opens an image file, and finds the image in it that is meant.
///
/// # Errors
///
/// Those of [`Store::open`] and [`manifest::read`].
pub fn open<'a>(wanted: &ImageFile<'a>) -> Result<Opened, Error<'a>> {
    let store = Store::open(wanted.file)?;
    let Image { config, layers: parts } = manifest::read(&store, wanted)?;
    let mut layers = Vec::new();
    for layer in &*parts {
        let own = layer.content.unwrap_or_else(|| store.identity());
        layers.push(layers.last().map_or(own, |below: &Digest| below.chained(&own)));
    }
    Ok(Opened { store, config, layers: layers.leak(), parts })
}

impl Opened {
    /// Where the layers' files are, the topmost first.
    #[must_use]
    pub fn paths(&self, cache: &Cache) -> Vec<&'static CStr> {
        let mut paths: Vec<&'static CStr> = Vec::new();
        for layer in self.layers.iter().rev() {
            let path = cache.path_of(layer);
            // An overlay takes no directory twice; the empty layer is the usual one.
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        paths
    }

    /// Holds all layers; None if one is not there.
    ///
    /// # Errors
    ///
    /// Those of [`Cache::hold`].
    pub fn hold(&self, cache: &Cache) -> Result<Option<Vec<OwnedFd>>, Error<'static>> {
        let mut held = Vec::new();
        for layer in self.layers {
            match cache.hold(layer)? {
                Some(entry) => held.push(entry),
                None => return Ok(None),
            }
        }
        Ok(Some(held))
    }

    /// Unpacks the layers that are not there.
    ///
    /// # Errors
    ///
    /// Those of [`Cache::make`] and [`unpack()`].
    pub fn make(
        &self,
        cache: &Cache,
        owners: Owners,
        is_quiet: bool,
    ) -> Result<(), Error<'static>> {
        let form = Form::Overlay { privileged: cache.is_privileged() };
        let mut spent = Limits::DEFAULT;
        let mut below: Vec<&CStr> = Vec::new();
        // So that nobody removes what is built upon.
        let mut held = Vec::new();
        for (layer, part) in self.layers.iter().zip(self.parts) {
            cache.make(layer, &mut |folder| {
                let mut unpack = |folder: BorrowedFd<'_>, form| {
                    self.unpack(part, Destination { folder, form, owners }, &mut spent, is_quiet)
                };
                let over = Over::begin(cache, layer, &below, folder);
                let Some(over) = over else {
                    // Where nothing is said about the root.
                    cache::said(chmodat(folder, c".", ROOT_MODE, AtFlags::empty()), &SET, c"/")?;
                    return unpack(folder, if below.is_empty() { Form::Tree } else { form });
                };
                let unpacked = unpack(over.root.as_fd(), Form::Tree);
                let ended = over.end();
                unpacked.and_then(|()| cache::said(ended, &SET, c"/"))
            })?;
            held.push(cache.hold(layer)?);
            below.insert(0, cache.path_of(layer));
        }
        Ok(())
    }

    /// Unpacks all layers into one tree.
    ///
    /// # Errors
    ///
    /// Those of [`unpack()`].
    pub fn unpack_all(
        &self,
        folder: BorrowedFd<'_>,
        owners: Owners,
        is_quiet: bool,
    ) -> Result<(), Error<'static>> {
        cache::said(chmodat(folder, c".", ROOT_MODE, AtFlags::empty()), &SET, c"/")?;
        let mut spent = Limits::DEFAULT;
        for part in self.parts {
            let into = Destination { folder, form: Form::Tree, owners };
            self.unpack(part, into, &mut spent, is_quiet)?;
        }
        Ok(())
    }

    fn unpack(
        &self,
        part: &Layer,
        into: Destination<'_>,
        limits: &mut Limits,
        is_quiet: bool,
    ) -> Result<(), Error<'static>> {
        let content = match self.store.root() {
            Some(whole) => whole,
            None => self.store.get(part.name)?,
        };
        let name = if part.name.is_empty() { b"the root filesystem" } else { part.name };
        let blob = Blob {
            file: content.as_fd(),
            start: content.start,
            bytes: content.bytes,
            digest: part.digest,
            content: part.content,
            name,
        };
        unpack(&blob, into, limits, &mut Progress::new(name, content.bytes, is_quiet))
    }
}

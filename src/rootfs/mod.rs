//! A root of this system's programs: what they need is found in their files, as the loader would find
//! it, and put at the same places below another directory; or shown there, without a copy.

mod assemble;
mod closure;
mod copy;
pub mod elf;
pub mod ld_so_cache;
mod meaning;
pub mod script;
mod search;
mod tree;

pub use assemble::assemble;
pub use tree::Folder;

use crate::container::keep;
use crate::error::Error;
use crate::kernel::pieces::Piece;
use crate::text::{Text, parts};
use alloc::vec::Vec;
use closure::Closure;
use core::ffi::CStr;
use tree::What;

/// What a root is to have, and all that it needs: programs, which are paths or names to be found in
/// the folders of `path`, and files and folders as they are; `etc` asks for a minimal /etc.
///
/// # Errors
///
/// What is not there, and who needs it.
pub fn gather(
    programs: &[&CStr],
    with: &[&CStr],
    etc: bool,
    path: &[u8],
) -> Result<Folder, Error<'static>> {
    let mut closure = Closure::new(path);
    for program in programs {
        closure.add_program(program.to_bytes())?;
    }
    for path in with {
        closure.add_with(path.to_bytes())?;
    }
    if etc {
        closure.add_etc();
    }
    closure.add_usual_links()?;
    Ok(closure.tree)
}

/// What a list of programs needs, to be shown in a root.
///
/// # Errors
///
/// Those of [`gather`].
pub fn pieces(list: &CStr, path: &[u8]) -> Result<Vec<Piece<'static>>, Error<'static>> {
    let mut closure = Closure::new(path);
    for program in parts(list.to_bytes(), b',').filter(|program| !program.is_empty()) {
        closure.add_program(program)?;
    }
    closure.add_usual_links()?;
    let mut pieces = Vec::new();
    each(&closure.tree, &mut Vec::new(), &mut |path, what| {
        let Some(path) = keep(path) else { return };
        pieces.extend(match what {
            What::Folder(_) => Some(Piece::Folder(path)),
            What::Link(target) => keep(target).map(|target| Piece::Link(path, target)),
            What::File(_) => Some(Piece::File(path)),
            What::Text(_) => None,
        });
    });
    Ok(pieces)
}

/// The paths of a tree, a line each; folders only where nothing is in them.
#[must_use]
pub fn list(tree: &Folder) -> Text {
    let mut text = Text::new();
    each(tree, &mut Vec::new(), &mut |path, what| {
        if !matches!(what, What::Folder(Folder { nodes, .. }) if !nodes.is_empty()) {
            text.push_raw(path).push("\n");
        }
    });
    text
}

/// Calls `act` with each path of a tree; a folder comes before what is in it.
fn each(folder: &Folder, path: &mut Vec<u8>, act: &mut dyn FnMut(&[u8], &What)) {
    for node in &folder.nodes {
        let length = path.len();
        path.push(b'/');
        path.extend_from_slice(node.name);
        act(path, &node.what);
        if let What::Folder(inner) = &node.what {
            each(inner, path, act);
        }
        path.truncate(length);
    }
}

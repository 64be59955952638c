//! `checkpoint` and `restore`, which engines call where a user asks for them: there is no support for CRIU yet,
//! and nothing is left out silently.

use super::home::FAILED;
use crate::error::{Error, Why};

/// The answer to both.
pub fn refused() -> Error<'static> {
    let why = Why::Text(rare!("checkpoint and restore are not supported yet"));
    Error::new(rare!("use"), b"criu", why, b"", FAILED)
}

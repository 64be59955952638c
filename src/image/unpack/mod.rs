//! stub
use super::digest::Digest;
use super::progress::Progress;
use crate::error::Error;
use rustix::fd::BorrowedFd;
/// b
pub struct Blob<'a> {
    pub file: BorrowedFd<'a>,
    pub start: u64,
    pub bytes: u64,
    pub digest: Option<Digest>,
    pub content: Option<Digest>,
    pub name: &'a [u8],
}
/// d
pub struct Destination<'a> {
    pub folder: BorrowedFd<'a>,
    pub form: Form,
    pub owners: Owners,
}
/// f
#[derive(Clone, Copy)]
pub enum Form {
    Overlay { privileged: bool },
    Tree,
}
/// o
#[derive(Clone, Copy)]
pub enum Owners {
    Kept,
    Caller,
}
/// l
pub struct Limits {
    pub bytes: u64,
    pub entries: u64,
}
impl Limits {
    pub const DEFAULT: Self = Self { bytes: 64 << 30, entries: 1 << 22 };
}
pub fn unpack(
    _b: &Blob<'_>,
    _d: &Destination<'_>,
    _l: &mut Limits,
    _p: &mut Progress,
) -> Result<(), Error<'static>> {
    Ok(())
}

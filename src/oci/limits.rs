//! `pause`, `resume` and `update`: a container's cgroup, while it runs.

use super::config;
use super::home::{Folder, about};
use super::state::{self, State, Status};
use super::{Runtime, cgroup_of, kept};
use crate::cgroups::Cgroup;
use crate::cli::runtime::Name;
use crate::container::{Resources, number};
use crate::error::{Doing, Error, Object, On, Operation};
use crate::kernel::resctrl;
use crate::kernel::settings::{read_file, read_whole};
use crate::rare::Rare;
use crate::sys::files::standard_input;
use crate::text::wide_number;
use alloc::vec::Vec;
use core::ffi::CStr;

static READ: Operation = Operation { on: Object::Target, ..Operation::new(rare!("read")) };

/// A container that has not stopped, and its cgroup.
pub type Living = (&'static Folder, &'static State, &'static Cgroup);

/// Finds it.
///
/// # Errors
///
/// There is none of that name, it has stopped, or has no cgroup.
pub fn living(runtime: &Runtime<'_>) -> Result<Living, Error<'static>> {
    let folder = runtime.folder()?;
    let state = state::of(folder)?;
    if state.status(folder, false) == Status::Stopped {
        return Err(about(folder.id, rare!("container not running")));
    }
    match cgroup_of(state) {
        Some(cgroup) => Ok((folder, state, cgroup)),
        None => Err(about(folder.id, rare!("it has no cgroup, which this takes"))),
    }
}

/// Freezes all processes of a container, or lets them go on.
///
/// # Errors
///
/// It does not run, or is as asked for already.
pub fn freeze(runtime: &Runtime<'_>, is_wanted: bool) -> Result<(), Error<'static>> {
    let (folder, state, cgroup) = living(runtime)?;
    folder.lock()?;
    let is_frozen = cgroup.is_frozen();
    match state.status(folder, is_frozen) {
        Status::Running | Status::Created if is_wanted => {}
        Status::Paused if !is_wanted => {}
        _ if is_wanted => return Err(about(folder.id, rare!("cannot pause: it is not running"))),
        _ => return Err(about(folder.id, rare!("cannot resume: it is not paused"))),
    }
    cgroup.freeze(is_wanted)?;
    Ok(())
}

/// Changes limits.
///
/// # Errors
///
/// A limit is none, or cannot be set.
pub fn update(runtime: &Runtime<'_>) -> Result<(), Error<'static>> {
    let (folder, state, cgroup) = living(runtime)?;
    folder.lock()?;
    let schemata = schemata(runtime)?;
    let resources = kept(Resources::default());
    match runtime.typed.value(Name::Resources) {
        Some(file) => {
            let bytes = if file == c"-" { read_whole(standard_input()) } else { read_file(file) };
            let on = super::text::joined(&[file.to_bytes()]).to_bytes();
            let bytes = bytes.doing(&READ).map_err(|fault| fault.into_error(on, b""))?;
            config::read_resources(bytes, resources)?;
        }
        None => fill_typed(runtime, resources)?,
    }
    if !schemata.is_empty() {
        share(runtime, folder, state, schemata)?;
    }
    cgroup.apply(resources)?;
    Ok(())
}

/// The options of cache and memory bandwidth, as lines of the group's `schemata`.
fn schemata<'a>(runtime: &Runtime<'a>) -> Result<&'a [&'a CStr], Error<'static>> {
    let mut lines = Vec::new();
    for place in [14, 15] {
        let line = runtime.typed.value(Name::Limit(place)).filter(|line| !line.is_empty());
        if let Some(line) = line.filter(|line| place == 15 && !config::is_bandwidth(line)) {
            let on = super::text::joined(&[line.to_bytes()]).to_bytes();
            let why = rare!("it is to begin with MB: and be one line");
            return Err(Error::usage(rare!("limit"), on, why, b""));
        }
        lines.extend(line);
    }
    Ok(lines.leak())
}

/// Gives the container's group of cache and memory bandwidth another share.
fn share(
    runtime: &Runtime<'_>,
    folder: &Folder,
    state: &State,
    schemata: &[&CStr],
) -> Result<(), Error<'static>> {
    let root = kept(resctrl::open()?);
    let bytes = folder.read(c"config.json").doing(&READ);
    let bytes = bytes.on(c"config.json")?;
    let wanted = &config::parse(bytes, state.bundle, runtime.caller)?.intel_rdt;
    let Some(wanted) = wanted else {
        return Err(about(
            folder.id,
            rare!("it has no resctrl group, which this takes: linux.intelRdt"),
        ));
    };
    let name = wanted.class.unwrap_or(folder.id);
    resctrl::change(root, name, schemata).on(name)
}

/// Where a limit that an option names belongs, and with that, of which form it is.
enum Slot<'s> {
    Weight(&'s mut Option<u16>),
    Unsigned(&'s mut Option<u64>),
    Signed(&'s mut Option<i64>),
    Bytes(&'s mut Option<i64>),
    Text(&'s mut Option<&'static CStr>),
}

/// The limits that options name.
fn fill_typed(
    runtime: &Runtime<'_>,
    resources: &mut Resources<'static>,
) -> Result<(), Error<'static>> {
    for (name, value) in &runtime.typed.options {
        let Name::Limit(place) = name else { continue };
        let (memory, cpu) = (&mut resources.memory, &mut resources.cpu);
        let slot = match place {
            0 => Slot::Weight(&mut resources.block.weight),
            1 => Slot::Unsigned(&mut cpu.period),
            2 => Slot::Signed(&mut cpu.quota),
            3 => Slot::Unsigned(&mut cpu.burst),
            4 => Slot::Unsigned(&mut cpu.shares),
            5 => Slot::Unsigned(&mut cpu.realtime_period),
            6 => Slot::Signed(&mut cpu.realtime_runtime),
            7 => Slot::Signed(&mut cpu.idle),
            8 => Slot::Text(&mut cpu.cpus),
            9 => Slot::Text(&mut cpu.mems),
            10 => Slot::Bytes(&mut memory.limit),
            11 => Slot::Bytes(&mut memory.reservation),
            12 => Slot::Bytes(&mut memory.swap),
            13 => Slot::Signed(&mut resources.pids),
            // Of the cache and the memory's bandwidth.
            _ => continue,
        };
        let text = value.to_bytes();
        if let Err(why) = fill(slot, text) {
            let on = super::text::joined(&[text]).to_bytes();
            return Err(Error::usage(rare!("limit"), on, why, b""));
        }
    }
    Ok(())
}

/// Puts a limit where it belongs, or says what it is not.
fn fill(slot: Slot<'_>, text: &[u8]) -> Result<(), Rare> {
    let (is_fine, why) = match slot {
        Slot::Weight(slot) => {
            *slot = number(text).and_then(|weight| u16::try_from(weight).ok());
            (slot.is_some(), rare!("it is not a weight"))
        }
        Slot::Unsigned(slot) => {
            *slot = wide_number(text);
            (slot.is_some(), rare!("it is not a number from 0 on"))
        }
        Slot::Signed(slot) => {
            *slot = signed(text);
            (slot.is_some(), rare!("it is not a number"))
        }
        Slot::Bytes(slot) => {
            *slot = bytes(text);
            (slot.is_some(), rare!("it is not a number of bytes, or -1"))
        }
        Slot::Text(slot) => {
            *slot = Some(super::text::joined(&[text]));
            (true, Rare::NONE)
        }
    };
    if is_fine { Ok(()) } else { Err(why) }
}

fn signed(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', digits @ ..] => Some(-i64::try_from(wide_number(digits)?).ok()?),
        digits => i64::try_from(wide_number(digits)?).ok(),
    }
}

/// Bytes, or units of 1024, as `512k`.
fn bytes(text: &[u8]) -> Option<i64> {
    let (digits, shift) = match text {
        [digits @ .., b'k' | b'K'] => (digits, 10),
        [digits @ .., b'm' | b'M'] => (digits, 20),
        [digits @ .., b'g' | b'G'] => (digits, 30),
        digits => (digits, 0),
    };
    signed(digits)?.checked_mul(1 << shift)
}

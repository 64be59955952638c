//! `start`: the process that waits in a created container goes on to its program.

use super::config;
use super::create::started;
use super::home::{FAILED, about};
use super::state::{self, Status};
use super::text::mentions;
use super::{Runtime, cgroup_of, delete};
use crate::error::{Doing, Error, Operation};
use crate::kernel::sockets::connect_to;
use crate::launch::told::read_failure;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, SendFlags, SocketType, recv, send};

static START: Operation = Operation::new(rare!("tell the container to start"));

/// Starts the container.
///
/// # Errors
///
/// It does not wait to be started, or its program cannot be executed.
pub fn start(runtime: &Runtime<'_>) -> Result<(), Error<'static>> {
    let folder = runtime.folder()?;
    folder.lock()?;
    let state = state::of(folder)?;
    match state.status(folder, false) {
        Status::Created => {}
        Status::Stopped => {
            return Err(about(folder.id, rare!("cannot start a container that has stopped")));
        }
        Status::Creating => {
            return Err(about(folder.id, rare!("cannot start a container that is being created")));
        }
        _ => {
            return Err(about(
                folder.id,
                rare!("cannot start a container that is running already"),
            ));
        }
    }
    let answered = || {
        let waiting = connect_to(folder.file(), c"start", SocketType::SEQPACKET)?;
        // Whoever dies from here on leaves a container that counts as running, and can be deleted.
        folder.rename(c"start", None)?;
        send(&waiting, b"s", SendFlags::NOSIGNAL)?;
        let mut told = alloc::vec![0; 4096];
        // The other end is closed when the program is executed.
        let length = match retry_on_intr(|| recv(&waiting, &mut told[..], RecvFlags::empty())) {
            Err(Errno::CONNRESET) => 0,
            answer => answer?.0,
        };
        told.truncate(length);
        Ok(told)
    };
    let told = answered().doing(&START)?;
    if !told.is_empty() {
        return Err(read_failure(&told).with_status(FAILED));
    }
    let bytes = folder.read(c"config.json").unwrap_or_default();
    if !mentions(bytes, b"poststart") {
        return Ok(());
    }
    let config = config::parse(bytes, state.bundle, runtime.caller)?;
    if let Err(error) = started(&config.hooks, state, folder.id, runtime.signals) {
        let mut cgroup = cgroup_of(state);
        delete::end(state, cgroup.as_deref_mut())?;
        delete::remove(state, folder, cgroup)?;
        return Err(error);
    }
    Ok(())
}

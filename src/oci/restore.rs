//! `restore`: a container is made anew from its bundle and from what `checkpoint` has written.

use super::bundle::{self, Bundle};
use super::create::{How, Made, go_on, tell_process, undo};
use super::criu::{self, Run, refused};
use super::home::Folder;
use super::making::Making;
use super::state::State;
use super::text::{joined, of_process};
use super::{Runtime, kept, outside};
use crate::cgroups::Cgroup;
use crate::cli::runtime::Name;
use crate::container::Source;
use crate::error::{Doing, Error, Object, On, Operation};
use crate::kernel::mounts::make_private;
use crate::kernel::sockets;
use crate::launch::criu::{NAMESPACES, RESTORED, SCRIPT, SOCKET, attend};
use crate::launch::runtime::Attendant;
use crate::rare::Rare;
use crate::sys::namespaces::{Namespaces, unshare};
use alloc::vec::Vec;
use rustix::fs::symlinkat;
use rustix::mount::mount_bind;
use rustix::process::{Pid, getpid, set_child_subreaper};

static LISTEN: Operation = Operation::new(rare!("make the socket that criu's script asks at"));
static PREPARE: Operation = Operation::new(rare!("make criu's namespaces"));
static ROOT: Operation =
    Operation { on: Object::Target, ..Operation::new(rare!("make a mount of the root")) };
static ADOPT: Operation = Operation::new(rare!("be the parent of what criu restores"));

/// Restores it; the exit status.
///
/// # Errors
///
/// What kept it from being restored; nothing is left of it then.
#[inline(never)]
pub fn restore(runtime: &Runtime<'_>) -> Result<u8, Error<'static>> {
    let typed = runtime.typed;
    let how = if typed.has(Name::Detach) { How::Detached } else { How::Attached };
    check(runtime, how)?;
    let bundle = bundle::read(runtime)?;
    criu::check(bundle.config)?;
    let run = Run::new(runtime, c"restore")?;
    let folder = runtime.home.add(runtime.id())?;
    let mut cgroup = None;
    let made = match bring_back(runtime, &bundle, &folder, &mut cgroup, (run, how)) {
        Ok((state, process)) => {
            Made { folder, state, config: bundle.config, process, terminal: None }
        }
        Err(error) => {
            undo(&folder, cgroup.as_mut());
            return Err(error);
        }
    };
    go_on(runtime, &made, cgroup, how)
}

/// What can be said to `restore`, and not be done.
const REFUSED: [(Name, Rare); 4] = [
    (Name::ConsoleSocket, rare!("what is restored has no terminal")),
    (Name::NoPivot, rare!("CRIU exchanges the root by pivot_root alone")),
    (Name::PreserveFds, rare!("what is restored has what it had open")),
    (Name::NoSubreaper, rare!("the end of what is restored can only be waited for so: --detach")),
];

fn check(runtime: &Runtime<'_>, how: How) -> Result<(), Error<'static>> {
    for (name, why) in REFUSED {
        let is_fine = name == Name::NoSubreaper && how == How::Detached;
        if runtime.typed.has(name) && !is_fine {
            return Err(refused(name, why));
        }
    }
    Ok(())
}

/// Restores it, as far as that goes; what has to be removed after a failure is in `folder` and `cgroup`.
fn bring_back(
    runtime: &Runtime<'_>,
    bundle: &Bundle,
    folder: &Folder,
    cgroup: &mut Option<Cgroup>,
    (run, how): (&mut Run, How),
) -> Result<(State, Pid), Error<'static>> {
    let config = bundle.config;
    let Source::Directory(root) = config.container.root.source else {
        return Err(refused(Name::Bundle, rare!("its root is no folder")));
    };
    let (state, cgroup) = bundle.begin(runtime, folder, cgroup)?;
    let socket = &*kept(sockets::listen(folder.file(), SOCKET).doing(&LISTEN)?);
    let own = of_process(getpid().as_raw_nonzero().get().unsigned_abs(), b"exe");
    symlinkat(own, folder.file(), SCRIPT).doing(&LISTEN)?;
    let script = joined(&[folder.path.to_bytes(), b"/", SCRIPT.to_bytes()]);
    outside::make_points(config, root)?;
    run.add(&[c"--root", root, c"--restore-detached", c"--action-script", script]);
    outside::give(run, config, cgroup)?;
    if how == How::Attached {
        set_child_subreaper(Some(getpid())).doing(&ADOPT)?;
    }
    let has_cgroups = config.container.isolation.namespaces.contains(Namespaces::CGROUP);
    let prepare = || {
        outside::enter_others(config)?;
        let own = if has_cgroups { Namespaces::CGROUP } else { Namespaces::NONE };
        unshare(Namespaces::MOUNT.and(own)).doing(&PREPARE)?;
        make_private(false)?;
        // In a mount namespace of its own, so that nothing is left of it on the host.
        let bound = mount_bind(root, root).doing(&ROOT);
        bound.on(root)
    };
    let mut making = Making { folder, state, config, cgroup };
    let criu = run.criu(runtime, kept(Vec::new()));
    let process = criu.start(&mut |process| making.begun(process), &prepare)?;
    let mut restored = None;
    let is_done = attend(process, Some(socket), &mut |action, child| match action {
        NAMESPACES => making.prepared(child, runtime.signals),
        RESTORED => {
            restored = Some(child);
            making.restored(child)
        }
        _ => Ok(()),
    })?;
    let process = restored.filter(|_| is_done).ok_or_else(|| run.failure())?;
    let _ = folder.rename(SCRIPT, None);
    tell_process(runtime, process)?;
    Ok((making.state, process))
}

//! A bundle, from which a container is made or brought back: its configuration, read and checked.

use super::config::{self, Config};
use super::home::Folder;
use super::state::State;
use super::text::{absolute, joined};
use super::time::timestamp;
use super::{Runtime, passwd};
use crate::cgroups::Cgroup;
use crate::cli::runtime::Name;
use crate::container::{Container, Source, environment, number};
use crate::error::{Doing, Error, Object, On, Operation};
use crate::kernel::labels;
use crate::kernel::settings::read_file;
use crate::rare::Rare;
use crate::sys::namespaces::Namespaces;
use crate::text::Text;
use core::ffi::CStr;

static READ: Operation = Operation { on: Object::Target, ..Operation::new(rare!("read")) };

/// What a container is made from.
pub struct Bundle {
    /// Its folder.
    pub path: &'static CStr,
    /// What its configuration says.
    pub config: &'static Config,
    /// The same as it was written.
    pub bytes: &'static [u8],
}

impl Bundle {
    /// What is known of a container that is made from it: its configuration is kept in its folder, its cgroup is
    /// planned, and there is what will be written down.
    ///
    /// # Errors
    ///
    /// Its cgroup can be none; those of [`Folder::write`].
    pub fn begin<'c>(
        &self,
        runtime: &Runtime<'_>,
        folder: &Folder,
        cgroup: &'c mut Option<Cgroup>,
    ) -> Result<(State, &'c mut Cgroup), Error<'static>> {
        let config = self.config;
        let mut copy = Text::new();
        copy.push_raw(self.bytes);
        folder.write_new(c"config.json", &copy)?;
        let cgroup = cgroup.insert(runtime.cgroup(config, folder.id)?);
        let paths = cgroup.paths();
        let state = State {
            version: config.version,
            bundle: self.path,
            rootfs: match config.container.root.source {
                Source::Directory(path) => path,
                _ => c"",
            },
            created: core::str::from_utf8(timestamp().leak()).unwrap_or_default(),
            owner: runtime.caller.user,
            has_cgroup: paths.is_empty(),
            shares_processes: !config.container.isolation.namespaces.contains(Namespaces::PID),
            cgroup: paths.leak(),
            annotations: &config.annotations,
            ..State::default()
        };
        Ok((state, cgroup))
    }
}

/// The configuration of a container that was made, as it was then.
///
/// # Errors
///
/// It cannot be read.
pub fn kept(
    runtime: &Runtime<'_>,
    folder: &Folder,
    state: &State,
) -> Result<&'static mut Config, Error<'static>> {
    let bytes = folder.read(c"config.json").doing(&READ);
    let bytes = bytes.on(c"config.json")?;
    config::parse(bytes, state.bundle, runtime.caller)
}

/// Reads the bundle's configuration.
///
/// # Errors
///
/// It cannot be read, is none, or there can be no container of it here.
pub fn read(runtime: &Runtime<'_>) -> Result<Bundle, Error<'static>> {
    let bundle = absolute(runtime.typed.value(Name::Bundle).unwrap_or(c"."))?;
    let file = match runtime.typed.value(Name::Config) {
        Some(file) => absolute(file)?,
        None => joined(&[bundle.to_bytes(), b"/config.json"]),
    };
    let failed = |fault: crate::error::Fault| {
        let hint: &[u8] = if fault.errno == rustix::io::Errno::NOENT {
            b"--bundle DIR names the folder that it lies in; mini-container spec makes one"
        } else {
            b""
        };
        fault.into_error(file.to_bytes(), hint)
    };
    let bytes: &'static [u8] = read_file(file).doing(&READ).map_err(failed)?;
    let config = config::parse(bytes, bundle, runtime.caller)?;
    check(config)?;
    passwd::add_home(&mut config.container);
    add_descriptors(runtime, &mut config.container);
    check_labels(config)?;
    if !runtime.typed.has(Name::NoNewKeyring) {
        let name = joined(&[b"_ses.", runtime.id().to_bytes()]);
        config.container.process.attributes.keyring = Some(name);
    }
    Ok(Bundle { path: bundle, config, bytes })
}

/// What a configuration may leave out, and a container that is made may not.
fn check(config: &Config) -> Result<(), Error<'static>> {
    match config.unfit {
        Some(unfit) => Err(unfit),
        None => check_program(&config.container),
    }
}

/// There is something to run.
///
/// # Errors
///
/// There is not.
pub fn check_program(container: &Container<'_>) -> Result<(), Error<'static>> {
    if container.process.command.is_empty() {
        return Err(refused(b"process.args", rare!("there is no program to run")));
    }
    Ok(())
}

fn refused(on: &'static [u8], why: Rare) -> Error<'static> {
    Error::usage(rare!("config.json:"), on, why, b"")
}

/// Labels that nobody would look at are refused.
///
/// # Errors
///
/// The kernel has no such labels.
pub fn check_labels(config: &mut Config) -> Result<(), Error<'static>> {
    let attributes = &mut config.container.process.attributes;
    if attributes.apparmor.is_some()
        && !labels::has_apparmor()
        && attributes.apparmor.take() != Some(c"unconfined")
    {
        return Err(refused(b"process.apparmorProfile", rare!("this kernel has no AppArmor")));
    }
    let is_labelled = attributes.selinux.is_some() || config.is_labelled;
    if is_labelled && !labels::has_selinux() {
        let on =
            if config.is_labelled { &b"linux.mountLabel"[..] } else { b"process.selinuxLabel" };
        return Err(refused(on, rare!("this kernel has no SELinux")));
    }
    Ok(())
}

/// Descriptors that are passed on: those asked for, and those of a socket that somebody listens at already;
/// `sd_listen_fds(3)`.
pub fn add_descriptors(runtime: &Runtime<'_>, container: &mut Container<'static>) {
    let process = &mut container.process;
    process.preserved_descriptors = runtime.preserved;
    let listening = environment::value(runtime.variables, b"LISTEN_FDS");
    if let Some((text, count)) = listening.and_then(|text| Some((text, number(text)?))) {
        process.preserved_descriptors = runtime.preserved.max(count);
        process.environment.push(joined(&[b"LISTEN_FDS=", text]));
        process.environment.push(c"LISTEN_PID=1");
    }
}

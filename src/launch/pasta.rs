//! pasta(1), which connects a network namespace to the host's without privilege. It runs beside the
//! container, and ends with it.

use super::assist::run;
use super::guard::Guard;
use super::number_of;
use crate::container::number;
use crate::error::{Error, Why, status};
use crate::kernel::settings::read_file;
use crate::sys::descriptors::AsFd;
use crate::sys::signals::Before;
use crate::text::{Text, parts};
use core::ffi::CStr;
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, geteuid, getpid, kill_process, pidfd_open,
    pidfd_send_signal, set_child_subreaper, waitpid,
};

const PATHS: [&CStr; 2] = [c"/usr/bin/pasta", c"/usr/local/bin/pasta"];

/// It while it runs.
pub struct Pasta {
    process: Pid,
    /// For when the launcher is killed.
    _guard: Guard,
}

impl Pasta {
    /// Connects the network namespace of the child.
    ///
    /// # Errors
    ///
    /// That it is not installed, or what it says itself on standard error.
    pub fn connect(child: Pid, signals: Before) -> Result<Self, Error<'static>> {
        Self::start(child, signals).map_err(|why| {
            let hint = rare!("it is in the package passt").bytes();
            Error::new(rare!("run"), PATHS[0].to_bytes(), why, hint, status::FAILED)
        })
    }

    /// Once it is connected, it goes on in a process of its own, which its parent leaves to us.
    fn start(child: Pid, signals: Before) -> Result<Self, Why<'static>> {
        let mut number = Text::new();
        number.push_number(number_of(child));
        let mut words = [c"pasta", c"--quiet", c"--config-net"].to_vec();
        if geteuid().is_root() {
            // Or else it would become nobody, who may not enter the namespace.
            words.extend_from_slice(&[c"--runas", c"0"]);
        }
        words.push(number.into_c_str());
        set_child_subreaper(Some(getpid())).map_err(Why::Errno)?;
        let ended = run(&PATHS, &words, signals);
        set_child_subreaper(None).map_err(Why::Errno)?;
        match ended {
            Ok(0) => Self::find(child).map_err(Why::Errno),
            Ok(_) => Err(Why::Text(rare!("it could not connect the container"))),
            Err(errno) => Err(Why::Errno(errno)),
        }
    }

    /// It is our only child besides the one that waits.
    fn find(child: Pid) -> Result<Self, Errno> {
        let mut path = Text::new();
        path.push("/proc/self/task/").push_number(number_of(getpid())).push("/children");
        let children = read_file(path.into_c_str())?;
        let is_other = |process: &Pid| *process != child;
        let numbers = parts(children, b' ').filter_map(number);
        let process = numbers.filter_map(|number| Pid::from_raw(number as i32)).find(is_other);
        let process = process.ok_or(Errno::SRCH)?;
        let file = pidfd_open(process, PidfdFlags::empty())?;
        // It may have ended by itself.
        let guard = Guard::post(Some(file.as_fd()), &|| {
            let _ = pidfd_send_signal(file.as_fd(), Signal::KILL);
        });
        match guard {
            Ok(guard) => Ok(Self { process, _guard: guard }),
            Err(errno) => {
                end(process);
                Err(errno)
            }
        }
    }
}

impl Drop for Pasta {
    fn drop(&mut self) {
        end(self.process);
    }
}

fn end(process: Pid) {
    let _ = kill_process(process, Signal::KILL);
    let _ = waitpid(Some(process), WaitOptions::empty());
}

//! What an image says about itself: the program, its surroundings, and what its layers are;
//! OCI image specification, "Image Configuration", which is Docker's, too.

use super::digest::Digest;
use super::platform::Platform;
use super::store::named;
use crate::container::{Defaults, environment, keep, signal};
use crate::error::{Error, Why};
use crate::json::{Object, as_str, list, object, text, texts};
use crate::rare::Rare;
use alloc::vec::Vec;
use core::ffi::CStr;

/// The configuration of an image.
#[derive(Default)]
pub struct Config {
    /// For the program, where the user says nothing.
    pub defaults: Defaults<'static>,
    /// As whom it runs: names or numbers.
    pub user: Option<&'static CStr>,
    /// For which machine it is.
    pub platform: Platform<'static>,
    /// What each layer holds when it is not compressed, the lowest first.
    pub layers: Vec<Digest>,
}

/// Where programs are looked for if the image does not say; Docker's.
const PATH: &CStr = c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Reads it; `name` is where it was found.
///
/// # Errors
///
/// What cannot be used as it is.
pub fn read(
    top: &'static Object<'static>,
    name: &[u8],
    into: &mut Config,
) -> Result<(), Error<'static>> {
    let wrong = |why| named(rare!("read the configuration"), name, Why::Text(why));
    for value in list(object(top, "rootfs"), "diff_ids") {
        let digest = as_str(value).and_then(|text| Digest::parse(text.as_bytes()));
        into.layers.push(digest.ok_or_else(|| wrong(rare!("a diff_id is no SHA-256")))?);
    }
    let config = object(top, "config");
    let strings = |name| strings(texts(config, name)).ok_or_else(|| wrong(NUL));
    let string = |name| keep(text(config, name)).ok_or_else(|| wrong(NUL));
    let is_said = |text: &&'static CStr| !text.is_empty();
    let stop_signal = string("StopSignal")?;
    let defaults = &mut into.defaults;
    defaults.entrypoint = strings("Entrypoint")?;
    defaults.command = strings("Cmd")?;
    defaults.environment = environment::apply(&[], Vec::new(), &strings("Env")?);
    defaults.working_directory = Some(string("WorkingDir")?).filter(is_said);
    defaults.stop_signal = signal(stop_signal.to_bytes());
    if is_said(&stop_signal) && defaults.stop_signal.is_none() {
        return Err(wrong(rare!("its StopSignal is no signal")));
    }
    if environment::value(&defaults.environment, b"PATH").is_none() {
        defaults.environment.push(PATH);
    }
    into.user = Some(string("User")?).filter(is_said);
    into.platform = Platform::of(top);
    Ok(())
}

const NUL: Rare = rare!("there is a NUL in a text of it");

fn strings(texts: Vec<&str>) -> Option<Vec<&'static CStr>> {
    let mut strings = Vec::new();
    for text in texts {
        strings.push(keep(text)? as &CStr);
    }
    Some(strings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use rustix::process::Signal;

    fn config(text: &'static str) -> Result<Config, String> {
        let value = Box::leak(Box::new(json::parse(text.as_bytes(), rare!("read")).unwrap()));
        let error = |error: Error<'_>| String::from_utf8_lossy(error.render().as_bytes()).into();
        let mut config = Config::default();
        let read = read(json::as_object(Some(value)), b"config", &mut config);
        read.map(|()| config).map_err(error)
    }

    #[test]
    fn what_is_said_is_read() {
        let config = config(
            r#"{"os": "linux", "architecture": "arm64", "config": {"Entrypoint": ["/a"],
            "Cmd": ["b", "c"], "Env": ["A=1", "PATH=/x", "A=2"], "User": "me:us",
            "WorkingDir": "/w", "StopSignal": "SIGQUIT"}, "rootfs": {"type": "layers",
            "diff_ids": ["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}"#,
        )
        .unwrap();
        let defaults = config.defaults;
        assert_eq!((&*defaults.entrypoint, &*defaults.command), (&[c"/a"][..], &[c"b", c"c"][..]));
        assert_eq!(defaults.environment, [c"PATH=/x", c"A=2"]);
        assert_eq!((defaults.working_directory, config.user), (Some(c"/w"), Some(c"me:us")));
        assert_eq!(defaults.stop_signal, Some(Signal::QUIT));
        assert_eq!(config.layers, [Digest::of(b"")]);
        assert!(config.platform.is(&Platform::parse(b"arm64").unwrap()));
    }

    #[test]
    fn what_is_not_said_is_left_to_the_launcher() {
        let config = config(r#"{"config": {"Cmd": null, "WorkingDir": "", "User": ""}}"#).unwrap();
        assert_eq!((config.user, config.defaults.working_directory), (None, None));
        assert_eq!(config.defaults.environment, [PATH]);
        assert!(config.platform.is_unknown());
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        for (text, expected) in [
            (r#"{"config": {"StopSignal": "SIGNONE"}}"#, "StopSignal is no signal"),
            (r#"{"config": {"Env": ["A=\u0000"]}}"#, "a NUL"),
            (r#"{"rootfs": {"diff_ids": ["md5:x"]}}"#, "a diff_id is no SHA-256"),
        ] {
            let error = config(text).err().unwrap();
            assert!(error.contains(expected), "{error}");
        }
    }
}

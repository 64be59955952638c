//! Profiles in JSON: OCI's (`linux.seccomp` of a `config.json`), and Docker's, whose rules also say
//! for which machines, kernels and capabilities they are.

use super::{Action, Architecture, Call, Condition, Host, KernelVersion, Profile, Rule, Test};
use crate::container::capability;
use crate::error::Error;
use crate::json::{self, Object, Value, as_number, as_str, get, is_null};
use crate::rare::Rare;
use crate::sys::seccomp::Flags;
use crate::text::{Text, parts};
use alloc::vec::Vec;
use rustix::io::Errno;

/// What reading comes to.
type Read<T> = Result<T, Error<'static>>;

/// The largest number of an error that the kernel passes on: `MAX_ERRNO`.
const ERRNO_MAX: u64 = 4095;

/// Reads a profile.
///
/// Names of calls that are not known are left out, as other runtimes do: profiles name calls of all
/// architectures, and of kernels to come.
///
/// # Errors
///
/// It is not JSON, or not a profile; or it asks for another process to decide.
pub fn parse(bytes: &[u8], host: &Host) -> Result<Profile, Error<'static>> {
    read(&json::parse(bytes, READING)?, host, "")
}

/// Reads a profile from JSON that was parsed already; `within` says where in a configuration it stands.
///
/// # Errors
///
/// As for [`parse`].
pub fn read(
    value: &Value<'_>,
    host: &Host,
    within: &'static str,
) -> Result<Profile, Error<'static>> {
    let top = Place { within, ..Place::default() };
    let object = top.object(value)?;
    let errno = top.field("defaultErrnoRet").number(object, u64::MAX)?;
    let place = top.field("defaultAction");
    let mut profile = Profile::new(place.action(object, errno)?);
    if profile.default == Action::Notify {
        return Err(place.wrong(get(object, place.name), UNHEARD, Rare::NONE));
    }
    read_architectures(&top, object, host, &mut profile)?;
    read_flags(&top, object, &mut profile)?;
    for (index, rule) in top.field("syscalls").list(object)?.iter().enumerate() {
        let place = Place { rule: Some(index), ..top };
        let rule = place.object(rule)?;
        if is_meant(&place, rule, host)? {
            read_rule(&place, rule, &mut profile)?;
        }
    }
    Ok(profile)
}

/// 32-bit arm is not among the architectures that a filter can be made for: its calls are refused,
/// whatever the profile says.
fn read_architectures(
    top: &Place,
    object: &Object<'_>,
    host: &Host,
    profile: &mut Profile,
) -> Read<()> {
    let place = top.field("architectures");
    for (index, name) in place.list(object)?.iter().enumerate() {
        let place = place.at(index);
        let text = place.text(name)?;
        let known = text.strip_prefix("SCMP_ARCH_").unwrap_or_default();
        if !parts(ARCHITECTURES, b' ').any(|name| name == known.as_bytes()) {
            return Err(place.wrong(Some(name), rare!("no such architecture"), Rare::NONE));
        }
        add_architecture(text, profile);
    }
    let place = place.field("archMap");
    for family in place.list(object)? {
        let family = place.object(family)?;
        let native = match host.architecture {
            Architecture::X86_64 => "SCMP_ARCH_X86_64",
            Architecture::Aarch64 => "SCMP_ARCH_AARCH64",
        };
        if get(family, "architecture").and_then(as_str) == Some(native) {
            let place = place.field("subArchitectures");
            for name in place.list(family)? {
                add_architecture(place.text(name)?, profile);
            }
        }
    }
    Ok(())
}

/// Those that profiles name.
const ARCHITECTURES: &[u8] =
    b"X86 X86_64 X32 ARM AARCH64 LOONGARCH64 M68K MIPS MIPS64 MIPS64N32 MIPSEL \
    MIPSEL64 MIPSEL64N32 PPC PPC64 PPC64LE S390 S390X SH SHEB PARISC PARISC64 RISCV64";

fn add_architecture(name: &str, profile: &mut Profile) {
    match name {
        "SCMP_ARCH_X86" => profile.x86 = true,
        "SCMP_ARCH_X32" => profile.x32 = true,
        _ => {}
    }
}

fn read_flags(top: &Place, object: &Object<'_>, profile: &mut Profile) -> Read<()> {
    let place = top.field("flags");
    for (index, flag) in place.list(object)?.iter().enumerate() {
        let place = place.at(index);
        let flag = match place.text(flag)? {
            "SECCOMP_FILTER_FLAG_LOG" => Flags::LOG,
            "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => Flags::SPEC_ALLOW,
            "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" => Flags::WAIT_KILLABLE_RECV,
            // It is for programs with threads; the filter is installed before there are any.
            "SECCOMP_FILTER_FLAG_TSYNC" => Flags::NONE,
            _ => return Err(place.wrong(Some(flag), rare!("no such flag"), Rare::NONE)),
        };
        profile.flags = profile.flags.and(flag);
    }
    Ok(())
}

/// Whether Docker's `includes` and `excludes` let the rule hold here.
fn is_meant(place: &Place, rule: &Object<'_>, host: &Host) -> Read<bool> {
    let architecture = match host.architecture {
        Architecture::X86_64 => "amd64",
        Architecture::Aarch64 => "arm64",
    };
    for (name, must_hold) in [("includes", true), ("excludes", false)] {
        let place = place.field(name);
        let Some(filter) = get(rule, name).filter(|filter| !is_null(filter)) else { continue };
        let filter = place.object(filter)?;
        for name in place.field("caps").list(filter)? {
            if is_kept(place.text(name)?, host) != must_hold {
                return Ok(false);
            }
        }
        let names = place.field("arches").list(filter)?;
        let is_listed = names.iter().any(|name| as_str(name) == Some(architecture));
        if !names.is_empty() && is_listed != must_hold {
            return Ok(false);
        }
        let place = place.field("minKernel");
        if let Some(value) = get(filter, "minKernel").filter(|value| !is_null(value)) {
            let Some(version) = KernelVersion::parse(place.text(value)?.as_bytes()) else {
                return Err(place.wrong(
                    Some(value),
                    rare!("not a version of Linux"),
                    rare!("such as 4.8"),
                ));
            };
            if (host.kernel >= version) != must_hold {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

fn is_kept(name: &str, host: &Host) -> bool {
    let capability = capability(name.as_bytes());
    capability.is_some_and(|capability| host.capabilities.contains(capability))
}

fn read_rule(place: &Place, rule: &Object<'_>, profile: &mut Profile) -> Read<()> {
    let mut calls = Vec::new();
    let names = place.field("names");
    let list = names.list(rule)?;
    for (index, name) in list.iter().enumerate() {
        calls.extend(Call::named(names.at(index).text(name)?.as_bytes()));
    }
    if list.is_empty() && !names.within.is_empty() {
        return Err(names.wrong(None, MISSING, Rare::NONE));
    }
    // Old profiles of Docker's.
    let single = get(rule, "name");
    if let Some(name) = single {
        calls.extend(Call::named(place.field("name").text(name)?.as_bytes()));
    }
    let errno = place.field("errnoRet").number(rule, u64::MAX)?;
    let action = place.field("action").action(rule, errno)?;
    if action == Action::Notify {
        single.map_or(Ok(()), |name| place.field("name").check_asked(name))?;
        list.iter().enumerate().try_for_each(|(at, name)| names.at(at).check_asked(name))?;
    }
    let mut conditions = Vec::new();
    for (index, argument) in place.field("args").list(rule)?.iter().enumerate() {
        let place = Place { argument: Some(index), ..*place };
        conditions.push(read_condition(&place, place.object(argument)?)?);
    }
    // Of one argument, two things cannot be asked in a rule of libseccomp's. For years runtimes
    // took such conditions for rules of their own, of which one is enough, and profiles rely on it.
    if asks_twice(&conditions) {
        for condition in conditions {
            let conditions = Vec::from([condition]);
            profile.rules.push(Rule { calls: calls.clone(), action, conditions });
        }
    } else {
        profile.rules.push(Rule { calls, action, conditions });
    }
    Ok(())
}

fn asks_twice(conditions: &[Condition]) -> bool {
    let mut seen = 0_u8;
    conditions.iter().any(|condition| {
        let bit = 1 << condition.argument;
        let is_seen = seen & bit != 0;
        seen |= bit;
        is_seen
    })
}

fn read_condition(place: &Place, object: &Object<'_>) -> Read<Condition> {
    let index = place.field("index");
    let Some(argument) = index.number(object, 5)? else {
        return Err(index.wrong(None, MISSING, Rare::NONE));
    };
    let value = place.field("value");
    let value = match value.number(object, u64::MAX)? {
        // A profile of its own may leave out what is 0.
        None if !value.within.is_empty() => return Err(value.wrong(None, MISSING, Rare::NONE)),
        number => number.unwrap_or_default(),
    };
    let second = place.field("valueTwo").number(object, u64::MAX)?.unwrap_or_default();
    let place = place.field("op");
    let operator = place.get(object)?;
    let test = match place.text(operator)? {
        "SCMP_CMP_EQ" => Test::Equal(value),
        "SCMP_CMP_NE" => Test::NotEqual(value),
        "SCMP_CMP_LT" => Test::Less(value),
        "SCMP_CMP_LE" => Test::LessOrEqual(value),
        "SCMP_CMP_GE" => Test::GreaterOrEqual(value),
        "SCMP_CMP_GT" => Test::Greater(value),
        "SCMP_CMP_MASKED_EQ" => Test::Masked { mask: value, value: second },
        _ => {
            let hint = rare!("SCMP_CMP_ and one of EQ NE LT LE GE GT MASKED_EQ");
            return Err(place.wrong(Some(operator), rare!("no such operator"), hint));
        }
    };
    Ok(Condition { argument: argument as u8, test })
}

const READING: Rare = rare!("read the seccomp profile,");
const MISSING: Rare = rare!("missing");
/// The call that sends the filter's descriptor to whoever listens; nobody could answer it.
const SENDING: &str = "sendmsg";
const UNHEARD: Rare = rare!("nobody can be asked about the call by which whoever is asked is told");

/// Where in the profile a value stands, for errors, and the ways to read it.
#[derive(Clone, Copy, Default)]
struct Place {
    /// What it stands in, if it is not a file of its own.
    within: &'static str,
    rule: Option<usize>,
    argument: Option<usize>,
    name: &'static str,
    /// Which of the list of that name it is.
    item: Option<usize>,
}

impl Place {
    fn field(&self, name: &'static str) -> Self {
        Self { name, item: None, ..*self }
    }

    fn at(&self, index: usize) -> Self {
        Self { item: Some(index), ..*self }
    }

    fn get<'a, 'b>(&self, object: &'b Object<'a>) -> Read<&'b Value<'a>> {
        get(object, self.name).ok_or_else(|| self.wrong(None, MISSING, Rare::NONE))
    }

    fn object<'a, 'b>(&self, value: &'b Value<'a>) -> Read<&'b Object<'a>> {
        match value {
            Value::Object(object) => Ok(object),
            _ => Err(self.wrong(Some(value), rare!("not an object"), Rare::NONE)),
        }
    }

    fn text<'b>(&self, value: &'b Value<'_>) -> Read<&'b str> {
        as_str(value).ok_or_else(|| self.wrong(Some(value), rare!("not a string"), Rare::NONE))
    }

    /// Whether somebody can be asked about this call.
    fn check_asked(&self, name: &Value<'_>) -> Read<()> {
        if as_str(name) == Some(SENDING) {
            return Err(self.wrong(Some(name), UNHEARD, Rare::NONE));
        }
        Ok(())
    }

    /// A list that may be left out.
    fn list<'a, 'b>(&self, object: &'b Object<'a>) -> Read<&'b [Value<'a>]> {
        match get(object, self.name) {
            None | Some(Value::Null) => Ok(&[]),
            Some(Value::Array(values)) => Ok(values),
            Some(other) => Err(self.wrong(Some(other), rare!("not a list"), Rare::NONE)),
        }
    }

    /// A number that may be left out.
    fn number(&self, object: &Object<'_>, max: u64) -> Read<Option<u64>> {
        let value = match get(object, self.name) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value,
        };
        match as_number(value) {
            Some(number) if number <= max => Ok(Some(number)),
            Some(_) => Err(self.wrong(Some(value), rare!("too large"), Rare::NONE)),
            None => Err(self.wrong(Some(value), rare!("not a whole number from 0 on"), Rare::NONE)),
        }
    }

    fn action(&self, object: &Object<'_>, errno: Option<u64>) -> Read<Action> {
        let value = self.get(object)?;
        let number = errno.unwrap_or(Errno::PERM.raw_os_error() as u64);
        let action = match self.text(value)? {
            "SCMP_ACT_ERRNO" if number > ERRNO_MAX => {
                return Err(self.wrong(
                    Some(value),
                    rare!("there is no error of this number"),
                    Rare::NONE,
                ));
            }
            "SCMP_ACT_TRACE" if number > u16::MAX.into() => {
                return Err(self.wrong(Some(value), rare!("its number is too large"), Rare::NONE));
            }
            "SCMP_ACT_ERRNO" => return Ok(Action::Errno(number as u16)),
            "SCMP_ACT_TRACE" => return Ok(Action::Trace(number as u16)),
            "SCMP_ACT_ALLOW" => Action::Allow,
            "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Action::KillThread,
            "SCMP_ACT_KILL_PROCESS" => Action::KillProcess,
            "SCMP_ACT_TRAP" => Action::Trap,
            "SCMP_ACT_LOG" => Action::Log,
            // The launcher has nobody to ask.
            "SCMP_ACT_NOTIFY" if self.within.is_empty() => {
                let hint = rare!("mini-container does not pass system calls on to another process");
                return Err(self.wrong(Some(value), rare!("not supported"), hint));
            }
            "SCMP_ACT_NOTIFY" => Action::Notify,
            _ => {
                let hint = rare!(
                    "SCMP_ACT_ and one of ALLOW ERRNO KILL KILL_THREAD KILL_PROCESS TRAP LOG TRACE"
                );
                return Err(self.wrong(Some(value), rare!("no such action"), hint));
            }
        };
        match errno {
            None => Ok(action),
            Some(_) => {
                Err(self.wrong(Some(value), rare!("this action takes no errnoRet"), Rare::NONE))
            }
        }
    }

    /// Says what is wrong with a value, and where it is.
    #[cold]
    fn wrong(&self, value: Option<&Value<'_>>, why: Rare, hint: Rare) -> Error<'static> {
        let mut place = Text::new();
        place.push(self.within);
        for (name, index, is_named) in [
            ("syscalls", self.rule, self.rule.is_some()),
            ("args", self.argument, self.argument.is_some()),
            (self.name, self.item, !self.name.is_empty()),
        ] {
            if is_named {
                place.push(if place.is_empty() { "" } else { "." }).push(name);
            }
            if let Some(index) = index {
                place.push("[").push_number(index as u64).push("]");
            }
        }
        match value {
            Some(Value::String(text)) => place.push(" ").push_name(text.as_bytes()),
            Some(Value::Number((number, _))) => place.push(" ").push(number),
            _ => &mut place,
        };
        let reading = if self.within.is_empty() { READING } else { rare!("config.json:") };
        Error::usage(reading, place.leak(), why, hint.bytes())
    }
}

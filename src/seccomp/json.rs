//! Profiles in JSON: OCI's (`linux.seccomp` of a `config.json`), and Docker's, whose rules also say
//! for which machines, kernels and capabilities they are.

use super::place::{MISSING, Place, READING, UNHEARD};
use super::{Action, Architecture, Condition, Host, KernelVersion, Profile, Rule, Test};
use crate::container::capability;
use crate::error::Error;
use crate::json::{self, Object, Value, as_str, get, is_null};
use crate::sys::seccomp::Flags;
use crate::text::parts;
use alloc::vec::Vec;
use core::cell::Cell;

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
    let fault = Cell::new(None);
    let top = Place { within, rule: None, argument: None, name: "", item: None, fault: &fault };
    let mut profile = Profile::new(Action::Allow);
    read_profile(&top, top.object(value), host, &mut profile);
    fault.take().map_or(Ok(profile), Err)
}

fn read_profile(top: &Place<'_>, object: &Object<'_>, host: &Host, profile: &mut Profile) {
    let errno = top.number_at("defaultErrnoRet", object, u64::MAX);
    let place = top.field("defaultAction");
    profile.default = place.action(object, errno);
    if profile.default == Action::Notify {
        place.wrong(get(object, place.name), UNHEARD);
    }
    read_architectures(top, object, host, profile);
    read_flags(top, object, profile);
    for (index, rule) in top.list_at("syscalls", object).iter().enumerate() {
        let place = top.in_rule(index);
        let rule = place.object(rule);
        if is_meant(&place, rule, host) {
            read_rule(&place, rule, profile);
        }
    }
}

/// 32-bit arm is not among the architectures that a filter can be made for: its calls are refused,
/// whatever the profile says.
fn read_architectures(top: &Place<'_>, object: &Object<'_>, host: &Host, profile: &mut Profile) {
    let place = top.field("architectures");
    for (index, name) in place.list(object).iter().enumerate() {
        let place = place.at(index);
        let text = place.text(name);
        let known = text.strip_prefix("SCMP_ARCH_").unwrap_or_default();
        if !parts(ARCHITECTURES, b' ').any(|name| name == known.as_bytes()) {
            place.wrong(Some(name), rare!("no such architecture"));
        }
        add_architecture(text, profile);
    }
    let place = top.field("archMap");
    for family in place.list(object) {
        let family = place.object(family);
        let native = match host.architecture {
            Architecture::X86_64 => "SCMP_ARCH_X86_64",
            Architecture::Aarch64 => "SCMP_ARCH_AARCH64",
        };
        if get(family, "architecture").and_then(as_str) == Some(native) {
            let place = top.field("subArchitectures");
            for name in place.list(family) {
                add_architecture(place.text(name), profile);
            }
        }
    }
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

#[inline(never)]
fn read_flags(top: &Place<'_>, object: &Object<'_>, profile: &mut Profile) {
    let place = top.field("flags");
    for (index, flag) in place.list(object).iter().enumerate() {
        let place = place.at(index);
        let flag = match place.text(flag) {
            "SECCOMP_FILTER_FLAG_LOG" => Flags::LOG,
            "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => Flags::SPEC_ALLOW,
            "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" => Flags::WAIT_KILLABLE_RECV,
            // It is for programs with threads; the filter is installed before there are any.
            "SECCOMP_FILTER_FLAG_TSYNC" => Flags::NONE,
            _ => return place.wrong(Some(flag), rare!("no such flag")),
        };
        profile.flags = profile.flags.and(flag);
    }
}

/// Whether Docker's `includes` and `excludes` let the rule hold here.
#[inline(never)]
fn is_meant(rules: &Place<'_>, rule: &Object<'_>, host: &Host) -> bool {
    let architecture = match host.architecture {
        Architecture::X86_64 => "amd64",
        Architecture::Aarch64 => "arm64",
    };
    for (name, must_hold) in [("includes", true), ("excludes", false)] {
        let place = rules.field(name);
        let Some(filter) = get(rule, name).filter(|filter| !is_null(filter)) else { continue };
        let filter = place.object(filter);
        for name in rules.list_at("caps", filter) {
            if is_kept(place.text(name), host) != must_hold {
                return false;
            }
        }
        let names = rules.list_at("arches", filter);
        let is_listed = names.iter().any(|name| as_str(name) == Some(architecture));
        if !names.is_empty() && is_listed != must_hold {
            return false;
        }
        if let Some(value) = get(filter, "minKernel").filter(|value| !is_null(value)) {
            let place = rules.field("minKernel");
            let Some(version) = KernelVersion::parse(place.text(value).as_bytes()) else {
                place.refuse(Some(value), rare!("not a version of Linux"), rare!("such as 4.8"));
                return false;
            };
            if (host.kernel >= version) != must_hold {
                return false;
            }
        }
    }
    true
}

fn is_kept(name: &str, host: &Host) -> bool {
    let capability = capability(name.as_bytes());
    capability.is_some_and(|capability| host.capabilities.contains(capability))
}

#[inline(never)]
fn read_rule(place: &Place<'_>, rule: &Object<'_>, profile: &mut Profile) {
    let mut calls = Vec::new();
    let names = place.field("names");
    let list = names.list(rule);
    for (index, name) in list.iter().enumerate() {
        names.at(index).add_call(name, &mut calls);
    }
    if list.is_empty() && !names.within.is_empty() {
        names.wrong(None, MISSING);
    }
    // Old profiles of Docker's.
    let old = place.field("name");
    let single = get(rule, "name");
    if let Some(name) = single {
        old.add_call(name, &mut calls);
    }
    let errno = place.number_at("errnoRet", rule, u64::MAX);
    let action = place.field("action").action(rule, errno);
    if action == Action::Notify {
        if let Some(name) = single {
            old.check_asked(name);
        }
        for (index, name) in list.iter().enumerate() {
            names.at(index).check_asked(name);
        }
    }
    let mut conditions = Vec::new();
    for (index, argument) in place.list_at("args", rule).iter().enumerate() {
        let place = place.in_argument(index);
        conditions.push(read_condition(&place, place.object(argument)));
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

#[inline(never)]
fn read_condition(place: &Place<'_>, object: &Object<'_>) -> Condition {
    let argument = place.number_at("index", object, 5);
    if argument.is_none() {
        place.field("index").wrong(None, MISSING);
    }
    let value = place.number_at("value", object, u64::MAX);
    // A profile of its own may leave out what is 0.
    if value.is_none() && !place.within.is_empty() {
        place.field("value").wrong(None, MISSING);
    }
    let value = value.unwrap_or_default();
    let second = place.number_at("valueTwo", object, u64::MAX).unwrap_or_default();
    let place = place.field("op");
    let operator = place.get(object);
    let test = match place.text(operator) {
        "SCMP_CMP_EQ" => Test::Equal(value),
        "SCMP_CMP_NE" => Test::NotEqual(value),
        "SCMP_CMP_LT" => Test::Less(value),
        "SCMP_CMP_LE" => Test::LessOrEqual(value),
        "SCMP_CMP_GE" => Test::GreaterOrEqual(value),
        "SCMP_CMP_GT" => Test::Greater(value),
        "SCMP_CMP_MASKED_EQ" => Test::Masked { mask: value, value: second },
        _ => {
            let hint = rare!("SCMP_CMP_ and one of EQ NE LT LE GE GT MASKED_EQ");
            place.refuse(Some(operator), rare!("no such operator"), hint);
            Test::Equal(value)
        }
    };
    Condition { argument: argument.unwrap_or_default() as u8, test }
}

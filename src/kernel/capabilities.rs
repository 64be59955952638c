//! Capabilities: what root inside may still do; capabilities(7).

use crate::error::{Cure, Doing, Fault, Object, Operation};
use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    configure_capability_in_ambient_set, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs,
};

static BOUND: Operation = Operation {
    words: rare!("drop capabilities from the bounding set"),
    on: Object::None,
    cures: &[(Errno::PERM, Cure::Words(rare!("this takes CAP_SETPCAP")))],
};
static CLEAR_AMBIENT: Operation = Operation::new(rare!("clear the ambient capabilities"));
static SET: Operation = Operation::new(rare!("set the capabilities"));
static NO_NEW: Operation = Operation::new(rare!("forbid new privileges"));

/// Bits from 0 on that a kernel can know.
const BITS: u32 = 64;

/// One after the other, known or not: those that have a name would bring a table of the names along.
fn each() -> impl Iterator<Item = CapabilitySet> {
    (0..BITS).map(|bit| CapabilitySet::from_bits_retain(1 << bit))
}

/// Takes all but `kept` out of the bounding set: no program that is executed regains them.
///
/// # Errors
///
/// `PR_CAPBSET_DROP(2const)`: `EPERM` without `CAP_SETPCAP`.
pub fn bound(kept: CapabilitySet) -> Result<(), Fault> {
    for capability in each().filter(|capability| !kept.contains(*capability)) {
        match remove_capability_from_bounding_set(capability) {
            // The kernel knows no more.
            Err(Errno::INVAL) => break,
            answer => answer.doing(&BOUND)?,
        }
    }
    Ok(())
}

/// Gives this process, of what it has, these sets; the bounding set is [`bound`]'s.
///
/// # Errors
///
/// capset(2), `PR_CAP_AMBIENT(2const)`: none for a process that only gives up.
pub fn set(
    effective: CapabilitySet,
    permitted: CapabilitySet,
    inheritable: CapabilitySet,
    ambient: CapabilitySet,
) -> Result<(), Fault> {
    match clear_ambient_capability_set() {
        // Before Linux 4.3 there were none.
        Err(Errno::INVAL) => {}
        answer => answer.doing(&CLEAR_AMBIENT)?,
    }
    let present = capabilities(None).doing(&SET)?;
    let permitted = present.permitted & permitted;
    let sets = CapabilitySets { effective: permitted & effective, permitted, inheritable };
    set_capabilities(None, sets).doing(&SET)?;
    // One that is not in both other sets cannot be had; a process without it is as asked for.
    for capability in each().filter(|one| (ambient & permitted & inheritable).contains(*one)) {
        let _ = configure_capability_in_ambient_set(capability, true);
    }
    Ok(())
}

/// From here on no program that is executed gives a privilege that this process does not have;
/// `PR_SET_NO_NEW_PRIVS(2const)`.
///
/// # Errors
///
/// None from Linux 3.5 on.
pub fn no_new_privileges() -> Result<(), Fault> {
    set_no_new_privs(true).doing(&NO_NEW)
}

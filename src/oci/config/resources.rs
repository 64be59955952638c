//! `linux.resources`: what a container may use of the machine.

use super::node::Node;
use crate::container::{
    BlockIo, Cpu, DeviceAccess, DeviceKind, DeviceRule, Memory, Rdma, Resources, Throttle,
    WeightDevice, keep, processors,
};
use alloc::vec::Vec;
use core::ffi::CStr;

/// Reads them.
pub fn read(node: &Node<'_>, resources: &mut Resources<'static>) {
    memory(&node.get("memory"), &mut resources.memory);
    cpu(&node.get("cpu"), &mut resources.cpu);
    let pids = node.get("pids");
    if pids.is_there() {
        resources.pids = pids.needed("limit").signed();
    }
    node.add_all_at("devices", device_rule, &mut resources.devices);
    block(&node.get("blockIO"), &mut resources.block);
    node.add_all_at("hugepageLimits", huge_page, &mut resources.huge_pages);
    let network = node.get("network");
    resources.network.class_id = network.small_at("classID");
    network.add_all_at("priorities", priority, &mut resources.network.priorities);
    node.get("rdma").each_member(&mut |node| resources.rdma.push(rdma(node)));
    node.get("unified").each_member(&mut |node| resources.unified.push(unified(node)));
}

#[inline(never)]
fn memory(node: &Node<'_>, memory: &mut Memory) {
    let bytes = |name| node.between_at(name, -1, i64::MAX);
    let disable = node.get("disableOOMKiller");
    node.flag_at("useHierarchy");
    memory.limit = bytes("limit");
    memory.reservation = bytes("reservation");
    memory.swap = bytes("swap");
    memory.kernel = bytes("kernel");
    memory.kernel_tcp = bytes("kernelTCP");
    memory.swappiness = swappiness(&node.get("swappiness"));
    memory.disable_oom_killer = disable.is_there().then(|| disable.flag());
    memory.check_before_update = node.flag_at("checkBeforeUpdate");
}

/// Docker's -1, which is what is not asked for, comes as the highest number.
fn swappiness(node: &Node<'_>) -> Option<u64> {
    let wanted = node.number(u64::MAX).filter(|wanted| *wanted != u64::MAX)?;
    if wanted > 100 {
        node.wrong(rare!("it is to be from 0 to 100"));
    }
    Some(wanted)
}

#[inline(never)]
fn cpu(node: &Node<'_>, cpu: &mut Cpu<'static>) {
    cpu.shares = node.wide_at("shares");
    cpu.quota = node.signed_at("quota");
    cpu.burst = node.wide_at("burst");
    cpu.period = node.wide_at("period");
    cpu.realtime_runtime = node.signed_at("realtimeRuntime");
    cpu.realtime_period = node.wide_at("realtimePeriod");
    cpu.cpus = numbers_at(node, "cpus");
    cpu.mems = numbers_at(node, "mems");
    cpu.idle = node.between_at("idle", 0, 1);
}

/// A list of numbers, such as `0-3,6`; empty, it is not asked for.
#[inline(never)]
pub fn numbers_at(node: &Node<'_>, name: &'static str) -> Option<&'static CStr> {
    let node = node.get(name);
    let list = node.filled()?;
    if processors(list.to_bytes()).is_none() {
        node.wrong(rare!("it is to be a list such as 0-3,6"));
    }
    Some(list)
}

fn priority(node: &Node<'_>) -> (&'static CStr, u32) {
    let name = node.needed("name");
    check_word(&name, name.text().unwrap_or_default());
    let priority = node.needed_number_at("priority", u32::MAX.into()) as u32;
    (name.string().unwrap_or_default(), priority)
}

fn device_rule(node: &Node<'_>) -> DeviceRule {
    let access = node.get("access");
    let mut bits = 0;
    for letter in access.text().unwrap_or("rwm").bytes() {
        match letter {
            b'r' => bits |= DeviceAccess::READ,
            b'w' => bits |= DeviceAccess::WRITE,
            b'm' => bits |= DeviceAccess::MAKE,
            _ => access.wrong(rare!("it is to be made of r, w and m")),
        }
    }
    let kind = node.word_at("type", "a  b c u");
    // -1 stands for all, as leaving it out does.
    let number = |name| node.between_at(name, -1, u32::MAX.into());
    DeviceRule {
        allow: node.needed("allow").flag(),
        kind: match kind {
            Some(2) => DeviceKind::Block,
            Some(3 | 4) => DeviceKind::Character,
            _ => DeviceKind::All,
        },
        major: number("major").and_then(|number| u32::try_from(number).ok()),
        minor: number("minor").and_then(|number| u32::try_from(number).ok()),
        // Nothing said is all meant.
        access: if bits == 0 { DeviceAccess::ALL } else { DeviceAccess(bits) },
    }
}

/// 0 is what is not asked for.
#[inline(never)]
fn weight_at(node: &Node<'_>, name: &'static str) -> Option<u16> {
    let node = node.get(name);
    let weight = node.number(u16::MAX.into()).filter(|weight| *weight != 0)?;
    if !(10..=1000).contains(&weight) {
        node.wrong(rare!("it is to be from 10 to 1000"));
    }
    Some(weight as u16)
}

/// The numbers of a device that is named.
fn device(node: &Node<'_>) -> (u32, u32) {
    let number = |name| node.needed(name).between(0, u32::MAX.into()).unwrap_or_default();
    (number("major") as u32, number("minor") as u32)
}

fn throttle(node: &Node<'_>) -> Throttle {
    let (major, minor) = device(node);
    Throttle { major, minor, rate: node.wide_at("rate").unwrap_or_default() }
}

fn weight_device(node: &Node<'_>) -> WeightDevice {
    let (major, minor) = device(node);
    let leaf_weight = weight_at(node, "leafWeight");
    WeightDevice { major, minor, weight: weight_at(node, "weight"), leaf_weight }
}

#[inline(never)]
fn block(node: &Node<'_>, block: &mut BlockIo) {
    block.weight = weight_at(node, "weight");
    block.leaf_weight = weight_at(node, "leafWeight");
    node.add_all_at("weightDevice", weight_device, &mut block.weight_devices);
    let add = |name, throttles: &mut Vec<Throttle>| node.add_all_at(name, throttle, throttles);
    add("throttleReadBpsDevice", &mut block.read_bps);
    add("throttleWriteBpsDevice", &mut block.write_bps);
    add("throttleReadIOPSDevice", &mut block.read_iops);
    add("throttleWriteIOPSDevice", &mut block.write_iops);
}

fn huge_page(node: &Node<'_>) -> (&'static CStr, u64) {
    (page_size(&node.needed("pageSize")), node.needed_number_at("limit", u64::MAX))
}

fn page_size(node: &Node<'_>) -> &'static CStr {
    let text = node.string().unwrap_or_default();
    let is_size = match text.to_bytes() {
        [b'1'..=b'9', rest @ .., b'K' | b'M' | b'G', b'B'] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !is_size {
        node.wrong(rare!("it is to be a size such as 2MB"));
    }
    text
}

fn rdma(node: &Node<'_>) -> Rdma<'static> {
    check_word(node, node.name());
    let device = keep(node.name()).unwrap_or_default();
    let handles = node.small_at("hcaHandles");
    Rdma { device, handles, objects: node.small_at("hcaObjects") }
}

/// The name of a device stands in a line that the kernel reads, before a space.
fn check_word(node: &Node<'_>, name: &str) {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        node.wrong(rare!("it is no name of a device"));
    }
}

/// Files are named, and no folders.
fn unified(node: &Node<'_>) -> (&'static CStr, &'static CStr) {
    let file: &CStr = keep(node.name()).unwrap_or_default();
    let is_folder = matches!(file.to_bytes(), b"" | b"." | b"..");
    if is_folder || file.to_bytes().contains(&b'/') {
        node.wrong(rare!("it is no file of a cgroup"));
    }
    (file, node.needed_string())
}

//! `linux.resources`: what a container may use of the machine.

use super::node::Node;
use crate::container::{
    BlockIo, Cpu, DeviceAccess, DeviceKind, DeviceRule, Memory, PacketMarks, Rdma, Resources,
    Throttle, WeightDevice, keep, processors,
};
use alloc::vec::Vec;
use core::ffi::CStr;

/// Reads them.
pub fn read(node: &Node<'_>) -> Resources<'static> {
    let pids = node.get("pids");
    let limit = pids.get("limit");
    if pids.is_there() {
        limit.needed();
    }
    let network = node.get("network");
    let mut huge_pages = Vec::new();
    node.get("hugepageLimits").each(|node| {
        let size = page_size(&node.get("pageSize").needed());
        huge_pages.push((size, node.get("limit").needed().wide().unwrap_or_default()));
    });
    let mut priorities = Vec::new();
    network.get("priorities").each(|node| {
        let name = node.get("name");
        priorities.push((name.needed_string(), node.get("priority").needed_small()));
        check_word(&name, name.text().unwrap_or_default());
    });
    Resources {
        memory: memory(&node.get("memory")),
        cpu: cpu(&node.get("cpu")),
        pids: limit.signed(),
        devices: devices(&node.get("devices")),
        block: block(&node.get("blockIO")),
        huge_pages,
        network: PacketMarks { class_id: network.get("classID").small(), priorities },
        rdma: rdma(&node.get("rdma")),
        unified: unified(&node.get("unified")),
    }
}

fn memory(node: &Node<'_>) -> Memory {
    let bytes = |name| node.get(name).between(-1, i64::MAX);
    let disable = node.get("disableOOMKiller");
    node.get("useHierarchy").flag();
    Memory {
        limit: bytes("limit"),
        reservation: bytes("reservation"),
        swap: bytes("swap"),
        kernel: bytes("kernel"),
        kernel_tcp: bytes("kernelTCP"),
        swappiness: swappiness(&node.get("swappiness")),
        disable_oom_killer: disable.is_there().then(|| disable.flag()),
        check_before_update: node.get("checkBeforeUpdate").flag(),
    }
}

/// Docker's -1, which is what is not asked for, comes as the highest number.
fn swappiness(node: &Node<'_>) -> Option<u64> {
    let wanted = node.wide().filter(|wanted| *wanted != u64::MAX)?;
    if wanted > 100 {
        node.wrong(rare!("it is to be from 0 to 100"));
    }
    Some(wanted)
}

fn cpu(node: &Node<'_>) -> Cpu<'static> {
    Cpu {
        shares: node.get("shares").wide(),
        quota: node.get("quota").signed(),
        burst: node.get("burst").wide(),
        period: node.get("period").wide(),
        realtime_runtime: node.get("realtimeRuntime").signed(),
        realtime_period: node.get("realtimePeriod").wide(),
        cpus: numbers(&node.get("cpus")),
        mems: numbers(&node.get("mems")),
        idle: node.get("idle").between(0, 1),
    }
}

/// A list of numbers, such as `0-3,6`; empty, it is not asked for.
pub fn numbers(node: &Node<'_>) -> Option<&'static CStr> {
    let list = node.filled()?;
    if processors(list.to_bytes()).is_none() {
        node.wrong(rare!("it is to be a list such as 0-3,6"));
    }
    Some(list)
}

/// The number of a device; -1 stands for all, as leaving it out does.
fn device_number(node: &Node<'_>) -> Option<u32> {
    node.between(-1, u32::MAX.into()).and_then(|number| u32::try_from(number).ok())
}

fn devices(node: &Node<'_>) -> Vec<DeviceRule> {
    let mut rules = Vec::new();
    node.each(|node| {
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
        let kind = node.get("type").word(&[("a", 0), ("", 0), ("c", 1), ("u", 1), ("b", 2)]);
        rules.push(DeviceRule {
            allow: node.get("allow").needed().flag(),
            kind: match kind {
                Some(1) => DeviceKind::Character,
                Some(2) => DeviceKind::Block,
                _ => DeviceKind::All,
            },
            major: device_number(&node.get("major")),
            minor: device_number(&node.get("minor")),
            // Nothing said is all meant.
            access: if bits == 0 { DeviceAccess::ALL } else { DeviceAccess(bits) },
        });
    });
    rules
}

/// 0 is what is not asked for.
fn weight(node: &Node<'_>) -> Option<u16> {
    let weight = node.number(u16::MAX.into()).filter(|weight| *weight != 0)?;
    if !(10..=1000).contains(&weight) {
        node.wrong(rare!("it is to be from 10 to 1000"));
    }
    Some(weight as u16)
}

/// The numbers of a device that is named.
fn device(node: &Node<'_>) -> (u32, u32) {
    let number = |name| node.get(name).needed().between(0, u32::MAX.into()).unwrap_or_default();
    (number("major") as u32, number("minor") as u32)
}

fn throttles(node: &Node<'_>) -> Vec<Throttle> {
    let mut throttles = Vec::new();
    node.each(|node| {
        let (major, minor) = device(node);
        let rate = node.get("rate").wide().unwrap_or_default();
        throttles.push(Throttle { major, minor, rate });
    });
    throttles
}

fn block(node: &Node<'_>) -> BlockIo {
    let mut weight_devices = Vec::new();
    node.get("weightDevice").each(|node| {
        let (major, minor) = device(node);
        let leaf_weight = weight(&node.get("leafWeight"));
        let weight = weight(&node.get("weight"));
        weight_devices.push(WeightDevice { major, minor, weight, leaf_weight });
    });
    BlockIo {
        weight: weight(&node.get("weight")),
        leaf_weight: weight(&node.get("leafWeight")),
        weight_devices,
        read_bps: throttles(&node.get("throttleReadBpsDevice")),
        write_bps: throttles(&node.get("throttleWriteBpsDevice")),
        read_iops: throttles(&node.get("throttleReadIOPSDevice")),
        write_iops: throttles(&node.get("throttleWriteIOPSDevice")),
    }
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

fn rdma(node: &Node<'_>) -> Vec<Rdma<'static>> {
    let mut devices = Vec::new();
    for (name, value) in node.object() {
        let node = node.member(name, value);
        check_word(&node, name);
        let device = keep(name.as_bytes().to_vec()).unwrap_or_default();
        let handles = node.get("hcaHandles").small();
        devices.push(Rdma { device, handles, objects: node.get("hcaObjects").small() });
    }
    devices
}

/// The name of a device stands in a line that the kernel reads, before a space.
fn check_word(node: &Node<'_>, name: &str) {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        node.wrong(rare!("it is no name of a device"));
    }
}

/// Files are named, and no folders.
fn unified(node: &Node<'_>) -> Vec<(&'static CStr, &'static CStr)> {
    let mut files = Vec::new();
    for (name, value) in node.object() {
        let node = node.member(name, value);
        let file = keep(name.as_bytes().to_vec()).unwrap_or_default();
        let is_folder = matches!(file.to_bytes(), b"" | b"." | b"..");
        if is_folder || file.to_bytes().contains(&b'/') {
            node.wrong(rare!("it is no file of a cgroup"));
        }
        files.push((file as &CStr, node.needed_string()));
    }
    files
}

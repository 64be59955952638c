//! Limits in the files of version 1.

use super::block::{self, device};
use super::changes::{Change, Changes, Otherwise, asked};
use crate::container::{BlockIo, Resources};
use crate::rare::Rare;
use crate::text::{Text, decimal};
use alloc::vec::Vec;

const NO_MORE: Rare = rare!("kernels no longer have it");

/// What is written where.
pub fn changes(resources: &Resources<'_>) -> Vec<Change> {
    let mut all = Changes::default();
    let Resources { memory, cpu, network, .. } = resources;
    all.signed("memory.limit_in_bytes", asked(memory.limit));
    all.signed("memory.memsw.limit_in_bytes", asked(memory.swap));
    if memory.limit == Some(-1) && asked(memory.swap).is_none() {
        // The limit of memory cannot go above that of both.
        all.signed("memory.memsw.limit_in_bytes", Some(-1));
        all.otherwise(Otherwise::Leave);
    }
    all.signed("memory.soft_limit_in_bytes", asked(memory.reservation));
    all.signed("memory.kmem.tcp.limit_in_bytes", asked(memory.kernel_tcp));
    all.number("memory.swappiness", memory.swappiness);
    all.number("memory.oom_control", memory.disable_oom_killer.map(u64::from));
    if memory.disable_oom_killer == Some(false) {
        // So it is by itself; engines say it always, also where there is no such file.
        all.otherwise(Otherwise::Leave);
    }
    all.number("cpu.shares", asked(cpu.shares));
    all.number("cpu.cfs_period_us", asked(cpu.period));
    all.signed("cpu.cfs_quota_us", asked(cpu.quota));
    all.number("cpu.cfs_burst_us", cpu.burst);
    all.number("cpu.rt_period_us", asked(cpu.realtime_period));
    all.signed("cpu.rt_runtime_us", asked(cpu.realtime_runtime));
    all.signed("cpu.idle", cpu.idle);
    all.list("cpuset.cpus", cpu.cpus);
    all.list("cpuset.mems", cpu.mems);
    all.limit("pids.max", resources.pids);
    block(&mut all, &resources.block);
    block::huge_pages(&mut all, &resources.huge_pages, "limit_in_bytes");
    all.number("net_cls.classid", asked(network.class_id).map(u64::from));
    for (interface, priority) in &network.priorities {
        let mut line = Text::new();
        line.push_raw(interface.to_bytes()).push(" ").push_number((*priority).into());
        all.text("net_prio.ifpriomap", line.as_bytes());
    }
    block::rdma(&mut all, &resources.rdma);
    if let Some((file, _)) = resources.unified.first() {
        all.text(core::str::from_utf8(file.to_bytes()).unwrap_or("unified"), b"");
        all.otherwise(Otherwise::Never(rare!(
            "files of version 2 are asked for, and this host has version 1"
        )));
    }
    all.0
}

/// The weights were those of one scheduler, and are those of another now.
fn block(all: &mut Changes, block: &BlockIo) {
    let weight = asked(block.weight).map(u64::from);
    if let Some(number) = weight {
        all.number("blkio.weight", weight);
        all.otherwise(Otherwise::Use("blkio.bfq.weight", decimal(number)));
    }
    let has_leaf = block.weight_devices.iter().any(|one| asked(one.leaf_weight).is_some());
    all.never(asked(block.leaf_weight).is_some() || has_leaf, "blkio.leaf_weight", NO_MORE);
    for one in &block.weight_devices {
        if let Some(weight) = asked(one.weight) {
            let mut line = device(one.major, one.minor);
            line.push_number(weight.into());
            all.text("blkio.weight_device", line.as_bytes());
            all.otherwise(Otherwise::Use("blkio.bfq.weight_device", line.leak()));
        }
    }
    for (file, throttles) in [
        ("blkio.throttle.read_bps_device", &block.read_bps),
        ("blkio.throttle.write_bps_device", &block.write_bps),
        ("blkio.throttle.read_iops_device", &block.read_iops),
        ("blkio.throttle.write_iops_device", &block.write_iops),
    ] {
        for one in throttles {
            let mut line = device(one.major, one.minor);
            line.push_number(one.rate);
            all.text(file, line.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::block::tests::told;
    use super::*;
    use crate::container::{Cpu, Memory, Throttle, WeightDevice};

    #[test]
    fn limits_have_their_files() {
        let resources = Resources {
            memory: Memory {
                limit: Some(1 << 20),
                swap: Some(2 << 20),
                swappiness: Some(0),
                ..Memory::default()
            },
            cpu: Cpu {
                shares: Some(512),
                quota: Some(-1),
                period: Some(100_000),
                cpus: Some(c"0-1"),
                ..Cpu::default()
            },
            pids: Some(-1),
            huge_pages: vec![(c"2MB", 4096)],
            ..Resources::default()
        };
        let expected = "memory.limit_in_bytes 1048576, memory.memsw.limit_in_bytes 2097152, \
            memory.swappiness 0, cpu.shares 512, cpu.cfs_period_us 100000, cpu.cfs_quota_us -1, \
            cpuset.cpus 0-1, pids.max max, hugetlb.2MB.limit_in_bytes 4096, \
            hugetlb.2MB.rsvd.limit_in_bytes 4096";
        assert_eq!(told(&changes(&resources)), expected);
        assert_eq!(told(&changes(&Resources::default())), "");
    }

    #[test]
    fn without_a_limit_of_memory_there_is_none_of_swap() {
        let memory = Memory { limit: Some(-1), ..Memory::default() };
        let resources = Resources { memory, ..Resources::default() };
        let expected = "memory.limit_in_bytes -1, memory.memsw.limit_in_bytes -1";
        assert_eq!(told(&changes(&resources)), expected);
    }

    #[test]
    fn block_devices_are_named() {
        let block = BlockIo {
            weight: Some(500),
            weight_devices: vec![WeightDevice {
                major: 8,
                minor: 0,
                weight: Some(10),
                leaf_weight: None,
            }],
            write_iops: vec![Throttle { major: 8, minor: 16, rate: 7 }],
            ..BlockIo::default()
        };
        let resources = Resources { block, ..Resources::default() };
        let expected = "blkio.weight 500 (or blkio.bfq.weight 500), \
            blkio.weight_device 8:0 10 (or blkio.bfq.weight_device 8:0 10), \
            blkio.throttle.write_iops_device 8:16 7";
        assert_eq!(told(&changes(&resources)), expected);
        let unified = vec![(c"memory.high", c"1")];
        let never = changes(&Resources { unified, ..Resources::default() });
        assert!(matches!(never[0].otherwise, Otherwise::Never(_)));
    }
}

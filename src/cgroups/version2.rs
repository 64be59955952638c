//! Limits in the files of version 2. Some are said in terms of version 1, and converted as runc and crun do.

use super::block::{self, device};
use super::changes::{Change, Changes, Otherwise, asked, signed};
use super::files;
use super::weights;
use crate::container::{BlockIo, Cpu, Memory, Resources};
use crate::rare::Rare;
use crate::text::{Text, cut, parts, wide_number};
use alloc::vec::Vec;

const ONLY_1: Rare = rare!("only version 1 of cgroups has it, and this host has version 2");

/// What is written where; what is not said is asked from the cgroup in `folder`.
pub fn changes(resources: &Resources<'_>, folder: &[u8]) -> Vec<Change> {
    let mut all = Changes::default();
    memory(&mut all, &resources.memory, folder);
    cpu(&mut all, &resources.cpu, folder);
    all.limit("pids.max", resources.pids);
    block(&mut all, &resources.block);
    block::huge_pages(&mut all, &resources.huge_pages, "max");
    let network = &resources.network;
    let is_marked = asked(network.class_id).is_some() || !network.priorities.is_empty();
    all.never(is_marked, "net_cls.classid", ONLY_1);
    block::rdma(&mut all, &resources.rdma);
    for (file, value) in &resources.unified {
        let Ok(file) = core::str::from_utf8(file.to_bytes()) else { continue };
        let is_name = !file.contains('/') && file.contains('.');
        all.never(!is_name, file, rare!("it is not the name of a file of cgroups"));
        // Each line is a value of its own.
        for line in parts(value.to_bytes(), b'\n') {
            all.text(file, line);
        }
    }
    all.0
}

#[inline(never)]
fn memory(all: &mut Changes, memory: &Memory, folder: &[u8]) {
    let number =
        |file: &[u8]| wide_number(files::value(folder, file)).and_then(|n| i64::try_from(n).ok());
    let limit = asked(memory.limit);
    if memory.check_before_update
        && let Some(limit) = limit
        && (0..number(b"memory.current").unwrap_or_default()).contains(&limit)
    {
        all.never(true, "memory.max", rare!("more than that is in use"));
    }
    all.limit("memory.max", limit);
    let swap = match asked(memory.swap) {
        Some(..0) => Some(-1),
        Some(both) => {
            let limit = limit.or_else(|| number(b"memory.max"));
            let swap = limit.filter(|limit| (0..=both).contains(limit)).map(|limit| both - limit);
            let why = rare!("it is counted with memory, whose limit is above it");
            all.never(swap.is_none(), "memory.swap.max", why);
            swap
        }
        None => limit.filter(|limit| *limit == -1),
    };
    all.limit("memory.swap.max", swap);
    // Where swap is not counted there is none to be limited.
    if matches!(swap, Some(-1 | 0)) {
        all.otherwise(Otherwise::Leave);
    }
    all.limit("memory.low", asked(memory.reservation));
    all.never(memory.swappiness.is_some(), "memory.swappiness", ONLY_1);
    all.never(memory.disable_oom_killer == Some(true), "memory.oom_control", ONLY_1);
    all.never(asked(memory.kernel_tcp).is_some(), "memory.kmem.tcp.limit_in_bytes", ONLY_1);
}

#[inline(never)]
fn cpu(all: &mut Changes, cpu: &Cpu<'_>, folder: &[u8]) {
    all.number("cpu.weight", asked(cpu.shares).map(weights::from_shares));
    let (quota, period) = (asked(cpu.quota), asked(cpu.period));
    if quota.is_some() || period.is_some() {
        let now = files::value(folder, b"cpu.max");
        let mut line = Text::new();
        match quota {
            Some(..0) => line.push("max"),
            Some(quota) => line.push_raw(signed(quota).as_bytes()),
            None if now.is_empty() => line.push("max"),
            None => line.push_raw(cut(now, b' ').0),
        };
        if let Some(period) = period {
            line.push(" ").push_number(period);
        }
        all.text("cpu.max", line.as_bytes());
    }
    all.number("cpu.max.burst", cpu.burst);
    all.signed("cpu.idle", cpu.idle);
    all.list("cpuset.cpus", cpu.cpus);
    all.list("cpuset.mems", cpu.mems);
    let is_realtime = asked(cpu.realtime_runtime).is_some() || asked(cpu.realtime_period).is_some();
    all.never(is_realtime, "cpu.rt_runtime_us", ONLY_1);
}

/// The file of the scheduler that has weights as they are said comes first.
#[inline(never)]
fn block(all: &mut Changes, block: &BlockIo) {
    let mut weight = |start: &Text, weight: u16| {
        let lines = [u64::from(weight), weights::from_block(weight)].map(|number| {
            let mut line = Text::new();
            line.push_raw(start.as_bytes()).push_number(number);
            line
        });
        let [plain, converted] = lines;
        all.text("io.bfq.weight", plain.as_bytes());
        all.otherwise(Otherwise::Use("io.weight", converted.leak()));
    };
    let mut has_leaf = asked(block.leaf_weight).is_some();
    if let Some(number) = asked(block.weight) {
        weight(&Text::new(), number);
    }
    for one in &block.weight_devices {
        has_leaf |= asked(one.leaf_weight).is_some();
        if let Some(number) = asked(one.weight) {
            weight(&device(one.major, one.minor), number);
        }
    }
    all.never(has_leaf, "io.leaf_weight", ONLY_1);
    for (name, throttles) in [
        ("rbps=", &block.read_bps),
        ("wbps=", &block.write_bps),
        ("riops=", &block.read_iops),
        ("wiops=", &block.write_iops),
    ] {
        for one in throttles {
            let mut line = device(one.major, one.minor);
            line.push(name);
            // No limit was 0 in version 1.
            if one.rate == 0 {
                line.push("max")
            } else {
                line.push_number(one.rate)
            };
            all.text("io.max", line.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::block::tests::told;
    use super::*;
    use crate::container::{Rdma, Throttle};

    fn told_of(resources: &Resources<'_>) -> String {
        told(&changes(resources, b"/nonexistent"))
    }

    #[test]
    fn swap_is_what_is_above_memory() {
        let of = |limit, swap| {
            let memory = Memory { limit, swap, ..Memory::default() };
            let changes = changes(&Resources { memory, ..Resources::default() }, b"/nonexistent");
            let fails = changes.iter().any(|one| matches!(one.otherwise, Otherwise::Never(_)));
            if fails { "never".into() } else { told(&changes) }
        };
        assert_eq!(of(Some(100), Some(300)), "memory.max 100, memory.swap.max 200");
        assert_eq!(of(Some(100), Some(100)), "memory.max 100, memory.swap.max 0");
        assert_eq!(of(Some(100), Some(-1)), "memory.max 100, memory.swap.max max");
        assert_eq!(of(Some(-1), None), "memory.max max, memory.swap.max max");
        assert_eq!(of(Some(100), None), "memory.max 100");
        assert_eq!(of(Some(100), Some(99)), "never");
        assert_eq!(of(None, Some(99)), "never");
    }

    #[test]
    fn time_is_a_quota_in_a_period() {
        let of = |quota, period| {
            let cpu = Cpu { quota, period, shares: Some(1024), ..Cpu::default() };
            told_of(&Resources { cpu, ..Resources::default() })
        };
        assert_eq!(of(Some(5000), Some(10_000)), "cpu.weight 100, cpu.max 5000 10000");
        assert_eq!(of(Some(-1), None), "cpu.weight 100, cpu.max max");
        assert_eq!(of(None, Some(7000)), "cpu.weight 100, cpu.max max 7000");
        assert_eq!(of(Some(0), Some(0)), "cpu.weight 100");
    }

    #[test]
    fn the_rest_has_its_files() {
        let resources = Resources {
            pids: Some(0),
            block: BlockIo {
                weight: Some(1000),
                read_bps: vec![Throttle { major: 8, minor: 0, rate: 0 }],
                ..BlockIo::default()
            },
            rdma: vec![Rdma { device: c"mlx", handles: Some(2), objects: None }],
            unified: vec![(c"io.max", c"8:0 rbps=1\n8:1 rbps=2")],
            ..Resources::default()
        };
        let expected = "pids.max 0, io.bfq.weight 1000 (or io.weight 10000), io.max 8:0 rbps=max, \
            rdma.max mlx hca_handle=2, io.max 8:0 rbps=1, io.max 8:1 rbps=2";
        assert_eq!(told_of(&resources), expected);
    }

    #[test]
    fn what_is_no_file_of_cgroups_is_refused() {
        for name in [c"../x.y", c"a/b.c", c"x"] {
            let unified = vec![(name, c"1")];
            let changes = changes(&Resources { unified, ..Resources::default() }, b"");
            assert!(matches!(changes[0].otherwise, Otherwise::Never(_)));
        }
    }
}

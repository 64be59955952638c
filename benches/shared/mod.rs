//! What the benchmarks that compare programs share: the order of their rounds, and what is wanted of a ratio.

/// Our time is to be at most `wanted` times that of `other`.
pub struct Target {
    pub other: &'static str,
    pub wanted: f64,
    /// What is still no failure: where calls that both make cost more than what is wanted, a bound that sees
    /// to it that it gets no worse.
    pub tolerated: f64,
}

/// One that tolerates nothing.
pub const fn target(other: &'static str, wanted: f64) -> Target {
    Target { other, wanted, tolerated: wanted }
}

impl Target {
    /// Prints what became of it; whether it is no failure.
    pub fn judge(&self, what: &str, ratio: f64) -> bool {
        let Target { other, wanted, tolerated } = self;
        let verdict = if ratio <= *wanted { "met" } else { "missed" };
        print!("{what}at most {wanted:.2} x {other}: {ratio:.2}, {verdict}");
        if tolerated > wanted {
            let verdict = if ratio <= *tolerated { "kept" } else { "broken" };
            print!("; the bound of {tolerated:.2}: {verdict}");
        }
        println!();
        ratio <= *tolerated
    }
}

/// Another order each round: who runs behind a kindred candidate finds the kernel's caches warm.
pub fn shuffle<T>(order: &mut [T], random: &mut u64) {
    for last in (1..order.len()).rev() {
        // Marsaglia's xorshift.
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        order.swap(last, usize::try_from(*random % (last as u64 + 1)).unwrap());
    }
}

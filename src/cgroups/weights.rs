//! Shares and weights of version 1 as weights of version 2, by the formulas of runc and crun.

/// From 2 to 262144 shares, of which 1024 are usual, to a weight from 1 to 10000, of which 100 is: ten to the power
/// of `(l * l + 125 * l) / 612 - 7 / 34`, where `l` is the binary logarithm.
pub fn from_shares(shares: u64) -> u64 {
    let shares = shares.clamp(2, 262_144) as u32;
    let log = log2(shares);
    let power = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
    // Whole numbers are to stay what they are, though they are not met exactly.
    let weight = exp2(power * core::f64::consts::LOG2_10) - 1e-9;
    (weight as u64 + 1).min(10_000)
}

/// From 10 to 1000, to a weight from 1 to 10000.
pub fn from_block(weight: u16) -> u64 {
    1 + (u64::from(weight.clamp(10, 1000)) - 10) * 9999 / 990
}

/// The binary logarithm, digit by digit: squaring a number doubles its logarithm.
fn log2(number: u32) -> f64 {
    let whole = number.ilog2();
    let mut rest = f64::from(number) / f64::from(1_u32 << whole);
    let mut log = f64::from(whole);
    let mut digit = 0.5;
    for _ in 0..50 {
        rest *= rest;
        if rest >= 2.0 {
            rest /= 2.0;
            log += digit;
        }
        digit /= 2.0;
    }
    log
}

/// Two to a power from 0 to 14: the whole part by shifting, and the rest by the series of the exponential function.
fn exp2(power: f64) -> f64 {
    let whole = power.max(0.0) as u32;
    let rest = (power - f64::from(whole)) * core::f64::consts::LN_2;
    let (mut sum, mut term) = (1.0, 1.0);
    for place in 1_u32..20 {
        term *= rest / f64::from(place);
        sum += term;
    }
    sum * f64::from(1_u32 << whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_stays_the_usual_and_the_ends_the_ends() {
        assert_eq!([2, 1024, 262_144].map(from_shares), [1, 100, 10_000]);
        assert_eq!([0, 1, u64::MAX].map(from_shares), [1, 1, 10_000]);
        assert_eq!([10, 1000].map(from_block), [1, 10_000]);
        assert_eq!(from_block(500), 4950);
    }

    #[test]
    fn all_shares_weigh_what_the_formula_says() {
        for shares in 2..=262_144_u32 {
            let log = f64::from(shares).log2();
            let power = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
            let weight = (10_f64.powf(power) - 1e-9).ceil() as u64;
            assert_eq!(from_shares(shares.into()), weight, "{shares}");
        }
    }
}

//! Conditions on arguments: the default profile's, and each comparison with values that only both
//! halves of a register tell apart.

use super::*;
use crate::seccomp::assembler::{Assembler, NUMBER, Question};
use crate::seccomp::{Condition, Test};

const UPPER: u64 = 0xdead_beef_0000_0000;

#[test]
fn new_namespaces_take_a_capability() {
    let program = program(&Profile::builtin(&x86_64()));
    for flag in
        [0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000]
    {
        assert_eq!(answer(&program, "clone", &[flag]), EPERM, "{flag:x}");
        assert_eq!(answer(&program, "clone", &[flag | UPPER | 0x11]), EPERM, "{flag:x}");
    }
    // What a thread of the C library's, and vfork(2), ask for.
    assert_eq!(answer(&program, "clone", &[0x3d_0f00]), ALLOW);
    assert_eq!(answer(&program, "clone", &[0x4111]), ALLOW);
    let admin = host(Architecture::X86_64, CapabilitySet::SYS_ADMIN);
    let program = super::program(&Profile::builtin(&admin));
    assert_eq!(answer(&program, "clone", &[0x7e02_0000]), ALLOW);
}

#[test]
fn nobody_types_for_somebody_else() {
    for capabilities in [CapabilitySet::empty(), CapabilitySet::all()] {
        let host = host(Architecture::X86_64, capabilities);
        let program = program(&Profile::builtin(&host));
        for upper in [0, UPPER, 1 << 32, 0xffff_ffff_0000_0000] {
            assert_eq!(answer(&program, "ioctl", &[0, 0x5412 | upper]), EPERM);
            assert_eq!(answer(&program, "ioctl", &[0, 0x541c | upper]), EPERM);
            assert_eq!(answer(&program, "ioctl", &[0x5412, 0x5413 | upper]), ALLOW);
        }
    }
}

#[test]
fn rare_families_of_sockets_are_refused() {
    let program = program(&Profile::builtin(&x86_64()));
    let allowed = (0..1000).filter(|family| answer(&program, "socket", &[*family]) == ALLOW);
    let mut expected: Vec<u64> = (0..12).collect();
    expected.extend([13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36]);
    expected.extend([39, 41, 42, 43, 44, 45]);
    assert_eq!(allowed.collect::<Vec<_>>(), expected);
    for family in [1, 38, 40] {
        assert_eq!(answer(&program, "socket", &[family | UPPER]), EPERM);
    }
}

#[test]
fn personalities_are_the_harmless_ones() {
    let program = program(&Profile::builtin(&x86_64()));
    for personality in [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff] {
        assert_eq!(answer(&program, "personality", &[personality]), ALLOW);
        assert_eq!(answer(&program, "personality", &[personality | UPPER]), EPERM);
    }
    for personality in [1, 0x4_0000, 0x40_0000, 0x2_0009, u64::MAX] {
        assert_eq!(answer(&program, "personality", &[personality]), EPERM);
    }
}

fn holds(test: Test, argument: u64) -> bool {
    match test {
        Test::Equal(value) => argument == value,
        Test::NotEqual(value) => argument != value,
        Test::Less(value) => argument < value,
        Test::LessOrEqual(value) => argument <= value,
        Test::GreaterOrEqual(value) => argument >= value,
        Test::Greater(value) => argument > value,
        Test::Masked { mask, value } => argument & mask == value & mask,
    }
}

/// Around the borders of both halves.
fn values() -> impl Iterator<Item = u64> + Clone {
    let half = [0, 1, 5, 0x7fff_ffff, 0x8000_0000, u64::from(u32::MAX)];
    half.into_iter().flat_map(move |upper| half.into_iter().map(move |lower| upper << 32 | lower))
}

fn conditional(default: Action, conditions: &[Condition], action: Action) -> Profile {
    let mut profile = one_rule(default, &["read"], action);
    profile.rules[0].conditions = conditions.to_vec();
    profile
}

#[test]
fn comparisons_see_all_64_bits() {
    for value in values() {
        let mask = value.rotate_left(7) | 1;
        let tests = [
            Test::Equal(value),
            Test::NotEqual(value),
            Test::Less(value),
            Test::LessOrEqual(value),
            Test::GreaterOrEqual(value),
            Test::Greater(value),
            Test::Masked { mask: value, value: 5 },
            Test::Masked { mask, value },
        ];
        for test in tests {
            let condition = Condition { argument: 2, test };
            let program = program(&conditional(Action::REFUSE, &[condition], Action::Allow));
            for argument in values() {
                let expected = if holds(test, argument) { ALLOW } else { EPERM };
                let given = answer(&program, "read", &[7, 7, argument, 7]);
                assert_eq!(given, expected, "{test:x?} {argument:x}");
            }
        }
    }
}

#[test]
fn all_conditions_of_a_rule_hold_and_the_first_rule_counts() {
    let both = [
        Condition { argument: 0, test: Test::GreaterOrEqual(10) },
        Condition { argument: 5, test: Test::Equal(3) },
    ];
    let mut profile = conditional(Action::REFUSE, &both, Action::Allow);
    let second = conditional(Action::REFUSE, &both[..1], Action::Errno(2)).rules.remove(0);
    profile.rules.push(second);
    let program = program(&profile);
    let answer = |first, last| answer(&program, "read", &[first, 0, 0, 0, 0, last]);
    assert_eq!([answer(10, 3), answer(10, 4), answer(9, 3)], [ALLOW, 0x0005_0002, EPERM]);
}

#[test]
fn jumps_reach_as_far_as_they_have_to() {
    for (between, behind) in (0..6).flat_map(|between| (240..270).map(move |rest| (between, rest)))
    {
        let mut assembler = Assembler::new();
        let far = assembler.answer(Action::Errno(1));
        let mut label = far;
        (0..between).for_each(|_| label = assembler.load(NUMBER, label));
        let near = assembler.answer(Action::Errno(2));
        label = near;
        (0..behind - between).for_each(|_| label = assembler.load(NUMBER, label));
        let first = assembler.ask(Question::Equal, 7, far, near);
        let second = assembler.ask(Question::Equal, 5, near, far);
        let second = assembler.ask(Question::Greater, 5, first, second);
        assembler.load(NUMBER, second);
        let program = assembler.finish();
        let answers = [4, 5, 6, 7].map(|number| run(&program, 0, number, &[]).answer);
        let expected = [0x5_0001, 0x5_0002, 0x5_0002, 0x5_0001];
        assert_eq!(answers, expected, "{between} {behind}");
    }
}

#[test]
fn jumps_reach_across_long_rules() {
    let mut profile = Profile::new(Action::REFUSE);
    for value in 0..300 {
        let test = Test::Equal(value * 3);
        let condition = Condition { argument: 0, test };
        for name in ["read", "clone3"] {
            let mut rule = one_rule(Action::REFUSE, &[name], Action::Errno(100 + value as u16));
            rule.rules[0].conditions.push(condition);
            profile.rules.append(&mut rule.rules);
        }
    }
    profile.rules.extend(one_rule(Action::REFUSE, &["write", "uretprobe"], Action::Allow).rules);
    let program = program(&profile);
    assert!(program.len() > 2000);
    for value in 0..900 {
        let expected = if value % 3 == 0 { 0x5_0000 + 100 + value / 3 } else { EPERM };
        assert_eq!(answer(&program, "read", &[value.into()]), expected);
        assert_eq!(answer(&program, "clone3", &[value.into()]), expected);
    }
    assert_eq!([answer(&program, "write", &[]), answer(&program, "uretprobe", &[])], [ALLOW; 2]);
    assert_eq!(answer(&program, "bpf", &[]), EPERM);
    assert_eq!(run(&program, AUDIT_ARCH_I386, 4, &[]).answer, ENOSYS);
    let rules = profile.rules.clone();
    profile.rules.extend(rules);
    let error = compile(&profile, Architecture::X86_64).unwrap_err();
    let message = String::from_utf8(error.render().as_bytes().to_vec()).unwrap();
    assert!(message.contains("too many"), "{message}");
}

//! What the processor can do, as the x86-64 psABI has it in levels.
#![allow(unsafe_code)]

/// The level, from 1 to 4, of x86-64; 0 elsewhere. Asking takes long on a virtual machine.
#[cfg(target_arch = "x86_64")]
#[must_use]
pub fn level() -> u8 {
    use core::arch::x86_64::{__cpuid, __cpuid_count};
    /// Registers that the system saves: those of AVX, and those of AVX-512.
    const AVX_STATE: u32 = 0x6;
    const AVX512_STATE: u32 = 0xe6;
    // SSE3, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, POPCNT; and LAHF.
    const V2: u32 = 1 | 1 << 9 | 1 << 13 | 1 << 19 | 1 << 20 | 1 << 23;
    const V2_EXTENDED: u32 = 1;
    // FMA, MOVBE, OSXSAVE, AVX, F16C; LZCNT; BMI1, AVX2, BMI2.
    const V3: u32 = 1 << 12 | 1 << 22 | 1 << 27 | 1 << 28 | 1 << 29;
    const V3_EXTENDED: u32 = 1 << 5;
    const V3_SEVEN: u32 = 1 << 3 | 1 << 5 | 1 << 8;
    // AVX512: F, DQ, CD, BW, VL.
    const V4_SEVEN: u32 = 1 << 16 | 1 << 17 | 1 << 28 | 1 << 30 | 1 << 31;
    let has = |found: u32, wanted: u32| found & wanted == wanted;
    #[allow(unused_unsafe, reason = "it is safe from some version of the compiler on")]
    // SAFETY: every x86-64 processor has the instruction, and answers zeros to what it does not know.
    let (one, extended) = unsafe { (__cpuid(1).ecx, __cpuid(0x8000_0001).ecx) };
    if !has(one, V2) || !has(extended, V2_EXTENDED) {
        return 1;
    }
    if !has(one, V3) || !has(extended, V3_EXTENDED) {
        return 2;
    }
    #[allow(unused_unsafe, reason = "it is safe from some version of the compiler on")]
    // SAFETY: as above.
    let seven = unsafe { __cpuid_count(7, 0).ebx };
    let saved: u32;
    // SAFETY: reads a register that OSXSAVE says is there.
    unsafe {
        core::arch::asm!("xgetbv", in("ecx") 0, out("eax") saved, out("edx") _, options(nomem, nostack));
    }
    match (has(seven, V3_SEVEN) && has(saved, AVX_STATE), has(seven, V4_SEVEN)) {
        (false, _) => 2,
        (true, true) if has(saved, AVX512_STATE) => 4,
        (true, _) => 3,
    }
}

/// Whether it is one of Intel's.
#[cfg(target_arch = "x86_64")]
#[must_use]
pub fn is_intel() -> bool {
    #[allow(unused_unsafe, reason = "it is safe from some version of the compiler on")]
    // SAFETY: every x86-64 processor has the instruction.
    let name = unsafe { core::arch::x86_64::__cpuid(0) };
    name.ebx == u32::from_le_bytes(*b"Genu")
}

/// Whether it is one of Intel's.
#[cfg(not(target_arch = "x86_64"))]
#[must_use]
pub fn is_intel() -> bool {
    false
}

/// The level, from 1 to 4, of x86-64; 0 elsewhere.
#[cfg(not(target_arch = "x86_64"))]
#[must_use]
pub fn level() -> u8 {
    0
}

//! The seccomp filter that stops a process before `execve` and before it waits for a lock on a file,
//! and lets everything else pass.
//!
//! Each system call has other numbers on each architecture, and a 64-bit kernel may run 32-bit
//! programs, so the filter asks for the architecture first. On an architecture without a row here,
//! nothing is stopped.

use libc::{
    BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW, SECCOMP_RET_TRACE,
    sock_filter,
};

/// What the filter says about the call that it stopped.
pub(super) const EXEC: u32 = 1;
pub(super) const LOCK: u32 = 2;

/// `F_SETLKW` of `fcntl`, as LLVM's runtime calls it before it adds to a profile that is there.
const WAIT_FOR_LOCK: u32 = 7;
/// `LOCK_EX` of `flock`, which the runtime calls where there is no `fcntl`.
const LOCK_EXCLUSIVELY: u32 = 2;

/// Numbers of system calls.
struct Calls {
    /// LLVM and Linux: `AUDIT_ARCH_…`.
    architecture: u32,
    exec: &'static [u32],
    fcntl: &'static [u32],
    flock: u32,
}

#[cfg(target_arch = "x86_64")]
const ARCHITECTURES: &[Calls] = &[
    Calls {
        architecture: 0xc000_003e,
        exec: &[59, 322],
        fcntl: &[72],
        flock: 73,
    },
    // The same for 32-bit programs (i386), which have `fcntl64` besides.
    Calls {
        architecture: 0x4000_0003,
        exec: &[11, 358],
        fcntl: &[55, 221],
        flock: 143,
    },
];

#[cfg(target_arch = "aarch64")]
const ARCHITECTURES: &[Calls] = &[Calls {
    architecture: 0xc000_00b7,
    exec: &[221, 281],
    fcntl: &[25],
    flock: 32,
}];

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const ARCHITECTURES: &[Calls] = &[];

/// Offsets in `struct seccomp_data`. Of the arguments, which have 64 bits, the low half is enough.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
#[cfg(target_endian = "little")]
const SECOND_ARGUMENT: u32 = 24;
#[cfg(target_endian = "big")]
const SECOND_ARGUMENT: u32 = 28;

pub(super) fn program() -> Vec<sock_filter> {
    let mut program = Vec::new();
    for calls in ARCHITECTURES {
        let mut block = vec![load(NUMBER)];
        for number in calls.exec {
            block.extend([unless(*number, 1), answer(SECCOMP_RET_TRACE | EXEC)]);
        }
        let fcntl = calls.fcntl.iter().map(|number| (*number, WAIT_FOR_LOCK));
        for (number, second) in fcntl.chain([(calls.flock, LOCK_EXCLUSIVELY)]) {
            block.extend([
                unless(number, 4),
                load(SECOND_ARGUMENT),
                unless(second, 1),
                answer(SECCOMP_RET_TRACE | LOCK),
                answer(SECCOMP_RET_ALLOW),
            ]);
        }
        block.push(answer(SECCOMP_RET_ALLOW));
        let len = u8::try_from(block.len()).unwrap_or(u8::MAX);
        program.extend([load(ARCHITECTURE), unless(calls.architecture, len)]);
        program.append(&mut block);
    }
    program.push(answer(SECCOMP_RET_ALLOW));
    program
}

fn load(offset: u32) -> sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, 0, offset)
}

/// Skips as many instructions, unless the value that was loaded is this one.
fn unless(value: u32, skip: u8) -> sock_filter {
    instruction(BPF_JMP | BPF_JEQ | BPF_K, skip, value)
}

fn answer(value: u32) -> sock_filter {
    instruction(BPF_RET | BPF_K, 0, value)
}

fn instruction(code: u32, jump_if_false: u8, k: u32) -> sock_filter {
    sock_filter {
        code: u16::try_from(code).unwrap_or(u16::MAX),
        jt: 0,
        jf: jump_if_false,
        k,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would answer, for programs made of the instructions above.
    fn answer_to(architecture: u32, number: u32, second: u32) -> u32 {
        let program = program();
        let mut loaded = 0;
        let mut at = 0;
        loop {
            let one = program[at];
            at += 1;
            match u32::from(one.code) & 0x07 {
                BPF_LD => {
                    loaded = match one.k {
                        NUMBER => number,
                        ARCHITECTURE => architecture,
                        SECOND_ARGUMENT => second,
                        other => panic!("offset {other}"),
                    };
                }
                BPF_JMP => {
                    let is_it = loaded == one.k;
                    at += usize::from(if is_it { one.jt } else { one.jf });
                }
                BPF_RET => return one.k,
                other => panic!("class {other}"),
            }
        }
    }

    #[test]
    fn only_exec_and_locks_are_stopped() {
        for calls in ARCHITECTURES {
            let ask = |number, second| answer_to(calls.architecture, number, second);
            for number in 0..600 {
                let expected = |second| match number {
                    _ if calls.exec.contains(&number) => SECCOMP_RET_TRACE | EXEC,
                    _ if calls.fcntl.contains(&number) && second == 7 => SECCOMP_RET_TRACE | LOCK,
                    _ if calls.flock == number && second == 2 => SECCOMP_RET_TRACE | LOCK,
                    _ => SECCOMP_RET_ALLOW,
                };
                for second in [0, 2, 6, 7] {
                    assert_eq!(ask(number, second), expected(second), "{number}, {second}");
                }
            }
        }
        assert_eq!(answer_to(1, 59, 0), SECCOMP_RET_ALLOW);
    }
}

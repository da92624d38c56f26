//! As `rescue.c`, for Rust: the same endings under the same names, with as many steps, and those that
//! only Rust has.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

/// What the standard library does not offer.
mod system {
    unsafe extern "C" {
        pub safe fn _exit(code: i32) -> !;
        pub safe fn raise(signal: i32) -> i32;
        pub safe fn fork() -> i32;
        pub safe fn setsid() -> i32;
        pub safe fn close(fd: i32) -> i32;
        pub safe fn setgid(group: u32) -> i32;
        pub safe fn setuid(user: u32) -> i32;
        pub fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    }

    pub fn wait_for(child: i32) {
        // SAFETY: it may be told no place for the status.
        unsafe { waitpid(child, std::ptr::null_mut(), 0) };
    }
}

const SIGKILL: i32 = 9;

#[inline(never)]
fn step() {}

/// Takes a step when it goes, and ends the process if it has a code.
struct Guard(Option<i32>);

impl Drop for Guard {
    fn drop(&mut self) {
        step();
        if let Some(code) = self.0 {
            std::process::exit(code);
        }
    }
}

fn deep(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 512]);
    if room[0] == u64::MAX { 0 } else { deep(depth + 1) + room[1] }
}

fn wait_for_ever() -> ! {
    loop {
        std::thread::park();
    }
}

fn rest(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

fn own() -> Command {
    Command::new("/proc/self/exe")
}

fn main() {
    let mut args = std::env::args().skip(1);
    let how = args.next().expect("an argument");
    let number = args.next().map(|text| text.parse::<i32>().expect("a number"));
    step();
    match how.as_str() {
        // 1 step
        "return" => {}
        "exit" => std::process::exit(7),
        "_exit" => system::_exit(5),
        "abort" => std::process::abort(),
        // SAFETY: it is not safe, and that is what is asked for.
        "segv" => unsafe { std::ptr::without_provenance_mut::<u8>(8).write_volatile(1) },
        "overflow" => println!("{}", deep(1)),
        "raise" => {
            system::raise(number.expect("a signal"));
            wait_for_ever();
        }
        "ready" => {
            println!("ready");
            wait_for_ever();
        }
        "exec-true" => panic!("{}", Command::new("/bin/true").exec()),
        // 2 steps where panics unwind, and 1 where they abort.
        "panic" => {
            let _guard = Guard(None);
            panic!("as asked");
        }
        // As many where they unwind; where they abort so does this.
        "panic-in-thread" => {
            let thread = std::thread::spawn(|| {
                let _guard = Guard(None);
                panic!("as asked");
            });
            assert!(thread.join().is_err());
        }
        // 2 steps
        "exit-in-thread" => {
            let thread = std::thread::spawn(|| {
                step();
                std::process::exit(3)
            });
            let _ = thread.join();
        }
        "exit-in-destructor" => drop(Guard(Some(8))),
        "exec-self" => panic!("{}", own().arg("return").exec()),
        "exec-self-killed" => panic!("{}", own().arg("_exit").exec()),
        "empty-environment" => panic!("{}", own().arg("_exit").env_clear().exec()),
        "close-all" => {
            for fd in 0..1024 {
                system::close(fd);
            }
            std::env::set_current_dir("/").expect("it is there");
            step();
            std::process::abort();
        }
        "drop-rights" => {
            std::thread::spawn(|| wait_for_ever());
            assert_eq!((system::setgid(65534), system::setuid(65534)), (0, 0));
            step();
            system::_exit(0);
        }
        // The child is this program, too.
        "child" => {
            let child = own().arg("abort").status();
            assert!(!child.expect("a child").success());
            std::process::abort();
        }
        // 4 steps
        "fork" => {
            let child = system::fork();
            step();
            match child {
                0 => step(),
                child => system::wait_for(child),
            }
        }
        "fork-killed" => {
            let child = system::fork();
            step();
            if child == 0 {
                step();
                system::raise(SIGKILL);
            }
            system::wait_for(child);
        }
        "fork-orphan" => {
            let child = system::fork();
            step();
            match child {
                0 => {
                    rest(200);
                    step();
                }
                _ => {
                    system::raise(SIGKILL);
                }
            }
        }
        // 5 steps
        "daemon" => {
            if system::fork() != 0 {
                return;
            }
            step();
            system::setsid();
            if system::fork() != 0 {
                return;
            }
            step();
            for fd in 0..3 {
                system::close(fd);
            }
            rest(300);
            step();
            step();
            system::_exit(0);
        }
        // 6 steps
        "generations" => {
            let more = number.unwrap_or(2);
            step();
            if more == 0 {
                system::_exit(0);
            }
            let child = system::fork();
            if child == 0 {
                panic!("{}", own().args(["generations", &(more - 1).to_string()]).exec());
            }
            system::wait_for(child);
        }
        // As many threads as is said, and one more step.
        "threads" => {
            for _ in 0..number.expect("how many") {
                std::thread::spawn(step).join().expect("a thread");
            }
            std::process::abort();
        }
        other => unreachable!("what is {other}?"),
    }
}

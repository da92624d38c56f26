//! As `rescue.c`, for what Rust programs do. Each has one step, unless its comment says more.

#[inline(never)]
fn step() {}

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        step();
    }
}

fn deep(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 512]);
    if room[0] == u64::MAX { 0 } else { deep(depth + 1) + room[1] }
}

fn main() {
    let how = std::env::args().nth(1).expect("an argument");
    step();
    match how.as_str() {
        "return" => {}
        "exit" => std::process::exit(7),
        // Two steps where panics unwind, and one where they abort.
        "panic" => {
            let _guard = Guard;
            panic!("as asked");
        }
        "abort" => std::process::abort(),
        "overflow" => println!("{}", deep(1)),
        // Two steps.
        "exit-in-thread" => {
            let thread = std::thread::spawn(|| {
                step();
                std::process::exit(3)
            });
            let _ = thread.join();
        }
        "ready" => {
            println!("ready");
            loop {
                std::thread::park();
            }
        }
        // Two steps: the child is this program, too.
        "child" => {
            let own = std::env::current_exe().expect("a path");
            let child = std::process::Command::new(own).arg("abort").status();
            assert!(!child.expect("a child").success());
            std::process::abort();
        }
        other => unreachable!("what is {other}?"),
    }
}

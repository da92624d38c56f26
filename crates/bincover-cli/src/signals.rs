//! Signals that are no end of ours.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bincover::run::Signal;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use signal_hook::consts::SIGXFSZ;

/// Where files may not grow beyond a limit (`ulimit -f`), a write that does so ends a process by default. To us it is a
/// write that fails.
///
/// It is caught, not ignored, as programs that we start would inherit that; theirs is what the caller has set.
pub(crate) fn survive_large_files() {
    let is_limited = getrlimit(Resource::RLIMIT_FSIZE).is_ok_and(|(soft, _)| soft != RLIM_INFINITY);
    if is_limited && !Signal::from_number(SIGXFSZ).is_some_and(Signal::is_ignored) {
        // If that fails, we have not more to lose than before.
        let _ = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
    }
}

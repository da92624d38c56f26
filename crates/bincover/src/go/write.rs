//! Writes the files of a GOCOVERDIR.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use bincover_gocover::{Hash, Pod};

use crate::error::Result;
use crate::output::write_atomically;

/// The name of a counter file that no process wrote: that of a merge, made now.
#[must_use]
pub fn go_counter_name(hash: Hash) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_nanos());
    format!("covcounters.{hash}.0.{now}")
}

/// Writes metadata and counters of programs into a folder. The counters come last: they are of no
/// use without.
///
/// # Errors
/// If one cannot be written.
pub fn write_pods(folder: &Path, pods: &[Pod]) -> Result<()> {
    for pod in pods {
        let meta = folder.join(format!("covmeta.{}", pod.hash));
        write_atomically(&meta, |out| out.write_all(&pod.meta))?;
        let counters = folder.join(go_counter_name(pod.hash));
        write_atomically(&counters, |out| out.write_all(&pod.counters))?;
    }
    Ok(())
}

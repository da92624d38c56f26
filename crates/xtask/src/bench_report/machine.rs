//! Where and when: a figure says nothing without it.

use std::fs;
use std::process::Command;

use super::statistics::bytes;
use super::workloads::LLVM_PROFDATA;
use crate::{Failure, command};

/// Rows of the report's first table.
pub(super) struct Machine(pub(super) Vec<(&'static str, String)>);

impl Machine {
    /// Asked before the first run, so that the load is that of others.
    pub(super) fn look(args: &[String]) -> Result<Self, Failure> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo")?;
        let processor = field(&cpuinfo, "model name", ':').unwrap_or("unknown");
        let cores = std::thread::available_parallelism()?;
        let meminfo = fs::read_to_string("/proc/meminfo")?;
        let memory = field(&meminfo, "MemTotal", ':').unwrap_or_default();
        let kibibytes: f64 = memory.trim_end_matches(" kB").parse()?;
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let system = field(&release, "PRETTY_NAME", '=').unwrap_or("unknown");
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        let load = fs::read_to_string("/proc/loadavg")?;
        let load = load.split(' ').next().unwrap_or_default();

        let rustc = command::stdout(Command::new("rustc").arg("--version"))?;
        let llvm = command::stdout(Command::new(LLVM_PROFDATA).arg("--version"))?;
        let llvm = llvm.lines().find(|line| line.contains("version"));
        let commit =
            command::stdout(Command::new("git").args(["rev-parse", "--short=12", "HEAD"]))?;
        let tracked = ["status", "--porcelain", "--untracked-files=no"];
        let edited = command::stdout(Command::new("git").args(tracked))?;
        let edited = if edited.is_empty() {
            ""
        } else {
            ", with uncommitted changes"
        };
        let date = command::stdout(Command::new("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))?;

        let mut command = "cargo xtask bench-report".to_owned();
        for arg in args {
            command = format!("{command} {arg}");
        }
        Ok(Self(vec![
            ("date", date.trim().to_owned()),
            ("command", format!("`{command}`")),
            ("bincover", format!("commit {}{edited}", commit.trim())),
            (LLVM_PROFDATA, llvm.unwrap_or("unknown").trim().to_owned()),
            ("compiler", rustc.trim().to_owned()),
            ("processor", format!("{processor}, {cores} cores")),
            ("memory", bytes(1024.0 * kibibytes)),
            ("system", format!("{system}, Linux {}", kernel.trim())),
            ("load when it began", load.to_owned()),
        ]))
    }
}

/// The value of the first line `name<spaces><separator>value`, without quotes.
fn field<'t>(text: &'t str, name: &str, separator: char) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(separator)?;
        (key.trim() == name).then(|| value.trim().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn fields_of_proc_and_os_release() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz: fast\n";
        assert_eq!(
            field(text, "model name", ':'),
            Some("Some CPU @ 2 GHz: fast")
        );
        let text = "NAME=Debian\nPRETTY_NAME=\"Debian 12\"\n";
        assert_eq!(field(text, "PRETTY_NAME", '='), Some("Debian 12"));
        assert_eq!(field(text, "VERSION", '='), None);
    }
}

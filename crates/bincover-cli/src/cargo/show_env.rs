//! `cargo bincover show-env`: the environment in which cargo itself instruments and counts.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::args::Line;
use super::plan::Plan;
use super::{Failure, NAME};
use crate::commands::env::{Shell, write};
use crate::exit::Exit;

pub(super) fn show(plan: &Plan, line: &Line) -> Result<Exit, Failure> {
    let mut environment: BTreeMap<OsString, OsString> = plan.environment(line)?;
    for (target, link) in plan.runners()? {
        let text = link.to_string_lossy();
        if text.contains(char::is_whitespace) {
            return Err(Failure::usage(
                format!(
                    "cargo's variable for runners cannot hold the path `{text}`: it has white space"
                ),
                "choose another folder with --target-dir, or use `cargo bincover test` itself",
            ));
        }
        let target = target.replace(['-', '.'], "_").to_uppercase();
        environment.insert(format!("CARGO_TARGET_{target}_RUNNER").into(), link.into());
    }
    environment.insert("LLVM_PROFILE_FILE".into(), plan.loose_pattern()?);
    environment.insert("BINCOVER_STORE".into(), plan.store.folder().into());
    let options = &line.options.env;
    let shell = if options.sh || options.export_prefix {
        Shell::Sh
    } else if options.csh {
        Shell::Csh
    } else if options.fish {
        Shell::Fish
    } else if options.nu {
        Shell::Nu
    } else if options.xonsh {
        Shell::Xonsh
    } else if options.powershell {
        Shell::Pwsh
    } else if options.as_json {
        Shell::Json
    } else if options.github {
        Shell::GitHub
    } else {
        Shell::Plain
    };
    write(NAME, &environment, shell)?;
    Ok(Exit::Done)
}

//! What can be typed after `bincover-merge`: our own spelling, and llvm-profdata's `merge`.

use std::ffi::OsString;
use std::num::NonZeroU64;
use std::path::PathBuf;

use bincover::ProfileInput;
use clap::builder::TypedValueParser;
use clap::{Parser, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  bincover-merge -o merged.profdata run1.profraw run2.profraw earlier.profdata
  bincover-merge -o merged.profdata profiles/
  bincover-merge merge -sparse -o merged.profdata *.profraw     as llvm-profdata is called";

/// Merge LLVM profiles, raw and indexed, into one indexed profile.
#[derive(Debug, Parser)]
#[command(name = "bincover-merge", version, before_help = EXAMPLES)]
pub(crate) struct MergeArgs {
    /// Where the merged profile goes; - for standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Leave out functions that were never reached
    #[arg(long)]
    pub(crate) sparse: bool,
    /// When unusable inputs make the merge fail, so that nothing is written
    #[arg(long, value_enum, value_name = "MODE", default_value_t = FailureMode::Any)]
    pub(crate) failure_mode: FailureMode,
    /// A profile whose counts are multiplied by N; can be repeated; merged after the others
    #[arg(long, value_name = "N,FILE", value_parser = clap::builder::OsStringValueParser::new().try_map(parse_weighted))]
    pub(crate) weighted_input: Vec<ProfileInput>,
    /// Profiles, or folders of them
    #[arg(value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailureMode {
    /// Fail if any input is unusable or damaged
    Any,
    /// Fail only if all are; merge what is good
    All,
    /// Never fail; merge what is good
    Warn,
}

/// LLVM's spelling to clap's: a leading `merge` is dropped, and long options may have one dash.
pub(crate) fn normalize(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<OsString> = args.into_iter().collect();
    if args.get(1).is_some_and(|first| first == "merge") {
        args.remove(1);
    }
    let mut only_inputs = false;
    for arg in args.iter_mut().skip(1) {
        only_inputs |= arg == "--";
        let Some(text) = arg.to_str() else { continue };
        let is_long = text.starts_with('-') && !text.starts_with("--") && text.len() > 2;
        if is_long && !only_inputs && !text.starts_with("-o") {
            *arg = format!("-{text}").into();
        } else if let Some(long) = text.strip_prefix("-output").filter(|_| !only_inputs) {
            *arg = format!("--output{long}").into();
        }
    }
    args
}

fn parse_weighted(text: OsString) -> Result<ProfileInput, String> {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let bytes = text.as_bytes();
    let comma = bytes.iter().position(|&byte| byte == b',');
    let (weight, path) = match comma {
        Some(comma) => (&bytes[..comma], &bytes[comma + 1..]),
        None => return Err("expected N,FILE".to_owned()),
    };
    let weight = std::str::from_utf8(weight)
        .ok()
        .and_then(|weight| weight.parse::<NonZeroU64>().ok())
        .ok_or("input weight must be a positive integer")?;
    Ok(ProfileInput {
        path: OsString::from_vec(path.to_vec()).into(),
        weight,
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> MergeArgs {
        let args = line.split(' ').map(OsString::from);
        MergeArgs::try_parse_from(normalize(args)).expect(line)
    }

    #[test]
    fn the_definitions_are_consistent() {
        MergeArgs::command().debug_assert();
    }

    #[test]
    fn spellings() {
        for line in [
            "bincover-merge -o out a b --sparse",
            "bincover-merge merge -sparse a b -o out",
            "bincover-merge merge -sparse -output=out a b",
            "bincover-merge merge --sparse --output out a b",
            "bincover-merge merge -sparse -oout a b",
            "bincover-merge merge -sparse -o=out a b",
        ] {
            let args = parse(line);
            assert!(args.sparse, "{line}");
            assert_eq!(args.output, PathBuf::from("out"), "{line}");
            assert_eq!(args.inputs, [PathBuf::from("a"), PathBuf::from("b")], "{line}");
        }
    }

    #[test]
    fn weights_and_modes() {
        let args = parse("x merge -failure-mode=all -weighted-input=3,a,b -o out");
        assert_eq!(args.failure_mode, FailureMode::All);
        assert_eq!(args.weighted_input[0].weight.get(), 3);
        assert_eq!(args.weighted_input[0].path, PathBuf::from("a,b"));
        for wrong in ["0,a", "x,a", "a", "-1,a"] {
            assert!(parse_weighted(wrong.into()).is_err(), "{wrong}");
        }
    }
}

//! What can be typed after `bincover merge`, and after `bincover-merge` where that is not called
//! as llvm-profdata is.

use std::ffi::OsString;
use std::num::NonZeroU64;
use std::path::PathBuf;

use bincover::ProfileInput;
use bincover::profile::indexed::IndexedVersion;
use clap::builder::TypedValueParser;
use clap::{Args, Parser};

const EXAMPLES: &str = "\
Examples:
  bincover-merge -o merged.profdata run1.profraw run2.profraw earlier.profdata
  bincover-merge -o merged.profdata profiles/ 'more/*.profraw' @list-of-files
  find . -name '*.profraw' -print0 | bincover-merge -o merged.profdata --files-from - --null
  bincover-merge merge -sparse -o merged.profdata *.profraw     as llvm-profdata is called";

/// Merge LLVM profiles, raw, indexed and text, of any version, into one; and Go's coverage.
///
/// A file that is unreadable or damaged does not end the merge: what is good is merged, what was
/// left out is said, and the exit code is 92. With one of llvm-profdata's commands (merge, show,
/// overlap, order) as the first word, or under its name, this is llvm-profdata.
#[derive(Debug, Parser)]
#[command(name = "bincover-merge", version, before_help = EXAMPLES)]
pub(crate) struct Merge {
    #[command(flatten)]
    pub(crate) args: MergeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// Profiles of LLVM and of Go, folders of them, patterns such as 'runs/*.profraw', or @FILE with one of those on
    /// each line
    #[arg(value_name = "INPUT", help_heading = "Inputs")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Read more inputs from a file, one a line; - for standard input
    #[arg(long, value_name = "FILE", help_heading = "Inputs")]
    pub(crate) files_from: Option<PathBuf>,
    /// The inputs of --files-from end in a zero byte each, not a line feed
    #[arg(short = '0', long, requires = "files_from", help_heading = "Inputs")]
    pub(crate) null: bool,
    /// A profile whose counts are multiplied by N; can be repeated; merged after the others
    #[arg(long, value_name = "N,FILE", help_heading = "Inputs",
          value_parser = clap::builder::OsStringValueParser::new().try_map(parse_weighted))]
    pub(crate) weighted_input: Vec<ProfileInput>,
    /// An instrumented binary whose names help its profiles that are cut; can be repeated
    #[arg(long, value_name = "FILE", help_heading = "Inputs")]
    pub(crate) object: Vec<PathBuf>,
    /// Write nothing if anything had to be left out
    #[arg(long, help_heading = "What to merge")]
    pub(crate) strict: bool,
    /// Leave out functions that were never reached
    #[arg(long, help_heading = "What to merge")]
    pub(crate) sparse: bool,
    /// Where the merged profile goes; - for standard output. Of Go's data alone, a text profile, or
    /// a folder (that exists, or ends in /) for what such folders hold
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub(crate) output: PathBuf,
    /// Where Go's data goes if there are LLVM profiles too: a text profile or a folder, as with -o
    #[arg(long, value_name = "PATH", help_heading = "Output")]
    pub(crate) go_output: Option<PathBuf>,
    /// Write text
    #[arg(long, help_heading = "Output")]
    pub(crate) text: bool,
    /// The indexed version to write: 10 (LLVM 17), 11 (18), 12 (19 to 21) or 13 (22)
    #[arg(long, value_name = "N", value_parser = parse_version, default_value = "13", help_heading = "Output")]
    pub(crate) write_version: IndexedVersion,
    /// Write the account of what was left out, as JSON, to this file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) ledger: Option<PathBuf>,
}

fn parse_version(text: &str) -> Result<IndexedVersion, String> {
    let version = text.parse().ok().and_then(IndexedVersion::from_number);
    version.ok_or_else(|| format!("expected 10, 11, 12 or 13, found `{text}`"))
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

    #[test]
    fn the_definitions_are_consistent() {
        Merge::command().debug_assert();
    }

    #[test]
    fn weights() {
        let line = "x --weighted-input=3,a,b -o out c";
        let args = Merge::try_parse_from(line.split(' ')).expect(line).args;
        assert_eq!(args.weighted_input[0].weight.get(), 3);
        assert_eq!(args.weighted_input[0].path, PathBuf::from("a,b"));
        for wrong in ["0,a", "x,a", "a", "-1,a"] {
            assert!(parse_weighted(wrong.into()).is_err(), "{wrong}");
        }
    }
}

//! The body of `reports`: our readers accept what our emitters wrote, and it says the same.

use bincover_import::{ErrorKind, read};
use bincover_mapping::{Mapping, evaluate};
use bincover_model::Coverage;
use bincover_report::patch::{Patch, PatchCoverage};
use bincover_report::ratchet::Ratchet;

use super::changes::{baseline_of, in_w};
use super::import::{lines, written};
use super::mapping::cook;

/// Evaluates a recipe for a mapping (that of `mapping`), with functions, regions, branches, decisions
/// and expansions; what is written of it in a format that we read comes back with the same lines and
/// counts: lcov, Cobertura and llvm-cov's JSON as reports, our own JSON as a baseline, and a ratchet.
pub fn reports(bytes: &[u8]) {
    let cooked = cook(bytes, false);
    let object = cooked.object();
    let Ok(mapping) = Mapping::parse(&object) else {
        return;
    };
    let Ok(evaluation) = evaluate(&[mapping], &cooked.profile) else {
        return;
    };
    let coverage = evaluation.coverage;
    let has_lines = coverage.files.iter().any(|file| !file.lines.is_empty());
    let most: usize = coverage.files.iter().map(|file| file.lines.len()).sum();
    // A few bytes may ask for millions of lines.
    if !has_lines || most > 2_000 {
        return;
    }
    check_baseline(&coverage);
    for format in ["lcov", "llvm-json", "cobertura"] {
        let report = written(&coverage, format);
        let again = match read(&report, &|_| false) {
            Ok(again) => again,
            // Of the millions of lines of a region none may have to be listed. A report of that is a bomb.
            Err(error) if error.kind() == ErrorKind::TooLarge && format == "llvm-json" => continue,
            Err(error) => panic!("{format}: {error}"),
        };
        // Names are relative to a folder in Cobertura, which its reader puts before them again.
        assert_eq!(lines(&again), lines(&coverage), "{format}");
    }
}

fn check_baseline(coverage: &Coverage) {
    let baseline = baseline_of(coverage);
    let totals = coverage.totals();
    assert_eq!(baseline.lines, totals.lines);
    // Nothing has changed since.
    let options = in_w();
    let nothing = Patch::default();
    let compared = PatchCoverage::new(coverage, &options, &nothing, Some(&baseline));
    let compared = compared.expect("the same files").comparison;
    let compared = compared.expect("there is a baseline");
    assert_eq!(
        compared.kept.covered, compared.kept.total,
        "lines were lost"
    );
    let ratchet = Ratchet::of(coverage, &options);
    assert_eq!(Ratchet::parse(&ratchet.to_string()).as_ref(), Ok(&ratchet));
    assert!(ratchet.check(coverage, &options, &|_| true).holds());
}

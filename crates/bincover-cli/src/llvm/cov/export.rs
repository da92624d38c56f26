//! `llvm-cov export`: JSON and lcov (LLVM: `CodeCoverageTool::doExport`).

use std::ffi::OsString;
use std::mem::ManuallyDrop;

use bincover::mapping::Detail;
use bincover::report::{Parts, lcov, llvm_json};

use super::load::{Loaded, Need, check_profile};
use super::settings::{Format, Settings};
use super::{Output, Stop, report};
use crate::llvm::options::{Program, Spec, Takes};

pub(super) const SPECS: &[Spec] = &[
    Spec::new("skip-expansions", Takes::Flag),
    Spec::new("skip-functions", Takes::Flag),
    Spec::new("skip-branches", Takes::Flag),
    Spec::new("unify-instantiations", Takes::Flag),
];

pub(super) fn run(program: &Program, args: Vec<OsString>) -> Result<(), Stop> {
    let settings = Settings::read(program, SPECS, args)?;
    let parsed = &settings.parsed;
    let parts = Parts {
        summary_only: parsed.flag("summary-only"),
        skip_functions: parsed.flag("skip-functions"),
        skip_branches: parsed.flag("skip-branches"),
        skip_expansions: parsed.flag("skip-expansions"),
        keep_instantiations: parsed.switch("unify-instantiations") == Some(false),
    };
    let console = settings.console;
    if settings.format == Format::Html {
        return Err(console
            .fatal("coverage data can only be exported as textual JSON or an lcov tracefile."));
    }
    check_profile(&settings)?;
    let need = Need {
        all_functions: settings.format == Format::Text
            && !parts.summary_only
            && !parts.skip_functions,
        detail: match (parts.summary_only, settings.format) {
            (true, _) => Detail::Summaries,
            (false, Format::Lcov) => Detail::Lines,
            (false, _) => Detail::All,
        },
    };
    // The process ends here, and its memory with it: faster than piece by piece.
    let loaded = ManuallyDrop::new(
        Loaded::load(&settings, need)
            .inspect_err(|_| console.error("could not load coverage information"))?,
    );
    let mut files = loaded.files(&settings);
    let mut output = Output::new();
    let written = report::dump_groups(&settings, &loaded, &files, &mut output.0);
    let written = written.and_then(|()| match settings.format {
        Format::Lcov => lcov::emit_files(&loaded.coverage, &files, &parts, &mut output.0),
        _ => {
            files.sort();
            llvm_json::emit(&loaded.coverage, &files, &parts, &mut output.0)
        }
    });
    output.finish(written)
}

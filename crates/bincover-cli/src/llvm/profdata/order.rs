//! `llvm-profdata order`.

use std::ffi::OsString;

use bincover::profile::Reader;
use bincover::profile::order::{self, OrderInput, OrderOptions};

use super::{Failure, put, read, unreadable};
use crate::llvm::options::{Program, Spec, Takes, parse};

pub(super) const SPECS: &[Spec] = &[
    Spec::new("output", Takes::Text).or("o"),
    Spec::new("num-test-traces", Takes::Number),
];

pub(super) fn run(program: &Program, args: Vec<OsString>) -> Result<(), Failure> {
    let parsed = parse(program, SPECS, args)?;
    let Program { name, invoked } = program;
    let none = OsString::new();
    let path = match &parsed.positional[..] {
        // LLVM goes on with an empty name.
        [] => &none,
        [path] => path,
        _ => {
            return Err(format!(
                "{name}: Too many positional arguments specified!\nCan specify at most 1 positional arguments: See: {invoked} --help"
            )
            .into());
        }
    };
    let bytes = read(path)?;
    let mut input = OrderInput::default();
    Reader::accepting_correlated()
        .read(&bytes, &mut input)
        .map_err(|failed| unreadable(path, &failed.error))?;
    let test_traces = parsed.number("num-test-traces").unwrap_or(0);
    let options = OrderOptions {
        test_traces: usize::try_from(test_traces).unwrap_or(usize::MAX),
    };
    let order = order::order(input.traces(), &options).map_err(|error| {
        Failure::error(format_args!(
            "--num-test-traces must be smaller than the total number of traces: expected: < {}, actual: {}",
            error.traces, error.test_traces
        ))
    })?;
    put(
        parsed.value("output"),
        &order::write(&order, |name| input.name(name)),
    )
}

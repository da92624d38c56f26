//! `debugdump`.

use std::io::Write as _;

use bincover::gocover::{CounterFile, listing};
use bincover::model::Tally;
use bincover::{Error, GoReader};
use bstr::BString;

use crate::exit::Exit;
use crate::go::options::Options;
use crate::go::{done, inputs, read};
use crate::ui;

pub(super) fn run(name: &str, options: &Options) -> Result<Exit, Error> {
    let merged = read(name, options, GoReader::new())?;
    let (pods, _) = inputs(options)?.pods();
    let mut out = Vec::new();
    let mut total = Tally::default();
    let typed: Vec<String> = options
        .words
        .iter()
        .map(|word| word.display().to_string())
        .collect();
    // Writing to memory does not fail.
    let _ = write!(
        out,
        "/* WARNING: the format of this dump is not stable and is\n \
         * expected to change from one Go release to the next.\n *\n * produced by:\n \
         *\t{name} {}\n */\n",
        typed.join(" ")
    );
    for one in &merged.programs {
        let meta = one.program.meta();
        let _ = writeln!(out, "Cover mode: {}", meta.mode);
        let _ = writeln!(out, "Cover granularity: {}", meta.granularity.word());
        let files = pods.iter().filter(|pod| pod.meta == one.path);
        for (_, path) in files.flat_map(|pod| &pod.counters) {
            // What cannot be read was said.
            let bytes = std::fs::read(path).unwrap_or_default();
            let Ok(file) = CounterFile::parse(&bytes) else {
                continue;
            };
            let _ = write!(out, "data file {}", path.display());
            for (key, value) in [("GOOS", &file.args.os), ("GOARCH", &file.args.arch)] {
                if !value.is_empty() {
                    let _ = write!(out, " {key}={value}");
                }
            }
            if !file.args.args.is_empty() {
                let args = bstr::join(" ", &file.args.args);
                let _ = writeln!(out, "  program args: [{}]", BString::from(args));
            }
            out.push(b'\n');
        }
        for sums in &one.sums {
            let is_wanted = |path: &[u8]| options.is_wanted(path);
            let (text, tally) = listing::dump(&one.program, sums, is_wanted, options.live);
            out.extend_from_slice(&text);
            total += tally;
        }
    }
    let _ = writeln!(
        out,
        "totalStmts: {} coveredStmts: {}",
        total.total, total.covered
    );
    ui::print(&out)?;
    Ok(done(&merged.ledger))
}

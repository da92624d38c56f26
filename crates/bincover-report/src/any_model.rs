//! No format panics on any model, and Cobertura stays sound.

use std::sync::atomic::{AtomicUsize, Ordering};

use bincover_model::{
    Branch, Condition, Coverage, Excluded, ExcludedPart, ExcludedRange, Expansion, File, FileId,
    Function, FunctionId, Group, Line, LocalFile, McdcId, McdcRecord, Outcome, Position, Region,
    RegionKind, Segment, Summary, Tally, TestVector,
};
use bstr::{BStr, BString};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::cobertura::tests::assert_sound;
use crate::{FORMATS, Format, Instantiations, NoSources, Options, Outputs, Source, Sources, html};

/// How many files and functions there are: ids stay below, which is all that the model promises.
const FILES: u32 = 3;
const FUNCTIONS: u32 = 4;
/// MC/DC records of each function.
const RECORDS: u32 = 2;

fn name() -> impl Strategy<Value = BString> {
    let words = prop::sample::select(vec![
        "",
        "/",
        "/w/",
        "src/",
        ".",
        "a.rs",
        "_RNvC1a1b",
        "<&\"'>",
        "\u{6f22}",
    ]);
    let tail = vec(any::<u8>(), 0..6);
    (vec(words, 0..4), tail)
        .prop_map(|(words, tail)| [words.concat().as_bytes(), &tail].concat().into())
}

/// Mostly near each other, sometimes anywhere.
fn line_number() -> impl Strategy<Value = u32> {
    prop_oneof![9 => 0..12_u32, 1 => any::<u32>()]
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        1..5_u64,
        any::<u64>(),
        Just(u64::MAX),
        Just(1 << 32)
    ]
}

fn position() -> impl Strategy<Value = Position> {
    (line_number(), 0..9_u32).prop_map(|(line, column)| Position { line, column })
}

fn local_file() -> impl Strategy<Value = LocalFile> {
    (0..4_u32).prop_map(LocalFile)
}

fn region() -> impl Strategy<Value = Region> {
    let kinds = [
        RegionKind::Code,
        RegionKind::Expansion,
        RegionKind::Skipped,
        RegionKind::Gap,
    ]
    .to_vec();
    (
        prop::sample::select(kinds),
        local_file(),
        local_file(),
        position(),
        position(),
        count(),
    )
        .prop_map(|(kind, file, expanded, start, end, count)| Region {
            kind,
            file,
            expanded,
            start,
            end,
            count,
        })
}

fn branch() -> impl Strategy<Value = Branch> {
    (
        local_file(),
        position(),
        position(),
        count(),
        count(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(
                file,
                start,
                end,
                true_count,
                false_count,
                true_folded,
                false_folded,
                is_condition,
            )| Branch {
                file,
                start,
                end,
                true_count,
                false_count,
                true_folded,
                false_folded,
                is_condition,
            },
        )
}

/// Covered may exceed total. Totals are sums in `u64`, so the parts stay below a third of it.
fn tally() -> impl Strategy<Value = Tally> {
    let part = || prop_oneof![0..20_u64, 0..u64::MAX / u64::from(FILES)];
    (part(), part()).prop_map(|(covered, total)| Tally { covered, total })
}

fn summary() -> impl Strategy<Value = Summary> {
    (tally(), tally(), tally(), tally(), tally(), tally()).prop_map(
        |(regions, functions, instantiations, lines, branches, mcdc)| Summary {
            regions,
            functions,
            instantiations,
            lines,
            branches,
            mcdc,
            ..Summary::default()
        },
    )
}

fn mcdc_record() -> impl Strategy<Value = McdcRecord> {
    let condition = (
        position(),
        any::<bool>(),
        prop::option::of((0..3_u32, 0..3_u32)),
    );
    let condition = condition.prop_map(|(start, is_folded, pair)| Condition {
        start,
        is_folded,
        pair,
    });
    let vector = (vec(any::<Option<bool>>(), 0..4), any::<bool>());
    let vector = vector.prop_map(|(values, outcome)| TestVector {
        values: values.into(),
        outcome,
    });
    (
        local_file(),
        position(),
        position(),
        vec(condition, 0..4),
        vec(vector, 0..4),
    )
        .prop_map(|(file, start, end, conditions, vectors)| McdcRecord {
            file,
            start,
            end,
            conditions,
            vectors,
        })
}

fn function() -> impl Strategy<Value = Function> {
    let file_id = (0..FILES).prop_map(FileId);
    (
        name(),
        count(),
        vec(file_id, 0..4),
        prop::option::of(local_file()),
        prop::option::of(0..30u32),
        vec(region(), 0..6),
        vec(branch(), 0..4),
        vec(mcdc_record(), RECORDS as usize),
        summary(),
    )
        .prop_map(
            |(name, count, files, main_file, last_line, regions, branches, mcdc, summary)| {
                Function {
                    name,
                    count,
                    files,
                    main_file,
                    declared: None,
                    last_line,
                    regions,
                    branches,
                    mcdc,
                    statements: Vec::new(),
                    summary,
                }
            },
        )
}

fn function_id() -> impl Strategy<Value = FunctionId> {
    (0..FUNCTIONS).prop_map(FunctionId)
}

fn group() -> impl Strategy<Value = Group> {
    (position(), vec(function_id(), 0..4), count(), summary()).prop_map(
        |(start, members, count, summary)| Group {
            start,
            members,
            count,
            summary,
        },
    )
}

fn segment() -> impl Strategy<Value = Segment> {
    (
        position(),
        count(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(start, count, has_count, is_entry, is_gap)| Segment {
            start,
            count,
            has_count,
            is_entry,
            is_gap,
        })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    (line_number(), 0..3_u32, 0..3_u32, prop::option::of(count())).prop_map(
        |(line, block, number, count)| Outcome {
            line,
            block,
            number,
            count,
        },
    )
}

fn file() -> impl Strategy<Value = File> {
    let line = (line_number(), count()).prop_map(|(number, count)| Line { number, count });
    let expansion =
        (function_id(), 0..8_u32).prop_map(|(function, region)| Expansion { function, region });
    let mcdc_id =
        (function_id(), 0..RECORDS).prop_map(|(function, record)| McdcId { function, record });
    (
        name(),
        vec(segment(), 0..4),
        vec(line, 0..9),
        vec(branch(), 0..4),
        prop_oneof![2 => Just(Vec::new()), 1 => vec(outcome(), 0..6)],
        vec(expansion, 0..3),
        vec(mcdc_id, 0..3),
        vec(function_id(), 0..4),
        vec(group(), 0..4),
        summary(),
    )
        .prop_map(
            |(
                name,
                segments,
                lines,
                branches,
                outcomes,
                expansions,
                mcdc,
                functions,
                groups,
                summary,
            )| {
                File {
                    name,
                    segments,
                    lines,
                    branches,
                    outcomes,
                    expansions,
                    mcdc,
                    functions,
                    groups,
                    summary,
                    excluded: Excluded::default(),
                }
            },
        )
}

/// Neither sorted nor consistent: files may share a name, lines may come twice.
fn coverage() -> impl Strategy<Value = Coverage> {
    let size = FILES as usize;
    let functions = vec(function(), FUNCTIONS as usize);
    let all = (vec(file(), size), functions);
    let excluded = prop_oneof![
        3 => Just(Vec::new()),
        1 => vec((0..FILES, excluded_range()), 1..6),
    ];
    let names = prop::option::weighted(0.2, vec(name(), size));
    let all = (all, excluded, names).prop_map(|((files, functions), excluded, names)| {
        let mut coverage = Coverage { files, functions };
        let asked = excluded.into_iter();
        coverage.exclude(asked.map(|(file, range)| (FileId(file), vec![range])));
        match names {
            Some(names) => coverage.renamed(names),
            None => coverage,
        }
    });
    prop_oneof![
        9 => all,
        1 => Just(Coverage::default()),
    ]
}

fn excluded_range() -> impl Strategy<Value = ExcludedRange> {
    let parts = [
        ExcludedPart::File,
        ExcludedPart::Lines,
        ExcludedPart::Unexecuted,
        ExcludedPart::Branches,
    ];
    let part = prop::sample::select(parts.to_vec());
    (line_number(), line_number(), part, "[a\u{1b}<]*").prop_map(|(first, last, part, rule)| {
        ExcludedRange {
            first,
            last,
            part,
            rule: rule.into(),
            lines: 0,
        }
    })
}

fn options() -> impl Strategy<Value = Options> {
    (
        prop::option::of(name()),
        any::<u64>(),
        prop::option::of(0..100_usize),
        any::<bool>(),
        any::<bool>(),
        prop::option::of(prop::sample::select(vec![
            Instantiations::Union,
            Instantiations::Max,
            Instantiations::Each,
        ])),
    )
        .prop_map(
            |(root, timestamp, width, colour, demangle, instantiations)| Options {
                root,
                timestamp,
                width,
                colour,
                demangle,
                instantiations,
                ..Options::default()
            },
        )
}

fn report(format: &Format, coverage: &Coverage, options: &Options) -> Vec<u8> {
    let mut out = Vec::new();
    let written = format.write(coverage, options, &NoSources, &mut out);
    written.expect("a Vec takes everything");
    out
}

proptest! {
    #[test]
    fn any_model_is_reported(coverage in coverage(), options in options()) {
        for format in FORMATS.iter().filter(|format| !format.is_folder()) {
            let once = report(format, &coverage, &options);
            let twice = report(format, &coverage, &options);
            prop_assert_eq!(&once, &twice, "{} is deterministic", format.name);
        }
    }

    #[test]
    fn any_model_makes_pages(coverage in coverage(), text in vec(any::<u8>(), 0..200)) {
        struct All(Vec<u8>);
        impl Sources for All {
            fn read(&self, _: &BStr) -> Source {
                Source::Text { text: self.0.clone(), is_changed: false }
            }
        }
        struct Pages(AtomicUsize);
        impl Outputs for Pages {
            fn file(&self, _: &str, contents: &[u8]) -> std::io::Result<()> {
                self.0.fetch_add(1, Ordering::Relaxed);
                let text = std::str::from_utf8(contents).expect("pages are UTF-8");
                assert!(!text.contains('\0'));
                Ok(())
            }
        }
        let pages = Pages(AtomicUsize::new(0));
        html::emit(&coverage, &Options::default(), &All(text), &pages)
            .expect("memory takes everything");
        // The index, its style and its script.
        prop_assert_eq!(pages.0.into_inner(), coverage.measured_files().count() + 3);
    }

    #[test]
    fn any_model_makes_a_sound_cobertura_document(coverage in coverage(), options in options()) {
        let cobertura = Format::named("cobertura").expect("it is in the table");
        let document = String::from_utf8(report(cobertura, &coverage, &options));
        assert_sound(&document.expect("the document says that it is UTF-8"));
    }

    #[test]
    fn no_control_character_reaches_the_terminal(coverage in coverage(), options in options()) {
        let options = Options { colour: false, ..options };
        for name in ["table", "text", "missing", "markdown", "github"] {
            let format = Format::named(name).expect("it is in the table");
            let text = String::from_utf8(report(format, &coverage, &options)).expect("it is UTF-8");
            prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{}: {:?}", name, text);
        }
    }
}

//! A small program for the tests of all readers.

use crate::counters::{Args, Record, write};
use crate::meta::{Function, Meta, MetaBuilder, Unit};
use crate::{Granularity, HashKind, Mode, Program};

fn unit(fields: [u32; 5]) -> Unit {
    let [start_line, start_column, end_line, end_column, statements] = fields;
    Unit {
        start_line,
        start_column,
        end_line,
        end_column,
        statements,
    }
}

fn function(name: &str, file: &str, units: &[[u32; 5]], literal: bool) -> Function {
    Function {
        name: name.as_bytes().into(),
        file: file.as_bytes().into(),
        units: units.iter().map(|fields| unit(*fields)).collect(),
        literal,
    }
}

fn bytes(mode: Mode) -> Vec<u8> {
    let mut builder = MetaBuilder::new(HashKind::Fnv);
    let module = b"example.com/m"[..].into();
    let a = builder.package(&b"example.com/m/a"[..].into(), &b"a"[..].into(), &module);
    let file = "example.com/m/a/t.go";
    builder.function(a, function("F", file, &[[3, 10, 5, 2, 1]], false));
    let units = [[7, 10, 8, 3, 2], [9, 3, 9, 9, 1]];
    builder.function(a, function("*T.M", file, &units, false));
    let b = builder.package(&b"example.com/m/b"[..].into(), &b"b"[..].into(), &module);
    let file = "example.com/m/b/l.go";
    let literal = function("func.L1.C9", file, &[[300, 1, 301, 2, 1]], true);
    builder.function(b, literal);
    builder.write(mode, Granularity::Block)
}

pub(crate) fn meta_bytes() -> Vec<u8> {
    bytes(Mode::Count)
}

pub(crate) fn meta() -> Meta {
    Meta::parse(&meta_bytes()).expect("a metadata file")
}

pub(crate) fn program(mode: Mode) -> Program {
    Program::parse(bytes(mode)).expect("a metadata file")
}

pub(crate) fn args() -> Args {
    Args {
        args: vec!["./m".into(), "".into()],
        os: "linux".into(),
        arch: "amd64".into(),
    }
}

/// A counter file with these records: package, function, counters.
pub(crate) fn counter_bytes(records: &[(u32, u32, &[u32])]) -> Vec<u8> {
    let records: Vec<Record<'_>> = records
        .iter()
        .map(|(package, function, counters)| Record {
            package: *package,
            function: *function,
            counters,
        })
        .collect();
    write(meta().hash, &args(), &records)
}

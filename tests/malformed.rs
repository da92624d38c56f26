//! What is said of malformed files.

use std::num::NonZeroU64;

use bincover_profile::{Merger};
use bincover_testkit::raw::{Assembled, Function, RawFile, Shape};

fn valid(shape: Shape) -> Assembled {
    let main = Function {
        bitmap: vec![3],
        ..Function::new("main", 7, [1, 2])
    };
    let mut half = Function::new("half", 8, [4]);
    half.values[1] = vec![vec![(16, 2)]];
    let functions = [main, half];
    let file = RawFile {
        binary_ids: vec![b"ident".to_vec()],
        ..RawFile::new(shape, &functions)
    };
    file.assemble()
}

#[test]
fn print() {
    for line in include_str!("/tmp/cases").lines() {
        let (field, value) = line.split_once('|').unwrap();
        let value = value.trim();
        let v = value.strip_prefix("0x").map(|v| u64::from_str_radix(v,16).unwrap()).unwrap_or_else(|| value.parse().unwrap());
        let mut file = valid(Shape::CURRENT);
        file.set(field, v);
        let mut merger = Merger::new();
        merger.add("bad", &file.bytes, NonZeroU64::MIN);
        let merged = merger.finish();
        println!("{field} = {v:#x}: {:?}", merged.ledger.entries);
        for e in &merged.ledger.entries { println!("      {e}"); }
    }
    println!("{}", valid(Shape::CURRENT).bytes.len());
}

//! A bench with a `main` of its own, as most have that a stable compiler runs.

use std::hint::black_box;
use std::time::Instant;

fn main() {
    let start = Instant::now();
    let sum: i64 = (0..1000)
        .map(|n| shop_pricing::price(n, black_box(12)))
        .sum();
    println!("{sum} in {:?}", start.elapsed());
}

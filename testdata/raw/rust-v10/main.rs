//! A small program for coverage: generics, closures, a trait, a macro, an unused function.
mod shapes;

use shapes::{Area, Circle, Square};

fn largest<T: PartialOrd + Copy>(items: &[T]) -> Option<T> {
    let mut best = *items.first()?;
    for &item in items {
        if item > best {
            best = item;
        }
    }
    Some(best)
}

fn classify(n: i64) -> &'static str {
    match n {
        i64::MIN..=-1 => "negative",
        0 => "zero",
        1..=9 if n % 2 == 1 => "small odd",
        1..=9 => "small even",
        _ => "large",
    }
}

macro_rules! add_all {
    ($first:expr $(, $rest:expr)*) => { $first $(+ $rest)* };
}

#[allow(dead_code)]
fn never_called(flag: bool) -> u32 {
    if flag { 1 } else { 2 }
}

fn parse(text: &str) -> Result<i64, std::num::ParseIntError> {
    let n: i64 = text.parse()?;
    Ok(n)
}

fn wait_to_be_killed() {
    println!("ready");
    loop {
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut numbers = Vec::new();
    for word in &words {
        if word == "wait" {
            wait_to_be_killed();
        }
        match parse(word) {
            Ok(n) => numbers.push(n),
            Err(_) => println!("{word}: not a number"),
        }
    }
    for &n in &numbers {
        println!("{n}: {}", classify(n));
    }
    let offset = 10;
    let shifted: Vec<f64> = numbers
        .iter()
        .filter(|&&n| n != 0 && n != 7)
        .map(|&n| (n + offset) as f64)
        .collect();
    println!("{:?} {:?}", largest(&numbers), largest(&shifted));
    let shapes: [&dyn Area; 2] = [&Square(2.0), &Circle(1.0)];
    let total: f64 = shapes.iter().map(|shape| shape.area()).sum();
    println!("{total:.2} {}", add_all!(1, 2, words.len()));
}

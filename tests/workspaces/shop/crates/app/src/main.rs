//! Prices on the command line.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["price", each, pieces] => price(each, pieces),
        ["serve"] => serve(),
        ["abort"] => {
            println!("aborting");
            std::process::abort()
        }
        _ => {
            eprintln!("usage: shop price EACH PIECES | serve");
            ExitCode::from(2)
        }
    }
}

fn price(each: &str, pieces: &str) -> ExitCode {
    match (each.parse(), pieces.parse()) {
        (Ok(each), Ok(pieces)) => {
            let price = shop_pricing::price(each, pieces);
            println!("{}", itoa::Buffer::new().format(price));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("not a number");
            ExitCode::FAILURE
        }
    }
}

/// Serves until it is killed.
fn serve() -> ExitCode {
    let mut line = String::new();
    let prices = shop_pricing::larger(2.5, 1.5);
    println!("ready at {prices}");
    let _ = std::io::stdout().flush();
    while std::io::stdin()
        .read_line(&mut line)
        .is_ok_and(|count| count > 0)
    {
        println!("{}", shop_pricing::cash(line.trim().parse().unwrap_or(0)));
        let _ = std::io::stdout().flush();
        line.clear();
    }
    ExitCode::SUCCESS
}

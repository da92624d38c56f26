use shapes::{Circle, Shape, Square, largest, twice};

mod deep {
    pub fn collatz(mut n: u64) -> u32 {
        let mut steps = 0;
        while n > 1 {
            n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
            steps += 1;
        }
        steps
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Word {
    Number(u64),
    Name(String),
    Nothing,
}

fn read(text: &str) -> Word {
    match text.parse() {
        Ok(number) => Word::Number(number),
        Err(_) if text.is_empty() => Word::Nothing,
        Err(_) => Word::Name(text.to_owned()),
    }
}

fn main() {
    let words: Vec<Word> = std::env::args().skip(1).map(|word| read(&word)).collect();
    let numbers: Vec<u64> = words
        .iter()
        .filter_map(|word| match word {
            Word::Number(number) => Some(*number),
            _ => None,
        })
        .collect();
    let shapes: Vec<Box<dyn Shape>> = vec![Box::new(Square(2.0)), Box::new(Circle { radius: 1.0 })];
    let total: f64 = shapes.iter().map(|shape| shape.area()).sum();
    println!("{total} {:?} {:?}", largest(&numbers), largest(&[0.5, 0.25]));
    for number in &numbers {
        let doubled = twice!(*number);
        println!("{} {doubled}", deep::collatz(*number));
    }
    if words.contains(&Word::Name("panic".to_owned())) {
        panic!("as asked");
    }
}

use shapes::{Shape, Square, largest};

fn main() {
    let square = Square(3.0);
    println!("{} {}", square.name(), square.area());
    println!("{:?}", largest(&["b", "a"]));
}

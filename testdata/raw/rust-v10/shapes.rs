//! In a module of its own, so that a second codegen unit has something to hold.

pub trait Area {
    fn area(&self) -> f64;

    /// Nobody asks for this one.
    #[allow(dead_code)]
    fn is_big(&self) -> bool {
        self.area() > 100.0
    }
}

pub struct Square(pub f64);
pub struct Circle(pub f64);

impl Area for Square {
    fn area(&self) -> f64 {
        self.0 * self.0
    }
}

impl Area for Circle {
    fn area(&self) -> f64 {
        if self.0 <= 0.0 { 0.0 } else { 3.0 * self.0 * self.0 }
    }
}

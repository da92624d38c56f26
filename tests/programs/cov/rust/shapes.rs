//! A crate of generics that another one uses.

pub trait Shape {
    fn area(&self) -> f64;
    fn name(&self) -> String {
        "shape".to_owned()
    }
}

pub struct Square(pub f64);

impl Shape for Square {
    fn area(&self) -> f64 {
        self.0 * self.0
    }
}

pub struct Circle {
    pub radius: f64,
}

impl Shape for Circle {
    fn area(&self) -> f64 {
        if self.radius < 0.0 {
            return 0.0;
        }
        3.0 * self.radius * self.radius
    }

    fn name(&self) -> String {
        "circle".to_owned()
    }
}

pub fn largest<T: PartialOrd + Copy>(items: &[T]) -> Option<T> {
    let mut largest = *items.first()?;
    for item in items {
        if *item > largest {
            largest = *item;
        }
    }
    Some(largest)
}

#[inline]
pub fn unused_generic<T: std::fmt::Display>(item: T) -> String {
    match item.to_string().as_str() {
        "" => "nothing".to_owned(),
        text => format!("<{text}>"),
    }
}

#[macro_export]
macro_rules! twice {
    ($what:expr) => {{
        let value = $what;
        if value > 10 { value } else { value + value }
    }};
}

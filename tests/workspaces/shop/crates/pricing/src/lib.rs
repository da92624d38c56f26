//! Prices, in cents.
#![cfg_attr(coverage_nightly, feature(coverage_attribute))]

use shop_macros::Named;

/// Something with a name.
pub trait Named {
    /// Its name.
    fn name(&self) -> &'static str;
}

/// Somebody who buys.
#[derive(Named)]
pub struct Guest;

/// Somebody who buys often.
#[derive(Named)]
pub struct Member;

unsafe extern "C" {
    safe fn round_to(cents: i64, step: i64) -> i64;
}

/// The larger of two.
pub fn larger<T: PartialOrd>(a: T, b: T) -> T {
    if a > b { a } else { b }
}

/// The price of some pieces.
///
/// ```
/// assert_eq!(shop_pricing::price(250, 2), 500);
/// ```
///
/// Of ten or more, one is free:
///
/// ```
/// assert_eq!(shop_pricing::price(100, 10), 900);
/// ```
pub fn price(each: i64, pieces: i64) -> i64 {
    let paid = if pieces >= 10 {
        pieces - pieces / 10
    } else {
        pieces
    };
    each * paid
}

/// What is paid in cash, where there are no coins of one and two cents.
pub fn cash(cents: i64) -> i64 {
    round_to(cents, 5)
}

/// Whether this is being measured. Where the compiler can do that, it is left out.
#[cfg_attr(coverage_nightly, coverage(off))]
pub fn is_measured() -> bool {
    cfg!(coverage)
}

/// A discount for members, in per cent.
pub fn discount(who: &dyn Named) -> i64 {
    match who.name() {
        "Member" => 5,
        _ => 0,
    }
}

/// What is taken off in summer, in per cent.
#[cfg(all(feature = "summer", not(feature = "winter")))]
pub fn season() -> i64 {
    10
}

/// And in winter.
#[cfg(feature = "winter")]
pub fn season() -> i64 {
    20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(any(feature = "summer", feature = "winter"))]
    fn in_season() {
        assert!(season() > 0);
    }

    #[test]
    fn few() {
        assert_eq!(price(3, 2), 6);
        assert_eq!(larger(1, 2), 2);
    }

    #[test]
    fn in_cash() {
        assert_eq!(cash(12), 10);
        assert_eq!(cash(-13), -15);
    }

    #[test]
    fn members_pay_less() {
        assert_eq!(discount(&Member), 5);
        assert_eq!(discount(&Guest), 0);
    }
}

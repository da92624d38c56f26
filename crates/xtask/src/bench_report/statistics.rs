//! Medians, ratios, and how numbers are said.

/// The middle of the values, or the mean of the two in the middle. 0 if there are none.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted[..] {
        [] => 0.0,
        _ if sorted.len().is_multiple_of(2) => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}

/// The least and the greatest.
pub(super) fn spread(values: &[f64]) -> (f64, f64) {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(0.0, f64::max);
    (least, greatest)
}

/// A time, in the unit that suits it.
pub(super) fn seconds(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0} s"),
        1.0.. => format!("{value:.2} s"),
        0.1.. => format!("{:.0} ms", value * 1e3),
        _ => format!("{:.2} ms", value * 1e3),
    }
}

/// Memory or a file's size, in powers of ten.
pub(super) fn bytes(value: f64) -> String {
    match value {
        1e9.. => format!("{:.2} GB", value / 1e9),
        1e7.. => format!("{:.0} MB", value / 1e6),
        1e6.. => format!("{:.1} MB", value / 1e6),
        _ => format!("{:.0} kB", value / 1e3),
    }
}

/// How many times one is the other.
pub(super) fn ratio(value: f64) -> String {
    match value {
        10.0.. => format!("{value:.0} ×"),
        _ => format!("{value:.2} ×"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[3.0, 1.0]), 2.0);
        assert_eq!(median(&[9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 100.0]), 3.5);
    }

    #[test]
    fn the_ends() {
        assert_eq!(spread(&[2.0, 1.0, 3.0]), (1.0, 3.0));
        assert_eq!(spread(&[2.0]), (2.0, 2.0));
    }

    #[test]
    fn units() {
        assert_eq!(seconds(123.4), "123 s");
        assert_eq!(seconds(9.0), "9.00 s");
        assert_eq!(seconds(0.25), "250 ms");
        assert_eq!(seconds(0.0042), "4.20 ms");
        assert_eq!(bytes(1.36e6), "1.4 MB");
        assert_eq!(bytes(36e6), "36 MB");
        assert_eq!(bytes(900.0), "1 kB");
        assert_eq!(ratio(2.496), "2.50 ×");
        assert_eq!(ratio(100.4), "100 ×");
    }
}

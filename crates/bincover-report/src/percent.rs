//! Percentages as people write them, compared without a float that rounds.

use std::fmt;

use bincover_model::Tally;

/// Millionths of a percent in a percent.
const MILLION: u64 = 1_000_000;

/// A percentage from 0 to 100 as it was written, with at most six decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percent {
    millionths: u64,
    decimals: usize,
}

impl Percent {
    /// Reads digits, and perhaps a point and more digits.
    ///
    /// # Errors
    /// In words, if it is no such thing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let error =
            || format!("expected a percentage from 0 to 100 of at most 6 decimals, found `{text}`");
        Self::parsed(text).ok_or_else(error)
    }

    fn parsed(text: &str) -> Option<Self> {
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || part.len() > 6 || !is_number(whole) || !is_number(part) {
            return None;
        }
        let whole: u64 = whole.parse().ok()?;
        let millionths: u64 = format!("{part:0<6}").parse().ok()?;
        let millionths = whole.checked_mul(MILLION)?.checked_add(millionths)?;
        (millionths <= 100 * MILLION).then_some(Self {
            millionths,
            decimals: part.len(),
        })
    }

    /// How many of `total` are this much of it, rounded up.
    #[must_use]
    pub fn of(self, total: u64) -> u64 {
        let whole = u128::from(total) * u128::from(self.millionths);
        let needed = whole.div_ceil(u128::from(100 * MILLION));
        u64::try_from(needed).unwrap_or(u64::MAX)
    }

    /// How many of `total` are as much of it as `tally` is of its own, less this many percentage
    /// points, rounded up. Of nothing, none.
    pub(crate) fn below(self, tally: Tally, total: u64) -> u64 {
        let whole = u128::from(100 * MILLION);
        let Some(share) = (u128::from(tally.covered) * whole).checked_div(tally.total.into())
        else {
            return 0;
        };
        if self.millionths == 0 {
            // Exact: a share in millionths is not.
            let needed =
                (u128::from(tally.covered) * u128::from(total)).div_ceil(tally.total.into());
            return u64::try_from(needed).unwrap_or(u64::MAX);
        }
        let needed = share.saturating_sub(self.millionths.into()) * u128::from(total);
        u64::try_from(needed.div_ceil(whole)).unwrap_or(u64::MAX)
    }

    /// A share with as many decimals as this has, and one at least, rounded down: it looks as low
    /// as it is. `-` for a share of nothing.
    pub(crate) fn like_this(self, tally: Tally) -> String {
        let decimals = self.decimals.max(1);
        let scale = 10u128.pow(u32::try_from(decimals).unwrap_or(6));
        let scaled = (u128::from(tally.covered) * 100 * scale).checked_div(tally.total.into());
        let Some(scaled) = scaled else {
            return "-".to_owned();
        };
        format!("{}.{:0decimals$}%", scaled / scale, scaled % scale)
    }
}

/// As it was written, without a sign.
impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.millionths / MILLION)?;
        let part = format!("{:06}", self.millionths % MILLION);
        match part.get(..self.decimals) {
            Some(part) if !part.is_empty() => write!(f, ".{part}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tally;

    #[test]
    fn what_is_written_is_what_is_shown() {
        for text in ["0", "80", "79.5", "99.999999", "100", "100.0"] {
            assert_eq!(Percent::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "x", "101", "-1", "1e1", "1.1234567", "80%", "100.1"] {
            assert!(Percent::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares_are_rounded_so_that_they_hold() {
        let percent = |text| Percent::parse(text).unwrap();
        assert_eq!(percent("56.667").of(30), 18);
        assert_eq!(percent("100").of(u64::MAX), u64::MAX);
        assert_eq!(percent("0").below(tally(2, 3), 3), 2);
        assert_eq!(percent("0").below(tally(2, 3), 100), 67);
        assert_eq!(percent("1").below(tally(2, 3), 100), 66);
        assert_eq!(percent("100").below(tally(2, 3), 100), 0);
        assert_eq!(percent("0").below(tally(0, 0), 100), 0);
        assert_eq!(percent("80").like_this(tally(2, 3)), "66.6%");
        assert_eq!(percent("80.125").like_this(tally(2, 3)), "66.666%");
    }
}

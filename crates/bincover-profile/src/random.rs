//! The random numbers of LLVM's tools: C++'s `std::mt19937`, of which the standard gives every bit.

/// C++'s `std::mt19937`.
#[derive(Clone, Debug)]
pub(crate) struct MersenneTwister {
    seed: u32,
    /// Filled at the first number: most merges draw none.
    state: Vec<u32>,
    index: usize,
}

const STATE: usize = 624;

impl Default for MersenneTwister {
    /// With the default seed.
    fn default() -> Self {
        Self::new(5489)
    }
}

impl MersenneTwister {
    pub(crate) fn new(seed: u32) -> Self {
        Self {
            seed,
            state: Vec::new(),
            index: STATE,
        }
    }

    fn fill(&mut self) {
        let mut value = self.seed;
        self.state.push(value);
        for index in 1u32..624 {
            value = (value ^ value >> 30)
                .wrapping_mul(1_812_433_253)
                .wrapping_add(index);
            self.state.push(value);
        }
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u32 {
        if self.state.is_empty() {
            self.fill();
        }
        if self.index >= STATE {
            self.twist();
        }
        let mut value = self.state[self.index];
        self.index += 1;
        value ^= value >> 11;
        value ^= value << 7 & 0x9d2c_5680;
        value ^= value << 15 & 0xefc6_0000;
        value ^ value >> 18
    }

    fn twist(&mut self) {
        for index in 0..STATE {
            let upper = self.state[index] & 0x8000_0000;
            let lower = self.state[(index + 1) % STATE] & 0x7fff_ffff;
            let joined = upper | lower;
            let odd = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[index] = self.state[(index + 397) % STATE] ^ joined >> 1 ^ odd;
        }
        self.index = 0;
    }

    /// 0 to `most`, as libstdc++'s `uniform_int_distribution` draws it (Lemire's method).
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the method works on halves of the product"
    )]
    pub(crate) fn up_to(&mut self, most: u64) -> u64 {
        let range = most.wrapping_add(1) as u32;
        if range == 0 {
            return u64::from(self.next());
        }
        let mut product = u64::from(self.next()) * u64::from(range);
        let mut low = product as u32;
        if low < range {
            let threshold = range.wrapping_neg() % range;
            while low < threshold {
                product = u64::from(self.next()) * u64::from(range);
                low = product as u32;
            }
        }
        product >> 32
    }

    /// 0 to 1, as libstdc++'s `uniform_real_distribution<float>` draws it from one number.
    pub(crate) fn unit(&mut self) -> f32 {
        const NUMBERS: f32 = 4_294_967_296.0;
        self.next() as f32 / NUMBERS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The C++ standard gives the 10,000th number.
    #[test]
    fn the_generator_is_cplusplus_s() {
        let mut random = MersenneTwister::default();
        let numbers: Vec<u32> = (0..10_000).map(|_| random.next()).collect();
        assert_eq!(numbers[9_999], 4_123_659_995);
    }

    /// The first numbers of the seed 1, which many libraries publish.
    #[test]
    fn seeds() {
        let mut random = MersenneTwister::new(1);
        assert_eq!(
            [random.next(), random.next()],
            [1_791_095_845, 4_282_876_139]
        );
        assert!((MersenneTwister::new(1).unit() - 0.417_022).abs() < 1e-6);
    }
}

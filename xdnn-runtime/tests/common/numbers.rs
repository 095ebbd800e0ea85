//! Reproducible numbers.

use std::ops::Range;

/// A sequence of pseudo-random numbers: SplitMix64.
pub struct Numbers(u64);

impl Numbers {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xD134_2543_DE82_EF95))
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A whole number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// A whole number of a range.
    pub fn within(&mut self, range: std::ops::RangeInclusive<usize>) -> usize {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    /// `true` once in `n`.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of several.
    pub fn choose<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// A real number of a range.
    pub fn real(&mut self, range: &Range<f64>) -> f64 {
        let unit = (self.bits() >> 11) as f64 / (1_u64 << 53) as f64;
        range.start + unit * (range.end - range.start)
    }

    /// Independent real numbers of a range.
    pub fn reals(&mut self, n: usize, range: Range<f64>) -> Vec<f64> {
        (0..n).map(|_| self.real(&range)).collect()
    }

    /// Real numbers of a range in random order, no two of them closer than half of `1/n` of it: no kink of a maximum
    /// or of a slope is near.
    pub fn spread(&mut self, n: usize, range: &Range<f64>) -> Vec<f64> {
        let cell = (range.end - range.start) / n as f64;
        let mut cells: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            cells.swap(i, self.below(i + 1));
        }
        let place = |i: usize| range.start + cell * (i as f64 + self.real(&(0.25..0.75)));
        cells.into_iter().map(place).collect()
    }

    /// Whole numbers from `-bound` to `bound`, with which sums of products are exact.
    pub fn integers(&mut self, n: usize, bound: usize) -> Vec<f64> {
        let integer = |_| self.below(2 * bound + 1) as f64 - bound as f64;
        (0..n).map(integer).collect()
    }
}

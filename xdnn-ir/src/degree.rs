//! Degrees of homogeneity, as exact rationals.

use std::fmt;

/// The degree `k` of a homogeneous function: `F(a·x) = a^k · F(x)` for every `a > 0`.
///
/// An exact rational in lowest terms: 1/2 after a square root, 3 after a cube.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Degree {
    numerator: i32,
    denominator: i32,
}

impl Degree {
    /// The degree of a constant, and of whatever does not move when the input is scaled.
    pub const ZERO: Self = Self::integer(0);
    /// The degree of the input, and of an X-DNN.
    pub const ONE: Self = Self::integer(1);

    /// A whole degree.
    pub const fn integer(value: i32) -> Self {
        Self {
            numerator: value,
            denominator: 1,
        }
    }

    /// `numerator / denominator` in lowest terms, or `None` when the denominator is 0 or the value does not fit.
    pub const fn rational(numerator: i64, denominator: i64) -> Option<Self> {
        if denominator == 0 {
            return None;
        }
        let divisor =
            greatest_common_divisor(numerator.unsigned_abs(), denominator.unsigned_abs()) as i64;
        let sign = if denominator < 0 { -1 } else { 1 };
        let (n, d) = (sign * numerator / divisor, sign * denominator / divisor);
        if n < i32::MIN as i64 || n > i32::MAX as i64 || d > i32::MAX as i64 {
            return None;
        }
        Some(Self {
            numerator: n as i32,
            denominator: d as i32,
        })
    }

    /// The numerator in lowest terms; it carries the sign.
    pub const fn numerator(self) -> i32 {
        self.numerator
    }

    /// The denominator in lowest terms, at least 1.
    pub const fn denominator(self) -> i32 {
        self.denominator
    }

    /// The degree of a product, or `None` when it does not fit.
    pub const fn plus(self, other: Self) -> Option<Self> {
        let (a, b) = (self.numerator as i64, self.denominator as i64);
        let (c, d) = (other.numerator as i64, other.denominator as i64);
        Self::rational(a * d + c * b, b * d)
    }

    /// The degree of a function of this degree, of a value of the other; `None` when it does not fit.
    pub const fn times(self, other: Self) -> Option<Self> {
        Self::rational(
            self.numerator as i64 * other.numerator as i64,
            self.denominator as i64 * other.denominator as i64,
        )
    }

    /// The degree of a quotient, or `None` when it does not fit.
    pub const fn minus(self, other: Self) -> Option<Self> {
        match other.times(Self::integer(-1)) {
            Some(negative) => self.plus(negative),
            None => None,
        }
    }

    /// The fraction with a denominator of at most 1000 to which `value` is the nearest number, where there is one.
    pub const fn nearest(value: f64) -> Option<Self> {
        const LARGEST: f64 = 1000.0;
        if !(value >= -LARGEST && value <= LARGEST) {
            return None;
        }
        let mut denominator = 1;
        while denominator <= LARGEST as i64 {
            let numerator = (value * denominator as f64).round();
            if numerator / denominator as f64 == value {
                return Self::rational(numerator as i64, denominator);
            }
            denominator += 1;
        }
        None
    }

    /// Whether two degrees are the same.
    pub const fn same(self, other: Self) -> bool {
        self.numerator == other.numerator && self.denominator == other.denominator
    }

    /// Whether the degree is above 0, so that an attribution exists.
    pub const fn is_positive(self) -> bool {
        self.numerator > 0
    }

    /// The degree as a number, to divide by.
    pub const fn to_f64(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }
}

const fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    if a == 0 { 1 } else { a }
}

/// `2` or `1/2`.
impl fmt::Display for Degree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denominator {
            1 => write!(f, "{}", self.numerator),
            d => write!(f, "{}/{d}", self.numerator),
        }
    }
}

impl fmt::Debug for Degree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Degree;

    #[test]
    fn degrees_are_kept_in_lowest_terms() {
        let half = Degree::rational(2, 4).unwrap();
        assert_eq!((half.numerator(), half.denominator()), (1, 2));
        assert_eq!(Degree::rational(1, -2), Degree::rational(-1, 2));
        assert_eq!(half.plus(half), Some(Degree::ONE));
        assert_eq!(half.times(Degree::integer(3)), Degree::rational(3, 2));
        assert_eq!(half.minus(Degree::ONE), Degree::rational(-1, 2));
        assert_eq!(Degree::rational(1, 0), None);
        assert_eq!(Degree::integer(i32::MAX).plus(Degree::ONE), None);
        assert_eq!(half.times(half), Degree::rational(1, 4));
        assert_eq!(Degree::integer(i32::MAX).times(Degree::integer(2)), None);
    }

    #[test]
    fn numbers_lead_to_the_fraction_that_they_stand_for() {
        for (numerator, denominator) in [(0, 1), (1, 2), (-2, 3), (999, 1000), (1000, 1), (7, 997)]
        {
            let value = numerator as f64 / denominator as f64;
            assert_eq!(
                Degree::nearest(value),
                Degree::rational(numerator, denominator)
            );
        }
        for value in [f64::NAN, f64::INFINITY, 1e9, 0.123_456_789] {
            assert_eq!(Degree::nearest(value), None, "{value}");
        }
    }
}

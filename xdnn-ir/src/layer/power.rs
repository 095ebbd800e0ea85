//! Powers, which multiply the degree, and the sign, whose degree is 0.

use crate::{Degree, Fault, Shape};

layer! {
    /// `xᵖ` for `x > 0`, 0 otherwise: `max(x, 0)ᵖ`, whose derivative at 0 is 0 for every `p`. `p` times the degree.
    Power {
        /// `p`: a number other than 0 that is a fraction of small integers, such as `2`, `0.5` or `1.0 / 3.0`.
        exponent: f64,
    }
}

layer! {
    /// `x²`, of both signs. Twice the degree.
    Square {}
}

layer! {
    /// `x³`, of both signs. Three times the degree.
    Cube {}
}

layer! {
    /// `√x` for `x > 0`, 0 otherwise; the derivative at 0 is 0. Half of the degree.
    Sqrt {}
}

layer! {
    /// `max(x, 0)²` (So et al. 2021). Twice the degree.
    SquaredRelu {}
}

layer! {
    /// `x / |x|`: 1, 0 or −1, as `x` is positive, 0 or negative. Of degree 0; the derivative is 0.
    Sign {}
}

no_weights!(Power, Square, Cube, Sqrt, SquaredRelu, Sign);
keeps_shape!(Square, Cube, Sqrt, SquaredRelu, Sign);

const fn times(input: Degree, numerator: i64, denominator: i64) -> Result<Degree, Fault> {
    match Degree::rational(numerator, denominator) {
        Some(power) => match input.times(power) {
            Some(degree) => Ok(degree),
            None => Err(Fault::DegreeTooLarge),
        },
        None => Err(Fault::DegreeTooLarge),
    }
}

impl Power {
    /// The exponent as a fraction, where it is one that the layer takes.
    const fn fraction(&self) -> Option<Degree> {
        match Degree::nearest(self.exponent) {
            Some(fraction) if !fraction.same(Degree::ZERO) => Some(fraction),
            _ => None,
        }
    }

    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        match self.fraction() {
            Some(_) => Ok(input),
            None => Err(Fault::Argument {
                name: "exponent",
                expected: "a fraction of integers other than 0, with a denominator of at most 1000",
            }),
        }
    }

    /// The degree of the result: that of the input times the exponent.
    pub const fn degree(&self, input: Degree) -> Result<Degree, Fault> {
        match self.fraction() {
            Some(fraction) => times(
                input,
                fraction.numerator() as i64,
                fraction.denominator() as i64,
            ),
            // `output` has refused it.
            None => Ok(input),
        }
    }
}

impl Square {
    /// The degree of the result: twice that of the input.
    pub const fn degree(&self, input: Degree) -> Result<Degree, Fault> {
        times(input, 2, 1)
    }
}

impl Cube {
    /// The degree of the result: three times that of the input.
    pub const fn degree(&self, input: Degree) -> Result<Degree, Fault> {
        times(input, 3, 1)
    }
}

impl Sqrt {
    /// The degree of the result: half of that of the input.
    pub const fn degree(&self, input: Degree) -> Result<Degree, Fault> {
        times(input, 1, 2)
    }
}

impl SquaredRelu {
    /// The degree of the result: twice that of the input.
    pub const fn degree(&self, input: Degree) -> Result<Degree, Fault> {
        times(input, 2, 1)
    }
}

impl Sign {
    /// The degree of the result: 0.
    pub const fn degree(&self, _: Degree) -> Result<Degree, Fault> {
        Ok(Degree::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::{Power, Sqrt};
    use crate::{Degree, Fault, Shape};

    #[test]
    fn powers_multiply_degrees_exactly() {
        let degree = |exponent: f64| Power { exponent }.degree(Degree::integer(3));
        assert_eq!(degree(2.0), Ok(Degree::integer(6)));
        assert_eq!(degree(1.0 / 3.0), Ok(Degree::ONE));
        assert_eq!(Ok(degree(0.7).unwrap()), Degree::rational(21, 10).ok_or(()));
        assert_eq!(degree(-2.0), Ok(Degree::integer(-6)));
        assert_eq!(Sqrt {}.degree(Degree::ONE).unwrap().to_f64(), 0.5);
        let huge = Degree::integer(i32::MAX);
        assert_eq!(
            Power { exponent: 2.0 }.degree(huge),
            Err(Fault::DegreeTooLarge)
        );
    }

    #[test]
    fn exponents_are_fractions() {
        let input = Shape::new([2]);
        for exponent in [0.5, -1.5, 3.0, 2.0 / 7.0, 999.0 / 1000.0] {
            assert_eq!(Power { exponent }.output(input), Ok(input), "{exponent}");
        }
        for exponent in [0.0, f64::NAN, f64::INFINITY, std::f64::consts::PI, 1e300] {
            assert!(Power { exponent }.output(input).is_err(), "{exponent}");
        }
    }
}

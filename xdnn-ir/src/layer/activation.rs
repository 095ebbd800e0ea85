//! Piecewise linear activations with their kink at 0: the only scalar ones of degree 1 (Hesse et al. 2021, Prop. 3.8).

use super::Weights;
use super::linear::per_channel;
use crate::{Fault, Shape};

layer! {
    /// `max(x, 0)`. Keeps the degree; the derivative at 0 is 0.
    Relu {}
}

layer! {
    /// `x` for `x > 0`, `negative_slope·x` otherwise. Keeps the degree; the derivative at 0 is `negative_slope`.
    LeakyRelu {
        /// The slope for `x ≤ 0`; any finite number that fits `f32`.
        negative_slope: f64 = 0.01,
    }
}

layer! {
    /// `x` for `x > 0`, `w·x` otherwise, with one learned slope or one a channel. Keeps the degree; the derivative at 0
    /// is `w`.
    ///
    /// Weight `[num_parameters]`.
    PRelu {
        /// 1, or the number of channels.
        num_parameters: usize = 1,
    }
}

layer! {
    /// `|x|`. Keeps the degree; the derivative at 0 is 0.
    Abs {}
}

keeps_degree!(Relu, LeakyRelu, PRelu, Abs);
no_weights!(Relu, LeakyRelu, Abs);

impl Relu {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        Ok(input)
    }
}

impl Abs {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        Ok(input)
    }
}

impl LeakyRelu {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        if !(self.negative_slope as f32).is_finite() {
            return Err(Fault::Argument {
                name: "negative_slope",
                expected: "a finite number that fits `f32`",
            });
        }
        Ok(input)
    }
}

impl PRelu {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        per_channel(self.num_parameters, input)
    }

    /// The weights: `[num_parameters]`.
    pub const fn weights(&self, _: Shape) -> Weights {
        Weights::one(Shape::new([self.num_parameters]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_fit_f32() {
        let input = Shape::new([2]);
        let output = |negative_slope| LeakyRelu { negative_slope }.output(input);
        for slope in [0.0, -0.5, 1e-300, f64::from(f32::MAX), f64::from(f32::MIN)] {
            assert_eq!(output(slope), Ok(input), "{slope}");
        }
        for slope in [1e39, -1e39, f64::MAX, f64::INFINITY, f64::NAN] {
            let fault = output(slope).unwrap_err();
            assert_eq!(
                fault.to_string(),
                "`negative_slope` of `the operation` must be a finite number that fits `f32`",
                "{slope}"
            );
        }
    }
}

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
        /// The slope for `x ≤ 0`; any finite number.
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
        if !self.negative_slope.is_finite() {
            return Err(Fault::Argument {
                name: "negative_slope",
                expected: "a finite number",
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

//! Linear maps of features, and learned scales.

use super::Weights;
use crate::{Fault, Shape};

layer! {
    /// `y = W·x` over the last dimension: `[…, in] → […, out]`. Keeps the degree.
    ///
    /// Weight `[out, in]`, bias `[out]`.
    Linear {
        /// The number of output features.
        out_features: usize,
        /// Whether a learned number is added to each output feature: on values of degree 0, and in `#[regular]` networks, where
        /// it is the default.
        bias: bool = false,
    }
}

layer! {
    /// `y = w·x` with one learned factor, or one a channel. Keeps the degree.
    ///
    /// Weight `[num_parameters]`.
    Scale {
        /// 1, or the number of channels.
        num_parameters: usize = 1,
    }
}

layer! {
    /// `x`. Keeps the degree.
    Identity {}
}

layer! {
    /// `−x`. Keeps the degree.
    Neg {}
}

keeps_degree!(Scale, Identity, Neg);
no_weights!(Identity, Neg);
keeps_degree_without_bias!(Linear);

impl Linear {
    /// The shape of the result. Inputs of three and more dimensions are refused: an image wants `Flatten` first.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        if self.out_features == 0 {
            return Err(Fault::Argument {
                name: "out_features",
                expected: "at least 1",
            });
        }
        match input.rank() {
            1 | 2 => Ok(input.with_dim(input.rank() - 1, self.out_features)),
            _ => Err(Fault::Rank {
                expected: "[features] or [sequence, features]",
                found: input,
            }),
        }
    }

    /// The weights: `[out, in]`, and `[out]` with a bias.
    pub const fn weights(&self, input: Shape) -> Weights {
        let in_features = input.dim(input.rank().saturating_sub(1));
        let weight = Shape::new([self.out_features, in_features]);
        Weights::with_bias(weight, self.bias, self.out_features)
    }
}

impl Scale {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        per_channel(self.num_parameters, input)
    }

    /// The weights: `[num_parameters]`.
    pub const fn weights(&self, _: Shape) -> Weights {
        Weights::one(Shape::new([self.num_parameters]))
    }
}

impl Identity {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        Ok(input)
    }
}

impl Neg {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        Ok(input)
    }
}

/// Checks that a number of per-channel parameters is 1 or the number of channels.
pub(super) const fn per_channel(num_parameters: usize, input: Shape) -> Result<Shape, Fault> {
    if num_parameters == 0 {
        return Err(Fault::Argument {
            name: "num_parameters",
            expected: "at least 1",
        });
    }
    let channels = input.dim(0);
    if num_parameters != 1 && num_parameters != channels {
        return Err(Fault::Channels {
            argument: "num_parameters",
            channels,
            found: num_parameters,
        });
    }
    Ok(input)
}

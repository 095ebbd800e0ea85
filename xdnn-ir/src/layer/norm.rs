//! Normalisations: without an eps the scale of their operand cancels, and the result has degree 0.
//!
//! `0/0` counts as 0, and the derivative where a norm is 0 is 0.

use super::{Weights, axis, finite};
use crate::{Degree, Fault, Shape};

layer! {
    /// `x / ‖x‖₂` along a dimension. Of degree 0.
    L2Normalize {
        /// The dimension, counted with the batch as dimension 0: 1 is that of the channels.
        dim: usize = 1,
    }
}

layer! {
    /// `w·x / √(mean x²)` over the last dimensions (Zhang and Sennrich 2019). Of degree 0.
    ///
    /// Weight `[normalized_shape]`, with `elementwise_affine`.
    RmsNorm {
        /// The last dimensions of the input; only the very last one if left out.
        normalized_shape: Option<Shape>,
        /// What is added to the mean square: 0, unless the input has degree 0.
        eps: f64 = 0.0,
        /// Whether there is a learned scale `weight`.
        elementwise_affine: bool = true,
    }
}

layer! {
    /// `w·(x − mean x) / √(var x) + b` over the last dimensions (Ba et al. 2016). Of degree 0, so that a shift is allowed.
    ///
    /// Weights `weight` and `bias`, each `[normalized_shape]`, with `elementwise_affine`.
    LayerNorm {
        /// The last dimensions of the input; only the very last one if left out.
        normalized_shape: Option<Shape>,
        /// What is added to the variance: 0, unless the input has degree 0.
        eps: f64 = 0.0,
        /// Whether there is a learned scale `weight`.
        elementwise_affine: bool = true,
        /// Whether there is a learned shift `bias` beside the scale.
        bias: bool = true,
    }
}

layer! {
    /// `w_c·(x − mean x) / √(var x) + b_c` over each group of channels (Wu and He 2018). Of degree 0, so that a shift is
    /// allowed.
    ///
    /// Weights `weight` and `bias`, each `[channels]`, with `affine`.
    GroupNorm {
        /// The number of groups; it divides the number of channels.
        num_groups: usize,
        /// The number of channels, which may be left out.
        num_channels: Option<usize>,
        /// What is added to the variance: 0, unless the input has degree 0.
        eps: f64 = 0.0,
        /// Whether there are a learned scale `weight` and a learned shift `bias` for each channel.
        affine: bool = true,
    }
}

no_weights!(L2Normalize);

/// The degree behind a norm: 0, unless an eps stands beside a value that moves.
const fn scale_cancels(input: Degree, eps: f64) -> Result<Degree, Fault> {
    if eps == 0.0 || input.same(Degree::ZERO) {
        Ok(Degree::ZERO)
    } else {
        Err(Fault::Epsilon { degree: input })
    }
}

const fn check_eps(eps: f64) -> Result<(), Fault> {
    if finite(eps) && eps >= 0.0 {
        return Ok(());
    }
    Err(Fault::Argument {
        name: "eps",
        expected: "0, or a positive number that fits `f32` where the input has degree 0",
    })
}

/// The dimensions that a norm reads: those given, or the last one.
const fn normalized(given: Option<Shape>, input: Shape) -> Result<Shape, Fault> {
    const MISFIT: Fault = Fault::Misfit {
        name: "normalized_shape",
        expected: "the last dimensions of the input, or left out",
    };
    let Some(last) = input.rank().checked_sub(1) else {
        return Err(MISFIT);
    };
    let Some(given) = given else {
        return Ok(Shape::new([input.dim(last)]));
    };
    if given.rank() == 0 || given.rank() > input.rank() {
        return Err(MISFIT);
    }
    let mut i = 0;
    while i < given.rank() {
        if given.dim(i) != input.dim(input.rank() - given.rank() + i) {
            return Err(MISFIT);
        }
        i += 1;
    }
    Ok(given)
}

/// The shape of a learned scale, whether or not it fits the input.
const fn weight(given: Option<Shape>, input: Shape) -> Shape {
    match given {
        Some(given) => given,
        None => Shape::new([input.dim(input.rank().saturating_sub(1))]),
    }
}

impl L2Normalize {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(axis(Some(self.dim), input));
        Ok(input)
    }

    /// The degree of the result: 0.
    pub const fn degree(&self, _: Degree) -> Result<Degree, Fault> {
        Ok(Degree::ZERO)
    }
}

impl RmsNorm {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(check_eps(self.eps));
        tri!(normalized(self.normalized_shape, input));
        Ok(input)
    }

    /// The degree of the result: 0.
    pub const fn degree(&self, input: Degree) -> Result<Degree, Fault> {
        scale_cancels(input, self.eps)
    }

    /// The weights: none, or `weight`.
    pub const fn weights(&self, input: Shape) -> Weights {
        if self.elementwise_affine {
            Weights::one(weight(self.normalized_shape, input))
        } else {
            Weights::NONE
        }
    }
}

impl LayerNorm {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(check_eps(self.eps));
        tri!(normalized(self.normalized_shape, input));
        Ok(input)
    }

    /// The degree of the result: 0.
    pub const fn degree(&self, input: Degree) -> Result<Degree, Fault> {
        scale_cancels(input, self.eps)
    }

    /// The weights: none, `weight`, or `weight` and `bias`.
    pub const fn weights(&self, input: Shape) -> Weights {
        let shape = weight(self.normalized_shape, input);
        if self.elementwise_affine && self.bias {
            Weights::of(&[("weight", shape), ("bias", shape)])
        } else if self.elementwise_affine {
            Weights::one(shape)
        } else {
            Weights::NONE
        }
    }
}

impl GroupNorm {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(check_eps(self.eps));
        let channels = input.dim(0);
        if input.rank() == 0 {
            return Err(Fault::Rank {
                expected: "[channels, …]",
                found: input,
            });
        }
        match self.num_channels {
            Some(found) if found != channels => {
                return Err(Fault::Misfit {
                    name: "num_channels",
                    expected: "the number of channels of the input, or left out",
                });
            }
            _ => {}
        }
        if self.num_groups == 0 {
            return Err(Fault::Argument {
                name: "num_groups",
                expected: "at least 1",
            });
        }
        if !channels.is_multiple_of(self.num_groups) {
            return Err(Fault::Indivisible {
                argument: "num_groups",
                what: "input channels",
                size: channels,
                divisor: self.num_groups,
            });
        }
        Ok(input)
    }

    /// The degree of the result: 0.
    pub const fn degree(&self, input: Degree) -> Result<Degree, Fault> {
        scale_cancels(input, self.eps)
    }

    /// The weights: none, or `weight` and `bias`.
    pub const fn weights(&self, input: Shape) -> Weights {
        if !self.affine {
            return Weights::NONE;
        }
        let channels = Shape::new([input.dim(0)]);
        Weights::of(&[("weight", channels), ("bias", channels)])
    }
}

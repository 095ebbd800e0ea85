//! Layers of this crate, for this crate and for others.

use ::neural::graph::Value;
use ::neural::ir::layer::Weights;
use ::neural::ir::{Fault, Shape};
use ::neural::ops::Slice;
use ::neural::{CustomLayer, Graph};
use ::std::result::Result::{self, Err, Ok};

/// A value with a gain for each feature.
#[::neural::xdnn(layer, degree = 1, weights = [gain, r#type], crate = ::neural)]
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Gain {
    /// How often it is applied.
    #[default = 1]
    pub times: usize,
    /// Whether the sign changes.
    #[default = false]
    pub negative: bool,
}

impl Gain {
    /// The shape of the result.
    ///
    /// # Errors
    ///
    /// None.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        Ok(input)
    }

    /// Two factors.
    #[must_use]
    pub const fn weights(&self, input: Shape) -> Weights {
        Weights::of(&[("gain", input), ("type", input)])
    }
}

impl CustomLayer for Gain {
    fn lower(&self, graph: &mut Graph, x: Value, weights: &[Value]) -> ::neural::Result<Value> {
        let mut y = if self.negative {
            graph.scale(x, -1.0)?
        } else {
            x
        };
        for _ in 0..self.times {
            for weight in weights {
                let factor = graph.broadcast(*weight, [0], x.shape())?;
                y = graph.mul(y, factor)?;
            }
        }
        Ok(y)
    }
}

/// The first features.
#[::neural::xdnn(layer, degree = 1, crate = ::neural)]
struct First {
    length: usize,
}

impl First {
    const fn output(self, input: Shape) -> Result<Shape, Fault> {
        if self.length == 0 || self.length > input.dim(0) {
            return Err(Fault::Misfit {
                name: "length",
                expected: "at least 1, and at most the number of features",
            });
        }
        Ok(input.with_dim(0, self.length))
    }
}

impl CustomLayer for First {
    fn lower(&self, graph: &mut Graph, x: Value, _: &[Value]) -> ::neural::Result<Value> {
        let slice = Slice {
            axis: 1,
            start: 0,
            length: self.length,
        };
        graph.apply(slice, &[x])
    }
}

::neural::network! {
    /// A network of layers of this crate.
    pub struct Own(x: [4]) -> [4] {
        /// The first gain.
        r#gain: Gain -> self::First(4);
        again: self::Gain(2, negative = true);
    }
}

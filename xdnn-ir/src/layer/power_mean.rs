//! Pools that take roots of means of powers: degree `p` and degree `1/p` make degree 1.

use super::adaptive::global;
use super::{IMAGE, LINE, Weights};
use crate::window::Window;
use crate::{Fault, Shape};

layer! {
    /// The `p`-norm of each window, `(Σ|x|ᵖ)^(1/p)`: `[channels, length] → [channels, length']`. Keeps the degree.
    ///
    /// The derivative of the norm at 0 is 0. A partial window counts as if it went on with its mean, as in PyTorch.
    LpPool1d {
        /// `p`, at least 1.
        norm_type: f64,
        /// The size of the window.
        kernel: usize,
        /// The step between windows; the kernel where it is not given.
        stride: Option<usize>,
        /// Whether a last, partial window counts.
        ceil_mode: bool = false,
    }
}

layer! {
    /// The `p`-norm of each window, `(Σ|x|ᵖ)^(1/p)`: `[channels, height, width] → [channels, height', width']`. Keeps the degree.
    ///
    /// The derivative of the norm at 0 is 0. A partial window counts as if it went on with its mean, as in PyTorch.
    LpPool2d {
        /// `p`, at least 1.
        norm_type: f64,
        /// The size of the window.
        kernel: [usize; 2],
        /// The step between windows; the kernel where it is not given.
        stride: Option<[usize; 2]>,
        /// Whether a last, partial window counts.
        ceil_mode: bool = false,
    }
}

layer! {
    /// The generalised mean over all positions, `(mean max(x, 0)ᵖ)^(1/p)`: `[channels, …] → [channels, 1, …]` (Radenović,
    /// Tolias and Chum 2018). Keeps the degree, as it does without the eps of other implementations.
    ///
    /// The derivative at 0 is 0. Weight `p` `[1]` where the exponent is learned.
    GeM {
        /// The exponent, or the one to start from: at least 1, which is the mean; ∞ would be the maximum.
        p: f64 = 3.0,
        /// Whether the exponent is learned.
        learned: bool = false,
    }
}

keeps_degree!(LpPool1d, LpPool2d, GeM);
no_weights!(LpPool1d, LpPool2d);

windows! {
    LpPool1d: usize, LINE, |pool| {
        tri!(exponent("norm_type", pool.norm_type));
        Window { kernel: [pool.kernel], stride: [pool.stride()], padding: [0], dilation: [1], ceil_mode: pool.ceil_mode }
    };
    LpPool2d: [usize; 2], IMAGE, |pool| {
        tri!(exponent("norm_type", pool.norm_type));
        Window { kernel: pool.kernel, stride: pool.stride(), padding: [0, 0], dilation: [1, 1], ceil_mode: pool.ceil_mode }
    };
}

impl GeM {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(exponent("p", self.p));
        global(input)
    }

    /// The weights: `p` `[1]`, where the exponent is learned.
    pub const fn weights(&self, _: Shape) -> Weights {
        if self.learned {
            Weights::named("p", Shape::new([1]))
        } else {
            Weights::NONE
        }
    }
}

const fn exponent(name: &'static str, exponent: f64) -> Result<(), Fault> {
    if exponent >= 1.0 && (exponent as f32).is_finite() {
        return Ok(());
    }
    Err(Fault::Argument {
        name,
        expected: "a number of at least 1 that fits `f32`",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_are_at_least_1() {
        let output = |p| GeM { p, learned: false }.output(Shape::new([5, 2, 3]));
        assert_eq!(output(1.0), Ok(Shape::new([5, 1, 1])));
        for p in [0.5, 0.0, -2.0, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(output(p).unwrap_err().argument(), Some("p"), "{p}");
        }
    }
}

//! Functions without a degree: their result moves unless their operand stays put. They are legal on values of degree 0.

use super::{Weights, axis, finite};
use crate::argument::choice;
use crate::{Fault, Shape};

layer! {
    /// `σ(x) = 1 / (1 + e⁻ˣ)`. Reads values of degree 0.
    Sigmoid {}
}

layer! {
    /// `ln σ(x)`. Reads values of degree 0.
    LogSigmoid {}
}

layer! {
    /// `tanh x`. Reads values of degree 0.
    Tanh {}
}

layer! {
    /// `x − tanh x`. Reads values of degree 0.
    Tanhshrink {}
}

choice! {
    /// How [`Gelu`] computes the normal distribution.
    Approximation {
        /// With the error function.
        None = "none",
        /// `Φ(x) ≈ (1 + tanh(√(2/π)·(x + 0.044715·x³))) / 2`.
        Tanh = "tanh",
    }
}

layer! {
    /// `x·Φ(x)`, where `Φ` is the normal distribution (Hendrycks and Gimpel 2016). Reads values of degree 0.
    Gelu {
        /// `none` for the exact function, or `tanh`.
        approximate: Approximation = Approximation::None,
    }
}

layer! {
    /// `x·σ(x)`. Reads values of degree 0.
    Silu {}
}

layer! {
    /// `x·tanh(ln(1 + eˣ))`. Reads values of degree 0.
    Mish {}
}

layer! {
    /// `x` for `x > 0`, `α·(eˣ − 1)` otherwise. Reads values of degree 0.
    Elu {
        /// `α`.
        alpha: f64 = 1.0,
    }
}

layer! {
    /// `λ·x` for `x > 0`, `λ·α·(eˣ − 1)` otherwise, with `λ ≈ 1.0507` and `α ≈ 1.6733` (Klambauer et al. 2017). Reads
    /// values of degree 0.
    Selu {}
}

layer! {
    /// `x` for `x > 0`, `α·(e^(x/α) − 1)` otherwise. Reads values of degree 0.
    Celu {
        /// `α`, not 0.
        alpha: f64 = 1.0,
    }
}

layer! {
    /// `ln(1 + e^(β·x)) / β`, and `x` itself where `β·x > threshold`. Reads values of degree 0.
    Softplus {
        /// `β`, not 0.
        beta: f64 = 1.0,
        /// Where the function passes into the identity.
        threshold: f64 = 20.0,
    }
}

layer! {
    /// `x / (1 + |x|)`. Reads values of degree 0.
    Softsign {}
}

layer! {
    /// `min(max(x, min_val), max_val)`. Reads values of degree 0; the derivative at the bounds is 0.
    Hardtanh {
        /// The lower bound.
        min_val: f64 = -1.0,
        /// The upper bound.
        max_val: f64 = 1.0,
    }
}

layer! {
    /// `min(max(x, 0), 6)`. Reads values of degree 0; the derivative at 0 and 6 is 0.
    Relu6 {}
}

layer! {
    /// `min(max(x + 3, 0), 6) / 6`. Reads values of degree 0.
    Hardsigmoid {}
}

layer! {
    /// `x·min(max(x + 3, 0), 6) / 6`. Reads values of degree 0.
    Hardswish {}
}

layer! {
    /// `x` for `x > threshold`, `value` otherwise. Reads values of degree 0.
    Threshold {
        /// Where the function jumps.
        threshold: f64,
        /// What stands below.
        value: f64,
    }
}

layer! {
    /// `x` for `|x| > λ`, 0 otherwise. Reads values of degree 0.
    Hardshrink {
        /// `λ`, at least 0.
        lambd: f64 = 0.5,
    }
}

layer! {
    /// `x − λ` for `x > λ`, `x + λ` for `x < −λ`, 0 otherwise. Reads values of degree 0.
    Softshrink {
        /// `λ`, at least 0.
        lambd: f64 = 0.5,
    }
}

layer! {
    /// `eˣ`. Reads values of degree 0.
    Exp {}
}

layer! {
    /// `ln x` for `x > 0`, 0 otherwise, and so is the derivative: nothing is infinite. Reads values of degree 0.
    Log {}
}

layer! {
    /// `sin x`. Reads values of degree 0.
    Sin {}
}

layer! {
    /// `cos x`. Reads values of degree 0.
    Cos {}
}

layer! {
    /// `x + b` with a learned offset for each position along a dimension, the channels unless `dim` names another one.
    /// Reads values of degree 0.
    ///
    /// Weight `bias`, `[size of the dimension]`.
    Bias {
        /// The dimension, counted with the batch as dimension 0: 1 is that of the channels.
        dim: usize = 1,
    }
}

layer! {
    /// `a·σ(b)` for the halves `a` and `b` of a dimension: `[…, 2n, …] → […, n, …]`. Reads values of degree 0.
    Glu {
        /// The dimension, counted with the batch as dimension 0; the last one if left out.
        dim: Option<usize>,
    }
}

layer! {
    /// `x / (k + α/size · Σ x²)^β` over `size` neighbouring channels (Krizhevsky et al. 2012, as PyTorch computes it).
    /// Reads values of degree 0.
    LocalResponseNorm {
        /// The number of channels to sum over.
        size: usize,
        /// `α`, at least 0.
        alpha: f64 = 1e-4,
        /// `β`.
        beta: f64 = 0.75,
        /// `k`, above 0.
        k: f64 = 1.0,
    }
}

/// Gives functions of values of degree 0 without weights their rules: all but `output` for those behind `;`, whose arguments
/// have ranges or whose results have other shapes.
macro_rules! functions {
    ($($plain:ident),* ; $($other:ident),* $(,)?) => {
        reads_degree_zero!($($plain,)* $($other),*);
        no_weights!($($plain,)* $($other),*);
        keeps_shape!($($plain),*);
    };
}

functions!(
    Sigmoid,
    LogSigmoid,
    Tanh,
    Tanhshrink,
    Gelu,
    Silu,
    Mish,
    Selu,
    Softsign,
    Relu6,
    Hardsigmoid,
    Hardswish,
    Exp,
    Log,
    Sin,
    Cos;
    Elu,
    Celu,
    Softplus,
    Hardtanh,
    Threshold,
    Hardshrink,
    Softshrink,
    Glu,
    LocalResponseNorm
);
reads_degree_zero!(Bias);

const FINITE: &str = "a finite number that fits `f32`";
const FINITE_NOT_ZERO: &str = "a number other than 0 that fits `f32`";
const FINITE_NOT_NEGATIVE: &str = "a number that is not negative and fits `f32`";

/// Checks an argument that must be a number, and some that must also be other than 0.
pub(super) const fn number(name: &'static str, value: f64, may_be_zero: bool) -> Result<(), Fault> {
    let zero = value as f32 == 0.0;
    if finite(value) && (may_be_zero || !zero) {
        return Ok(());
    }
    let expected = if may_be_zero { FINITE } else { FINITE_NOT_ZERO };
    Err(Fault::Argument { name, expected })
}

/// Checks an argument that must not be negative.
const fn not_negative(name: &'static str, value: f64) -> Result<(), Fault> {
    if finite(value) && value >= 0.0 {
        return Ok(());
    }
    Err(Fault::Argument {
        name,
        expected: FINITE_NOT_NEGATIVE,
    })
}

impl Elu {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(number("alpha", self.alpha, true));
        Ok(input)
    }
}

impl Celu {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(number("alpha", self.alpha, false));
        Ok(input)
    }
}

impl Softplus {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(number("beta", self.beta, false));
        tri!(number("threshold", self.threshold, true));
        Ok(input)
    }
}

impl Hardtanh {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(number("min_val", self.min_val, true));
        tri!(number("max_val", self.max_val, true));
        if self.min_val >= self.max_val {
            return Err(Fault::Argument {
                name: "max_val",
                expected: "larger than `min_val`",
            });
        }
        Ok(input)
    }
}

impl Threshold {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(number("threshold", self.threshold, true));
        tri!(number("value", self.value, true));
        Ok(input)
    }
}

impl Hardshrink {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(not_negative("lambd", self.lambd));
        Ok(input)
    }
}

impl Softshrink {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(not_negative("lambd", self.lambd));
        Ok(input)
    }
}

impl Bias {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(axis(Some(self.dim), input));
        Ok(input)
    }

    /// The weights: `bias`, one for each position.
    pub const fn weights(&self, input: Shape) -> Weights {
        Weights::of(&[("bias", Shape::new([input.dim(self.dim.saturating_sub(1))]))])
    }
}

impl Glu {
    /// The shape of the result.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        let axis = tri!(axis(self.dim, input));
        let size = input.dim(axis);
        if !size.is_multiple_of(2) {
            return Err(Fault::Misfit {
                name: "dim",
                expected: "a dimension of even size",
            });
        }
        Ok(input.with_dim(axis, size / 2))
    }
}

impl LocalResponseNorm {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        if self.size == 0 {
            return Err(Fault::Argument {
                name: "size",
                expected: "at least 1",
            });
        }
        tri!(not_negative("alpha", self.alpha));
        tri!(number("beta", self.beta, true));
        if !(finite(self.k) && self.k as f32 > 0.0) {
            return Err(Fault::Argument {
                name: "k",
                expected: "a number above 0 that fits `f32`",
            });
        }
        if input.rank() < 2 {
            return Err(Fault::Rank {
                expected: "[channels, length] or [channels, height, width]",
                found: input,
            });
        }
        Ok(input)
    }
}

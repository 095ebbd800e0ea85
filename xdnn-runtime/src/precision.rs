//! How exactly a device multiplies.

use std::fmt;

/// How exactly convolutions and products of matrices are multiplied on a device that can choose; they are always summed up in `f32`.
///
/// The CPU computes in `f32`, whatever is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Precision {
    /// About as exact as `f32`: three products in TF32, of the high and the low parts of each number. A sum with an infinite factor is
    /// no number.
    Strict,
    /// Factors are rounded to TF32, which has 10 bits behind the point: what PyTorch and TensorFlow do by default for convolutions.
    #[default]
    Tf32,
    /// Factors are rounded to bfloat16, which has 7 bits behind the point, where they are multiplied: in memory they are `f32`.
    Bf16,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Strict => "strict",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
        })
    }
}

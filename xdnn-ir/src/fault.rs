//! What a rule finds wrong with a layer or a combination.

use crate::{Degree, Shape};

/// The reason why a rule refuses a node. [`Fault::argument`] names the guilty argument, where there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The input has the wrong number of dimensions.
    Rank {
        /// The form that the layer reads, such as `[channels, height, width]`.
        expected: &'static str,
        /// The input's shape.
        found: Shape,
    },
    /// An argument is outside of its range.
    Argument {
        /// The argument's name.
        name: &'static str,
        /// The range, such as `at least 1`.
        expected: &'static str,
    },
    /// An argument does not fit the input.
    Misfit {
        /// The argument's name.
        name: &'static str,
        /// What would fit.
        expected: &'static str,
    },
    /// The kernel is larger than its padded input.
    KernelTooLarge {
        /// The kernel's extent, dilation included.
        kernel: usize,
        /// The input's size along the same axis.
        input: usize,
        /// The padding on each side.
        padding: usize,
    },
    /// A pool's padding is more than half of its kernel, so that a window would hold nothing but padding.
    PaddingTooLarge {
        /// The padding on each side.
        padding: usize,
        /// The kernel.
        kernel: usize,
    },
    /// The elements of a pool's window step over its whole input: it holds nothing but padding.
    EmptyWindow {
        /// The distance between the window's elements.
        dilation: usize,
        /// The input's size along the same axis.
        input: usize,
        /// The padding on each side.
        padding: usize,
    },
    /// A size is no multiple of what it is divided into.
    Indivisible {
        /// The argument that divides.
        argument: &'static str,
        /// What is divided, such as `input channels`.
        what: &'static str,
        /// Its size.
        size: usize,
        /// The divisor.
        divisor: usize,
    },
    /// A per-channel argument fits neither 1 nor the number of channels.
    Channels {
        /// The argument's name.
        argument: &'static str,
        /// The number of channels.
        channels: usize,
        /// The argument's value.
        found: usize,
    },
    /// A reshape does not keep the number of elements.
    Elements {
        /// The input's shape.
        from: Shape,
        /// The shape asked for.
        to: Shape,
    },
    /// A shape or a window has too many dimensions or elements to be computed with.
    TooLarge,
    /// A sequence has more steps than a recurrence is unrolled to.
    TooLong {
        /// The number of steps.
        steps: usize,
        /// The largest number.
        most: usize,
    },
    /// A combination has no operands.
    NoOperands,
    /// A combination takes another number of operands.
    Operands {
        /// The number that it takes.
        expected: usize,
        /// The number that it is given.
        found: usize,
    },
    /// The operands of a combination have different shapes, or matrices do not fit.
    ShapesDiffer {
        /// The first operand's shape.
        first: Shape,
        /// The shape of the operand that does not fit.
        other: Shape,
        /// Its position.
        operand: u32,
    },
    /// The operands of a sum, concatenation, maximum or minimum have different degrees.
    DegreesDiffer {
        /// The first operand's degree.
        first: Degree,
        /// The degree of the operand that does not fit.
        other: Degree,
        /// Its position.
        operand: u32,
    },
    /// A function without a degree reads a value that is not of degree 0.
    NotHomogeneous {
        /// The value's degree.
        degree: Degree,
    },
    /// An eps is added to a value that is not of degree 0.
    Epsilon {
        /// The degree of the layer's input.
        degree: Degree,
    },
    /// A bias is added to a value that is not of degree 0.
    Bias {
        /// The value's degree.
        degree: Degree,
    },
    /// Only the crate that defines the layer knows the shape of its result.
    Custom,
    /// A degree does not fit into 32-bit numerator and denominator.
    DegreeTooLarge,
}

impl Fault {
    /// The argument to blame, where there is one.
    pub const fn argument(&self) -> Option<&'static str> {
        match self {
            Self::Argument { name, .. } | Self::Misfit { name, .. } => Some(name),
            Self::KernelTooLarge { .. } => Some("kernel"),
            Self::PaddingTooLarge { .. } => Some("padding"),
            Self::EmptyWindow { .. } => Some("dilation"),
            Self::Epsilon { .. } => Some("eps"),
            Self::Bias { .. } => Some("bias"),
            Self::Indivisible { argument, .. } | Self::Channels { argument, .. } => Some(argument),
            _ => None,
        }
    }

    /// The operand of a combination to blame, where there is one.
    pub const fn operand(&self) -> Option<usize> {
        match self {
            Self::ShapesDiffer { operand, .. } | Self::DegreesDiffer { operand, .. } => {
                Some(*operand as usize)
            }
            _ => None,
        }
    }
}

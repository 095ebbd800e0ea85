//! What does not fit between a network and the weights that a file offers.

use std::borrow::Cow;
use std::fmt;

use crate::error::Tuple;

/// One fault of offered weights.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum WeightFault {
    /// The network has a weight that is not offered.
    Missing {
        /// The network's weight.
        name: Cow<'static, str>,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A weight is offered that the network does not have.
    Extra {
        /// The weight offered.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// A missing weight of the same shape that is probably meant.
        meant: Option<Cow<'static, str>>,
    },
    /// A weight has another shape.
    Shape {
        /// The weight.
        name: Cow<'static, str>,
        /// The network's shape.
        expected: Vec<usize>,
        /// The shape offered.
        found: Vec<usize>,
    },
    /// A weight's numbers are of a type that is not read.
    Dtype {
        /// The weight.
        name: Cow<'static, str>,
        /// The type offered.
        found: String,
    },
    /// A weight is NaN or infinite.
    NonFinite {
        /// The weight.
        name: Cow<'static, str>,
        /// The position of the first such value.
        index: Vec<usize>,
        /// The value.
        value: f32,
    },
    /// A weight is finite as offered, but too large for `f32`.
    TooLarge {
        /// The weight.
        name: Cow<'static, str>,
        /// The position of the first such value.
        index: Vec<usize>,
        /// The value as offered.
        value: f64,
    },
}

impl fmt::Display for WeightFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name, shape } => {
                write!(f, "`{name}` of shape `{}` is missing", Tuple(shape))
            }
            Self::Extra { name, shape, meant } => {
                write!(
                    f,
                    "`{name}` of shape `{}` is not a weight of the network",
                    Tuple(shape)
                )?;
                match meant {
                    Some(meant) => write!(f, "; did you mean `{meant}`?"),
                    None if name.ends_with("bias") => {
                        f.write_str("; the network has no bias there")
                    }
                    None => Ok(()),
                }
            }
            Self::Shape {
                name,
                expected,
                found,
            } => {
                let (expected, found) = (Tuple(expected), Tuple(found));
                write!(
                    f,
                    "`{name}` must have the shape `{expected}`, found `{found}`"
                )
            }
            Self::Dtype { name, found } => {
                write!(
                    f,
                    "`{name}` must be of type f32, f64, f16 or bf16, found {found}"
                )
            }
            Self::NonFinite { name, index, value } => {
                write!(
                    f,
                    "`{name}` must be finite, found {value} at index `{}`",
                    Tuple(index)
                )
            }
            Self::TooLarge { name, index, value } => {
                write!(
                    f,
                    "`{name}` must fit into f32, found {value:e} at index `{}`",
                    Tuple(index)
                )
            }
        }
    }
}

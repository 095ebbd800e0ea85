//! Layers of other crates.

use std::any::Any;
use std::fmt;

use crate::layer::Weights;
use crate::{Degree, Fault, Shape};

/// A layer that another crate defines, with its arguments.
///
/// Its rules for shapes and weights are const functions of that crate, which the compiler calls. Here is what is left of
/// it in a network: its degree, which the runtime verifies, and a way to build it.
#[derive(Clone, Copy)]
pub struct Custom {
    /// The name of the struct that defines it.
    pub name: &'static str,
    /// `p` in `f(a·x) = a^p · f(x)` for every `a > 0`, at least 0.
    pub degree: Degree,
    /// Its arguments.
    pub arguments: Scalars,
    /// How it is built, in the runtime's own type.
    pub implementation: &'static (dyn Any + Send + Sync),
}

/// An argument of a layer of another crate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// A `usize`.
    Int(usize),
    /// An `f64`.
    Float(f64),
    /// A `bool`.
    Bool(bool),
}

/// The arguments of a layer of another crate, in the order of its fields.
#[derive(Clone, Copy, Debug)]
pub struct Scalars {
    list: [Scalar; Self::MAX],
    len: usize,
}

/// What the rules of a layer of another crate say of an input.
#[derive(Clone, Copy, Debug)]
pub struct Ruled {
    /// The shape of the result.
    pub output: Result<Shape, Fault>,
    /// The weights.
    pub weights: Weights,
}

impl Scalars {
    /// The largest number of arguments.
    pub const MAX: usize = 8;

    /// A list of at most [`Scalars::MAX`] arguments.
    pub const fn new<const LEN: usize>(list: [Scalar; LEN]) -> Self {
        const { assert!(LEN <= Self::MAX, "a layer has at most 8 arguments") };
        let mut scalars = Self {
            list: [Scalar::Int(0); Self::MAX],
            len: 0,
        };
        while scalars.len < LEN {
            scalars.list[scalars.len] = list[scalars.len];
            scalars.len += 1;
        }
        scalars
    }

    /// The arguments.
    pub const fn as_slice(&self) -> &[Scalar] {
        self.list.split_at(self.len).0
    }
}

impl Custom {
    /// A layer as expansions write it.
    #[doc(hidden)]
    pub const fn written(
        name: &'static str,
        [numerator, denominator]: [i32; 2],
        arguments: Scalars,
        implementation: &'static (dyn Any + Send + Sync),
    ) -> Self {
        Self {
            name,
            degree: match Degree::rational(numerator as i64, denominator as i64) {
                Some(degree) => degree,
                None => Degree::ZERO,
            },
            arguments,
            implementation,
        }
    }

    /// The degree of the result for an input of this degree: `p` times that.
    pub const fn degree(&self, input: Degree) -> Result<Degree, Fault> {
        match self.degree.times(input) {
            Some(degree) => Ok(degree),
            None => Err(Fault::DegreeTooLarge),
        }
    }
}

impl PartialEq for Custom {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.degree == other.degree
            && self.arguments.as_slice() == other.arguments.as_slice()
    }
}

/// `Blur(3, 0.5)`.
impl fmt::Display for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        let mut separator = "(";
        for argument in self.arguments.as_slice() {
            f.write_str(separator)?;
            match argument {
                Scalar::Int(value) => write!(f, "{value}")?,
                Scalar::Float(value) => write!(f, "{value:?}")?,
                Scalar::Bool(value) => write!(f, "{value}")?,
            }
            separator = ", ";
        }
        f.write_str(if separator == "(" { "" } else { ")" })
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

//! The words in which `network!` writes a specification: short, because the compiler reads a hundred of them for a
//! network of the usual size.

use std::borrow::Cow;
use std::ops::Range;

pub use crate::Operand::{Input as given, Node as value};
pub use crate::layer::*;
pub use crate::{Combine, Layer, Shape};
pub use std::option::Option::{None, Some};

use crate::{Degree, Function, Input, Node, Operand, Operation, Weight};

/// An input.
pub const fn input<const RANK: usize>(name: &'static str, shape: [usize; RANK]) -> Input {
    Input {
        name: Cow::Borrowed(name),
        shape: Shape::new(shape),
    }
}

/// A weight.
pub const fn weight<const RANK: usize>(name: &'static str, shape: [usize; RANK]) -> Weight {
    Weight {
        name: Cow::Borrowed(name),
        shape: Shape::new(shape),
    }
}

/// A node that is a layer.
pub const fn layer<const RANK: usize>(
    path: &'static str,
    layer: Layer,
    operands: &'static [Operand],
    shape: [usize; RANK],
    degree: Option<Degree>,
    weights: Range<usize>,
) -> Node {
    Node {
        path: Cow::Borrowed(path),
        operation: Operation::Layer(layer),
        operands: Cow::Borrowed(operands),
        shape: Shape::new(shape),
        degree,
        weights,
    }
}

/// A node that is a combination.
pub const fn combine<const RANK: usize>(
    path: &'static str,
    combine: Combine,
    operands: &'static [Operand],
    shape: [usize; RANK],
    degree: Option<Degree>,
    weights: Range<usize>,
) -> Node {
    Node {
        path: Cow::Borrowed(path),
        operation: Operation::Combine(combine),
        operands: Cow::Borrowed(operands),
        shape: Shape::new(shape),
        degree,
        weights,
    }
}

/// A function of the user, of its degree and its values at 1, −1 and 0.
pub const fn act(name: &'static str, degree: [i32; 2], values: [f64; 3]) -> Function {
    Function::written(name, degree, values)
}

/// A node that is a function.
pub const fn function<const RANK: usize>(
    path: &'static str,
    function: Function,
    operands: &'static [Operand],
    shape: [usize; RANK],
    degree: Option<Degree>,
    weights: Range<usize>,
) -> Node {
    Node {
        path: Cow::Borrowed(path),
        operation: Operation::Function(function),
        operands: Cow::Borrowed(operands),
        shape: Shape::new(shape),
        degree,
        weights,
    }
}

/// A degree.
pub const fn degree(numerator: i32) -> Option<Degree> {
    Some(Degree::integer(numerator))
}

/// A degree that is a fraction.
pub const fn ratio(numerator: i32, denominator: i32) -> Option<Degree> {
    Degree::rational(numerator as i64, denominator as i64)
}

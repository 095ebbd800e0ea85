//! The words in which `network!` writes operations.

pub use crate::layer::*;
pub use crate::{Combine, Layer, Operation, Shape};
pub use std::option::Option::{None, Some};

use crate::Function;

/// A function of the user, of its degree and its values at 1, −1 and 0.
pub const fn act(name: &'static str, degree: [i32; 2], values: [f64; 3]) -> Function {
    Function::written(name, degree, values)
}

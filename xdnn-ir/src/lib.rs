//! The networks of xdnn as data, without dependencies.
//!
//! A [`NetworkSpec`] lists the nodes of a declared network in order of evaluation. Each node is a
//! [`Layer`] or a [`Combine`] of earlier values, with the [`Shape`] and the [`Degree`] of its result. The
//! rules that find those, and that refuse what is not homogeneous, are `const fn`s: the macro, the compiler's const
//! evaluation and the runtime all call the same ones. [`message`] holds the words with which a network is refused.
#![forbid(unsafe_code)]

/// Unwraps an `Ok` inside a `const fn`, where `?` is not available.
macro_rules! tri {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(fault) => return Err(fault),
        }
    };
}

mod argument;
mod combine;
mod custom;
mod degree;
mod display;
mod fault;
mod function;
pub mod layer;
pub mod message;
pub mod outline;
mod shape;
mod spec;
mod window;
#[doc(hidden)]
pub mod written;

pub use argument::{Argument, Choice, Literal, Parameter, ParameterKind, Signature};
pub use combine::Combine;
pub use custom::{Custom, Ruled, Scalar, Scalars};
pub use degree::Degree;
pub use fault::Fault;
pub use function::Function;
pub use layer::Layer;
pub use shape::{MAX_RANK, Shape};
pub use spec::{Input, NetworkSpec, Node, Operand, Operation, Weight};

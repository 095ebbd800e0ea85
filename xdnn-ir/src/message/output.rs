//! What is said about the shapes in the head of a network.

use super::Explanation;
use super::text::Part::{Number, Shape, Str};
use super::text::text;
use crate::MAX_RANK;

/// The network is declared to return one shape, but returns another.
pub const fn explain(name: &str, declared: crate::Shape, found: crate::Shape) -> Explanation {
    let explanation = Explanation::new(text(
        "`{}` is declared to return {}, but returns {}",
        &[Str(name), Shape(declared), Shape(found)],
    ));
    let flat = declared.rank() == 1 && found.rank() > 1;
    explanation.help(if flat && declared.elements() == found.elements() {
        text("end the network with `Flatten`", &[])
    } else if flat {
        text(
            "flatten the features and map them to {}: `Flatten -> head: Linear({})`",
            &[Shape(declared), Number(declared.dim(0))],
        )
    } else {
        text("declare `-> {}`, or change the last layer", &[Shape(found)])
    })
}

/// A declared shape has too many dimensions or elements.
pub const fn too_large() -> Explanation {
    Explanation::new(text("this shape is too large", &[])).note(text(
        "a value has at most {} dimensions beside the batch, and fits into memory",
        &[Number(MAX_RANK - 1)],
    ))
}

//! How to go on behind a mistake, so that one compile finds all of them.

use crate::{Combine, Fault, Operation, Shape};

/// The shape that a refused operation was probably meant to return. `None` where nothing is probable.
pub const fn plausible(operation: &Operation, operands: &[Shape], fault: &Fault) -> Option<Shape> {
    let [first, ..] = operands else {
        return None;
    };
    match (operation, fault) {
        (Operation::Layer(layer), Fault::Rank { .. }) => {
            match layer.output(Shape::new([first.elements()])) {
                Ok(shape) => Some(shape),
                Err(_) => None,
            }
        }
        (Operation::Layer(_), Fault::Channels { .. } | Fault::Misfit { .. }) => Some(*first),
        (Operation::Layer(_), Fault::Elements { to, .. }) => Some(*to),
        // A wrong operand changes the shape of a concatenation or of a matrix product, but not that of a sum.
        (Operation::Combine(Combine::Concat | Combine::MatMul), _) | (Operation::Layer(_), _) => {
            None
        }
        (Operation::Combine(Combine::Unpool), _) => match operands {
            [_, like] => Some(*like),
            _ => None,
        },
        (Operation::Combine(_) | Operation::Function(_), _) => Some(*first),
        (Operation::Custom(_), _) => None,
    }
}

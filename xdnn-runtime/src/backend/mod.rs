//! What executes graphs.
//!
//! A backend turns a [`Graph`] into a [`Program`], which any thread may run.

use xdnn_ir::Shape;

use crate::error::{Error, Result, invalid};
use crate::graph::Graph;
use crate::ops::{Leaf, Real};

mod compile;
pub mod cpu;
pub mod luminal;
pub mod reference;
#[cfg(test)]
pub(crate) mod testing;

pub use compile::Element;

/// A compiled graph.
pub trait Program<T: Real>: Send + Sync {
    /// The leaves that the graph reads, with their shapes, in the order in which [`Program::run`] takes them.
    fn leaves(&self) -> &[(Leaf, Shape)];

    /// The shapes of the outputs, in order.
    fn outputs(&self) -> &[Shape];

    /// Computes the outputs from the leaves, all of them row-major, in the order and of the shapes stated.
    fn run(&self, leaves: &[&[T]], outputs: &mut [&mut [T]]) -> Result<()>;
}

/// `size` times the same number, or the error of memory that is not there.
pub(crate) fn allocate<T: Clone>(size: usize, value: T, what: &'static str) -> Result<Vec<T>> {
    let mut numbers = Vec::new();
    let bytes = size.saturating_mul(size_of::<T>());
    let failed = |_| Error::OutOfMemory {
        what: what.into(),
        bytes,
    };
    numbers.try_reserve_exact(size).map_err(failed)?;
    numbers.resize(size, value);
    Ok(numbers)
}

/// The leaves and the outputs of a graph, as a program states them.
#[derive(Clone, Debug)]
pub(crate) struct Interface {
    pub leaves: Vec<(Leaf, Shape)>,
    pub outputs: Vec<Shape>,
}

impl Interface {
    pub(crate) fn of(graph: &Graph) -> Self {
        let leaves = graph
            .leaves()
            .into_iter()
            .map(|(leaf, value)| (leaf, value.shape()))
            .collect();
        let outputs = graph
            .outputs()
            .iter()
            .map(|output| output.shape())
            .collect();
        Self { leaves, outputs }
    }

    /// Checks what [`Program::run`] is given.
    pub(crate) fn check<T>(&self, leaves: &[&[T]], outputs: &[&mut [T]]) -> Result<()> {
        let leaves_fit = leaves.len() == self.leaves.len()
            && leaves
                .iter()
                .zip(&self.leaves)
                .all(|(data, (_, shape))| data.len() == shape.elements());
        let outputs_fit = outputs.len() == self.outputs.len()
            && outputs
                .iter()
                .zip(&self.outputs)
                .all(|(data, shape)| data.len() == shape.elements());
        if leaves_fit && outputs_fit {
            Ok(())
        } else {
            Err(invalid(
                "a program was given leaves or outputs of other sizes than it states".to_owned(),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::allocate;
    use crate::Error;

    #[test]
    fn memory_that_is_not_there_is_an_error() {
        let error = allocate(usize::MAX / 8, 0.0_f32, "a test").unwrap_err();
        assert!(matches!(error, Error::OutOfMemory { .. }), "{error}");
    }
}

//! What executes graphs.
//!
//! A backend turns a [`Graph`] into a [`Program`], which any thread may run.

use std::any::Any;
use std::sync::Arc;

use xdnn_ir::Shape;

use crate::error::{Error, Result, invalid};
use crate::graph::Graph;
use crate::ops::{Leaf, Real};

mod compile;
pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod luminal;
mod memory;
mod optimise;
mod plan;
pub mod reference;
#[cfg(test)]
pub(crate) mod testing;
mod to_program;

pub use compile::Element;
pub use plan::Weights;
pub use to_program::ToProgram;

/// A compiled graph.
pub trait Program<T: Real>: Send + Sync {
    /// The leaves that the graph reads, with their shapes, in the order in which [`Program::run`] takes them.
    fn leaves(&self) -> &[(Leaf, Shape)];

    /// The shapes of the outputs, in order.
    fn outputs(&self) -> &[Shape];

    /// Computes the outputs from the leaves, all of them row-major, in the order and of the shapes stated.
    fn run(&self, leaves: &[&[T]], outputs: &mut [&mut [T]]) -> Result<()>;

    /// Computes the outputs from the leaves as [`Program::run`] does, where outputs and some of the leaves are in the memory of the device.
    #[cfg(feature = "cuda")]
    fn run_within(
        &self,
        _leaves: &[Given<'_, T>],
        _outputs: &mut [cuda::SliceMut<'_>],
    ) -> Result<()> {
        Err(invalid("this device has no memory of its own"))
    }

    /// The bytes that runs take in the memory of the device, where it has its own: leaves, with those that are kept, what is computed,
    /// outputs.
    fn memory(&self) -> Option<usize> {
        None
    }

    /// Seconds that a run takes on the device, without copies to and from there: the mean of so many runs, on what the last run was
    /// given. `None` before the first run, and where there is nothing to copy to.
    fn time(&self, _runs: usize) -> Result<Option<f64>> {
        Ok(None)
    }

    /// Puts numbers that stay the same where programs of this device read them, such as into its memory; `None` where they are read
    /// from the caller's.
    fn upload(&self, _values: &[T]) -> Result<Option<Kept>> {
        Ok(None)
    }

    /// Lets the program read a leaf where [`Program::upload`] has put it: from then on [`Program::run`] is given an empty slice for it.
    fn keep(&self, _leaf: usize, _kept: &Kept) -> Result<()> {
        Err(invalid(
            "this device reads weights from the caller's memory",
        ))
    }
}

/// What [`Program::run_within`] is given for a leaf.
#[cfg(feature = "cuda")]
#[derive(Clone, Copy, Debug)]
pub enum Given<'a, T> {
    /// Numbers of the host.
    Host(&'a [T]),
    /// Numbers in the memory of the device.
    Device(cuda::Slice<'a>),
}

/// Numbers in the memory of a device.
pub type Kept = Arc<dyn Any + Send + Sync>;

/// What a program computes from its leaves.
pub(crate) fn results<T: Real>(program: &dyn Program<T>, leaves: &[&[T]]) -> Result<Vec<Vec<T>>> {
    let outputs = program.outputs().iter();
    let results = outputs.map(|shape| allocate(shape.elements(), T::zero(), "the results"));
    let mut results: Vec<Vec<T>> = results.collect::<Result<_>>()?;
    let mut outputs: Vec<&mut [T]> = results.iter_mut().map(Vec::as_mut_slice).collect();
    program.run(leaves, &mut outputs)?;
    Ok(results)
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
        let leaves = leaves.iter().map(|data| data.len());
        let outputs = outputs.iter().map(|data| data.len());
        self.check_but(|_| false, leaves, outputs)
    }

    /// The same by sizes, where some leaves are not given.
    pub(crate) fn check_but(
        &self,
        kept: impl Fn(usize) -> bool,
        leaves: impl Iterator<Item = usize>,
        outputs: impl Iterator<Item = usize>,
    ) -> Result<()> {
        let expected = self.leaves.iter().enumerate();
        let expected = expected.map(|(leaf, (_, shape))| match kept(leaf) {
            true => 0,
            false => shape.elements(),
        });
        if leaves.eq(expected) && outputs.eq(self.outputs.iter().map(Shape::elements)) {
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

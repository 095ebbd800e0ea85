//! The reference backend: luminal executes the dialect's own evaluations, in `f32` or `f64`.
//!
//! Slow and exact: the oracle that every other backend is tested against.

use std::marker::PhantomData;

use luminal::prelude::{NodeIndex, Tensor};
use xdnn_ir::Shape;

use super::{Interface, Program};
use crate::error::{Result, invalid};
use crate::graph::{Buffer, Failure, Graph, held};
use crate::ops::{Leaf, Op, Real};

/// A graph that is built and interpreted anew on every run: luminal's graphs do not move between threads.
pub struct Interpreter<T, F> {
    interface: Interface,
    build: F,
    number: PhantomData<fn() -> T>,
}

impl<T: Real, F: Fn() -> Result<Graph> + Send + Sync> Interpreter<T, F> {
    /// An interpreter of the graph that `build` returns, the same one on every call.
    pub fn new(build: F) -> Result<Self> {
        let interface = Interface::of(&build()?);
        Ok(Self {
            interface,
            build,
            number: PhantomData,
        })
    }
}

impl<T: Real, F: Fn() -> Result<Graph> + Send + Sync> Program<T> for Interpreter<T, F> {
    fn leaves(&self) -> &[(Leaf, Shape)] {
        &self.interface.leaves
    }

    fn outputs(&self) -> &[Shape] {
        &self.interface.outputs
    }

    fn run(&self, leaves: &[&[T]], outputs: &mut [&mut [T]]) -> Result<()> {
        self.interface.check(leaves, outputs)?;
        let mut graph = (self.build)()?;
        for (result, output) in execute(&mut graph, leaves)?.into_iter().zip(outputs) {
            output.copy_from_slice(&result);
        }
        Ok(())
    }
}

/// Executes a graph with luminal; the leaves are given in the order of [`Graph::leaves`].
///
/// # Errors
///
/// [`Error::Graph`](crate::Error::Graph) where luminal does not compute an output, and where the graph is a program
/// ([`ToProgram`](super::ToProgram)), those of its run.
pub fn execute<T: Real>(graph: &mut Graph, leaves: &[&[T]]) -> Result<Vec<Vec<T>>> {
    let constants: Vec<_> = graph
        .nodes()?
        .into_iter()
        .filter_map(|node| match node.op {
            Op::Constant(constant) => Some((
                node.value,
                vec![T::of(constant.value); constant.shape.elements()],
            )),
            _ => None,
        })
        .collect();
    let leaves = graph
        .leaves()
        .into_iter()
        .zip(leaves)
        .map(|((_, value), data)| (value, data.to_vec()));
    let sources: Vec<_> = leaves.chain(constants).collect();
    let outputs: Vec<_> = graph.outputs().iter().map(|output| output.id()).collect();
    let luminal = graph.as_luminal_mut();
    // luminal keeps its results and its order of evaluation from the last run, whatever has changed since.
    luminal.tensors.clear();
    luminal.compile((), Vec::<&mut NodeIndex>::new());
    for (value, data) in sources {
        luminal.set_tensor(value.id(), 0, Tensor::new(Buffer(data)));
    }
    luminal.execute();
    let result = |id| {
        let tensor = luminal.get_tensor_ref(id, 0);
        let failure = tensor.and_then(|tensor| tensor.data.as_any().downcast_ref());
        if let Some(error) = failure.and_then(Failure::take) {
            return Err(error);
        }
        let missing = || invalid("luminal did not compute an output".to_owned());
        tensor.and_then(held).map(<[T]>::to_vec).ok_or_else(missing)
    };
    outputs.into_iter().map(result).collect()
}

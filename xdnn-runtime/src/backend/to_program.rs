//! A whole graph as one operator of luminal's.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use luminal::op::{InputTensor, Operator};
use luminal::prelude::{
    Compiler, Graph, NodeIndex, ShapeTracker, Tensor, ToIdsMut, move_references,
};

#[cfg(feature = "cuda")]
use super::cuda;
use super::{Program, Weights, cpu, results};
use crate::error::{Error, Result, invalid};
use crate::graph::{self, Buffer, Failure, held};
use crate::passes::{Fallible, Rewrite};
use crate::{Device, Precision};

#[cfg(test)]
mod tests;

/// Replaces a whole graph by one operator, which runs what a backend has compiled it to: the last pass on the way to
/// [`Device::Cpu`] and [`Device::Cuda`].
///
/// Left are the leaves that the program reads, the program, and an operator for each output, which hands it on; luminal executes
/// that as any graph, and so does [`backend::reference::execute`](super::reference::execute). Outputs are the values that luminal is to
/// retrieve (`to_retrieve`), in the order of its references. Weights that stay the same may be read in another layout, as leaves
/// [`Leaf::LaidOut`](crate::ops::Leaf::LaidOut).
///
/// ```
/// use xdnn_runtime::backend::{ToProgram, Weights};
/// use xdnn_runtime::ops::{Leaf, Map, Slopes};
/// use xdnn_runtime::passes::FuseElementwise;
/// use xdnn_runtime::{Device, Graph, Precision, ir::Shape};
///
/// let mut graph = Graph::new();
/// let x = graph.leaf(Leaf::Input(0), Shape::new([2, 3]))?;
/// let y = graph.map(Map::PiecewiseLinear(Slopes::RELU), x)?;
/// graph.set_outputs(vec![y]);
/// let program = ToProgram {
///     device: Device::Cpu,
///     weights: Weights::Constant,
///     precision: Precision::Strict,
/// };
/// graph.compile_with((FuseElementwise, program))?;
/// assert!(graph.program().is_some());
/// # Ok::<(), xdnn_runtime::Error>(())
/// ```
///
/// A graph of which no program can be made stays as it is; [`Graph::compile_to`](crate::Graph::compile_to) says why.
#[derive(Clone, Copy, Debug)]
pub struct ToProgram {
    /// What the program runs on.
    pub device: Device,
    /// Whether weights stay the same from run to run.
    pub weights: Weights,
    /// How exactly it multiplies, where the device can choose.
    pub precision: Precision,
}

impl ToProgram {
    fn of(self, graph: &graph::Graph) -> Result<Arc<dyn Program<f32>>> {
        let refused = |cause: &'static str| Error::Device {
            device: self.device.to_string().into(),
            cause: cause.into(),
        };
        match self.device {
            Device::Cpu => Ok(Arc::new(cpu::compile(graph, self.weights)?)),
            #[cfg(feature = "cuda")]
            Device::Cuda(ordinal) => {
                let program = cuda::compile(graph, self.weights, ordinal, self.precision)?;
                Ok(Arc::new(program))
            }
            #[cfg(not(feature = "cuda"))]
            Device::Cuda(_) => Err(refused("xdnn was built without its feature `cuda`")),
            Device::Reference | Device::Luminal | Device::LuminalCuda(_) => {
                Err(refused("it executes graphs as they are"))
            }
        }
    }
}

impl graph::Graph {
    /// Replaces the whole graph by one program, and returns that too; see [`ToProgram`].
    ///
    /// # Errors
    ///
    /// [`Error::Device`] where the device runs no programs, is not there or does not compile them,
    /// [`Error::OutOfMemory`], and [`Error::Graph`] where there are no outputs, or
    /// operators that are not of the dialect. The graph is then as it was.
    pub fn compile_to(&mut self, program: ToProgram) -> Result<Arc<dyn Program<f32>>> {
        self.attempt(&program)?;
        let missing = || invalid("no program has replaced it");
        self.program().ok_or_else(missing)
    }

    /// The program that has replaced the graph; see [`ToProgram`].
    pub fn program(&self) -> Option<Arc<dyn Program<f32>>> {
        let mut nodes = self.as_luminal().graph.node_weights();
        let run = nodes.find_map(|node| node.as_any().downcast_ref::<Run>())?;
        Some(Arc::clone(&run.program))
    }
}

impl Compiler for ToProgram {
    fn compile<T: ToIdsMut>(&self, graph: &mut Graph, remap: T) {
        self.attempt_or_warn(graph, remap);
    }
}

impl Fallible for ToProgram {
    fn attempt<T: ToIdsMut>(&self, graph: &mut Graph, mut remap: T) -> Result<()> {
        let before: Vec<NodeIndex> = graph.graph.node_indices().collect();
        if before.iter().any(|node| graph.op(*node).is_none()) {
            return Err(invalid("it has operators that are not of the dialect"));
        }
        let outputs = retrieved(graph, &mut remap);
        if outputs.is_empty() {
            return Err(invalid("nothing of it is to be retrieved"));
        }
        let program = graph::Graph::lent(graph, &outputs, |graph| self.of(graph))?;
        let leaves = program.leaves().iter().map(|(leaf, shape)| {
            let known = graph.find_leaf(*leaf);
            known.unwrap_or_else(|| graph.insert(*leaf, *shape, &[]))
        });
        let leaves: Vec<NodeIndex> = leaves.collect();
        let packs = leaves.chunks(usize::from(u8::MAX)).map(|some| {
            let pack = graph.add_op(Pack).finish();
            (0..=u8::MAX)
                .zip(some)
                .for_each(|(order, leaf)| graph.connect(*leaf, pack, order));
            pack
        });
        let packs: Vec<NodeIndex> = packs.collect();
        let mut run = graph.add_op(Run {
            device: self.device,
            program: Arc::clone(&program),
        });
        for pack in packs {
            run = run.input(pack, 0, ShapeTracker::new(&[]));
        }
        let run = run.finish();
        let mut moved = HashSet::new();
        for (number, output) in outputs.into_iter().enumerate() {
            if moved.insert(output) {
                let results = graph.add_op(Output(number));
                let result = results.input(run, 0, ShapeTracker::new(&[])).finish();
                let (keep, retrieve) = (&mut graph.no_delete, &mut graph.to_retrieve);
                move_references(&mut remap, keep, retrieve, output, result);
            }
        }
        for node in before {
            if !leaves.contains(&node) {
                graph.graph.remove_node(node);
            }
        }
        Ok(())
    }
}

/// What luminal is to retrieve: in the order of its references, then what nothing refers to.
fn retrieved(graph: &Graph, remap: &mut impl ToIdsMut) -> Vec<NodeIndex> {
    let references = remap.to_ids_mut().into_iter().map(|id| *id);
    let mut outputs: Vec<NodeIndex> = references
        .filter(|id| graph.to_retrieve.contains(id))
        .collect();
    let others = graph.to_retrieve.iter().filter(|id| !outputs.contains(id));
    let mut others: Vec<NodeIndex> = others.copied().collect();
    others.sort();
    outputs.extend(others);
    outputs
}

/// Leaves as one tensor: luminal counts the operands of an operator in a `u8`.
#[derive(Clone, Debug, PartialEq)]
struct Pack;

impl Operator for Pack {
    fn process(&mut self, leaves: Vec<(InputTensor<'_>, ShapeTracker)>) -> Vec<Tensor> {
        let leaves = leaves.into_iter().map(|(tensor, _)| tensor.cloned());
        vec![Tensor::new(Buffer(leaves.collect()))]
    }
}

/// Runs a program on all leaves that it reads; the result is a tensor of its outputs.
#[derive(Clone)]
struct Run {
    device: Device,
    program: Arc<dyn Program<f32>>,
}

impl PartialEq for Run {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.program, &other.program)
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Program({})", self.device)
    }
}

impl Operator for Run {
    fn process(&mut self, packs: Vec<(InputTensor<'_>, ShapeTracker)>) -> Vec<Tensor> {
        let packs = packs.iter().filter_map(|(pack, _)| held(pack.borrowed()));
        let leaves: Option<Vec<&[f32]>> = packs.flatten().map(held).collect();
        let leaves = leaves.ok_or_else(|| invalid("programs compute in `f32`"));
        let results = leaves.and_then(|leaves| results(&*self.program, &leaves));
        vec![match results {
            Ok(results) => Tensor::new(Buffer(results)),
            Err(error) => Tensor::new(Failure::new(error)),
        }]
    }
}

/// The output of this number as a tensor of its own, or the failure of the run.
#[derive(Clone, Debug, PartialEq)]
struct Output(usize);

impl Operator for Output {
    fn process(&mut self, results: Vec<(InputTensor<'_>, ShapeTracker)>) -> Vec<Tensor> {
        let tensors = results.into_iter().map(|(tensor, _)| {
            let results: Option<&[Vec<f32>]> = held(tensor.borrowed());
            match results.and_then(|results| results.get(self.0)) {
                Some(result) => Tensor::new(Buffer(result.clone())),
                None => tensor.cloned(),
            }
        });
        tensors.collect()
    }
}

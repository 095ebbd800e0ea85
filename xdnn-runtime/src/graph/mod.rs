//! Computation graphs: luminal's graph, holding operators of the dialect, in a safe wrapper.
//!
//! luminal's handles point into the graph they were made for, so it must never move: it lives in a `Box` and is not
//! given out by value. Handles here are plain indices.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::mem;

use luminal::prelude::petgraph::visit::EdgeRef;
use luminal::prelude::petgraph::{Direction, algo};
use luminal::prelude::{Compiler, NodeIndex, ShapeTracker};
use xdnn_ir::Shape;

use crate::error::{Result, invalid};
use crate::ops::{
    Add, Axes, Broadcast, Constant, Dialect, Leaf, Map, MatMul, Mul, Op, Reshape, Sum,
};
use crate::passes::{Attempt, Fallible, LowerToPrimitives, is_lowered};

mod build;
mod data;
mod dot;
mod loss;
mod prior;
pub(crate) mod rules;
mod task;
pub mod verify;

pub(crate) use build::dropouts;
pub use data::Buffer;
pub(crate) use data::{Failure, held};
pub use loss::Loss;
pub use task::Task;

/// A value in a [`Graph`]: the result of one of its operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Value {
    id: NodeIndex,
    shape: Shape,
}

impl Value {
    /// The shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The node of luminal's graph that computes it.
    pub fn id(&self) -> NodeIndex {
        self.id
    }
}

/// An operator in a graph, with what it reads.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    /// What it computes.
    pub value: Value,
    /// The operator.
    pub op: &'a Op,
    /// What it reads, in order.
    pub operands: Vec<Value>,
}

/// A graph of operators of the dialect, with its leaves and its outputs.
///
/// Not `Send`: luminal's operators are not. Build a graph on the thread that uses it; what backends make of it moves.
pub struct Graph {
    inner: Box<luminal::prelude::Graph>,
    outputs: Vec<Value>,
    /// The leaves that are luminal's, at the nodes at which they were ours.
    lowered: Vec<(Leaf, Value)>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        Self {
            inner: Box::new(luminal::prelude::Graph::new()),
            outputs: Vec::new(),
            lowered: Vec::new(),
        }
    }

    /// The value of a leaf. The same leaf is the same value; asking for it with another shape is an error.
    pub fn leaf(&mut self, leaf: Leaf, shape: Shape) -> Result<Value> {
        if let Some(value) = self.find_leaf(leaf) {
            let same = value.shape == shape;
            let error = || {
                invalid(format!(
                    "leaf `{leaf:?}` has the shape {}, not {shape}",
                    value.shape
                ))
            };
            return same.then_some(value).ok_or_else(error);
        }
        let id = self
            .inner
            .add_op(Dialect {
                op: leaf.into(),
                shape,
            })
            .finish();
        Ok(Value { id, shape })
    }

    /// The result of an operator. Where the same operator already reads the same operands, its value is returned.
    pub fn apply(&mut self, op: impl Into<Op>, operands: &[Value]) -> Result<Value> {
        let op = op.into();
        if let Some(value) = self.find(&op, operands) {
            return Ok(value);
        }
        let shapes: Vec<Shape> = operands.iter().map(Value::shape).collect();
        let shape = op.shape(&shapes)?;
        if operands.len() > usize::from(u8::MAX) {
            return Err(invalid(format!(
                "`{}` reads {} operands, at most 255 are possible",
                op.name(),
                operands.len()
            )));
        }
        let mut node = self.inner.add_op(Dialect { op, shape });
        for operand in operands {
            node = node.input(operand.id, 0, tracker(operand.shape));
        }
        let id = node.finish();
        Ok(Value { id, shape })
    }

    /// Declares what the graph computes, in order, and removes what does not contribute to it.
    pub fn set_outputs(&mut self, outputs: Vec<Value>) {
        self.outputs = outputs;
        self.keep_outputs();
        self.prune();
    }

    /// What the graph computes, in order.
    pub fn outputs(&self) -> &[Value] {
        &self.outputs
    }

    /// The operators in an order in which each comes after what it reads.
    ///
    /// Operators that are not of the dialect, which a compiler of someone else may have put there, are left out.
    pub fn nodes(&self) -> Result<Vec<Node<'_>>> {
        let order = algo::toposort(&self.inner.graph, None)
            .map_err(|_| invalid("it has a cycle".to_owned()))?;
        Ok(order.into_iter().filter_map(|id| self.node(id)).collect())
    }

    /// The leaves, in their own order, with their values; also those that [`LowerToPrimitives`] has made luminal's.
    ///
    /// [`LowerToPrimitives`]: crate::passes::LowerToPrimitives
    pub fn leaves(&self) -> Vec<(Leaf, Value)> {
        let values = self.inner.graph.node_indices().filter_map(|id| {
            let node = self.dialect(id)?;
            let Op::Leaf(leaf) = node.op else { return None };
            Some((
                leaf,
                Value {
                    id,
                    shape: node.shape,
                },
            ))
        });
        let lowered = self.lowered.iter().copied();
        let mut leaves: Vec<_> = values.chain(lowered).collect();
        leaves.sort_by_key(|(leaf, _)| *leaf);
        leaves
    }

    /// Runs a luminal compiler on the graph: a pass of ours, or anyone's.
    pub fn compile_with(&mut self, compiler: impl Compiler) -> Result<()> {
        let mut ids: Vec<NodeIndex> = self.outputs.iter().map(Value::id).collect();
        let remap: Vec<&mut NodeIndex> = ids.iter_mut().collect();
        let mut leaves = self.leaves();
        self.inner.compile(compiler, remap);
        leaves.retain(|(leaf, value)| {
            let node = self.inner.graph.node_weight(value.id);
            node.is_some_and(|node| is_lowered(*leaf, node.as_ref()))
        });
        self.lowered = leaves;
        for (output, id) in self.outputs.iter_mut().zip(ids) {
            output.id = id;
        }
        self.keep_outputs();
        Ok(())
    }

    /// Replaces all operators by luminal's primitives; see [`LowerToPrimitives`].
    ///
    /// # Errors
    ///
    /// [`Error::Graph`](crate::Error::Graph) where an operator has no lowering, as those that only passes make, or a value no
    /// elements, and [`Error::OutOfMemory`](crate::Error::OutOfMemory) where there are more than luminal can count, `i32::MAX`.
    /// The graph is then as it was.
    pub fn lower(&mut self) -> Result<()> {
        self.attempt(&LowerToPrimitives)
    }

    /// Runs a pass that may fail.
    pub(crate) fn attempt(&mut self, pass: &impl Fallible) -> Result<()> {
        let attempt = Attempt::new(pass);
        self.compile_with(&attempt)?;
        attempt.result()
    }

    /// What `look` sees in a graph that luminal has, as a graph of ours with these outputs. One that panics leaves luminal's empty.
    pub(crate) fn lent<R>(
        lender: &mut luminal::prelude::Graph,
        outputs: &[NodeIndex],
        look: impl FnOnce(&Self) -> R,
    ) -> R {
        let mut graph = Self {
            inner: Box::new(mem::take(lender)),
            ..Self::new()
        };
        let value = |id: &NodeIndex| {
            Some(Value {
                id: *id,
                shape: graph.dialect(*id)?.shape,
            })
        };
        graph.outputs = outputs.iter().filter_map(value).collect();
        let seen = look(&graph);
        *lender = *graph.inner;
        seen
    }

    /// luminal's own graph, to inspect.
    pub fn as_luminal(&self) -> &luminal::prelude::Graph {
        &self.inner
    }

    pub(crate) fn as_luminal_mut(&mut self) -> &mut luminal::prelude::Graph {
        &mut self.inner
    }

    /// A constant, everywhere the same.
    pub fn constant(&mut self, value: f64, shape: Shape) -> Result<Value> {
        self.apply(Constant { value, shape }, &[])
    }

    /// `a + b`.
    pub fn add(&mut self, a: Value, b: Value) -> Result<Value> {
        self.apply(Add, &[a, b])
    }

    /// `a · b`, elementwise.
    pub fn mul(&mut self, a: Value, b: Value) -> Result<Value> {
        self.apply(Mul, &[a, b])
    }

    /// A function of each element.
    pub fn map(&mut self, map: Map, x: Value) -> Result<Value> {
        self.apply(map, &[x])
    }

    /// `c · x`; a factor of 1 is the value itself.
    pub fn scale(&mut self, x: Value, factor: f64) -> Result<Value> {
        if factor == 1.0 {
            Ok(x)
        } else {
            self.map(Map::Scale(factor), x)
        }
    }

    /// The same elements under other dimensions; the same dimensions are the value itself.
    pub fn reshape(&mut self, x: Value, shape: Shape) -> Result<Value> {
        if x.shape == shape {
            Ok(x)
        } else {
            self.apply(Reshape { shape }, &[x])
        }
    }

    /// The sum over axes, which disappear.
    pub fn sum(&mut self, x: Value, axes: impl IntoIterator<Item = usize>) -> Result<Value> {
        self.apply(
            Sum {
                axes: Axes::new(axes),
            },
            &[x],
        )
    }

    /// Repetition along the axes of `shape` that `x` does not have.
    pub fn broadcast(
        &mut self,
        x: Value,
        axes: impl IntoIterator<Item = usize>,
        shape: Shape,
    ) -> Result<Value> {
        self.apply(
            Broadcast {
                axes: Axes::new(axes),
                shape,
            },
            &[x],
        )
    }

    /// `a · bᵀ` of the last two axes.
    pub fn matmul_transposed(&mut self, a: Value, b: Value) -> Result<Value> {
        self.apply(
            MatMul {
                transpose_a: false,
                transpose_b: true,
            },
            &[a, b],
        )
    }

    fn dialect(&self, id: NodeIndex) -> Option<&Dialect> {
        self.inner.graph.node_weight(id)?.as_any().downcast_ref()
    }

    fn node(&self, id: NodeIndex) -> Option<Node<'_>> {
        let node = self.dialect(id)?;
        Some(Node {
            value: Value {
                id,
                shape: node.shape,
            },
            op: &node.op,
            operands: self.operands(id),
        })
    }

    /// Whether a value is a weight, whatever its layout and its dimensions.
    pub(crate) fn is_weight(&self, value: Value) -> bool {
        let mut id = value.id;
        while let Some(Op::Reshape(_)) = self.dialect(id).map(|dialect| &dialect.op) {
            match self.operands(id).first() {
                Some(operand) => id = operand.id,
                None => break,
            }
        }
        let op = self.dialect(id).map(|dialect| &dialect.op);
        matches!(op, Some(Op::Leaf(Leaf::Weight(_) | Leaf::LaidOut(..))))
    }

    fn operands(&self, id: NodeIndex) -> Vec<Value> {
        let sources = self.inner.get_sources(id).into_iter();
        sources
            .filter_map(|(id, _, _)| {
                Some(Value {
                    id,
                    shape: self.dialect(id)?.shape,
                })
            })
            .collect()
    }

    fn find_leaf(&self, leaf: Leaf) -> Option<Value> {
        self.leaves()
            .into_iter()
            .find(|(other, _)| *other == leaf)
            .map(|(_, value)| value)
    }

    /// The value of the same operator on the same operands, looked for among the readers of the first one.
    fn find(&self, op: &Op, operands: &[Value]) -> Option<Value> {
        let first = operands.first()?;
        self.inner
            .graph
            .edges_directed(first.id, Direction::Outgoing)
            .filter_map(|edge| self.node(edge.target()))
            .find(|node| node.op == op && node.operands == operands)
            .map(|node| node.value)
    }

    /// Marks the outputs for luminal as tensors to keep and to retrieve.
    fn keep_outputs(&mut self) {
        self.inner.no_delete = self.outputs.iter().map(Value::id).collect();
        self.inner.to_retrieve = self.inner.no_delete.clone();
    }

    fn prune(&mut self) {
        let mut live = HashSet::new();
        let mut stack: Vec<NodeIndex> = self.outputs.iter().map(Value::id).collect();
        while let Some(id) = stack.pop() {
            if live.insert(id) {
                stack.extend(self.inner.graph.neighbors_directed(id, Direction::Incoming));
            }
        }
        self.inner.graph.retain_nodes(|_, id| live.contains(&id));
    }
}

impl Default for Graph {
    fn default() -> Self {
        Self::new()
    }
}

/// One line for each operator: `%4 = Concat { axis: 1 } %0 %3 -> [2, 10]`, numbered in order of evaluation, and the
/// outputs last. Operators of others, which a compiler may have put there, are shown as they print themselves.
impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = algo::toposort(&self.inner.graph, None).map_err(|_| fmt::Error)?;
        let numbers: HashMap<NodeIndex, usize> = order.iter().copied().zip(0..).collect();
        let write = |f: &mut fmt::Formatter<'_>, id: NodeIndex| match numbers.get(&id) {
            Some(number) => write!(f, " %{number}"),
            None => write!(f, " %?"),
        };
        for (i, id) in order.into_iter().enumerate() {
            match (self.dialect(id), self.inner.graph.node_weight(id)) {
                (Some(node), _) => write!(f, "%{i} = {:?}", node.op)?,
                (None, Some(other)) => write!(f, "%{i} = {other:?}")?,
                (None, None) => write!(f, "%{i} = ?")?,
            }
            let mut sources = self.inner.get_sources(id).into_iter();
            sources.try_for_each(|(source, ..)| write(f, source))?;
            match self.dialect(id) {
                Some(node) => writeln!(f, " -> {}", node.shape)?,
                None => writeln!(f)?,
            }
        }
        f.write_str("return")?;
        self.outputs
            .iter()
            .try_for_each(|output| write(f, output.id))?;
        writeln!(f)
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// luminal's description of a contiguous tensor.
pub(crate) fn tracker(shape: Shape) -> ShapeTracker {
    let dims: Vec<_> = shape.dims().iter().map(|dim| (*dim).into()).collect();
    ShapeTracker::new(&dims)
}

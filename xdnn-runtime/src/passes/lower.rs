//! From the dialect to luminal's primitives.

use std::collections::HashMap;

use luminal::op::{Function, Operator};
use luminal::prelude::petgraph::algo::toposort;
use luminal::prelude::{
    Compiler, Graph, NodeIndex, ShapeTracker, ToIdsMut, move_outgoing_edge, move_references,
};
use xdnn_ir::Shape;

use super::fallible::Fallible;
use super::rewrite::Rewrite;
use crate::error::{Result, invalid};
use crate::lowering::{Dense, Primitives};
use crate::ops::{Dialect, Leaf, Op};

/// Replaces every operator of the dialect by luminal's primitives, so that any luminal compiler can take the graph.
///
/// What is left are `Log2`, `Exp2`, `Sin`, `Sqrt`, `Recip`, `Add`, `Mul`, `LessThan`, `SumReduce`, `MaxReduce`,
/// `Contiguous`, and `Function`s: leaves keep their nodes and become functions without data, `Weight(3)` for
/// [`Leaf::Weight(3)`](Leaf::Weight), whose tensors are set before each run; constants are functions that return them.
/// [`backend::luminal::execute`](crate::backend::luminal::execute) runs such a graph. Every output is computed by a
/// primitive of its own, also where it is a leaf.
///
/// All numbers are `f32` and must be finite. Winners, ranks and choices are exact, ties included; functions are accurate to
/// about 10⁻⁶, but `exp` and powers of other exponents than ±½, −³⁄₂ and small integers to `10⁻⁷·(1 + |ln y|)`, and `sin` and
/// `cos` to `10⁻⁷·(1 + |x|)`. [`Rank`](crate::ops::Rank), [`Largest`](crate::ops::Largest) and medians compare all pairs.
///
/// It comes before all other passes. A graph that cannot be lowered stays as it is; [`Graph::lower`](crate::Graph::lower)
/// says why.
#[derive(Clone, Copy, Debug, Default)]
pub struct LowerToPrimitives;

impl Compiler for LowerToPrimitives {
    fn compile<T: ToIdsMut>(&self, graph: &mut Graph, remap: T) {
        self.attempt_or_warn(graph, remap);
    }
}

impl Fallible for LowerToPrimitives {
    fn attempt<T: ToIdsMut>(&self, graph: &mut Graph, remap: T) -> Result<()> {
        lower(graph, remap)
    }
}

/// Whether an operator is what becomes of a leaf.
pub(crate) fn is_lowered(leaf: Leaf, node: &dyn Operator) -> bool {
    let function = node.as_any().downcast_ref::<Function>();
    function.is_some_and(|function| function.0 == name(leaf))
}

fn name(leaf: Leaf) -> String {
    format!("{leaf:?}")
}

fn lower<T: ToIdsMut>(graph: &mut Graph, mut remap: T) -> Result<()> {
    let order = toposort(&graph.graph, None).map_err(|_| invalid("it has a cycle".to_owned()))?;
    let order = order.into_iter().filter(|node| graph.op(*node).is_some());
    let order: Vec<NodeIndex> = order.collect();
    let mut to = Primitives::new(graph);
    let written = write(&mut to, &order);
    let (graph, added, counted) = to.finish();
    let results = match counted.and(written) {
        Ok(results) => results,
        Err(error) => {
            for node in added {
                graph.graph.remove_node(node);
            }
            return Err(error);
        }
    };
    for (node, result) in results {
        if !matches!(graph.op(node), Some(Op::Leaf(_))) {
            move_outgoing_edge(node, result, &mut graph.graph); // to operators of others
        }
        move_references(
            &mut remap,
            &mut graph.no_delete,
            &mut graph.to_retrieve,
            node,
            result,
        );
    }
    for node in order {
        match graph.op(node) {
            Some(Op::Leaf(leaf)) => {
                graph.graph[node] = Box::new(Function(name(*leaf), Box::new(|_| Vec::new())));
            }
            _ => {
                graph.graph.remove_node(node);
            }
        }
    }
    Ok(())
}

/// Writes the primitives of all operators, and returns what stands for each in the end, unless that is itself.
fn write(to: &mut Primitives<'_>, order: &[NodeIndex]) -> Result<Vec<(NodeIndex, NodeIndex)>> {
    let mut results: HashMap<NodeIndex, Dense> = HashMap::new();
    for node in order {
        let graph = to.graph();
        let Some(Dialect { op, shape }) = graph.dialect(*node).cloned() else {
            continue;
        };
        let result = match op {
            Op::Leaf(_) => Dense::new(*node, shape),
            op => {
                let sources = graph.get_sources(*node).into_iter();
                let operands = sources.map(|(source, _, view)| match results.get(&source) {
                    Some(result) => Ok(*result),
                    None => foreign(source, &view),
                });
                let operands: Vec<Dense> = operands.collect::<Result<_>>()?;
                op.lower(to, &operands, shape)?
            }
        };
        results.insert(*node, result);
    }
    let finally = |node: &NodeIndex| {
        let result = *results.get(node)?;
        let graph = to.graph();
        let output = graph.no_delete.contains(node) || graph.to_retrieve.contains(node);
        let computed = graph.op(result.node()).is_none()
            && !graph.graph[result.node()].as_any().is::<Function>();
        let result = match output && !computed {
            true => to.copy(result), // it is a leaf
            false => result,
        };
        (result.node() != *node).then(|| (*node, result.node()))
    };
    Ok(order.iter().filter_map(finally).collect())
}

/// What an operator of someone else has computed.
fn foreign(node: NodeIndex, view: &ShapeTracker) -> Result<Dense> {
    let dims: Option<Vec<usize>> = view.dims.iter().map(|dim| dim.to_usize()).collect();
    let shape = dims.and_then(|dims| Shape::from_slice(&dims));
    let shape = shape.ok_or_else(|| invalid("a dimension is not known".to_owned()))?;
    Ok(Dense::new(node, shape))
}

//! Elementwise operators, fused with what they read.

use luminal::prelude::{Compiler, Graph, NodeIndex, ToIdsMut};

use super::rewrite::Rewrite;
use crate::ops::{Fused, Op, Stage};

/// The most operands of a fused operator: all of them are alive until it is computed.
const MOST: usize = 16;

/// Joins elementwise operators with the operator whose result they alone read, to one [`Fused`] operator.
#[derive(Clone, Copy, Debug)]
pub struct FuseElementwise;

impl Compiler for FuseElementwise {
    fn compile<T: ToIdsMut>(&self, graph: &mut Graph, _: T) {
        // Mostly in the order in which nodes were added, so that a chain grows from its first operator on.
        let nodes: Vec<NodeIndex> = graph.graph.node_indices().collect();
        for node in nodes {
            if let Some(join) = Join::of(graph, node) {
                graph.replace(node, join.fused, &join.operands);
            }
        }
    }
}

/// An elementwise operator as a stage of what it reads.
struct Join {
    fused: Fused,
    operands: Vec<NodeIndex>,
}

impl Join {
    fn of(graph: &Graph, node: NodeIndex) -> Option<Self> {
        let (op, operands) = (graph.op(node)?, graph.operands(node));
        let candidates = operands.iter().enumerate();
        let candidates = candidates.filter(|(_, id)| graph.only_reader(**id) == Some(node));
        // Of two, the one that costs more to keep, then the one that is computed last.
        let candidates = candidates.filter_map(|(at, id)| {
            let (stage, other) = Stage::of(op, at)?;
            let first = graph.op(*id)?;
            let rank = rank(first)?;
            let other = other.map(|other| operands[other]);
            Some(((rank, *id), first, stage, other))
        });
        let ((_, id), first, stage, other) = candidates.max_by_key(|(key, ..)| *key)?;
        let mut operands = graph.operands(id);
        let mut fused = match first {
            Op::Fused(fused) => fused.clone(),
            op => Fused {
                op: Box::new(op.clone()),
                reads: operands.len(),
                stages: Vec::new(),
            },
        };
        fused.stages.push(stage);
        operands.extend(other);
        (operands.len() <= MOST).then_some(Self { fused, operands })
    }
}

/// How much is gained where the result of an operator is used at once: most where it is made of sums.
fn rank(op: &Op) -> Option<u8> {
    Some(match op {
        Op::Leaf(_) | Op::Constant(_) | Op::Reshape(_) => return None,
        // They are small, and what they are made of is not to be kept for them.
        Op::Sum(_) | Op::Slice(_) | Op::Largest(_) => return None,
        Op::Fused(fused) => return rank(&fused.op),
        Op::Convolution(_) | Op::Winograd(_) | Op::Blocked(_) | Op::MatMul(_) => 1,
        _ => 0,
    })
}

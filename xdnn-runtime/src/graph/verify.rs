//! What a well-formed graph is.
//!
//! - It has no cycle, and at least one output.
//! - Every operator is of the dialect, and its operands are results of operators of the graph.
//! - Every recorded shape is the one that the operator's own rule finds for its operands.
//! - Every edge describes its tensor as contiguous, with the shape of the operator that it comes from, whose only result
//!   it carries.
//! - No two leaves are the same, and leaves have no operands.
//! - Every operator contributes to some output.
//! - Outputs are there, have the shapes that they are known by, and are marked for luminal as tensors to keep and to
//!   retrieve.

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use luminal::prelude::petgraph::Direction;

use super::{Graph, tracker};
use crate::error::{Result, invalid};
use crate::ops::Op;

/// Checks every invariant of a well-formed graph.
pub fn verify(graph: &Graph) -> Result<()> {
    let fail = |text: String| Err(invalid(text));
    if graph.outputs.is_empty() {
        return fail("it has no outputs".to_owned());
    }
    let nodes = graph.nodes()?;
    if nodes.len() != graph.inner.graph.node_count() {
        return fail("it has operators that are not of the dialect".to_owned());
    }
    let mut leaves = HashSet::new();
    for node in &nodes {
        let name = node.op.name();
        let sources = graph.inner.get_sources(node.value.id);
        if sources.len() != node.operands.len() {
            return fail(format!("`{name}` reads what is no operator of the dialect"));
        }
        if sources
            .iter()
            .zip(&node.operands)
            .any(|((_, result, edge), operand)| *result != 0 || *edge != tracker(operand.shape()))
        {
            return fail(format!(
                "an edge to `{name}` does not have the shape of what it carries"
            ));
        }
        match node.op {
            Op::Leaf(leaf) if !leaves.insert(*leaf) => {
                return fail(format!("leaf `{leaf:?}` is there twice"));
            }
            Op::Leaf(_) if node.operands.is_empty() => {}
            op => {
                let shapes: Vec<_> = node
                    .operands
                    .iter()
                    .map(|operand| operand.shape())
                    .collect();
                let shape = op.shape(&shapes)?;
                if shape != node.value.shape {
                    return fail(format!(
                        "`{name}` is recorded as {}, but is {shape}",
                        node.value.shape
                    ));
                }
            }
        }
        let read = graph
            .inner
            .graph
            .neighbors_directed(node.value.id, Direction::Outgoing)
            .next()
            .is_some();
        if !read && !graph.outputs.contains(&node.value) {
            return fail(format!("`{name}` contributes to no output"));
        }
    }
    for output in &graph.outputs {
        let kept = graph.inner.no_delete.contains(&output.id)
            && graph.inner.to_retrieve.contains(&output.id);
        let found = graph.dialect(output.id).map(|dialect| dialect.shape);
        if !kept || found != Some(output.shape) {
            let text = "an output is not there, of another shape, or not marked to be kept";
            return fail(text.to_owned());
        }
    }
    Ok(())
}

//! Differentiation, from graph to graph.
//!
//! Derivatives are built of the same operators as what they differentiate, in the same graph, so that they can be
//! differentiated again. The rules themselves stand with the operators in [`ops`](crate::ops).

use std::collections::HashMap;

use crate::error::Result;
use crate::graph::{Graph, Node, Value};
use crate::ops::{Applied, Op, accumulate};

/// Reverse mode: for cotangents of some values, `Σ cotangentᵀ · ∂value/∂w` for each `w` of `wrt`; zeros where nothing
/// depends on `w`.
///
/// Only operators between `wrt` and the seeded values are visited.
pub fn vjp(graph: &mut Graph, seeds: &[(Value, Value)], wrt: &[Value]) -> Result<Vec<Value>> {
    let nodes = owned(graph)?;
    let mut depends: HashMap<Value, bool> = wrt.iter().map(|value| (*value, true)).collect();
    for node in &nodes {
        let active = node
            .operands
            .iter()
            .any(|operand| depends.get(operand).copied().unwrap_or(false));
        depends.entry(node.value).or_insert(active);
    }
    let mut cotangents: HashMap<Value, Option<Value>> = HashMap::new();
    for (value, cotangent) in seeds {
        let sum = accumulate(
            graph,
            cotangents.get(value).copied().flatten(),
            Some(*cotangent),
        )?;
        cotangents.insert(*value, sum);
    }
    for node in nodes.iter().rev().filter(|node| depends[&node.value]) {
        let Some(g) = cotangents.get(&node.value).copied().flatten() else {
            continue;
        };
        let at = Applied {
            operands: &node.operands,
            output: node.value,
        };
        let parts = node.op.vjp(graph, at, g)?;
        for (operand, part) in node
            .operands
            .iter()
            .zip(parts)
            .filter(|(operand, _)| depends[operand])
        {
            let sum = accumulate(graph, cotangents.get(operand).copied().flatten(), part)?;
            cotangents.insert(*operand, sum);
        }
    }
    wrt.iter()
        .map(|value| or_zeros(graph, *value, cotangents.get(value).copied().flatten()))
        .collect()
}

/// Forward mode: for tangents of some values, the tangents of `outputs`; zeros where an output depends on none of them.
///
/// A seeded value that depends on another one moves with it as well, so that this is the transpose of [`vjp`].
pub fn jvp(graph: &mut Graph, seeds: &[(Value, Value)], outputs: &[Value]) -> Result<Vec<Value>> {
    let nodes = owned(graph)?;
    let mut tangents: HashMap<Value, Option<Value>> = HashMap::new();
    for (value, tangent) in seeds {
        let sum = accumulate(
            graph,
            tangents.get(value).copied().flatten(),
            Some(*tangent),
        )?;
        tangents.insert(*value, sum);
    }
    for node in nodes {
        let of_operands: Vec<_> = node
            .operands
            .iter()
            .map(|operand| tangents.get(operand).copied().flatten())
            .collect();
        if of_operands.iter().any(Option::is_some) {
            let at = Applied {
                operands: &node.operands,
                output: node.value,
            };
            let tangent = node.op.jvp(graph, at, &of_operands)?;
            let seed = tangents.get(&node.value).copied().flatten();
            let sum = accumulate(graph, seed, tangent)?;
            tangents.insert(node.value, sum);
        }
    }
    outputs
        .iter()
        .map(|value| or_zeros(graph, *value, tangents.get(value).copied().flatten()))
        .collect()
}

/// A node that outlives changes of its graph.
struct OwnedNode {
    value: Value,
    op: Op,
    operands: Vec<Value>,
}

fn owned(graph: &Graph) -> Result<Vec<OwnedNode>> {
    let own = |node: Node<'_>| OwnedNode {
        value: node.value,
        op: node.op.clone(),
        operands: node.operands,
    };
    Ok(graph.nodes()?.into_iter().map(own).collect())
}

fn or_zeros(graph: &mut Graph, like: Value, derivative: Option<Value>) -> Result<Value> {
    derivative.map_or_else(|| graph.constant(0.0, like.shape()), Ok)
}

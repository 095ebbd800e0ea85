//! luminal's primitives against the reference.

use xdnn_ir::Shape;

use super::execute;
use crate::backend::testing::{assert_near, exact, single};
use crate::graph::Graph;
use crate::ops::Op;

mod cuda;
mod graphs;
mod networks;
mod operators;

/// What luminal computes of a graph, run twice.
fn lowered(graph: &mut Graph, leaves: &[Vec<f32>]) -> Vec<Vec<f32>> {
    graph.lower().unwrap();
    let leaves: Vec<&[f32]> = leaves.iter().map(Vec::as_slice).collect();
    let first = execute(graph, &leaves).unwrap();
    let bits = |outputs: &[Vec<f32>]| -> Vec<Vec<u32>> {
        let outputs = outputs.iter();
        let bits = outputs.map(|output| output.iter().map(|x| x.to_bits()).collect());
        bits.collect()
    };
    let second = execute(graph, &leaves).unwrap();
    assert_eq!(bits(&first), bits(&second));
    first
}

/// Asserts that primitives compute what the reference does. Errors are measured against what the operator makes of the
/// absolute values of its operands: for sums of products, the sum of the products' magnitudes.
#[track_caller]
fn assert_agrees(op: impl Into<Op>, operands: &[Shape], leaves: &[Vec<f32>]) {
    let mut graph = single(op, operands);
    let listing = graph.to_string();
    let absolute = leaves.iter().map(|leaf| leaf.iter().map(|x| x.abs()));
    let absolute: Vec<Vec<f32>> = absolute.map(Iterator::collect).collect();
    let expected = exact(&mut graph, leaves);
    let magnitude = exact(&mut graph, &absolute);
    let found = lowered(&mut graph, leaves);
    for ((found, expected), magnitude) in found.iter().zip(&expected).zip(&magnitude) {
        assert_near(found, expected, magnitude, &listing);
    }
}

/// Asserts that primitives compute what the reference does, to the bit but for the signs of zeros.
#[track_caller]
fn assert_equals(op: impl Into<Op>, operands: &[Shape], leaves: &[Vec<f32>]) {
    let mut graph = single(op, operands);
    let listing = graph.to_string();
    let expected: Vec<Vec<f32>> = exact(&mut graph, leaves)
        .iter()
        .map(|output| output.iter().map(|x| *x as f32).collect())
        .collect();
    assert_eq!(lowered(&mut graph, leaves), expected, "{listing}");
}

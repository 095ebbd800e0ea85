//! The CPU backend against the reference.

use xdnn_ir::Shape;

use super::{CpuProgram, Weights};
use crate::backend::testing::{assert_near, exact, laid_out, numbers, run, single};
use crate::graph::Graph;
use crate::ops::Op;

mod blocked;
mod networks;
mod operators;
mod plan;
mod threads;
mod weights;
mod winograd;

/// A program whose leaves are those of the graph.
fn compile(graph: &Graph) -> crate::Result<CpuProgram> {
    super::compile(graph, Weights::Changing)
}

/// Asserts that the CPU computes what the reference does. Errors are measured against what the operator makes of the
/// absolute values of its operands: for sums of products, the sum of the products' magnitudes.
#[track_caller]
fn assert_agrees(op: impl Into<Op>, operands: &[Shape], leaves: &[Vec<f32>]) {
    let mut graph = single(op, operands);
    let program = compile(&graph).unwrap();
    let listing = program.to_string();
    assert!(!listing.contains("fallback"), "{listing}");
    let absolute: Vec<Vec<f32>> = leaves
        .iter()
        .map(|leaf| leaf.iter().map(|x| x.abs()).collect())
        .collect();
    let expected = exact(&mut graph, leaves);
    let magnitude = exact(&mut graph, &absolute);
    for _ in 0..2 {
        let found = run(&program, leaves);
        for ((found, expected), magnitude) in found.iter().zip(&expected).zip(&magnitude) {
            assert_near(found, expected, magnitude, &listing);
        }
    }
}

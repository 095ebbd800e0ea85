//! The CUDA backend against the reference: on this machine's GPU where the variable `XDNN_TEST_GPU` is set, otherwise on a stand-in that
//! runs the same kernels on the host.

use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use xdnn_ir::Shape;

use super::{CudaProgram, Weights};
use crate::Precision;
use crate::backend::testing::{assert_near, exact, run};
use crate::graph::{Graph, Value};
use crate::ops::{Leaf, Op};

mod networks;
mod operators;
mod pools;

/// Lets the driver and NVRTC be found.
fn ready() {
    static READY: OnceLock<()> = OnceLock::new();
    READY.get_or_init(|| {
        if std::env::var_os("XDNN_TEST_GPU").is_none() {
            xdnn_cuda_mock::install().unwrap();
        }
    });
}

/// So many values of a strategy, the same in every run.
fn draw<S: Strategy>(strategy: S, count: usize) -> Vec<(S::Value, u64)> {
    let mut runner = TestRunner::deterministic();
    let mut value = || strategy.new_tree(&mut runner).unwrap().current();
    (0..count).map(|_| value()).zip(1..).collect()
}

/// A program whose leaves are those of the graph.
fn compile(graph: &Graph) -> CudaProgram {
    ready();
    super::compile(graph, Weights::Changing, 0, Precision::Strict).unwrap()
}

/// Many operators, each on leaves of its own, as one program: a program takes a while to compile.
#[derive(Default)]
struct Many {
    graph: Graph,
    outputs: Vec<Value>,
    leaves: Vec<Vec<f32>>,
    /// Whether each output is to be found to the bit.
    same: Vec<bool>,
}

impl Many {
    fn leaves<const COUNT: usize>(
        &mut self,
        shapes: [Shape; COUNT],
        data: Vec<Vec<f32>>,
    ) -> [Value; COUNT] {
        let mut number = self.leaves.len();
        self.leaves.extend(data);
        shapes.map(|shape| {
            number += 1;
            self.graph.leaf(Leaf::Seed(number - 1), shape).unwrap()
        })
    }

    fn output(&mut self, value: Value, same: bool) {
        self.outputs.push(value);
        self.same.push(same);
    }

    fn add(&mut self, op: impl Into<Op>, operands: &[Shape], leaves: Vec<Vec<f32>>, same: bool) {
        let leaves = operands.iter().zip(leaves);
        let values = leaves.map(|(shape, leaf)| self.leaves([*shape], vec![leaf])[0]);
        let values: Vec<Value> = values.collect();
        let value = self.graph.apply(op, &values).unwrap();
        self.output(value, same);
    }

    /// Asserts that the device computes what the reference does. Errors are measured against what the operator makes of the absolute
    /// values of its operands: for sums of products, the sum of the products' magnitudes. Returns what the device does.
    fn assert_agrees(mut self) -> String {
        self.graph.set_outputs(self.outputs.clone());
        let program = compile(&self.graph);
        let listing = program.to_string();
        let absolute = self.leaves.iter().map(|leaf| leaf.iter().map(|x| x.abs()));
        let absolute: Vec<Vec<f32>> = absolute.map(Iterator::collect).collect();
        let expected = exact(&mut self.graph, &self.leaves);
        let magnitude = exact(&mut self.graph, &absolute);
        for _ in 0..2 {
            let found = run(&program, &self.leaves);
            for (i, found) in found.iter().enumerate() {
                let context = format!("output {i} of\n{listing}");
                match self.same[i] {
                    true => {
                        let same =
                            |(x, y): (&f32, &f64)| *x == *y as f32 || x.is_nan() && y.is_nan();
                        let all = found.iter().zip(&expected[i]).all(same);
                        assert!(all, "{found:?}, not {:?}, {context}", expected[i]);
                    }
                    false => assert_near(found, &expected[i], &magnitude[i], &context),
                }
            }
        }
        listing
    }
}

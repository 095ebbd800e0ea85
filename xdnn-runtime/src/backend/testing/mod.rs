//! What the tests of backends share.

use xdnn_ir::Shape;

use super::{Program, ToProgram, reference};
use crate::graph::{Graph, Value};
use crate::ops::{Leaf, Op};

pub(crate) mod networks;
pub(crate) mod strategies;

/// Numbers of a reproducible sequence, about as often below 0 as above, of magnitudes up to 1.
pub(crate) fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// The leaves of a program, of the numbers for those of its graph.
pub(crate) fn laid_out(
    program: &(impl Program<f32> + ?Sized),
    known: &[(Leaf, Value)],
    values: &[Vec<f32>],
) -> Vec<Vec<f32>> {
    let find = |leaf: Leaf| {
        let position = known.iter().position(|(other, _)| *other == leaf);
        values[position.unwrap()].as_slice()
    };
    let leaves = program.leaves().iter().map(|(leaf, _)| match leaf {
        Leaf::LaidOut(i, layout) => layout.of(find(Leaf::Weight(*i))).unwrap(),
        leaf => find(*leaf).to_vec(),
    });
    leaves.collect()
}

/// What a program computes; outputs hold NaN before.
pub(crate) fn run(program: &(impl Program<f32> + ?Sized), leaves: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let leaves: Vec<&[f32]> = leaves.iter().map(Vec::as_slice).collect();
    let shapes = program.outputs().to_vec();
    let mut outputs: Vec<_> = shapes
        .iter()
        .map(|shape| vec![f32::NAN; shape.elements()])
        .collect();
    let mut slices: Vec<&mut [f32]> = outputs.iter_mut().map(Vec::as_mut_slice).collect();
    program.run(&leaves, &mut slices).unwrap();
    outputs
}

/// What the reference computes in double precision.
pub(crate) fn exact(graph: &mut Graph, leaves: &[Vec<f32>]) -> Vec<Vec<f64>> {
    let leaves: Vec<Vec<f64>> = leaves
        .iter()
        .map(|leaf| leaf.iter().map(|x| f64::from(*x)).collect())
        .collect();
    let leaves: Vec<&[f64]> = leaves.iter().map(Vec::as_slice).collect();
    reference::execute(graph, &leaves).unwrap()
}

/// A graph of one operator on leaves.
pub(crate) fn single(op: impl Into<Op>, operands: &[Shape]) -> Graph {
    let mut graph = Graph::new();
    let leaves: Vec<Value> = operands
        .iter()
        .enumerate()
        .map(|(i, shape)| graph.leaf(Leaf::Seed(i), *shape).unwrap())
        .collect();
    let output = graph.apply(op, &leaves).unwrap();
    graph.set_outputs(vec![output]);
    graph
}

/// Asserts that `found` is `expected` up to 10⁻⁵ of `magnitude`.
#[track_caller]
pub(crate) fn assert_near(found: &[f32], expected: &[f64], magnitude: &[f64], context: &str) {
    assert_eq!(found.len(), expected.len());
    for (i, ((found, expected), magnitude)) in found.iter().zip(expected).zip(magnitude).enumerate()
    {
        let difference = (f64::from(*found) - expected).abs();
        let tolerance = 1e-5 * magnitude.abs().max(expected.abs()) + 1e-30;
        let same = *expected == f64::from(*found) || (expected.is_nan() && found.is_nan());
        assert!(
            same || difference <= tolerance,
            "element {i} is {found}, not {expected}, of summands of {magnitude}\n{context}"
        );
    }
}

/// Asserts that a graph which its program has replaced computes, as luminal executes it, what the program does, to the bit.
pub(crate) fn assert_replaced(mut graph: Graph, to: ToProgram) {
    let outputs: Vec<Shape> = graph.outputs().iter().map(Value::shape).collect();
    let program = graph.compile_to(to).unwrap();
    let given = networks::leaves(&*program, 7);
    let expected = run(&*program, &given);
    let leaves = graph.leaves().into_iter().map(|(leaf, value)| {
        let leaf = program
            .leaves()
            .iter()
            .position(|(other, shape)| *other == leaf && *shape == value.shape());
        given[leaf.unwrap()].as_slice()
    });
    let leaves: Vec<&[f32]> = leaves.collect();
    assert_eq!(
        leaves.len(),
        given.len(),
        "leaves that nothing reads\n{graph}"
    );
    assert_eq!(
        graph.outputs().iter().map(Value::shape).collect::<Vec<_>>(),
        outputs
    );
    let text = graph.to_string();
    assert_eq!(
        text.matches(&format!("= Program({})", to.device)).count(),
        1,
        "{text}"
    );
    let bits = |outputs: &[Vec<f32>]| -> Vec<Vec<u32>> {
        let bits = |output: &Vec<f32>| output.iter().map(|x| x.to_bits()).collect();
        outputs.iter().map(bits).collect()
    };
    for _ in 0..2 {
        let found = reference::execute(&mut graph, &leaves).unwrap();
        assert_eq!(bits(&found), bits(&expected), "{text}");
    }
}

use luminal::op::Function;
use luminal::prelude::{NodeIndex, Tensor};
use xdnn_ir::Shape;

use super::ToProgram;
use crate::backend::optimise::optimise;
use crate::backend::testing::networks::{TASKS, residual, wide};
use crate::backend::testing::{assert_replaced, single};
use crate::backend::{Weights, reference};
use crate::graph::{Buffer, Graph};
use crate::ops::{Leaf, Map};
use crate::{Device, Error, Precision};

const CPU: ToProgram = ToProgram {
    device: Device::Cpu,
    weights: Weights::Constant,
    precision: Precision::Strict,
};

const SHAPE: Shape = Shape::new([2, 3]);

/// A graph of `exp(x)`.
fn exponential() -> Graph {
    single(Map::Exp, &[SHAPE])
}

#[test]
fn programs_replace_graphs() {
    for spec in [residual(), wide()] {
        for task in TASKS {
            let mut graph = Graph::build(&spec, task, 2).unwrap();
            let weights = Weights::of(task);
            optimise(&mut graph, weights).unwrap();
            assert_replaced(graph, ToProgram { weights, ..CPU });
        }
    }
}

#[test]
fn there_may_be_more_leaves_and_outputs_than_luminal_counts() {
    let mut graph = Graph::new();
    let outputs = (0..600).map(|i| {
        let leaf = graph.leaf(Leaf::Seed(i), SHAPE).unwrap();
        graph.scale(leaf, i as f64 + 2.0).unwrap()
    });
    let outputs = outputs.collect();
    graph.set_outputs(outputs);
    assert_replaced(graph, CPU);
}

#[test]
fn outputs_may_be_leaves_and_come_twice() {
    let mut graph = Graph::new();
    let [x, y] = [0, 1].map(|i| graph.leaf(Leaf::Input(i), SHAPE).unwrap());
    let sum = graph.add(x, y).unwrap();
    graph.set_outputs(vec![x, sum, x, sum]);
    assert_replaced(graph, CPU);
}

#[test]
fn a_graph_without_a_program_stays_as_it_is() {
    for device in [Device::Reference, Device::Luminal, Device::LuminalCuda(0)] {
        let mut graph = exponential();
        let before = graph.to_string();
        let to = ToProgram { device, ..CPU };
        let error = graph.compile_to(to).err().unwrap();
        assert!(matches!(error, Error::Device { .. }), "{error}");
        graph.compile_with(to).unwrap();
        assert_eq!(graph.to_string(), before);
        assert!(graph.program().is_none());
    }
    let mut nothing = Graph::new();
    assert!(matches!(nothing.compile_to(CPU), Err(Error::Graph(_))));
    // What has become a program once, or has operators of others, is not ours to compile.
    let mut graph = exponential();
    graph.compile_to(CPU).unwrap();
    let before = graph.to_string();
    assert!(matches!(graph.compile_to(CPU), Err(Error::Graph(_))));
    assert_eq!(graph.to_string(), before);
}

#[test]
fn a_run_that_fails_says_why() {
    let mut graph = exponential();
    graph.compile_to(CPU).unwrap();
    let error = reference::execute(&mut graph, &[&[1.0_f64; 6][..]]).unwrap_err();
    assert!(error.to_string().contains("`f32`"), "{error}");
    let error = reference::execute(&mut graph, &[&[1.0_f32; 5][..]]).unwrap_err();
    assert!(error.to_string().contains("sizes"), "{error}");
    let found = reference::execute(&mut graph, &[&[0.0_f32; 6][..]]).unwrap();
    assert_eq!(found, [[1.0; 6]]);
}

/// luminal alone: its own references, its own execution, and an operator of someone else behind ours.
#[test]
fn luminal_takes_the_program_as_any_operator() {
    let mut graph = exponential();
    let leaf = graph.leaves()[0].1.id();
    let mut output = graph.outputs()[0].id();
    let luminal = graph.as_luminal_mut();
    luminal.compile(CPU, &mut output);
    let double = Function(
        "Double".to_owned(),
        Box::new(|inputs| {
            let numbers = inputs[0].0.borrowed().data.as_any();
            let numbers = numbers.downcast_ref::<Buffer<f32>>().unwrap();
            let doubled = numbers.0.iter().map(|x| 2.0 * x).collect();
            vec![Tensor::new(Buffer::<f32>(doubled))]
        }),
    );
    let doubled = luminal.add_op(double);
    let doubled = doubled
        .input(output, 0, crate::graph::tracker(SHAPE))
        .finish();
    luminal.keep_tensors(doubled);
    luminal.compile((), Vec::<&mut NodeIndex>::new());
    luminal.set_tensor(leaf, 0, Tensor::new(Buffer(vec![0.0_f32; 6])));
    luminal.execute();
    let found = &luminal.get_tensor_ref(doubled, 0).unwrap().data;
    let found = found.as_any().downcast_ref::<Buffer<f32>>().unwrap();
    assert_eq!(found.0, [2.0; 6]);
}

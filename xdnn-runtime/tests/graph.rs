//! What graphs do beside computing: sharing, luminal's compilers, and their text.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod common;

use common::network::of_layers;
use common::run::run;
use luminal::prelude::{Compiler, NodeIndex, ToIdsMut, move_outgoing_edge, move_references};
use xdnn_runtime::graph::verify::verify;
use xdnn_runtime::graph::{Buffer, Loss, Value};
use xdnn_runtime::ir::layer::{Conv2d, Flatten, Linear, MaxPool2d, Relu};
use xdnn_runtime::ir::{NetworkSpec, Shape};
use xdnn_runtime::ops::{Dialect, Leaf, Map, MatMul, Op, Slice};
use xdnn_runtime::{Graph, Task};

const SHAPE: Shape = Shape::new([2, 3]);

fn network() -> NetworkSpec {
    let conv = Conv2d {
        out_channels: 4,
        kernel: [3; 2],
        stride: [1; 2],
        padding: [1; 2],
        dilation: [1; 2],
        groups: 1,
        bias: false,
    };
    let pool = MaxPool2d {
        kernel: [2; 2],
        stride: None,
        padding: [0; 2],
        dilation: [1; 2],
        ceil_mode: false,
    };
    let linear = Linear {
        out_features: 3,
        bias: false,
    };
    let layers = [
        conv.into(),
        Relu {}.into(),
        pool.into(),
        Flatten {}.into(),
        linear.into(),
    ];
    of_layers(layers, Shape::new([2, 6, 4])).unwrap()
}

fn names(graph: &Graph) -> Vec<&'static str> {
    let nodes = graph.nodes().unwrap();
    nodes.iter().map(|node| node.op.name()).collect()
}

#[test]
fn the_same_operator_on_the_same_operands_is_the_same_value() {
    let mut graph = Graph::new();
    let a = graph.leaf(Leaf::Input(0), SHAPE).unwrap();
    let b = graph.leaf(Leaf::Input(1), SHAPE).unwrap();
    assert_eq!(graph.leaf(Leaf::Input(0), SHAPE).unwrap(), a);
    assert!(graph.leaf(Leaf::Input(0), Shape::new([3, 2])).is_err());
    let ab = graph.mul(a, b).unwrap();
    assert_eq!(graph.mul(a, b).unwrap(), ab);
    assert_ne!(graph.mul(a, a).unwrap(), ab);
    assert_ne!(graph.mul(b, a).unwrap(), ab); // operands in another order are others
    assert_ne!(graph.add(a, b).unwrap(), ab);
    let half = graph.scale(a, 0.5).unwrap();
    assert_eq!(graph.scale(a, 0.5).unwrap(), half);
    assert_ne!(graph.scale(a, 0.25).unwrap(), half);
    assert_eq!(graph.scale(a, 1.0).unwrap(), a);
    assert_eq!(graph.reshape(a, SHAPE).unwrap(), a);
    let product = |graph: &mut Graph, transpose_a| {
        let op = MatMul {
            transpose_a,
            transpose_b: !transpose_a,
        };
        graph.apply(op, &[a, a]).unwrap()
    };
    let plain = product(&mut graph, false);
    assert_ne!(product(&mut graph, true), plain);
    assert_eq!(product(&mut graph, false), plain);
}

#[test]
fn operands_that_do_not_fit_are_refused_and_leave_no_trace() {
    let mut graph = Graph::new();
    let a = graph.leaf(Leaf::Input(0), SHAPE).unwrap();
    let b = graph.leaf(Leaf::Input(1), Shape::new([3, 2])).unwrap();
    assert!(graph.add(a, b).is_err());
    assert!(graph.apply(Leaf::Target, &[a]).is_err());
    assert!(graph.apply(Map::Exp, &[]).is_err());
    assert_eq!(names(&graph), ["Leaf", "Leaf"]);
}

/// luminal would return the results of the first run, in the order of the first run.
#[test]
fn a_graph_that_ran_can_grow_and_run_again() {
    let mut graph = Graph::new();
    let x = graph.leaf(Leaf::Input(0), SHAPE).unwrap();
    let y = graph.scale(x, 2.0).unwrap();
    graph.set_outputs(vec![y]);
    let leaves = |x: f64| [(Leaf::Input(0), vec![x; 6])].into();
    assert_eq!(run(&mut graph, &leaves(1.0)), [[2.0; 6]]);
    assert_eq!(run(&mut graph, &leaves(3.0)), [[6.0; 6]]);
    let z = graph.mul(y, y).unwrap();
    graph.set_outputs(vec![z, x]);
    assert_eq!(run(&mut graph, &leaves(3.0)), [[36.0; 6], [3.0; 6]]);
}

#[test]
fn parts_may_be_empty() {
    let mut graph = Graph::new();
    let x = graph.leaf(Leaf::Input(0), SHAPE).unwrap();
    let (axis, start, length) = (1, 3, 0);
    let nothing = graph
        .apply(
            Slice {
                axis,
                start,
                length,
            },
            &[x],
        )
        .unwrap();
    let sum = graph.sum(nothing, [1]).unwrap();
    graph.set_outputs(vec![nothing, sum]);
    let results = run(&mut graph, &[(Leaf::Input(0), vec![1.0; 6])].into());
    assert_eq!(results, [vec![], vec![0.0; 2]]);
}

/// A compiler of someone else: `exp(ln(x))` is `x`.
struct Cancel;

impl Compiler for Cancel {
    fn compile<T: ToIdsMut>(&self, graph: &mut luminal::prelude::Graph, mut remap: T) {
        let is = |graph: &luminal::prelude::Graph, id: NodeIndex, map: Map| {
            let node = graph
                .graph
                .node_weight(id)
                .and_then(|node| node.as_any().downcast_ref());
            matches!(node, Some(Dialect { op: Op::Map(found), .. }) if *found == map)
        };
        for exp in graph.graph.node_indices().collect::<Vec<_>>() {
            if !is(graph, exp, Map::Exp) {
                continue;
            }
            let ln = graph.get_sources(exp)[0].0;
            if is(graph, ln, Map::Ln) {
                let x = graph.get_sources(ln)[0].0;
                move_outgoing_edge(exp, x, &mut graph.graph);
                move_references(
                    &mut remap,
                    &mut graph.no_delete,
                    &mut graph.to_retrieve,
                    exp,
                    x,
                );
                graph.graph.remove_node(exp);
                graph.graph.remove_node(ln);
            }
        }
    }
}

/// The same, by someone who knows nothing of luminal's marks.
struct CancelCarelessly;

impl Compiler for CancelCarelessly {
    fn compile<T: ToIdsMut>(&self, graph: &mut luminal::prelude::Graph, remap: T) {
        let marks = (graph.no_delete.clone(), graph.to_retrieve.clone());
        Cancel.compile(graph, remap);
        (graph.no_delete, graph.to_retrieve) = marks;
    }
}

fn cancelled(compiler: impl Compiler) {
    let mut graph = Graph::new();
    let x = graph.leaf(Leaf::Input(0), SHAPE).unwrap();
    let ln = graph.map(Map::Ln, x).unwrap();
    let exp = graph.map(Map::Exp, ln).unwrap();
    let root = graph.map(Map::Sqrt, exp).unwrap();
    graph.set_outputs(vec![exp, root, exp]);
    graph.compile_with(compiler).unwrap();
    verify(&graph).unwrap();
    assert_eq!(graph.outputs(), [x, root, x]);
    assert_eq!(names(&graph), ["Leaf", "Map"]);
    let results = run(&mut graph, &[(Leaf::Input(0), vec![9.0; 6])].into());
    assert_eq!(results, [[9.0; 6], [3.0; 6], [9.0; 6]]);
}

#[test]
fn outputs_follow_a_foreign_compiler() {
    cancelled(Cancel);
    cancelled(CancelCarelessly);
}

/// One operator of someone else computes in place of ours.
struct Double;

impl Compiler for Double {
    fn compile<T: ToIdsMut>(&self, graph: &mut luminal::prelude::Graph, _: T) {
        let function = luminal::op::Function(
            "Double".to_owned(),
            Box::new(|inputs| {
                let buffer = inputs[0]
                    .0
                    .borrowed()
                    .data
                    .as_any()
                    .downcast_ref::<Buffer<f64>>();
                let doubled = buffer.unwrap().0.iter().map(|x| 2.0 * x).collect();
                vec![luminal::prelude::Tensor::new(Buffer::<f64>(doubled))]
            }),
        );
        let scale = graph.graph.node_indices().find(|id| {
            let node = graph.graph[*id].as_any().downcast_ref();
            matches!(
                node,
                Some(Dialect {
                    op: Op::Map(Map::Scale(_)),
                    ..
                })
            )
        });
        graph.graph[scale.unwrap()] = Box::new(function);
    }
}

#[test]
fn a_foreign_operator_runs_but_is_no_well_formed_graph() {
    let mut graph = Graph::new();
    let x = graph.leaf(Leaf::Input(0), SHAPE).unwrap();
    let double = graph.scale(x, 2.0).unwrap();
    let y = graph.map(Map::Exp, double).unwrap();
    graph.set_outputs(vec![y]);
    graph.compile_with(Double).unwrap();
    assert!(verify(&graph).is_err());
    let results = xdnn_runtime::backend::reference::execute(&mut graph, &[&[1.0; 6][..]]).unwrap();
    assert_eq!(results, [[2.0_f64.exp(); 6]]);
}

/// Each line defines the next number and reads smaller ones; each operator, shape and output of the graph is there.
#[test]
fn the_text_of_a_graph_can_be_followed() {
    for task in [
        Task::Forward,
        Task::Gradient,
        Task::Attribute,
        Task::Train(Loss::CrossEntropy),
    ] {
        let graph = Graph::build(&network(), task, 2).unwrap();
        let nodes = graph.nodes().unwrap();
        let number = |value: &Value| nodes.iter().position(|node| node.value == *value).unwrap();
        let numbers = |values: &[Value]| -> String {
            values
                .iter()
                .map(|value| format!(" %{}", number(value)))
                .collect()
        };
        let text = graph.to_string();
        let mut lines = text.lines();
        for (i, node) in nodes.iter().enumerate() {
            let line = lines.next().unwrap();
            assert!(node.operands.iter().all(|operand| number(operand) < i));
            let (operands, shape) = (numbers(&node.operands), node.value.shape());
            assert_eq!(line, format!("%{i} = {:?}{operands} -> {shape}", node.op));
        }
        assert_eq!(
            lines.next(),
            Some(format!("return{}", numbers(graph.outputs())).as_str())
        );
        assert_eq!(lines.next(), None);
    }
}

#[test]
fn the_graphs_of_a_convolutional_network() {
    let text = |task| Graph::build(&network(), task, 2).unwrap().to_string();
    insta::assert_snapshot!("forward", text(Task::Forward));
    insta::assert_snapshot!("attribute", text(Task::Attribute));
    insta::assert_snapshot!("train", text(Task::Train(Loss::CrossEntropy)));
}

#[test]
fn a_graph_is_drawn_with_its_operators_operands_and_outputs() {
    let mut graph = Graph::new();
    let a = graph.leaf(Leaf::Input(0), SHAPE).unwrap();
    let b = graph.leaf(Leaf::Input(1), SHAPE).unwrap();
    let product = graph.mul(a, b).unwrap();
    let half = graph.scale(product, 0.5).unwrap();
    graph.set_outputs(vec![half]);
    assert_eq!(
        graph.dot(),
        r#"digraph {
    0 [ label = "Input(0)\n[2, 3]" shape = box peripheries = 1]
    1 [ label = "Input(1)\n[2, 3]" shape = box peripheries = 1]
    2 [ label = "Mul\n[2, 3]" shape = box peripheries = 1]
    3 [ label = "Scale(0.5)\n[2, 3]" shape = box peripheries = 2]
    0 -> 2 [ label = 0]
    1 -> 2 [ label = 1]
    2 -> 3 [ ]
}
"#
    );
}

#[test]
fn a_trained_network_is_drawn_whole() {
    let graph = Graph::build(&network(), Task::Train(Loss::CrossEntropy), 2).unwrap();
    let (nodes, dot) = (graph.nodes().unwrap(), graph.dot());
    let drawn = |mark: &str| dot.lines().filter(|line| line.contains(mark)).count();
    assert_eq!(drawn("peripheries"), nodes.len());
    assert_eq!(drawn("peripheries = 2"), graph.outputs().len());
    let arrows: usize = nodes.iter().map(|node| node.operands.len()).sum();
    assert_eq!(drawn(" -> "), arrows);
}

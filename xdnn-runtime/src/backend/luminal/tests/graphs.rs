//! What becomes of graphs.

use std::sync::Arc;

use luminal::op::{Contiguous, Function, Log2};
use luminal::prelude::{
    Compiler, NodeIndex, ShapeTracker, ToIdsMut, move_outgoing_edge, move_references,
};
use xdnn_ir::Shape;

use super::super::{LuminalProgram, execute};
use super::lowered;
use crate::backend::testing::networks::residual;
use crate::backend::testing::{exact, numbers, single};
use crate::backend::{Element, Program};
use crate::graph::{Graph, Task};
use crate::ops::{
    AxisMap, Dialect, Leaf, Map, MatMul, PoolWindow, PoolWinner, Rank, Signs, Slice, SparseMap,
    Winner,
};
use crate::passes::{FuseElementwise, LowerToPrimitives};
use crate::{Device, Error, Precision};

const SHAPE: Shape = Shape::new([2, 3]);

fn names(graph: &Graph) -> Vec<String> {
    let nodes = graph.as_luminal().graph.node_weights();
    nodes.map(|node| format!("{node:?}")).collect()
}

#[test]
fn leaves_and_outputs_stay_known() {
    let mut graph = Graph::build(&residual(), Task::Attribute, 2).unwrap();
    let (leaves, outputs) = (graph.leaves(), graph.outputs().to_vec());
    graph.compile_with(LowerToPrimitives).unwrap();
    assert!(graph.nodes().unwrap().is_empty());
    assert_eq!(graph.leaves(), leaves);
    let shapes = |outputs: &[crate::graph::Value]| -> Vec<Shape> {
        outputs.iter().map(|output| output.shape()).collect()
    };
    assert_eq!(shapes(graph.outputs()), shapes(&outputs));
    for (leaf, value) in &leaves {
        let node = &graph.as_luminal().graph[value.id()];
        let function = node.as_any().downcast_ref::<Function>().unwrap();
        assert_eq!(function.0, format!("{leaf:?}"));
    }
    // Another compiler leaves them as they are.
    graph.compile_with(LowerToPrimitives).unwrap();
    assert_eq!(graph.leaves(), leaves);
}

#[test]
fn outputs_may_be_leaves_and_the_same_values() {
    let mut graph = Graph::new();
    let x = graph.leaf(Leaf::Input(0), SHAPE).unwrap();
    let flat = graph.reshape(x, Shape::new([6])).unwrap();
    let double = graph.scale(x, 2.0).unwrap();
    let again = graph.reshape(double, Shape::new([3, 2])).unwrap();
    let two = graph.constant(2.0, SHAPE).unwrap();
    graph.set_outputs(vec![x, flat, double, again, double, two]);
    let leaves = [numbers(6, 1)];
    let expected: Vec<Vec<f32>> = exact(&mut graph, &leaves)
        .iter()
        .map(|output| output.iter().map(|x| *x as f32).collect())
        .collect();
    assert_eq!(lowered(&mut graph, &leaves), expected);
    for output in graph.outputs() {
        let node = &graph.as_luminal().graph[output.id()];
        assert!(!node.as_any().is::<Function>(), "{node:?}");
    }
}

#[test]
fn what_only_passes_make_is_refused_and_nothing_changes() {
    let mut graph = single(Signs, &[SHAPE]);
    let before = names(&graph);
    let error = graph.lower().unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid graph: `Signs` has no lowering: graphs are lowered before passes run; this is a fault of the library or of a compiler pass"
    );
    graph.compile_with(LowerToPrimitives).unwrap();
    assert_eq!(names(&graph), before);

    let mut graph = Graph::build(&residual(), Task::Forward, 1).unwrap();
    graph.compile_with(FuseElementwise).unwrap();
    let (before, leaves) = (names(&graph), graph.leaves());
    assert!(matches!(graph.lower(), Err(Error::Graph { .. })));
    assert_eq!(names(&graph), before);
    assert_eq!(graph.leaves(), leaves);
}

#[test]
fn what_luminal_cannot_count_is_refused() {
    let (axis, start, length) = (1, 3, 0);
    let nothing = Slice {
        axis,
        start,
        length,
    };
    assert!(matches!(
        single(nothing, &[SHAPE]).lower(),
        Err(Error::Graph { .. })
    ));
    let mut pairs = single(Rank, &[Shape::new([50_000])]);
    let error = pairs.lower().unwrap_err();
    assert!(
        matches!(
            error,
            Error::OutOfMemory {
                bytes: 10_000_000_000,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn only_what_is_lowered_is_executed_and_with_leaves_that_fit() {
    let mut graph = single(Map::Scale(2.0), &[SHAPE]);
    let x = [1.0; 6];
    assert!(matches!(
        execute(&mut graph, &[&x]),
        Err(Error::Graph { .. })
    ));
    graph.lower().unwrap();
    assert!(matches!(execute(&mut graph, &[]), Err(Error::Graph { .. })));
    assert!(matches!(
        execute(&mut graph, &[&x[1..]]),
        Err(Error::Graph { .. })
    ));
    assert_eq!(execute(&mut graph, &[&x]).unwrap(), [[2.0; 6]]);
}

/// Windows that tile an axis, as a global pool does, take no matrix of its length squared; what does is refused unbuilt.
#[test]
fn long_axes_are_refused_only_where_every_pair_counts() {
    let window = PoolWindow::global([1, 1, 70_000]);
    let winner = |winner| PoolWinner { window, winner };
    let line = Shape::new([1, 1, 70_000]);
    single(winner(Winner::Max), &[line]).lower().unwrap();
    single(winner(Winner::Min), &[line]).lower().unwrap();
    let map = SparseMap::new(70_000, vec![Vec::new(); 70_000]);
    let map = AxisMap {
        axis: 2,
        map: Arc::new(map),
    };
    let refused = [
        single(winner(Winner::Median), &[line]).lower(),
        single(map, &[line]).lower(),
    ];
    for result in refused {
        assert!(
            matches!(result, Err(Error::OutOfMemory { .. })),
            "{result:?}"
        );
    }
}

/// The product of matrices is what luminal's compilers look for.
#[test]
fn a_graph_in_primitives_is_listed() {
    let op = MatMul {
        transpose_a: false,
        transpose_b: true,
    };
    let mut graph = single(op, &[SHAPE, Shape::new([4, 3])]);
    graph.lower().unwrap();
    assert_eq!(
        graph.to_string(),
        "%0 = Seed(1)\n%1 = Seed(0)\n%2 = Mul %1 %0\n%3 = SumReduce(2) %2\nreturn %3\n"
    );
    let views = graph.as_luminal().graph.edge_weights();
    let mut views = views.filter_map(|edge| edge.as_data()).collect::<Vec<_>>();
    views.sort_by_key(|(order, ..)| *order);
    let repeated = |view: &ShapeTracker| {
        view.indexes
            .iter()
            .map(|axis| view.fake[*axis])
            .collect::<Vec<bool>>()
    };
    let sides = views
        .iter()
        .filter(|(_, _, view)| view.fake.contains(&true));
    let sides: Vec<_> = sides.map(|(_, _, view)| repeated(view)).collect();
    assert_eq!(sides, [[false, true, false], [true, false, false]]);
}

#[test]
fn double_precision_is_refused() {
    for device in [Device::Luminal, Device::LuminalCuda(0)] {
        let spec = Arc::new(residual());
        let result =
            <f64 as Element>::compile(device, Precision::default(), &spec, Task::Forward, 1);
        assert!(matches!(result, Err(Error::Device { .. })));
    }
}

/// A compiler of someone else: `ln x` is `log₂ x`.
struct Binary;

impl Compiler for Binary {
    fn compile<T: ToIdsMut>(&self, graph: &mut luminal::prelude::Graph, mut remap: T) {
        for node in graph.graph.node_indices().collect::<Vec<NodeIndex>>() {
            let dialect = graph.graph[node].as_any().downcast_ref::<Dialect>();
            if dialect.is_some_and(|dialect| dialect.op == Map::Ln.into()) {
                let (x, _, view) = graph.get_sources(node)[0];
                let log = graph.add_op(Log2).input(x, 0, view).finish();
                move_outgoing_edge(node, log, &mut graph.graph);
                move_references(
                    &mut remap,
                    &mut graph.no_delete,
                    &mut graph.to_retrieve,
                    node,
                    log,
                );
                graph.graph.remove_node(node);
            }
        }
    }
}

#[test]
fn operators_of_others_may_stand_among_ours() {
    let mut graph = Graph::new();
    let x = graph.leaf(Leaf::Input(0), SHAPE).unwrap();
    let exp = graph.map(Map::Exp, x).unwrap();
    let log = graph.map(Map::Ln, exp).unwrap();
    let double = graph.scale(log, 2.0).unwrap();
    graph.set_outputs(vec![double]);
    graph.compile_with(Binary).unwrap();
    let found = lowered(&mut graph, &[vec![0.5; 6]]).remove(0);
    let expected = 2.0 * 0.5_f32.exp().log2();
    assert!(
        found.iter().all(|x| (x - expected).abs() < 1e-6),
        "{found:?}"
    );
}

/// A compiler that forgets what an operator computes.
struct Break;

impl Compiler for Break {
    fn compile<T: ToIdsMut>(&self, graph: &mut luminal::prelude::Graph, _: T) {
        let copies = graph
            .graph
            .node_indices()
            .filter(|node| graph.graph[*node].as_any().is::<Contiguous>());
        for node in copies.collect::<Vec<_>>() {
            graph.graph[node] = Box::new(Function("nothing".to_owned(), Box::new(|_| Vec::new())));
        }
    }
}

#[test]
fn what_luminal_panics_of_is_an_error() {
    let build = || {
        let mut graph = Graph::new();
        let x = graph.leaf(Leaf::Input(0), SHAPE)?;
        let spread = graph.broadcast(x, [0], Shape::new([4, 2, 3]))?;
        let sum = graph.sum(spread, [0])?;
        graph.set_outputs(vec![sum]);
        graph.lower()?;
        graph.compile_with(Break)?;
        Ok(graph)
    };
    let program = LuminalProgram::new(Device::Luminal, build).unwrap();
    for _ in 0..2 {
        let result = program.run(&[&[1.0; 6]], &mut [&mut [0.0; 6]]);
        assert!(matches!(result, Err(Error::Device { .. })), "{result:?}");
    }
}

#[test]
fn threads_share_a_program() {
    let build = || {
        let mut graph = Graph::new();
        let x = graph.leaf(Leaf::Input(0), SHAPE)?;
        let double = graph.scale(x, 2.0)?;
        graph.set_outputs(vec![double]);
        graph.lower()?;
        Ok(graph)
    };
    let program = LuminalProgram::new(Device::Luminal, build).unwrap();
    std::thread::scope(|scope| {
        for i in 0..8 {
            let program = &program;
            scope.spawn(move || {
                let mut output = [0.0; 6];
                program.run(&[&[i as f32; 6]], &mut [&mut output]).unwrap();
                assert_eq!(output, [2.0 * i as f32; 6]);
            });
        }
    });
}

//! Each invariant, broken on purpose.

use luminal::op::{InputTensor, Operator};
use luminal::prelude::petgraph::Direction;
use luminal::prelude::petgraph::visit::EdgeRef;
use luminal::prelude::{Dependency, ShapeTracker, Tensor};
use xdnn_ir::Shape;

use super::verify;
use crate::graph::{Graph, Value};
use crate::ops::{Concat, Dialect, Leaf, Map, Op, Reshape};

const SHAPE: Shape = Shape::new([2, 3]);

/// `h = exp(x)`, `y = exp(h) · w`; the outputs are `y` and `h`.
struct Sample {
    graph: Graph,
    x: Value,
    w: Value,
    h: Value,
    e: Value,
    y: Value,
}

impl Sample {
    fn new() -> Self {
        let mut graph = Graph::new();
        let x = graph.leaf(Leaf::Input(0), SHAPE).unwrap();
        let w = graph.leaf(Leaf::Input(1), SHAPE).unwrap();
        let h = graph.map(Map::Exp, x).unwrap();
        let e = graph.map(Map::Exp, h).unwrap();
        let y = graph.mul(e, w).unwrap();
        graph.set_outputs(vec![y, h]);
        verify(&graph).unwrap();
        Self {
            graph,
            x,
            w,
            h,
            e,
            y,
        }
    }

    fn replace(&mut self, at: Value, op: impl Into<Op>, shape: Shape) {
        let op = op.into();
        self.graph.inner.graph[at.id] = Box::new(Dialect { op, shape });
    }

    /// Changes what the edge from `from` says.
    fn relabel(&mut self, from: Value, change: impl Fn(&mut u8, &mut ShapeTracker)) {
        let graph = &mut self.graph.inner.graph;
        let edge = graph.edges_directed(from.id, Direction::Outgoing).next();
        let edge = edge.unwrap().id();
        let Dependency::Data {
            output_order,
            shape,
            ..
        } = &mut graph[edge]
        else {
            panic!("not an edge of data");
        };
        change(output_order, shape);
    }
}

/// `name: sample => break it, "what the verifier says";`
macro_rules! refused {
    ($($name:ident: $sample:ident => $break:expr, $says:literal;)*) => {$(
        #[test]
        fn $name() {
            let mut $sample = Sample::new();
            $break;
            let error = verify(&$sample.graph).unwrap_err().to_string();
            assert!(error.contains($says), "{error}");
        }
    )*};
}

#[derive(Debug, PartialEq)]
struct Foreign;

impl Operator for Foreign {
    fn process(&mut self, _: Vec<(InputTensor, ShapeTracker)>) -> Vec<Tensor> {
        vec![]
    }
}

const OTHER: Shape = Shape::new([3, 2]);

refused! {
    a_graph_without_outputs: s => s.graph.set_outputs(vec![]), "no outputs";
    a_cycle: s => s.graph.inner.graph.add_edge(s.y.id, s.h.id, Dependency::Schedule), "cycle";
    a_foreign_operator: s => s.graph.inner.graph[s.e.id] = Box::new(Foreign), "not of the dialect";
    a_wrong_recorded_shape: s => s.replace(s.y, Map::Exp, OTHER), "Exp";
    a_wrong_recorded_shape_of_the_right_operands: s => { s.replace(s.e, Map::Exp, OTHER); s.relabel(s.e, |_, t| *t = super::tracker(OTHER)) }, "is recorded as [3, 2], but is [2, 3]";
    operands_that_do_not_fit: s => s.replace(s.y, Concat { axis: 2 }, SHAPE), "does not take operands";
    an_edge_of_another_shape: s => s.relabel(s.w, |_, t| *t = super::tracker(OTHER)), "does not have the shape of what it carries";
    an_edge_that_is_not_contiguous: s => s.relabel(s.w, |_, t| t.fake = [true; 6].into_iter().collect()), "does not have the shape of what it carries";
    an_edge_of_a_second_result: s => s.relabel(s.w, |order, _| *order = 1), "does not have the shape of what it carries";
    a_leaf_twice: s => s.replace(s.w, Leaf::Input(0), SHAPE), "leaf `Input(0)` is there twice";
    a_leaf_with_operands: s => s.replace(s.e, Leaf::Input(2), SHAPE), "does not take operands";
    a_dead_operator: s => { s.graph.map(Map::Ln, s.x).unwrap(); }, "contributes to no output";
    a_dead_leaf: s => { s.graph.leaf(Leaf::Target, SHAPE).unwrap(); }, "contributes to no output";
    an_output_that_is_not_there: s => { s.graph.inner.graph.remove_node(s.y.id); s.graph.inner.graph.remove_node(s.e.id); s.graph.inner.graph.remove_node(s.w.id); }, "an output is not there";
    an_output_of_another_shape: s => {
        let shape = OTHER;
        let h = s.h.id;
        s.replace(s.h, Reshape { shape }, shape);
        s.graph.inner.graph.remove_node(s.e.id);
        s.graph.inner.graph.remove_node(s.w.id);
        s.graph.inner.graph.remove_node(s.y.id);
        let y = s.graph.map(Map::Ln, Value { id: h, shape }).unwrap();
        s.graph.set_outputs(vec![y, s.h]);
    }, "of another shape";
    an_output_that_luminal_may_delete: s => s.graph.inner.no_delete.clear(), "not marked to be kept";
    an_output_that_luminal_does_not_retrieve: s => s.graph.inner.to_retrieve.clear(), "not marked to be kept";
}

#[test]
fn what_does_not_contribute_is_pruned() {
    let mut sample = Sample::new();
    let dead = sample.graph.map(Map::Ln, sample.x).unwrap();
    sample.graph.map(Map::Sqrt, dead).unwrap();
    sample.graph.set_outputs(vec![sample.h]);
    verify(&sample.graph).unwrap();
    let left: Vec<Value> = sample
        .graph
        .nodes()
        .unwrap()
        .into_iter()
        .map(|node| node.value)
        .collect();
    assert_eq!(left, [sample.x, sample.h]);
}

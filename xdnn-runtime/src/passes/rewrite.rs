//! luminal's graph as passes look at it and change it.

use luminal::prelude::petgraph::Direction;
use luminal::prelude::petgraph::visit::EdgeRef;
use luminal::prelude::{Dependency, Graph, NodeIndex};
use xdnn_ir::Shape;

use crate::graph::tracker;
use crate::ops::{Dialect, Leaf, Op};

/// Looks at a graph of the dialect. What is not of the dialect is not seen, and stays as it is.
pub(super) trait Look {
    /// The operator at a node, with the shape of its result.
    fn dialect(&self, node: NodeIndex) -> Option<&Dialect>;

    /// The operator at a node.
    fn op(&self, node: NodeIndex) -> Option<&Op>;

    /// What a node reads, in order.
    fn operands(&self, node: NodeIndex) -> Vec<NodeIndex>;

    /// The nodes that read a node, each as often as it does.
    fn readers(&self, node: NodeIndex) -> Vec<NodeIndex>;

    /// The only reader of what is no output.
    fn only_reader(&self, node: NodeIndex) -> Option<NodeIndex>;

    /// The node of a leaf.
    fn find_leaf(&self, leaf: Leaf) -> Option<NodeIndex>;
}

/// Changes a graph of the dialect.
pub(super) trait Rewrite: Look {
    /// A new node.
    fn insert(&mut self, op: impl Into<Op>, shape: Shape, operands: &[NodeIndex]) -> NodeIndex;

    /// Another operator, on other operands, in the place of a node, which keeps its shape, its readers and its place in the
    /// order of nodes. What nothing reads any more is removed.
    fn replace(&mut self, node: NodeIndex, op: impl Into<Op>, operands: &[NodeIndex]);
}

impl Look for Graph {
    fn dialect(&self, node: NodeIndex) -> Option<&Dialect> {
        self.graph.node_weight(node)?.as_any().downcast_ref()
    }

    fn op(&self, node: NodeIndex) -> Option<&Op> {
        self.dialect(node).map(|dialect| &dialect.op)
    }

    fn operands(&self, node: NodeIndex) -> Vec<NodeIndex> {
        self.get_sources(node)
            .into_iter()
            .map(|(id, ..)| id)
            .collect()
    }

    fn readers(&self, node: NodeIndex) -> Vec<NodeIndex> {
        let edges = self.graph.edges_directed(node, Direction::Outgoing);
        edges.map(|edge| edge.target()).collect()
    }

    fn only_reader(&self, node: NodeIndex) -> Option<NodeIndex> {
        match self.readers(node)[..] {
            [reader] if !self.no_delete.contains(&node) => Some(reader),
            _ => None,
        }
    }

    fn find_leaf(&self, leaf: Leaf) -> Option<NodeIndex> {
        let is_leaf =
            |id: &NodeIndex| matches!(self.op(*id), Some(Op::Leaf(other)) if *other == leaf);
        self.graph.node_indices().find(is_leaf)
    }
}

impl Rewrite for Graph {
    fn insert(&mut self, op: impl Into<Op>, shape: Shape, operands: &[NodeIndex]) -> NodeIndex {
        let op = op.into();
        let node = self.add_op(Dialect { op, shape }).finish();
        connect(self, node, operands);
        node
    }

    fn replace(&mut self, node: NodeIndex, op: impl Into<Op>, operands: &[NodeIndex]) {
        let Some(shape) = self.dialect(node).map(|dialect| dialect.shape) else {
            return;
        };
        let before = self.operands(node);
        let edges = self.graph.edges_directed(node, Direction::Incoming);
        let edges: Vec<_> = edges.map(|edge| edge.id()).collect();
        for edge in edges {
            self.graph.remove_edge(edge);
        }
        connect(self, node, operands);
        let op = op.into();
        self.graph[node] = Box::new(Dialect { op, shape });
        before
            .into_iter()
            .for_each(|operand| remove_unread(self, operand));
    }
}

fn connect(graph: &mut Graph, node: NodeIndex, operands: &[NodeIndex]) {
    for (input_order, operand) in (0..).zip(operands) {
        let Some(shape) = graph.dialect(*operand).map(|dialect| dialect.shape) else {
            continue;
        };
        let data = Dependency::Data {
            input_order,
            output_order: 0,
            shape: tracker(shape),
        };
        graph.graph.add_edge(*operand, node, data);
    }
}

fn remove_unread(graph: &mut Graph, node: NodeIndex) {
    let unread = graph.op(node).is_some() && graph.readers(node).is_empty();
    if unread && !graph.no_delete.contains(&node) {
        let operands = graph.operands(node);
        graph.graph.remove_node(node);
        operands
            .into_iter()
            .for_each(|operand| remove_unread(graph, operand));
    }
}

//! luminal's graph as passes look at it and change it.

use luminal::prelude::petgraph::Direction;
use luminal::prelude::petgraph::visit::EdgeRef;
use luminal::prelude::{Dependency, Graph, NodeIndex};
use xdnn_ir::Shape;

use crate::graph::tracker;
use crate::ops::{Dialect, Leaf, Op};

/// Looks at a graph of the dialect, and changes it. What is not of the dialect is not seen, and stays as it is.
pub(crate) trait Rewrite {
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

    /// A new node.
    fn insert(&mut self, op: impl Into<Op>, shape: Shape, operands: &[NodeIndex]) -> NodeIndex;

    /// Another operator, on other operands, in the place of a node, which keeps its shape, its readers and its number. What
    /// nothing reads any more is removed.
    fn replace(&mut self, node: NodeIndex, op: impl Into<Op>, operands: &[NodeIndex]);

    /// [`Rewrite::replace`] by an operator whose result has another shape, of a node without readers.
    fn replace_as(&mut self, node: NodeIndex, op: Op, shape: Shape, operands: &[NodeIndex]);

    /// Lets `reader` read a node as its operand of this number.
    fn connect(&mut self, node: NodeIndex, reader: NodeIndex, order: u8);

    /// Takes all readers from a node, with the numbers of their operands that it was.
    fn take_readers(&mut self, node: NodeIndex) -> Vec<(NodeIndex, u8)>;

    /// Removes a node that is no output and that nothing reads, and what only it has read.
    fn remove_unread(&mut self, node: NodeIndex);
}

impl Rewrite for Graph {
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

    fn insert(&mut self, op: impl Into<Op>, shape: Shape, operands: &[NodeIndex]) -> NodeIndex {
        let op = op.into();
        let node = self.add_op(Dialect { op, shape }).finish();
        for (order, operand) in (0..=u8::MAX).zip(operands) {
            self.connect(*operand, node, order);
        }
        node
    }

    fn replace(&mut self, node: NodeIndex, op: impl Into<Op>, operands: &[NodeIndex]) {
        if let Some(shape) = self.dialect(node).map(|dialect| dialect.shape) {
            self.replace_as(node, op.into(), shape, operands);
        }
    }

    fn replace_as(&mut self, node: NodeIndex, op: Op, shape: Shape, operands: &[NodeIndex]) {
        let before = self.operands(node);
        let edges = self.graph.edges_directed(node, Direction::Incoming);
        let edges: Vec<_> = edges.map(|edge| edge.id()).collect();
        for edge in edges {
            self.graph.remove_edge(edge);
        }
        for (order, operand) in (0..=u8::MAX).zip(operands) {
            self.connect(*operand, node, order);
        }
        self.graph[node] = Box::new(Dialect { op, shape });
        for operand in before {
            self.remove_unread(operand);
        }
    }

    fn connect(&mut self, node: NodeIndex, reader: NodeIndex, order: u8) {
        if let Some(shape) = self.dialect(node).map(|dialect| dialect.shape) {
            let data = Dependency::Data {
                input_order: order,
                output_order: 0,
                shape: tracker(shape),
            };
            self.graph.add_edge(node, reader, data);
        }
    }

    fn take_readers(&mut self, node: NodeIndex) -> Vec<(NodeIndex, u8)> {
        let edges = self.graph.edges_directed(node, Direction::Outgoing);
        let edges = edges.filter_map(|edge| match edge.weight() {
            Dependency::Data { input_order, .. } => Some((edge.id(), edge.target(), *input_order)),
            Dependency::Schedule => None,
        });
        let edges: Vec<_> = edges.collect();
        let take = |(edge, target, order)| {
            self.graph.remove_edge(edge);
            (target, order)
        };
        edges.into_iter().map(take).collect()
    }

    fn remove_unread(&mut self, node: NodeIndex) {
        let unread = self.op(node).is_some() && self.readers(node).is_empty();
        if unread && !self.no_delete.contains(&node) {
            let operands = self.operands(node);
            self.graph.remove_node(node);
            for operand in operands {
                self.remove_unread(operand);
            }
        }
    }
}

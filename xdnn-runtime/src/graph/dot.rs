//! Graphs as pictures.

use luminal::prelude::petgraph::dot::{Config, Dot};
use luminal::prelude::petgraph::visit::EdgeRef;
use luminal::prelude::{Dependency, NodeIndex};

use super::Graph;

impl Graph {
    /// The graph in the language of [Graphviz](https://graphviz.org), to draw with `dot -Tsvg`.
    ///
    /// Each node is an operator with the shape of its result; outputs have a double border. Arrows into an operator of
    /// several operands are numbered in their order, from 0. Operators of others, which a compiler may have put there,
    /// are shown as they print themselves.
    pub fn dot(&self) -> String {
        let graph = &self.inner.graph;
        let node = |id: NodeIndex| {
            let label = match (self.dialect(id), graph.node_weight(id)) {
                (Some(node), _) => format!("{:?}\n{}", node.op, node.shape),
                (None, Some(other)) => format!("{other:?}"),
                (None, None) => String::new(),
            };
            let output = self.outputs.iter().any(|output| output.id == id);
            let borders = if output { 2 } else { 1 };
            format!("label = {label:?} shape = box peripheries = {borders}")
        };
        let edge = |target: NodeIndex, dependency: &Dependency| match dependency {
            Dependency::Data { input_order, .. } if self.operands(target).len() > 1 => {
                format!("label = {input_order}")
            }
            Dependency::Data { .. } => String::new(),
            Dependency::Schedule => "style = dotted".to_owned(),
        };
        let config = [Config::NodeNoLabel, Config::EdgeNoLabel];
        format!(
            "{:?}",
            Dot::with_attr_getters(
                graph,
                &config,
                &|_, reference| edge(reference.target(), reference.weight()),
                &|_, (id, _)| node(id),
            )
        )
    }
}

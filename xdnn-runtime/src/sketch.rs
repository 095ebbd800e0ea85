//! Networks for tests, put together node by node.

use std::borrow::Cow;

use xdnn_ir::{Input, Layer, NetworkSpec, Node, Operand, Operation, Shape, Weight};

/// A network in the making. Layers and combinations return the operand that stands for their result.
pub(crate) struct Sketch {
    inputs: Vec<Input>,
    nodes: Vec<Node>,
    weights: Vec<Weight>,
}

impl Sketch {
    /// A network of inputs with these names and shapes.
    pub fn new(inputs: &[(&'static str, &[usize])]) -> Self {
        let inputs = inputs.iter().map(|(name, dims)| Input {
            name: Cow::Borrowed(*name),
            shape: Shape::from_slice(dims).unwrap(),
        });
        Self {
            inputs: inputs.collect(),
            nodes: Vec::new(),
            weights: Vec::new(),
        }
    }

    /// Adds a layer.
    pub fn layer(&mut self, path: &str, layer: impl Into<Layer>, operand: Operand) -> Operand {
        let layer = layer.into();
        let first = self.weights.len();
        let input = self.finish(operand).output_shape();
        let weights = layer.weights(input);
        for (name, shape) in weights.as_slice() {
            self.weights.push(Weight {
                name: format!("{path}.{name}").into(),
                shape: *shape,
            });
        }
        self.node(path, Operation::Layer(layer), &[operand], first)
    }

    /// Adds a combination.
    pub fn combine(&mut self, combine: xdnn_ir::Combine, operands: &[Operand]) -> Operand {
        self.node(
            "",
            Operation::Combine(combine),
            operands,
            self.weights.len(),
        )
    }

    fn node(
        &mut self,
        path: &str,
        operation: Operation,
        operands: &[Operand],
        first: usize,
    ) -> Operand {
        let before = self.finish(Operand::Input(0));
        let shapes: Vec<_> = operands
            .iter()
            .map(|&operand| before.shape_of(operand))
            .collect();
        let degrees: Vec<_> = operands
            .iter()
            .map(|&operand| before.degree_of(operand))
            .collect();
        self.nodes.push(Node {
            path: path.to_owned().into(),
            operation,
            operands: operands.to_vec().into(),
            shape: operation.output(&shapes).unwrap(),
            degree: operation.degree_if_known(&degrees).unwrap_or(None),
            weights: first..self.weights.len(),
        });
        Operand::Node(self.nodes.len() - 1)
    }

    /// The network with that output.
    pub fn finish(&self, output: Operand) -> NetworkSpec {
        NetworkSpec {
            name: "Sketch".into(),
            inputs: self.inputs.clone().into(),
            nodes: self.nodes.clone().into(),
            weights: self.weights.clone().into(),
            output,
        }
    }
}

//! Networks by hand: each node with the shape, the degree and the weights that the rules of `xdnn-ir` find.

use std::borrow::Cow;

use xdnn_runtime::ir::{
    Combine, Fault, Input, Layer, NetworkSpec, Node, Operand, Operation, Shape, Weight,
};

/// A network under construction.
#[derive(Clone, Debug)]
pub struct Builder {
    spec: NetworkSpec,
}

impl Builder {
    /// A network with these inputs.
    pub fn new(inputs: &[Shape]) -> Self {
        let input = |(i, shape): (usize, &Shape)| Input {
            name: format!("x{i}").into(),
            shape: *shape,
        };
        Self {
            spec: NetworkSpec {
                name: "Test".into(),
                inputs: inputs.iter().enumerate().map(input).collect(),
                nodes: Cow::Owned(vec![]),
                weights: Cow::Owned(vec![]),
                output: Operand::Input(0),
            },
        }
    }

    /// What has been built so far.
    pub fn spec(&self) -> &NetworkSpec {
        &self.spec
    }

    /// The result of a layer.
    pub fn layer(&mut self, layer: impl Into<Layer>, x: Operand) -> Result<Operand, Fault> {
        self.node(Operation::Layer(layer.into()), &[x])
    }

    /// The result of layers one after the other.
    pub fn chain(
        &mut self,
        x: Operand,
        layers: impl IntoIterator<Item = Layer>,
    ) -> Result<Operand, Fault> {
        layers
            .into_iter()
            .try_fold(x, |x, layer| self.layer(layer, x))
    }

    /// The combination of several values.
    pub fn combine(&mut self, rule: Combine, operands: &[Operand]) -> Result<Operand, Fault> {
        self.node(Operation::Combine(rule), operands)
    }

    /// The network that returns `output`.
    pub fn finish(mut self, output: Operand) -> NetworkSpec {
        self.spec.output = output;
        self.spec
    }

    fn node(&mut self, operation: Operation, operands: &[Operand]) -> Result<Operand, Fault> {
        let shapes: Vec<_> = operands.iter().map(|x| self.spec.shape_of(*x)).collect();
        let degrees: Vec<_> = operands.iter().map(|x| self.spec.degree_of(*x)).collect();
        let (shape, degree) = (
            operation.output(&shapes)?,
            operation.degree_if_known(&degrees)?,
        );
        let position = self.spec.nodes().len();
        let first = self.spec.weights().len();
        if let (Operation::Layer(layer), [input]) = (&operation, shapes.as_slice()) {
            let weight = |(name, shape): &(&str, Shape)| Weight {
                name: format!("n{position}.{name}").into(),
                shape: *shape,
            };
            let weights = layer.weights(*input);
            let weights = weights.as_slice().iter().map(weight);
            self.spec.weights.to_mut().extend(weights);
        }
        let weights = first..self.spec.weights().len();
        self.spec.nodes.to_mut().push(Node {
            path: format!("n{position}").into(),
            operation,
            operands: operands.to_vec().into(),
            shape,
            degree,
            weights,
        });
        Ok(Operand::Node(position))
    }
}

/// The network of one layer.
pub fn of_layer(layer: impl Into<Layer>, input: Shape) -> Result<NetworkSpec, Fault> {
    of_layers([layer.into()], input)
}

/// The network of layers one after the other.
pub fn of_layers(
    layers: impl IntoIterator<Item = Layer>,
    input: Shape,
) -> Result<NetworkSpec, Fault> {
    let mut builder = Builder::new(&[input]);
    let output = builder.chain(Operand::Input(0), layers)?;
    Ok(builder.finish(output))
}

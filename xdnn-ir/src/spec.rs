//! A whole network as data.

use std::borrow::Cow;
use std::ops::Range;

use crate::{Combine, Custom, Degree, Fault, Function, Layer, Shape};

/// An input of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The declared name.
    pub name: Cow<'static, str>,
    /// The shape of one sample.
    pub shape: Shape,
}

/// A weight tensor of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// The path of labels and the tensor's own name, such as `layer1.rest.0.conv1.weight`.
    pub name: Cow<'static, str>,
    /// The shape, in PyTorch's layout.
    pub shape: Shape,
}

/// Where a node reads from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// Input number `n` of the network.
    Input(usize),
    /// The result of node number `n`.
    Node(usize),
}

/// What a node computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation {
    /// One layer, of one operand.
    Layer(Layer),
    /// A combination of one or more operands.
    Combine(Combine),
    /// A function of each element of one operand, which the user has declared.
    Function(Function),
    /// One layer of another crate, of one operand.
    Custom(Custom),
}

/// One step of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The path of labels, such as `layer1.rest.0.conv1`; the enclosing path where the step itself has no label.
    pub path: Cow<'static, str>,
    /// What it computes.
    pub operation: Operation,
    /// What it reads: inputs and earlier nodes.
    pub operands: Cow<'static, [Operand]>,
    /// The shape of one sample of its result.
    pub shape: Shape,
    /// The degree of homogeneity of its result in the inputs of the network; `None` where no rule finds one, which only
    /// `#[regular]` networks allow.
    pub degree: Option<Degree>,
    /// Its weights, as positions in [`NetworkSpec::weights`].
    pub weights: Range<usize>,
}

/// A network: inputs, nodes in order of evaluation, weights, and the value that is the output.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkSpec {
    /// The declared name.
    pub name: Cow<'static, str>,
    /// The inputs, in order of declaration.
    pub inputs: Cow<'static, [Input]>,
    /// The nodes; each reads only inputs and nodes before it.
    pub nodes: Cow<'static, [Node]>,
    /// The weights, in order of declaration.
    pub weights: Cow<'static, [Weight]>,
    /// The value that the network returns.
    pub output: Operand,
}

impl NetworkSpec {
    /// The inputs, in order of declaration.
    pub const fn inputs(&self) -> &[Input] {
        match &self.inputs {
            Cow::Borrowed(inputs) => inputs,
            Cow::Owned(inputs) => inputs.as_slice(),
        }
    }

    /// The nodes, in order of evaluation.
    pub const fn nodes(&self) -> &[Node] {
        match &self.nodes {
            Cow::Borrowed(nodes) => nodes,
            Cow::Owned(nodes) => nodes.as_slice(),
        }
    }

    /// The weights, in order of declaration.
    pub const fn weights(&self) -> &[Weight] {
        match &self.weights {
            Cow::Borrowed(weights) => weights,
            Cow::Owned(weights) => weights.as_slice(),
        }
    }

    /// The number of weights in all tensors together.
    pub const fn parameters(&self) -> usize {
        let (weights, mut sum, mut i) = (self.weights(), 0_usize, 0);
        while i < weights.len() {
            sum = sum.saturating_add(weights[i].shape.elements());
            i += 1;
        }
        sum
    }

    /// The shape of one sample of what `operand` stands for. A scalar where there is no such value.
    pub const fn shape_of(&self, operand: Operand) -> Shape {
        match operand {
            Operand::Input(i) if i < self.inputs().len() => self.inputs()[i].shape,
            Operand::Node(i) if i < self.nodes().len() => self.nodes()[i].shape,
            _ => Shape::new([]),
        }
    }

    /// The degree of homogeneity of what `operand` stands for, where it has one.
    pub const fn degree_of(&self, operand: Operand) -> Option<Degree> {
        match operand {
            Operand::Node(i) if i < self.nodes().len() => self.nodes()[i].degree,
            _ => Some(Degree::ONE),
        }
    }

    /// The shape of one sample of the output.
    pub const fn output_shape(&self) -> Shape {
        self.shape_of(self.output)
    }

    /// The degree of homogeneity of the output, where the network is homogeneous.
    pub const fn degree(&self) -> Option<Degree> {
        self.degree_of(self.output)
    }

    /// The first node, of those that the output is computed from, that turns values with a degree into one without, and
    /// why. `None` for a homogeneous network.
    pub fn first_inhomogeneous(&self) -> Option<(&Node, Fault)> {
        let nodes = self.nodes();
        let mut needed = vec![false; nodes.len()];
        let mut open = vec![self.output];
        while let Some(operand) = open.pop() {
            if let Operand::Node(i) = operand
                && let Some(seen @ false) = needed.get_mut(i)
            {
                *seen = true;
                open.extend(nodes[i].operands.iter());
            }
        }
        let mut needed = nodes.iter().zip(needed).filter(|(_, needed)| *needed);
        needed.find_map(|(node, _)| {
            let degrees = node.operands.iter().map(|operand| self.degree_of(*operand));
            let fault = node.operation.degree_if_known(&degrees.collect::<Vec<_>>());
            fault.err().map(|fault| (node, fault))
        })
    }
}

impl Operation {
    /// The name in the language.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Layer(layer) => layer.name(),
            Self::Combine(combine) => combine.name(),
            Self::Function(function) => function.name,
            Self::Custom(custom) => custom.name,
        }
    }

    /// The shape of the result for operands of these shapes. [`Fault::Custom`] for a layer of another crate.
    pub const fn output(&self, operands: &[Shape]) -> Result<Shape, Fault> {
        match (self, operands) {
            (Self::Layer(layer), [input]) => layer.output(*input),
            (Self::Function(function), [input]) => function.output(*input),
            (Self::Custom(_), [_]) => Err(Fault::Custom),
            (Self::Combine(combine), operands) => combine.output(operands),
            _ => Err(Fault::NoOperands),
        }
    }

    /// The degree of the result for operands of these degrees.
    pub const fn degree(&self, operands: &[Degree]) -> Result<Degree, Fault> {
        match (self, operands) {
            (Self::Layer(layer), [input]) => layer.degree(*input),
            (Self::Function(function), [input]) => function.degree(*input),
            (Self::Custom(custom), [input]) => custom.degree(*input),
            (Self::Combine(combine), operands) => combine.degree(operands),
            _ => Err(Fault::NoOperands),
        }
    }

    /// The degree of the result for operands of which some may have none: the result then has none, either.
    pub fn degree_if_known(&self, operands: &[Option<Degree>]) -> Result<Option<Degree>, Fault> {
        match operands.iter().copied().collect::<Option<Vec<_>>>() {
            Some(degrees) => self.degree(&degrees).map(Some),
            None => Ok(None),
        }
    }
}

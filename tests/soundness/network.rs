//! Networks as trees, and what the rules of `xdnn::ir` say of them while they grow.

use xdnn::ir::{Argument, Combine, Degree, Layer, Shape, Signature};

/// A declared network. Several inputs are joined in front of the body.
#[derive(Clone, Debug)]
pub struct Network {
    pub inputs: Vec<Shape>,
    /// What each input passes through before it is joined with the others.
    pub starts: Vec<Vec<Step>>,
    pub join: Combine,
    pub body: Vec<Step>,
}

#[derive(Clone, Debug)]
pub enum Step {
    Layer(Call),
    Residual {
        body: Vec<Step>,
        /// Empty where the value is added as it is.
        skip: Vec<Step>,
    },
    Repeat {
        count: usize,
        body: Vec<Step>,
    },
    Combine {
        combine: Combine,
        operands: Vec<Vec<Step>>,
    },
}

/// A layer with its arguments, and the shape that it reads.
#[derive(Clone, Debug)]
pub struct Call {
    pub signature: &'static Signature,
    pub arguments: Vec<Option<Argument>>,
    pub input: Shape,
}

impl Call {
    pub fn layer(&self) -> Option<Layer> {
        Layer::from_arguments(self.signature.name, &self.arguments)
    }

    pub fn output(&self) -> Option<Shape> {
        self.layer()?.output(self.input).ok()
    }

    pub fn has_weights(&self) -> bool {
        let layer = self.layer();
        layer.is_some_and(|layer| !layer.weights(self.input).as_slice().is_empty())
    }

    /// The position of the parameter that says whether there is a bias.
    pub fn bias(&self) -> Option<usize> {
        let mut parameters = self.signature.parameters.iter();
        parameters.position(|parameter| parameter.name == "bias")
    }
}

impl Step {
    pub fn output(&self, input: Shape) -> Option<Shape> {
        match self {
            Self::Layer(call) => call.output(),
            Self::Residual { body, .. } | Self::Repeat { body, .. } => output(body, input),
            Self::Combine { combine, operands } => {
                let shapes: Option<Vec<_>> =
                    operands.iter().map(|flow| output(flow, input)).collect();
                combine.output(&shapes?).ok()
            }
        }
    }

    pub fn degree(&self, input: Degree) -> Option<Degree> {
        match self {
            Self::Layer(call) => call.layer()?.degree(input).ok(),
            Self::Residual { body, skip } => {
                let paths = [degree(body, input)?, degree(skip, input)?];
                Combine::Sum.degree(&paths).ok()
            }
            Self::Repeat { count, body } => {
                (0..*count).try_fold(input, |input, _| degree(body, input))
            }
            Self::Combine { combine, operands } => {
                let degrees: Option<Vec<_>> =
                    operands.iter().map(|flow| degree(flow, input)).collect();
                combine.degree(&degrees?).ok()
            }
        }
    }

    /// The first factor of a product: what a layer that is legal at degree 0 only stands in.
    pub fn gate(&self) -> Option<&Vec<Step>> {
        match self {
            Self::Combine { combine, operands } if *combine == Combine::Product => operands.first(),
            _ => None,
        }
    }

    pub fn has_weights(&self) -> bool {
        match self {
            Self::Layer(call) => call.has_weights(),
            _ => self.flows().into_iter().flatten().any(Self::has_weights),
        }
    }

    /// The steps inside.
    pub fn flows(&self) -> Vec<&Vec<Step>> {
        match self {
            Self::Layer(_) => Vec::new(),
            Self::Residual { body, skip } => vec![body, skip],
            Self::Repeat { body, .. } => vec![body],
            Self::Combine { operands, .. } => operands.iter().collect(),
        }
    }

    fn flows_mut(&mut self) -> Vec<&mut Vec<Step>> {
        match self {
            Self::Layer(_) => Vec::new(),
            Self::Residual { body, skip } => vec![body, skip],
            Self::Repeat { body, .. } => vec![body],
            Self::Combine { operands, .. } => operands.iter_mut().collect(),
        }
    }
}

impl Network {
    pub fn of(body: &[Step], input: Shape) -> Self {
        Self {
            inputs: vec![input],
            starts: vec![Vec::new()],
            join: Combine::Sum,
            body: body.to_vec(),
        }
    }

    /// Shows every step whose degree matters to `visitor`, outer ones first: not those in an operand that only chooses, as
    /// the second one of `unpool` does.
    pub fn visit_mut(&mut self, visitor: &mut dyn FnMut(&mut Step)) {
        fn visit(flow: &mut [Step], visitor: &mut dyn FnMut(&mut Step)) {
            for step in flow {
                visitor(step);
                let chooses: Vec<bool> = match step {
                    Step::Combine { combine, operands } => (0..operands.len())
                        .map(|i| chooses(*combine, operands.len(), i))
                        .collect(),
                    _ => Vec::new(),
                };
                for (i, flow) in step.flows_mut().into_iter().enumerate() {
                    if chooses.get(i) != Some(&true) {
                        visit(flow, visitor);
                    }
                }
            }
        }
        let (join, inputs) = (self.join, self.inputs.len());
        for (i, flow) in self.starts.iter_mut().enumerate() {
            if inputs == 1 || !chooses(join, inputs, i) {
                visit(flow, visitor);
            }
        }
        visit(&mut self.body, visitor);
    }

    pub fn output(&self) -> Option<Shape> {
        let joined = match self.inputs.as_slice() {
            [input] => *input,
            inputs => {
                let flows = self.starts.iter().zip(inputs);
                let shapes: Option<Vec<_>> =
                    flows.map(|(flow, input)| output(flow, *input)).collect();
                self.join.output(&shapes?).ok()?
            }
        };
        output(&self.body, joined)
    }
}

pub fn output(flow: &[Step], input: Shape) -> Option<Shape> {
    flow.iter()
        .try_fold(input, |input, step| step.output(input))
}

pub fn degree(flow: &[Step], input: Degree) -> Option<Degree> {
    flow.iter()
        .try_fold(input, |input, step| step.degree(input))
}

/// Whether the degree of this operand plays no part in that of the result.
fn chooses(combine: Combine, operands: usize, operand: usize) -> bool {
    let mut degrees = vec![Degree::ONE; operands];
    let before = combine.degree(&degrees);
    degrees[operand] = Degree::integer(2);
    before.is_ok() && combine.degree(&degrees) == before
}

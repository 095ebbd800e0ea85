//! Networks at random. Every layer and every combination comes from the tables of `xdnn::ir`, so that new ones take part.

use xdnn::ir::{Argument, Combine, Degree, Layer, ParameterKind, Shape, Signature};

use super::network::{Call, Network, Step, output};
use super::numbers::Numbers;

/// No value has more elements a sample, and no tensor of weights has more of them.
const LARGEST: usize = 64;
const LARGEST_WEIGHT: usize = 2048;

pub struct Generator<'a> {
    pub numbers: &'a mut Numbers,
}

impl Generator<'_> {
    /// A network in which the layer of this signature takes part, as far as the rules can tell homogeneous.
    pub fn network(&mut self, focus: &'static Signature) -> Option<Network> {
        let (core, input) = (0..40).find_map(|_| {
            let input = self.shape();
            let core = self.focus(focus, input)?;
            Some((core, input))
        })?;
        let mut network = Network {
            inputs: vec![input],
            starts: vec![Vec::new()],
            join: Combine::ALL[self.numbers.below(Combine::ALL.len())],
            body: Vec::new(),
        };
        let (mut shape, mut degree) = (input, Degree::ONE);
        if self.numbers.once_in(3) {
            for _ in 0..self.numbers.within(1..=2) {
                network.inputs.push(self.shape());
            }
            network.starts = Vec::new();
            let mut degrees = Vec::new();
            for input in network.inputs.clone() {
                let budget = self.numbers.below(2);
                let (mut flow, end) = self.flow(input, Degree::ONE, budget);
                flow.extend(self.adapt(output(&flow, input)?, shape)?);
                network.starts.push(flow);
                degrees.push(end);
            }
            degree = network.join.degree(&degrees).ok()?;
            let shapes = vec![shape; network.inputs.len()];
            shape = network.join.output(&shapes).ok()?;
        } else if self.numbers.once_in(2) {
            let (flow, end) = self.flow(shape, degree, 1);
            shape = output(&flow, shape)?;
            (network.body, degree) = (flow, end);
        }
        network.body.extend(self.adapt(shape, input)?);
        degree = super::network::degree(&core, degree)?;
        shape = output(&core, input)?;
        network.body.extend(core);
        let budget = self.numbers.below(4);
        let (flow, _) = self.flow(shape, degree, budget);
        shape = output(&flow, shape)?;
        network.body.extend(flow);
        if self.numbers.once_in(2) {
            let outputs = self.numbers.within(1..=4);
            network
                .body
                .extend(self.adapt(shape, Shape::new([outputs]))?);
        }
        network.output().map(|_| network)
    }

    fn shape(&mut self) -> Shape {
        loop {
            let rank = self.numbers.within(1..=4);
            let dims: Vec<_> = (0..rank)
                .map(|_| self.numbers.choose(&[1, 2, 2, 3, 4, 4, 5, 6]))
                .collect();
            if let Some(shape) =
                Shape::from_slice(&dims).filter(|shape| shape.elements() <= LARGEST)
            {
                return shape;
            }
        }
    }

    /// The layer itself, or a gate with the layer in it where it is legal at degree 0 only.
    fn focus(&mut self, signature: &'static Signature, input: Shape) -> Option<Vec<Step>> {
        (0..20).find_map(|_| {
            let call = self.call(signature, input)?;
            let layer = call.layer()?;
            if layer.degree(Degree::ONE).is_ok() {
                return Some(vec![Step::Layer(call)]);
            }
            layer.degree(Degree::ZERO).ok()?;
            self.gate(call).map(|gate| vec![gate])
        })
    }

    /// `product(norm -> layer, …)`: the layer reads a value of degree 0.
    fn gate(&mut self, call: Call) -> Option<Step> {
        let input = call.input;
        let norm = self.normaliser(input)?;
        let end = call.output()?;
        let mut gate = vec![Step::Layer(norm), Step::Layer(call)];
        gate.extend(self.adapt(end, input)?);
        Some(Step::Combine {
            combine: Combine::Product,
            operands: vec![gate, vec![identity(input)?]],
        })
    }

    /// A layer that turns degree 1 into degree 0.
    fn normaliser(&mut self, input: Shape) -> Option<Call> {
        (0..400).find_map(|_| {
            let signature = self.signature();
            let call = self.call(signature, input)?;
            let zero = call.layer()?.degree(Degree::ONE).ok()? == Degree::ZERO;
            (zero && call.output()? == input).then_some(call)
        })
    }

    pub fn signature(&mut self) -> &'static Signature {
        &Layer::SIGNATURES[self.numbers.below(Layer::SIGNATURES.len())]
    }

    /// Up to `budget` steps and a few more inside of them, with the degree behind them.
    fn flow(&mut self, input: Shape, start: Degree, budget: usize) -> (Vec<Step>, Degree) {
        let (mut flow, mut shape, mut at) = (Vec::new(), input, start);
        for _ in 0..budget {
            let step = match self.numbers.below(10) {
                0 => self.residual(shape, at),
                1 => self.repeat(shape, at),
                2 | 3 => self.combination(shape, at),
                4 => self.random_gate(shape),
                _ => self.layer(shape, at),
            };
            let Some(step) = step else { continue };
            let (Some(next), Some(degree)) = (step.output(shape), step.degree(at)) else {
                continue;
            };
            if next.elements() <= LARGEST && degree.to_f64().abs() <= 5.0 {
                (shape, at) = (next, degree);
                flow.push(step);
            }
        }
        (flow, at)
    }

    fn layer(&mut self, shape: Shape, at: Degree) -> Option<Step> {
        (0..12).find_map(|_| {
            let signature = self.signature();
            let call = self.call(signature, shape)?;
            call.layer()?.degree(at).ok()?;
            Some(Step::Layer(call))
        })
    }

    fn random_gate(&mut self, shape: Shape) -> Option<Step> {
        (0..12).find_map(|_| {
            let signature = self.signature();
            let call = self.call(signature, shape)?;
            call.layer()?.degree(Degree::ZERO).ok()?;
            self.gate(call)
        })
    }

    fn residual(&mut self, shape: Shape, at: Degree) -> Option<Step> {
        let budget = self.numbers.within(1..=2);
        let (mut body, end) = self.flow(shape, at, budget);
        let inside = output(&body, shape)?;
        let skip = if self.numbers.once_in(3) {
            self.adapt(shape, inside)?
        } else {
            body.extend(self.adapt(inside, shape)?);
            Vec::new()
        };
        (!body.is_empty() && end == at).then_some(Step::Residual { body, skip })
    }

    fn repeat(&mut self, shape: Shape, at: Degree) -> Option<Step> {
        let budget = self.numbers.within(1..=2);
        let (mut body, end) = self.flow(shape, at, budget);
        body.extend(self.adapt(output(&body, shape)?, shape)?);
        let count = self.numbers.within(1..=3);
        (!body.is_empty() && end == at).then_some(Step::Repeat { count, body })
    }

    /// A combination of two or three flows whose shapes and degrees fit.
    fn combination(&mut self, shape: Shape, at: Degree) -> Option<Step> {
        let combine = Combine::ALL[self.numbers.below(Combine::ALL.len())];
        let budget = self.numbers.below(3);
        let first = self.flow(shape, at, budget).0;
        let end = output(&first, shape)?;
        let reversed: Vec<_> = end.dims().iter().rev().copied().collect();
        let wider = end.with_dim(0, self.numbers.within(1..=3));
        let targets = [end, wider, Shape::from_slice(&reversed)?];
        let partner = *targets
            .iter()
            .find(|target| combine.output(&[end, **target]).is_ok())?;
        let mut operands = vec![first];
        for _ in 0..self.numbers.choose(&[1, 1, 2]) {
            let fitting = (0..5).find_map(|_| {
                let budget = self.numbers.below(3);
                let mut flow = self.flow(shape, at, budget).0;
                flow.extend(self.adapt(output(&flow, shape)?, partner)?);
                let mut all = operands.clone();
                all.push(flow.clone());
                let step = Step::Combine {
                    combine,
                    operands: all,
                };
                step.output(shape).and(step.degree(at)).map(|_| flow)
            });
            operands.extend(fitting);
        }
        for flow in operands.iter_mut().filter(|flow| flow.is_empty()) {
            flow.push(identity(shape)?);
        }
        (operands.len() > 1).then_some(Step::Combine { combine, operands })
    }

    /// Linear steps from one shape to another.
    fn adapt(&mut self, from: Shape, to: Shape) -> Option<Vec<Step>> {
        if from == to {
            return Some(Vec::new());
        }
        let elements = Argument::Int(to.elements());
        let flat = Shape::new([from.elements()]);
        let mut flow = vec![
            call_of("Flatten", Vec::new(), from)?,
            call_of("Linear", vec![Some(elements)], flat)?,
        ];
        if to.rank() != 1 {
            let flat = Shape::new([to.elements()]);
            flow.push(call_of("Reshape", vec![Some(Argument::Ints(to))], flat)?);
        }
        Some(flow)
    }

    /// The layer with random arguments, where it can read this shape.
    pub fn call(&mut self, signature: &'static Signature, input: Shape) -> Option<Call> {
        (0..8).find_map(|_| {
            let arguments = signature.parameters.iter().map(|parameter| {
                let given = !parameter.optional || self.numbers.below(20) < 9;
                (given && parameter.name != "bias").then(|| self.argument(parameter.kind, input))
            });
            let call = Call {
                signature,
                arguments: arguments.collect(),
                input,
            };
            let output = call.output()?;
            let weights = call.layer()?.weights(input);
            let mut weights = weights.as_slice().iter().map(|(_, shape)| shape.elements());
            let fits = output.elements() <= LARGEST && output.rank() <= 4;
            (fits && weights.all(|weight| weight <= LARGEST_WEIGHT)).then_some(call)
        })
    }

    fn int(&mut self, input: Shape) -> usize {
        match self.numbers.below(3) {
            0 => input.dim(self.numbers.below(input.rank().max(1))),
            _ => self.numbers.choose(&[0, 1, 1, 1, 2, 2, 2, 3, 3, 4]),
        }
    }

    pub fn argument(&mut self, kind: ParameterKind, input: Shape) -> Argument {
        match kind {
            ParameterKind::Int => Argument::Int(self.int(input)),
            ParameterKind::Ints(_) if self.numbers.once_in(2) => Argument::Int(self.int(input)),
            ParameterKind::Ints(n) => {
                let values: Vec<_> = (0..n).map(|_| self.numbers.below(4)).collect();
                Argument::Ints(Shape::from_slice(&values).unwrap_or(Shape::new([])))
            }
            ParameterKind::Float => Argument::Float(
                self.numbers
                    .choose(&[0.0, 0.01, 0.3, 0.5, -0.5, 1.0, 1.5, 2.0, 3.0, 1e-5, -2.0]),
            ),
            ParameterKind::Bool => Argument::Bool(self.numbers.once_in(2)),
            ParameterKind::Word(words) => Argument::Word(self.numbers.choose(words)),
            ParameterKind::Dims => self.dims(input),
        }
    }

    /// Dimensions with the elements of the input, some of its last dimensions, or an order of them.
    fn dims(&mut self, input: Shape) -> Argument {
        let (elements, rank) = (input.elements().max(1), input.rank());
        let dims = match self.numbers.below(3) {
            0 => {
                let divisors: Vec<_> = (1..=elements)
                    .filter(|d| elements.is_multiple_of(*d))
                    .collect();
                let d = self.numbers.choose(&divisors);
                let rest = elements / d;
                if rest.is_multiple_of(2) && self.numbers.once_in(2) {
                    vec![d, 2, rest / 2]
                } else {
                    vec![d, rest]
                }
            }
            1 => input.dims()[self.numbers.below(rank.max(1))..].to_vec(),
            _ => {
                let mut axes: Vec<_> = (1..=rank).collect();
                axes.rotate_left(self.numbers.below(rank.max(1)));
                axes
            }
        };
        Argument::Ints(Shape::from_slice(&dims).unwrap_or(input))
    }
}

/// A step that neither stops a flow nor changes its shape, for flows that need one.
pub fn identity(input: Shape) -> Option<Step> {
    call_of("LeakyRelu", vec![Some(Argument::Float(0.7))], input)
}

pub fn call_of(name: &str, mut arguments: Vec<Option<Argument>>, input: Shape) -> Option<Step> {
    let signature = Layer::SIGNATURES
        .iter()
        .find(|signature| signature.name == name)?;
    arguments.resize(signature.parameters.len(), None);
    let call = Call {
        signature,
        arguments,
        input,
    };
    call.output().map(|_| Step::Layer(call))
}

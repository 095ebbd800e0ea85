//! One fault in an otherwise homogeneous network.

use xdnn::ir::{Argument, Combine, Degree, Layer, ParameterKind, Shape};

use super::generate::{Generator, call_of, identity};
use super::network::{Call, Network, Step};
use super::{judge, text};

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A layer gets a bias.
    Bias,
    /// A layer becomes one that is not homogeneous, between learned scales of either sign: an ELU of what is never negative
    /// is the identity.
    Swap,
    /// One operand of a combination is cubed.
    Degrees,
    /// An argument makes a layer inhomogeneous: an eps, a threshold.
    Argument,
    /// A value is smoothed within a margin of a constant.
    Padding,
}

impl Fault {
    pub const ALL: [Self; 5] = [
        Self::Bias,
        Self::Swap,
        Self::Degrees,
        Self::Argument,
        Self::Padding,
    ];
}

/// Puts a fault into the network, and says which. `None` where there is no place for it.
pub fn mutate(network: &mut Network, fault: Fault, generator: &mut Generator) -> Option<String> {
    // What a constant gate reads is nothing that a fault shows in.
    let (mut places, mut gates) = (0, Vec::new());
    network.visit_mut(&mut |step| {
        places += 1;
        gates.extend(step.gate().cloned());
    });
    if !gates.iter().all(|gate| generator.is_alive(gate)) {
        return None;
    }
    let start = generator.numbers.below(places.max(1));
    for place in (start..places).chain(0..start) {
        let (mut at, mut said) = (0, None);
        network.visit_mut(&mut |step| {
            if at == place {
                said = mutate_step(step, fault, generator);
            }
            at += 1;
        });
        if said.is_some() {
            return said;
        }
    }
    None
}

fn mutate_step(step: &mut Step, fault: Fault, generator: &mut Generator) -> Option<String> {
    match (fault, step) {
        (Fault::Bias, Step::Layer(call)) => {
            let bias = call
                .bias()
                .filter(|bias| call.signature.parameters[*bias].kind == ParameterKind::Bool)?;
            let without = call.clone();
            call.arguments[bias] = Some(Argument::Bool(true));
            if generator.breaks(call) && !refused(&without) {
                return Some("bias".to_owned());
            }
            *call = without;
            None
        }
        (Fault::Swap, step @ Step::Layer(_)) => {
            let Step::Layer(call) = &*step else {
                return None;
            };
            let shape = call.input;
            let other = (call.output()? == shape).then(|| {
                (0..60).find_map(|_| {
                    let signature = generator.signature();
                    let other = generator.call(signature, shape)?;
                    (other.output()? == shape && generator.breaks(&other)).then_some(other)
                })
            })??;
            let said = format!("swap {}", other.signature.name);
            let scale = || call_of("Scale", Vec::new(), shape);
            *step = Step::Repeat {
                count: 1,
                body: vec![scale()?, Step::Layer(other), scale()?],
            };
            Some(said)
        }
        (Fault::Argument, Step::Layer(call)) if !refused(call) => {
            for (i, parameter) in call.signature.parameters.iter().enumerate() {
                if parameter.name == "bias" {
                    continue;
                }
                for _ in 0..12 {
                    let mut other = call.clone();
                    other.arguments[i] = Some(generator.argument(parameter.kind, call.input));
                    if other.output() == call.output() && generator.breaks(&other) {
                        *call = other;
                        return Some(format!(
                            "argument {} of {}",
                            parameter.name, call.signature.name
                        ));
                    }
                }
            }
            None
        }
        (Fault::Padding, step @ Step::Layer(_)) => {
            let Step::Layer(call) = &*step else {
                return None;
            };
            let shape = call.output()?;
            let axes = shape.rank().checked_sub(1)?;
            let [one, three] = [1, 3].map(|n| Some(Argument::Int(n)));
            let margin = vec![one, Some(Argument::Float(0.5))];
            let margin = call_of(&format!("ConstantPad{axes}d"), margin, shape)?;
            let padded = margin.output(shape)?;
            let mean = call_of(&format!("AvgPool{axes}d"), vec![three, one], padded)?;
            *step = Step::Repeat {
                count: 1,
                body: vec![step.clone(), margin, mean],
            };
            Some("constant padding".to_owned())
        }
        (Fault::Degrees, Step::Combine { combine, operands }) if *combine != Combine::Product => {
            let which = generator.numbers.below(operands.len());
            let before = operands.clone();
            let last = operands[which].last()?;
            let Step::Layer(last) = last else { return None };
            let shape = last.output()?;
            operands[which].push(cube(shape)?);
            let degrees: Option<Vec<_>> = operands
                .iter()
                .map(|flow| super::network::degree(flow, Degree::ONE))
                .collect();
            if degrees.is_some_and(|degrees| combine.degree(&degrees).is_err()) {
                return Some(format!("degrees in {}", combine.name()));
            }
            *operands = before;
            None
        }
        (Fault::Degrees, Step::Residual { body, .. }) => {
            let Step::Layer(last) = body.last()? else {
                return None;
            };
            let shape = last.output()?;
            body.push(cube(shape)?);
            Some("degrees in residual".to_owned())
        }
        // A sum where there was none: `f` becomes `sum(f, f -> f³)`.
        (Fault::Degrees, step @ Step::Layer(_)) if generator.numbers.once_in(4) => {
            let Step::Layer(call) = &*step else {
                return None;
            };
            let shape = call.output()?;
            let cubed = vec![step.clone(), cube(shape)?];
            let sum = [Combine::Sum, Combine::Max, Combine::Min];
            let combine = generator.numbers.choose(&sum);
            *step = Step::Combine {
                combine,
                operands: vec![vec![step.clone()], cubed],
            };
            Some(format!("degrees in {}", combine.name()))
        }
        _ => None,
    }
}

fn refused(call: &Call) -> bool {
    let layer: Option<Layer> = call.layer();
    layer.is_some_and(|layer| layer.degree(Degree::ONE).is_err())
}

impl Generator<'_> {
    /// Whether what comes out of these steps alone depends on what flows in.
    fn is_alive(&mut self, flow: &[Step]) -> bool {
        let Some(Step::Layer(first)) = flow.first() else {
            return true;
        };
        let alone = text::text(&Network::of(flow, first.input), 0, false);
        let alone = xdnn_syntax::check_str(&alone);
        alone.is_ok_and(|spec| judge::is_alive(&spec, self.numbers))
    }

    /// Whether the rules refuse the layer, and it is a fault where values of both signs reach it: the softmax of one element
    /// is constant.
    fn breaks(&mut self, call: &Call) -> bool {
        refused(call) && {
            let flow = [Step::Layer(call.clone())];
            let alone = text::text(&Network::of(&flow, call.input), 0, false);
            let alone = xdnn_syntax::check_str(&alone);
            alone.is_ok_and(|spec| judge::seems_homogeneous(&spec, self.numbers) == Ok(false))
        }
    }
}

/// `product(f, f, f)` of a value, which has its sign: a maximum of the two does not choose one of them for every input.
fn cube(shape: Shape) -> Option<Step> {
    let factor = || identity(shape).map(|step| vec![step]);
    Some(Step::Combine {
        combine: Combine::Product,
        operands: vec![factor()?, factor()?, factor()?],
    })
}

//! Layers.

use xdnn_ir::message::{aliases, refusals};
use xdnn_ir::{Fault, Layer, Operation, Shape, Signature, Weight};

use super::labels::FieldType;
use super::scope::{Scope, text};
use super::{Current, Lowerer, Value};
use crate::arguments::{self, Assigned};
use crate::ast::{Call, Step};
use crate::diagnostic::{Diagnostic, Place};

impl<'a> Lowerer<'a, '_> {
    pub(super) fn layer(
        &mut self,
        step: &'a Step,
        call: &'a Call,
        scope: &Scope<'_, 'a>,
        current: Current,
    ) -> Current {
        let name = text(&call.name);
        // The check of names has reported what is no layer; go on with what was meant.
        let meant = arguments::signature(&name)
            .or_else(|| aliases::layer(&name).and_then(arguments::signature));
        if let Some(label) = &step.label {
            self.declare_label(label);
        }
        let Some(signature) = meant else {
            let keeps = refusals::find(&name).is_some_and(|refusal| refusal.keeps_shape);
            return if keeps { current } else { Current::Unknown };
        };
        let assigned = arguments::of_layer(signature, call, &mut drop);
        let layer = self.build(signature, &assigned, scope);
        let input = match current {
            Current::Value(value) => Some(value),
            Current::Unknown => None,
            Current::Nothing => {
                let error = Diagnostic::new(&call.name, format!("`{name}` has nothing to read"));
                self.report(
                    error
                        .note("the network has several inputs, and none of them flows here")
                        .help(format!("name the value that it reads: `image -> {name}`")),
                );
                None
            }
        };
        let Some(layer) = layer else {
            return Current::Unknown;
        };
        if input.is_none() {
            self.probe(call, layer, &assigned);
        }
        let value = input.map(|input| self.apply(step, call, layer, &assigned, input));
        let weights = layer.weights(input.map_or(Shape::new([1]), |input| input.shape));
        self.weights(
            step,
            call,
            layer,
            weights.as_slice(),
            value.flatten().is_some(),
        );
        value.flatten().map_or(Current::Unknown, Current::Value)
    }

    /// The layer of these arguments, where all that it needs is known.
    fn build(
        &mut self,
        signature: &Signature,
        assigned: &Assigned<'a>,
        scope: &Scope<'_, 'a>,
    ) -> Option<Layer> {
        let mut arguments = Vec::new();
        let mut known = true;
        for (parameter, given) in signature.parameters.iter().zip(assigned) {
            if given.is_empty() {
                known &= parameter.optional;
                arguments.push(None);
                continue;
            }
            let argument = self.argument(parameter.name, parameter.kind, given, scope);
            known &= argument.is_some();
            arguments.push(argument);
        }
        if known {
            Layer::from_arguments(signature.name, &arguments)
        } else {
            None
        }
    }

    /// Adds the node of a layer. `None` where a mistake leaves its result open.
    fn apply(
        &mut self,
        step: &Step,
        call: &Call,
        layer: Layer,
        assigned: &Assigned,
        input: Value,
    ) -> Option<Value> {
        let shape = match layer.output(input.shape) {
            Ok(shape) => Some(shape),
            Err(fault) => {
                self.fault(call, layer, assigned, fault);
                plausible(layer, input.shape, fault)
            }
        };
        let operation = Operation::Layer(layer);
        let degree = operation
            .degree_if_known(&[input.degree])
            .unwrap_or_else(|fault| {
                self.fault(call, layer, assigned, fault);
                input.degree
            });
        let path = match &step.label {
            Some(label) => self.frames.join(&text(label)),
            None => self.frames.path().to_owned(),
        };
        Some(self.node(
            &call.name,
            path,
            operation,
            vec![input.operand],
            shape?,
            degree,
        ))
    }

    /// Reports what would be wrong with the arguments for every input, where that is not known.
    fn probe(&mut self, call: &Call, layer: Layer, assigned: &Assigned) {
        const LARGE: usize = 1 << 16;
        let inputs = [
            Shape::new([LARGE]),
            Shape::new([LARGE; 2]),
            Shape::new([LARGE; 3]),
        ];
        let faults = inputs
            .into_iter()
            .filter_map(|input| layer.output(input).err());
        for fault in faults {
            if matches!(
                fault,
                Fault::Argument { .. } | Fault::PaddingTooLarge { .. }
            ) {
                self.fault(call, layer, assigned, fault);
            }
        }
    }

    fn fault(&mut self, call: &Call, layer: Layer, assigned: &Assigned, fault: Fault) {
        let mut parameters = layer.signature().parameters.iter().zip(assigned);
        let guilty = parameters.find(|(parameter, _)| Some(parameter.name) == fault.argument());
        let place = guilty
            .and_then(|(_, given)| given.first())
            .map_or(Place::from(&call.name), |expr| expr.place);
        self.report(Diagnostic::from_message(place, fault.message(layer.name())));
    }

    /// Adds the weights of a layer. They belong to the last node, unless that could not be added.
    fn weights(
        &mut self,
        step: &Step,
        call: &Call,
        layer: Layer,
        weights: &[(&'static str, Shape)],
        has_node: bool,
    ) {
        if weights.is_empty() {
            return;
        }
        let Some(label) = &step.label else {
            let (name, short) = (layer.name(), short_label(layer.name()));
            let parentheses = if call.arguments.is_some() {
                "(…)"
            } else {
                ""
            };
            self.report(
                Diagnostic::new(
                    &call.name,
                    format!("`{name}` has weights, so it needs a label"),
                )
                .note(
                    "the label is the field that holds the weights, and their name in weight files",
                )
                .help(format!("write `{short}: {name}{parentheses}`")),
            );
            return;
        };
        let path = self.frames.join(&text(label));
        self.add(
            label,
            step.docs.clone(),
            FieldType::Layer {
                name: layer.name(),
                text: layer.to_string(),
            },
        );
        if !has_node {
            return;
        }
        let first = self.weights.len();
        self.weights
            .extend(weights.iter().map(|(name, shape)| Weight {
                name: format!("{path}.{name}").into(),
                shape: *shape,
            }));
        if let Some(node) = self.nodes.last_mut() {
            node.weights = first..self.weights.len();
        }
    }
}

/// The shape that a refused layer was probably meant to return.
fn plausible(layer: Layer, input: Shape, fault: Fault) -> Option<Shape> {
    match fault {
        Fault::Rank { .. } => layer.output(Shape::new([input.elements()])).ok(),
        Fault::Channels { .. } => Some(input),
        Fault::Elements { to, .. } => Some(to),
        _ => None,
    }
}

/// A label such as users give: `conv`, `fc`.
fn short_label(layer: &str) -> String {
    match layer {
        "Linear" => "fc".to_owned(),
        name => name
            .trim_end_matches(|c: char| c.is_ascii_digit() || c == 'd')
            .to_lowercase(),
    }
}

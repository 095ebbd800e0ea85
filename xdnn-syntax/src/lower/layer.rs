//! Layers.

use std::fmt;

use xdnn_ir::message::{aliases, refusals};
use xdnn_ir::outline::plausible;
use xdnn_ir::{Degree, Fault, Layer, Operation, Shape, Signature, Weight};

use super::labels::FieldType;
use super::scope::{Scope, text};
use super::{Argument, Current, Given, Lowerer, Site, Value, block};
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
        if arguments::signature(&name).is_none() {
            self.misspelt_function(call, current);
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
                self.nothing_to_read(call);
                None
            }
        };
        let Some(built) = layer else {
            return Current::Unknown;
        };
        let shape = input.and_then(|input| input.shape);
        if shape.is_none() && !built.is_open() {
            self.probe(call, built.layer, &assigned);
        }
        let value = input.map(|input| self.apply(step, call, &built, &assigned, input));
        let weights = built.layer.weights(shape.unwrap_or(Shape::new([1])));
        let of = FieldType::Layer {
            name: built.layer.name(),
            text: built.to_string(),
        };
        self.weights(
            step,
            call,
            of,
            weights.as_slice(),
            value.flatten().is_some(),
        );
        value.flatten().map_or(Current::Unknown, Current::Value)
    }

    /// Reports another framework's name for a function, unless the function itself is what is wrong.
    fn misspelt_function(&mut self, call: &Call, current: Current) {
        let name = text(&call.name);
        let refused = !self.regular
            && matches!(current, Current::Value(value) if value.degree.is_some_and(|degree| degree != Degree::ZERO));
        if let Some(meant) = refusals::meant(&name).filter(|_| !refused) {
            let error = Diagnostic::new(&call.name, format!("unknown layer `{name}`"));
            self.report(or_by_path(
                call,
                error.help(format!("did you mean `{meant}`?")),
            ));
        }
    }

    /// The layer of these arguments, where all that it needs is known.
    fn build(
        &mut self,
        signature: &Signature,
        assigned: &Assigned<'a>,
        scope: &Scope<'_, 'a>,
    ) -> Option<Built> {
        let (mut arguments, mut values) = (Vec::new(), Vec::new());
        let mut known = true;
        for (parameter, exprs) in signature.parameters.iter().zip(assigned) {
            let Some(first) = exprs.first() else {
                known &= parameter.optional;
                arguments.push(None);
                let biased = self.biased && parameter.name == "bias";
                values.push(biased.then_some(xdnn_ir::Argument::Bool(true)));
                continue;
            };
            let given = self.argument(parameter.name, parameter.kind, exprs, scope);
            let value = given.as_ref().and_then(Given::argument);
            known &= value.is_some();
            values.push(value);
            arguments.push(given.map(|given| Argument {
                name: parameter.name,
                place: first.place,
                given,
            }));
        }
        if !known {
            return None;
        }
        let layer = Layer::from_arguments(signature.name, &values)?;
        Some(Built { layer, arguments })
    }

    /// Adds the node of a layer. `None` where a mistake leaves its result open.
    fn apply(
        &mut self,
        step: &Step,
        call: &Call,
        built: &Built,
        assigned: &Assigned,
        input: Value,
    ) -> Option<Value> {
        let layer = built.layer;
        let operation = Operation::Layer(layer);
        let shape = match input.shape.filter(|_| !built.is_open()) {
            // Const evaluation looks at shapes that only the compiler knows.
            None => Some(None),
            Some(input) => match layer.output(input) {
                Ok(shape) => Some(Some(shape)),
                Err(fault) => {
                    self.fault(call, layer, assigned, fault);
                    plausible(&operation, &[input], &fault).map(Some)
                }
            },
        };
        let degree = self
            .degree(&operation, &[input.degree])
            .unwrap_or_else(|fault| {
                self.fault(call, layer, assigned, *fault);
                input.degree
            });
        let path = match &step.label {
            Some(label) => self.frames.join(&text(label)),
            None => self.frames.path().to_owned(),
        };
        let shape = shape?;
        let site = Site {
            place: (&call.name).into(),
            name: layer.name(),
            arguments: built.arguments.clone(),
            operands: Vec::new(),
            chain: block::chain(&self.calls),
            is_open: shape.is_none(),
            custom: None,
        };
        Some(self.node(site, path, operation, vec![input.operand], shape, degree))
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
        // What is wrong with a bias is not its value.
        let mut keys = call
            .arguments()
            .iter()
            .filter_map(|argument| argument.key.as_ref());
        let place = match fault {
            Fault::Bias { .. } => keys
                .find(|key| arguments::is_bias(&text(key)))
                .map_or(place, Place::from),
            _ => place,
        };
        // A function that has no degree is called as the user calls it.
        let own = match fault {
            Fault::NotHomogeneous { .. } => refusals::message(&text(&call.name)),
            _ => None,
        };
        self.report(match own {
            Some(message) => or_by_path(call, Diagnostic::from_message(place, message)),
            None => Diagnostic::from_message(place, fault.message(layer.name())),
        });
    }

    /// Adds the weights of a layer. They belong to the last node, unless that could not be added.
    pub(super) fn weights(
        &mut self,
        step: &Step,
        call: &Call,
        of: FieldType,
        weights: &[(&'static str, Shape)],
        has_node: bool,
    ) {
        if weights.is_empty() {
            return;
        }
        let Some(label) = &step.label else {
            let name = match &of {
                FieldType::Layer { name, .. } => (*name).to_owned(),
                _ => call.key(),
            };
            let short = short_label(name.rsplit("::").next().unwrap_or(&name));
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
        self.add(label, step.docs.clone(), of);
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

/// A layer, with 1 in place of the sizes that only the compiler knows.
struct Built {
    layer: Layer,
    /// For each parameter, what is given for it.
    arguments: Vec<Option<Argument>>,
}

impl Built {
    fn is_open(&self) -> bool {
        let mut given = self.arguments.iter().flatten();
        given.any(|argument| argument.given.is_open())
    }
}

/// The call that makes this layer.
impl fmt::Display for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_open() {
            return self.layer.fmt(f);
        }
        let arguments: Vec<_> = self
            .arguments
            .iter()
            .enumerate()
            .filter_map(|(i, argument)| argument.as_ref().map(|argument| (i, argument)))
            .map(|(i, Argument { name, given, .. })| match i {
                0 => given.to_string(),
                _ => format!("{name} = {given}"),
            })
            .collect();
        write!(f, "{}({})", self.layer.name(), arguments.join(", "))
    }
}

/// Names of functions are also names of functions of the user.
fn or_by_path(call: &Call, error: Diagnostic) -> Diagnostic {
    let name = text(&call.name);
    if name.starts_with(char::is_lowercase) && call.arguments().is_empty() {
        let path =
            format!("a function of yours that has this name goes by its path: `self::{name}`");
        return error.help(path);
    }
    error
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

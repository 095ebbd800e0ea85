//! Layers of other places.

use std::rc::Rc;

use xdnn_ir::{Operation, Scalars, Shape};

use super::labels::FieldType;
use super::scope::{Scope, text};
use super::source::Custom;
use super::{Argument, Current, Lowerer, Site, block};
use crate::arguments;
use crate::ast::{Call, Step};
use crate::attribute::Definition;
use crate::diagnostic::Diagnostic;

impl<'a> Lowerer<'a, '_> {
    /// Lowers a layer of another place. Its degree is known here, its shapes are to the compiler.
    pub(super) fn custom(
        &mut self,
        step: &'a Step,
        call: &'a Call,
        definition: &Rc<Definition>,
        scope: &Scope<'_, 'a>,
        current: Current,
    ) -> Current {
        if let Some(label) = &step.label {
            self.declare_label(label);
        }
        if self.blamed.is_some() {
            let name = call.key();
            let error = Diagnostic::new(
                call.place(),
                format!("the layer `{name}` cannot be in a block of another place"),
            );
            self.report(
                error
                    .note("where a block is used, its path may lead elsewhere")
                    .help("declare the block inside of the network: `block name() { … }`"),
            );
            return Current::Unknown;
        }
        let signature = definition.signature();
        let assigned = arguments::of_layer(signature, call, &mut drop);
        let (mut given, mut known) = (Vec::new(), true);
        for (parameter, exprs) in signature.parameters.iter().zip(&assigned) {
            let Some(first) = exprs.first() else {
                known &= parameter.optional;
                given.push(None);
                continue;
            };
            let value = self.argument(parameter.name, parameter.kind, exprs, scope);
            known &= value.is_some();
            given.push(value.map(|given| Argument {
                name: parameter.name,
                place: first.place,
                given,
            }));
        }
        let input = match current {
            Current::Value(value) if known => Some(value),
            Current::Value(_) | Current::Unknown => None,
            Current::Nothing => {
                self.nothing_to_read(call);
                None
            }
        };
        let value = input.map(|input| {
            let operation = Operation::Custom(xdnn_ir::Custom {
                name: definition.name,
                degree: definition.degree,
                arguments: Scalars::new([]),
                implementation: &(),
            });
            let degree = self
                .degree(&operation, &[input.degree])
                .unwrap_or_else(|fault| {
                    let message = fault.message(definition.name);
                    self.report(Diagnostic::from_message(call.place(), message));
                    input.degree
                });
            let path = match &step.label {
                Some(label) => self.frames.join(&text(label)),
                None => self.frames.path().to_owned(),
            };
            let site = Site {
                place: call.place(),
                name: definition.name,
                arguments: given,
                operands: Vec::new(),
                chain: block::chain(&self.calls),
                is_open: true,
                custom: Some(Custom {
                    path: call.path(),
                    definition: Rc::clone(definition),
                }),
            };
            self.node(site, path, operation, vec![input.operand], None, degree)
        });
        let weights: Vec<_> = definition
            .weights
            .iter()
            .map(|name| (*name, Shape::new([1])))
            .collect();
        let of = FieldType::Custom {
            path: call.path(),
            text: call.key(),
        };
        self.weights(step, call, of, &weights, value.is_some());
        value.map_or(Current::Unknown, Current::Value)
    }
}

//! Combinations of several flows.

use proc_macro2::Ident;
use xdnn_ir::outline::plausible;
use xdnn_ir::{Combine, Fault, Operation};

use super::scope::{Scope, text};
use super::{Current, Lowerer, Site, Value, block};
use crate::ast::{Body, Item, Operands};
use crate::diagnostic::{Diagnostic, Place};

impl<'a> Lowerer<'a, '_> {
    pub(super) fn residual(
        &mut self,
        keyword: &'a Ident,
        body: &'a Body,
        skip: Option<&'a Body>,
        scope: &Scope<'_, 'a>,
        current: Current,
    ) -> Current {
        let through = self.body(body, scope, current);
        let around = match skip {
            Some(skip) => self.body(skip, scope, current),
            None => current,
        };
        let place = Place::from(keyword);
        let operands = [(through, place), (around, place)];
        let name = match skip {
            Some(_) => "residual … skip",
            None => "residual",
        };
        self.combine(keyword, Combine::Sum, name, &operands)
    }

    pub(super) fn combination(
        &mut self,
        keyword: &'a Ident,
        combine: Combine,
        operands: &'a Operands,
        scope: &Scope<'_, 'a>,
        current: Current,
    ) -> Current {
        let values: Vec<_> = match operands {
            Operands::Flows(flows) => flows
                .iter()
                .map(|flow| (self.flow(flow, scope, current), flow.place()))
                .collect(),
            Operands::Body(body) => self.operands(body, scope, current),
        };
        if values.len() == 1 && !matches!(values.first(), Some((Current::Unknown, _))) {
            let error = Diagnostic::new(keyword, format!("`{keyword}` has one operand only"));
            self.report(error.help(format!("combine at least two flows: `{keyword}(a, b)`")));
        }
        self.combine(keyword, combine, combine.name(), &values)
    }

    /// The statements of a body as operands: all of them read what flows into the combination.
    fn operands(
        &mut self,
        body: &'a Body,
        outer: &Scope<'_, 'a>,
        current: Current,
    ) -> Vec<(Current, Place)> {
        let mut scope = outer.child();
        self.declare(body, &mut scope);
        let mut operands = Vec::new();
        for item in &body.items {
            match item {
                Item::Const(_) | Item::Block(_) => {}
                Item::Let(binding) => {
                    let value = self.flow(&binding.flow, &scope, current);
                    scope.values.insert(text(&binding.name), value);
                }
                Item::Flow(flow) => operands.push((self.flow(flow, &scope, current), flow.place())),
                Item::Unreadable(Some(_)) => {}
                Item::Unreadable(None) => operands.push((Current::Unknown, body.place)),
            }
        }
        operands
    }

    /// Adds the node of a combination, which messages call `name`.
    fn combine(
        &mut self,
        keyword: &Ident,
        combine: Combine,
        name: &'static str,
        operands: &[(Current, Place)],
    ) -> Current {
        let mut values: Vec<Value> = Vec::new();
        for (current, _) in operands {
            match current {
                Current::Value(value) => values.push(*value),
                Current::Nothing | Current::Unknown => return Current::Unknown,
            }
        }
        let fault = |lowerer: &mut Self, fault: Fault| {
            // That there is a single operand has been said of every combination.
            if let Fault::Operands { found: 1, .. } = fault {
                return;
            }
            let operand = fault.operand().and_then(|i| operands.get(i));
            let place = operand.map_or(Place::from(keyword), |(_, place)| *place);
            lowerer.report(Diagnostic::from_message(place, fault.message(name)));
        };
        let shapes: Option<Vec<_>> = values.iter().map(|value| value.shape).collect();
        let degrees: Vec<_> = values.iter().map(|value| value.degree).collect();
        let operation = Operation::Combine(combine);
        let degree = self
            .degree(&operation, &degrees)
            .map_err(|error| fault(self, *error));
        // Const evaluation looks at shapes that only the compiler knows.
        let shape = match shapes.map(|shapes| (combine.output(&shapes), shapes)) {
            None => None,
            Some((Ok(shape), _)) => Some(shape),
            Some((Err(error), shapes)) => {
                fault(self, error);
                match plausible(&operation, &shapes, &error) {
                    None => return Current::Unknown,
                    shape => shape,
                }
            }
        };
        let Some(first) = values.first() else {
            return Current::Unknown;
        };
        let path = self.frames.path().to_owned();
        let read = values.iter().map(|value| value.operand).collect();
        let places = operands.iter().map(|(_, place)| *place);
        let site = Site {
            place: keyword.into(),
            name,
            arguments: Vec::new(),
            operands: places.collect(),
            chain: block::chain(&self.calls),
            is_open: shape.is_none(),
            custom: None,
        };
        Current::Value(self.node(
            site,
            path,
            operation,
            read,
            shape,
            degree.unwrap_or(first.degree),
        ))
    }
}

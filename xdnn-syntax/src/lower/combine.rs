//! Combinations of several flows.

use proc_macro2::Ident;
use xdnn_ir::{Combine, Fault, Operation, Shape};

use super::scope::{Scope, text};
use super::{Current, Lowerer, Value};
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
        self.combine(keyword, Combine::Sum, &operands, |fault| {
            residual_fault(fault, skip.is_some())
        })
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
        self.combine(keyword, combine, &values, |_| None)
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

    fn combine(
        &mut self,
        keyword: &Ident,
        combine: Combine,
        operands: &[(Current, Place)],
        explain: impl Fn(Fault) -> Option<Diagnosis>,
    ) -> Current {
        let mut values: Vec<Value> = Vec::new();
        for (current, _) in operands {
            match current {
                Current::Value(value) => values.push(*value),
                Current::Nothing | Current::Unknown => return Current::Unknown,
            }
        }
        let fault = |lowerer: &mut Self, fault: Fault| {
            let operand = fault.operand().and_then(|i| operands.get(i));
            let place = operand.map_or(Place::from(keyword), |(_, place)| *place);
            let mut message = fault.message(combine.name());
            if let Some((headline, help)) = explain(fault) {
                message.headline = headline;
                message.help = Some(help);
            }
            lowerer.report(Diagnostic::from_message(place, message));
        };
        let shapes: Vec<_> = values.iter().map(|value| value.shape).collect();
        let degrees: Vec<_> = values.iter().map(|value| value.degree).collect();
        let shape = combine.output(&shapes).map_err(|error| fault(self, error));
        let operation = Operation::Combine(combine);
        let degree = operation
            .degree_if_known(&degrees)
            .map_err(|error| fault(self, error));
        let Some(first) = values.first() else {
            return Current::Unknown;
        };
        let shape = match shape {
            Ok(shape) => shape,
            // A wrong operand changes the number of channels of a concatenation, but not the shape of a sum.
            Err(()) if combine == Combine::Concat => return Current::Unknown,
            Err(()) => first.shape,
        };
        let path = self.frames.path().to_owned();
        let read = values.iter().map(|value| value.operand).collect();
        Current::Value(self.node(
            keyword,
            path,
            operation,
            read,
            shape,
            degree.unwrap_or(first.degree),
        ))
    }
}

/// A headline and a help.
type Diagnosis = (String, String);

fn residual_fault(fault: Fault, has_skip: bool) -> Option<Diagnosis> {
    if let Fault::DegreesDiffer { first, other, .. } = fault {
        let headline =
            format!("the two paths of this `residual` have different degrees: {first} and {other}");
        let help = "a `residual` adds its paths: give both the same degree, or multiply them with `product`";
        return Some((headline, help.to_owned()));
    }
    let Fault::ShapesDiffer {
        first: through,
        other: around,
        ..
    } = fault
    else {
        return None;
    };
    let headline =
        format!("the two paths of this `residual` have different shapes: {through} and {around}");
    let help = match projection(through, around) {
        Some(projection) if has_skip => format!("make the skip path end like `{projection}`"),
        Some(projection) => {
            format!("give it a skip path that projects: `residual {{ … }} skip {{ {projection} }}`")
        }
        None => "make both paths end with the same shape".to_owned(),
    };
    Some((headline, help))
}

/// The layer that brings the skipped value to the shape of the other path.
fn projection(through: Shape, around: Shape) -> Option<String> {
    match (through.dims(), around.dims()) {
        ([features], [_]) => Some(format!("project: Linear({features})")),
        ([channels, height, width], [_, h, w]) => {
            let stride = h.checked_div(*height).filter(|stride| *stride > 0)?;
            let fits = h.div_ceil(stride) == *height && w.div_ceil(stride) == *width;
            let stride = if stride == 1 {
                String::new()
            } else {
                format!(", stride = {stride}")
            };
            fits.then(|| format!("project: Conv2d({channels}, kernel = 1{stride})"))
        }
        _ => None,
    }
}

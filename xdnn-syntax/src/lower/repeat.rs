//! Repetitions.

use proc_macro2::Ident;

use super::labels::{FieldType, Members};
use super::scope::{Scope, text};
use super::{Current, Lowerer, MAX_NODES};
use crate::ast::{Body, Expr, Step};
use crate::diagnostic::Diagnostic;

impl<'a> Lowerer<'a, '_> {
    pub(super) fn repeat(
        &mut self,
        step: &'a Step,
        keyword: &'a Ident,
        count: &'a Expr,
        body: &'a Body,
        scope: &Scope<'_, 'a>,
        current: Current,
    ) -> Current {
        if let Some(label) = &step.label {
            self.declare_label(label);
        }
        let Some(n) = self.known("the count of `repeat`", count, scope) else {
            return Current::Unknown;
        };
        if n > MAX_NODES {
            let error = Diagnostic::new(count.place, format!("{n} repetitions are too many"));
            self.report(
                error.note("repetitions are unrolled, and a network has at most 10,000 nodes"),
            );
            return Current::Unknown;
        }
        if let Some(label) = &step.label {
            self.enter(&text(label));
        }
        let (current, element) = self.iterations(n, body, scope, current);
        match &step.label {
            Some(label) => {
                self.leave();
                let members = Members::List {
                    element: Box::new(element),
                    count: n,
                };
                let block = None;
                self.add(
                    label,
                    step.docs.clone(),
                    FieldType::Scope { members, block },
                );
            }
            None => self.add_list(element, n, keyword.into()),
        }
        current
    }

    /// The value behind `n` repetitions, and the weights of one of them.
    fn iterations(
        &mut self,
        n: usize,
        body: &'a Body,
        scope: &Scope<'_, 'a>,
        mut current: Current,
    ) -> (Current, Members) {
        let mut element = Members::Fields(Vec::new());
        for i in 0..n {
            // All further repetitions of an unknown value would be the same.
            if self.exhausted || (i > 0 && matches!(current, Current::Unknown)) {
                break;
            }
            self.steps += 1;
            self.enter(&i.to_string());
            current = self.body(body, scope, current);
            let members = self.leave();
            if i == 0 {
                element = members;
            }
        }
        (current, element)
    }
}

//! Calls of blocks.

use proc_macro2::Ident;

use super::scope::{Scope, text};
use super::{Current, Lowerer, MAX_CALLS};
use crate::arguments;
use crate::ast::{Block, Call};
use crate::diagnostic::Diagnostic;

/// A call under way.
pub(super) struct Entry<'a> {
    pub block: &'a Block,
    /// The name at the place of the call.
    pub name: Ident,
    /// The call with its values: `bottleneck(64)`.
    pub text: String,
}

/// "in `bottleneck(64)`, called from `stage(3, 64)`"
pub(super) fn chain(calls: &[Entry]) -> Option<String> {
    let mut calls = calls.iter().rev().map(|entry| format!("`{}`", entry.text));
    let innermost = calls.next()?;
    let callers: String = calls
        .map(|caller| format!(", called from {caller}"))
        .collect();
    Some(format!("in {innermost}{callers}"))
}

impl<'a> Lowerer<'a, '_> {
    /// `home` declares the block; the arguments are evaluated in `scope`.
    pub(super) fn call(
        &mut self,
        call: &'a Call,
        block: &'a Block,
        home: &Scope<'_, 'a>,
        scope: &Scope<'_, 'a>,
        current: Current,
    ) -> Current {
        if self
            .calls
            .iter()
            .any(|entry| std::ptr::eq(entry.block, block))
        {
            let error = Diagnostic::new(
                &call.name,
                format!("the block `{}` calls itself", block.name),
            );
            self.report(
                error
                    .note("blocks are unrolled, so that this would never end")
                    .help("repeat it instead: `repeat 3 { … }`"),
            );
            return Current::Unknown;
        }
        if self.calls.len() >= MAX_CALLS {
            self.report(Diagnostic::new(
                &call.name,
                format!("more than {MAX_CALLS} blocks call one another"),
            ));
            return Current::Unknown;
        }
        let assigned = arguments::of_block(block, call, &mut drop);
        let mut inside = home.closed_child();
        for (parameter, given) in block.parameters.iter().zip(&assigned) {
            let value = match (given.first(), &parameter.default) {
                (Some(given), _) => self.integer(given, scope),
                (None, Some(default)) => self.integer(default, &inside),
                (None, None) => None,
            };
            inside.sizes.insert(text(&parameter.name), value);
        }
        let name = call.name.clone();
        let text = self.call_text(call, scope);
        self.calls.push(Entry { block, name, text });
        let current = self.body(&block.body, &inside, current);
        self.calls.pop();
        current
    }

    fn call_text(&mut self, call: &Call, scope: &Scope<'_, 'a>) -> String {
        let mut arguments = Vec::new();
        for argument in call.arguments() {
            let value = self
                .integer(&argument.value, scope)
                .map_or_else(|| "…".to_owned(), |value| value.to_string());
            arguments.push(match &argument.key {
                Some(key) => format!("{key} = {value}"),
                None => value,
            });
        }
        format!("{}({})", call.name, arguments.join(", "))
    }
}

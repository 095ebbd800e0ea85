//! Functions and blocks of other places.

use xdnn_ir::{Function, Operation};

use super::block::{self, Entry};
use super::scope::{Scope, text};
use super::source::Site;
use super::{Current, Lowerer};
use crate::ast::{Call, Step};
use crate::declaration::{Chain, Declaration};
use crate::diagnostic::Diagnostic;

impl<'a> Lowerer<'a, '_> {
    pub(super) fn foreign(
        &mut self,
        step: &'a Step,
        call: &'a Call,
        declaration: &'a Declaration,
        scope: &Scope<'_, 'a>,
        current: Current,
    ) -> Current {
        match declaration {
            Declaration::Function(function) => self.function(step, call, function, current),
            Declaration::Block(chain) => {
                self.labelled(step, None, |lowerer| lowerer.chain(call, chain, current))
            }
            Declaration::Layer(definition) => self.custom(step, call, definition, scope, current),
            Declaration::Local => {
                let name = call.key();
                let error = Diagnostic::new(call.place(), format!("`{name}` cannot be a block"));
                self.report(
                    error
                        .note("its sizes are constants or parameters, which only the compiler knows where it is declared")
                        .help(format!("write the sizes of `{name}` as numbers")),
                );
                self.unknown(step)
            }
            Declaration::Refused => {
                self.guesses = true;
                self.unknown(step)
            }
        }
    }

    /// A step of which nothing is known.
    pub(super) fn unknown(&mut self, step: &Step) -> Current {
        if let Some(label) = &step.label {
            self.declare_label(label);
        }
        Current::Unknown
    }

    fn function(
        &mut self,
        step: &Step,
        call: &Call,
        function: &Function,
        current: Current,
    ) -> Current {
        if let Some(label) = &step.label {
            self.declare_label(label);
        }
        let input = match current {
            Current::Value(value) => value,
            Current::Unknown => return Current::Unknown,
            Current::Nothing => {
                self.nothing_to_read(call);
                return Current::Unknown;
            }
        };
        let operation = Operation::Function(*function);
        let degree = operation
            .degree_if_known(&[input.degree])
            .unwrap_or_else(|fault| {
                self.report(Diagnostic::from_message(
                    call.place(),
                    fault.message(function.name),
                ));
                input.degree
            });
        let path = match &step.label {
            Some(label) => self.frames.join(&text(label)),
            None => self.frames.path().to_owned(),
        };
        let site = Site {
            place: call.place(),
            name: function.name,
            arguments: Vec::new(),
            operands: Vec::new(),
            chain: block::chain(&self.calls),
            is_open: input.shape.is_none(),
            custom: None,
        };
        let operands = vec![input.operand];
        Current::Value(self.node(site, path, operation, operands, input.shape, degree))
    }

    /// Lowers a block of another place. Where it was declared it was right: what is wrong now is the use.
    fn chain(&mut self, call: &'a Call, chain: &'a Chain, current: Current) -> Current {
        if matches!(current, Current::Nothing) {
            self.nothing_to_read(call);
            return Current::Unknown;
        }
        if chain.regular && !self.regular {
            let name = call.key();
            let headline =
                format!("`{name}` is `#[regular]`, so only `#[regular]` networks can contain it");
            let error = Diagnostic::new(call.place(), headline)
                .note("its layers have biases, and may break homogeneity in other ways");
            self.report(error.help(format!(
                "write `#[regular]` in front of this one, too, or remove it from `{name}`"
            )));
            return Current::Unknown;
        }
        self.calls.push(Entry {
            block: &chain.block,
            name: call.name.clone(),
            text: call.key(),
        });
        let place = self.blamed.or(Some(call.place()));
        let blamed = std::mem::replace(&mut self.blamed, place);
        let declarations = std::mem::replace(&mut self.declarations, &chain.declarations);
        let biased = std::mem::replace(&mut self.biased, chain.regular);
        let current = self.body(&chain.block.body, &Scope::default(), current);
        self.biased = biased;
        self.declarations = declarations;
        self.blamed = blamed;
        self.calls.pop();
        current
    }

    pub(super) fn nothing_to_read(&mut self, call: &Call) {
        let name = call.key();
        let error = Diagnostic::new(call.place(), format!("`{name}` has nothing to read"));
        self.report(
            error
                .note("the network has several inputs, and none of them flows here")
                .help(format!("name the value that it reads: `image -> {name}`")),
        );
    }
}

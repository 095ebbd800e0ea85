//! Names that other places may know.

use xdnn_ir::message::aliases;

use super::{Names, Others, Position, text};
use crate::ast::{Call, Step};
use crate::declaration::{Declaration, key};
use crate::diagnostic::Diagnostic;

/// Macros that are everywhere, and are no functions of a network.
const MACROS_OF_STD: [&str; 30] = [
    "assert",
    "assert_eq",
    "assert_ne",
    "cfg",
    "column",
    "compile_error",
    "dbg",
    "debug_assert",
    "env",
    "eprint",
    "eprintln",
    "file",
    "format",
    "format_args",
    "include",
    "include_bytes",
    "include_str",
    "line",
    "matches",
    "module_path",
    "option_env",
    "panic",
    "print",
    "println",
    "stringify",
    "todo",
    "unimplemented",
    "unreachable",
    "vec",
    "write",
];

impl<'a> Names<'a, '_> {
    /// Whether another place may know, or knows, what a plain name stands for.
    pub(super) fn foreign(
        &mut self,
        step: &Step,
        call: &'a Call,
        name: &str,
        position: Position,
    ) -> bool {
        match self.others {
            Others::Known(declarations) => match declarations.get(name) {
                Some(declaration) => {
                    self.declared(call, declaration);
                    true
                }
                None => false,
            },
            Others::Asked => {
                let asked = self.is_worth_asking(step, call, name, position);
                if asked {
                    self.ask(call);
                }
                asked
            }
        }
    }

    /// A mistake in what the language itself knows is told in its words; the rest the compiler may know.
    fn is_worth_asking(&self, step: &Step, call: &Call, name: &str, position: Position) -> bool {
        if call.arguments.as_ref().is_some_and(|list| !list.is_empty()) {
            return false;
        }
        if self
            .mistake(step, call, name, position != Position::Later)
            .is_some()
        {
            return false;
        }
        name.starts_with(char::is_uppercase)
            || position != Position::Alone && !MACROS_OF_STD.contains(&name)
    }

    /// A function or a block of another place, by its path.
    pub(super) fn foreign_path(&mut self, call: &'a Call) {
        let name = text(&call.name);
        if let Some(layer) = aliases::layer(&name).filter(|layer| *layer == name) {
            let error = Diagnostic::new(call.place(), "layers have plain names");
            self.error(error.help(format!("write `{layer}`")));
            return;
        }
        match self.others {
            Others::Known(declarations) => match declarations.get(&call.key()) {
                Some(declaration) => self.declared(call, declaration),
                None => {
                    let error =
                        Diagnostic::new(call.place(), format!("unknown path `{}`", call.key()));
                    self.error(error.help("declare what it leads to with `#[xdnn]`"));
                }
            },
            Others::Asked => self.ask(call),
        }
    }

    /// The arguments of what another place declares.
    pub(super) fn declared(&mut self, call: &'a Call, declaration: &Declaration) {
        if let Declaration::Layer(definition) = declaration {
            self.arguments(definition.signature(), call);
        } else if !matches!(declaration, Declaration::Refused) {
            self.without_arguments(call);
        }
    }

    fn ask(&mut self, call: &Call) {
        let path = call.path();
        if self.asked.iter().all(|asked| key(asked) != key(&path)) {
            self.asked.push(path);
        }
    }

    fn without_arguments(&mut self, call: &Call) {
        if let Some(argument) = call.arguments().first() {
            let error = Diagnostic::new(
                argument.value.place,
                format!("`{}` takes no arguments", call.name),
            );
            self.error(error.help(format!("write `{}` alone", call.key())));
        }
    }
}

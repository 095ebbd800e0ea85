//! What only the compiler knows of a network, and where its messages belong.

use super::size::{Form, Given, PlacedSize};
use crate::diagnostic::{Diagnostic, Place};

/// A network some of whose sizes only the compiler knows.
pub(crate) struct Open {
    /// The shapes of the inputs.
    pub inputs: Vec<Form>,
    /// The declared shape of the output.
    pub output: Form,
    /// For each node, where it stands.
    pub sites: Vec<Site>,
}

/// Where a node stands, and what is given for it.
pub(crate) struct Site {
    pub place: Place,
    /// What messages call it.
    pub name: &'static str,
    /// For each parameter of a layer, what is given for it.
    pub arguments: Vec<Option<Argument>>,
    /// The operands of a combination, where they have places of their own.
    pub operands: Vec<Place>,
    /// The calls of blocks that led here.
    pub chain: Option<String>,
    /// Whether only the compiler knows the shape of the result.
    pub is_open: bool,
}

/// What is given for a parameter.
#[derive(Clone)]
pub(crate) struct Argument {
    pub name: &'static str,
    pub place: Place,
    pub given: Given,
}

impl Open {
    pub(super) fn is_open(&self) -> bool {
        let shapes = self.inputs.iter().chain([&self.output]);
        shapes.into_iter().any(Form::is_open) || self.sites.iter().any(|site| site.is_open)
    }

    /// What to say where there is no compiler to ask.
    pub(crate) fn refusal(&self) -> Option<Diagnostic> {
        let inputs = self.inputs.iter().flat_map(|input| &input.dims);
        let arguments = self.sites.iter().flat_map(|site| &site.arguments).flatten();
        let sizes = arguments.flat_map(|argument| argument.given.sizes());
        let all = inputs.chain(sizes).chain(&self.output.dims);
        let mut open = all.filter(|placed| placed.size.is_open());
        open.next().map(|PlacedSize { size, place }| {
            Diagnostic::new(*place, format!("only the compiler knows `{size}`"))
                .note("this is checked as text, without the crate that the constant belongs to")
                .help(
                    "write the number, or declare it inside of the network: `const N: usize = …;`",
                )
        })
    }
}

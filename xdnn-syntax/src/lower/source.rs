//! Where the parts of a network stand in the source, and what is given for them.

use std::rc::Rc;

use proc_macro2::TokenStream;

use super::size::{Form, Given, PlacedSize};
use crate::attribute::Definition;
use crate::diagnostic::{Diagnostic, Place};

/// A network as its source says it.
pub(crate) struct Source {
    /// The shapes of the inputs.
    pub inputs: Vec<Form>,
    /// The shape of the output, where it is declared.
    pub output: Option<Form>,
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
    /// The layer of another place that it is.
    pub custom: Option<Custom>,
}

/// A layer of another place.
pub(crate) struct Custom {
    /// Its type.
    pub path: TokenStream,
    pub definition: Rc<Definition>,
}

impl Site {
    /// The same node, but another place is to blame.
    pub(super) fn at(mut self, place: Place) -> Self {
        self.place = place;
        for argument in self.arguments.iter_mut().flatten() {
            argument.place = place;
        }
        self.operands.fill(place);
        self
    }
}

/// What is given for a parameter.
#[derive(Clone)]
pub(crate) struct Argument {
    pub name: &'static str,
    pub place: Place,
    pub given: Given,
}

impl Source {
    /// Whether there is anything that only the compiler knows.
    pub(crate) fn is_open(&self) -> bool {
        let mut shapes = self.inputs.iter().chain(&self.output);
        shapes.any(Form::is_open) || self.sites.iter().any(|site| site.is_open)
    }

    /// The sizes of layers that only the compiler knows.
    pub(crate) fn sizes_of_layers(&self) -> impl Iterator<Item = &PlacedSize> {
        let arguments = self.sites.iter().flat_map(|site| &site.arguments).flatten();
        let sizes = arguments.flat_map(|argument| argument.given.sizes());
        sizes.filter(|placed| placed.size.is_open())
    }

    /// What to say where there is no compiler to ask.
    pub(crate) fn refusal(&self) -> Option<Diagnostic> {
        if let Some(site) = self.sites.iter().find(|site| site.custom.is_some()) {
            let name = site.name;
            let error = Diagnostic::new(
                site.place,
                format!("only the compiler knows the shapes of `{name}`"),
            );
            return Some(
                error.note("this is checked as text, without the crate that the layer belongs to"),
            );
        }
        let inputs = self.inputs.iter().flat_map(Form::open_dims);
        let output = self.output.iter().flat_map(Form::open_dims);
        let mut sizes = inputs.chain(self.sizes_of_layers()).chain(output);
        sizes.next().map(|PlacedSize { size, place }| {
            Diagnostic::new(*place, format!("only the compiler knows `{size}`"))
                .note("this is checked as text, without the crate that the constant belongs to")
                .help(
                    "write the number, or declare it inside of the network: `const N: usize = …;`",
                )
        })
    }

    /// What to say of sizes in a block, which leaves its place.
    pub(super) fn refusals_of_block(&self) -> impl Iterator<Item = Diagnostic> {
        self.sizes_of_layers().map(|PlacedSize { size, place }| {
            Diagnostic::new(*place, format!("a block cannot use the constant `{size}`"))
                .note("a struct without `input` goes into networks of other places, where this name may mean something else")
                .help("write the number")
        })
    }
}

//! The head of a network.

use proc_macro2::{Ident, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Attribute, ConstParam, GenericParam, Generics, Token, Visibility, token};

use super::item::is_usize;
use super::{Parser, Result, comma, group, peek_body, peek_word};
use crate::ast::{Dims, Generic, Input, Network};
use crate::diagnostic::{Diagnostic, Place};

const FORM: &str = "the form is `pub struct Name(input: [3, 224, 224]) -> [1000] { … }`";

impl Parser<'_> {
    pub(super) fn network(&mut self, input: ParseStream) -> Result<Network> {
        let attributes = input.call(Attribute::parse_outer)?;
        let (regular, attributes) = self.regular(attributes);
        let visibility: Visibility = input.parse()?;
        if input.parse::<Option<Token![struct]>>()?.is_none() {
            return Err(Diagnostic::new(input.span(), "expected `struct`").help(FORM));
        }
        let name = self.name(input, "a network")?;
        let mut network = Network {
            attributes,
            regular,
            visibility,
            name,
            generics: Vec::new(),
            inputs: Vec::new(),
            output: None,
            body: None,
            chain: None,
            unreadable: Vec::new(),
            incomplete: false,
        };
        if let Err(error) = self.head(input, &mut network) {
            self.report(error);
            // Without inputs, what looks like a body may be the fields of an ordinary struct.
            let has_inputs = !network.inputs.is_empty() || !network.unreadable.is_empty();
            let at_body = |input| has_inputs && peek_body(input);
            while !input.is_empty() && !at_body(input) {
                input.parse::<TokenTree>()?;
            }
        }
        if peek_body(input) {
            network.body = Some(self.body(input)?);
        }
        if !input.is_empty() {
            let error = Diagnostic::new(
                input.span(),
                "expected nothing behind the body of the network",
            );
            self.report(error.help("give each network its own `network! { … }`"));
        }
        network.incomplete = self.incomplete;
        Ok(network)
    }

    /// What stands between the name and the body.
    fn head(&mut self, input: ParseStream, network: &mut Network) -> Result<()> {
        let name = network.name.to_string();
        if input.peek(Token![<])
            && let Err(error) = self.generics(input, network)
        {
            self.report(error);
            network.unreadable.push(network.name.clone());
            while !input.is_empty() && !input.peek(token::Paren) && !peek_body(input) {
                input.parse::<TokenTree>()?;
            }
        }
        if !input.peek(token::Paren) {
            return Err(Diagnostic::new(
                input.span(),
                format!("expected the inputs of `{name}` in parentheses"),
            )
            .help(FORM));
        }
        let (content, paren) = group::parentheses(input)?;
        self.inputs(&content, network);
        if network.inputs.is_empty() && network.unreadable.is_empty() {
            let error = Diagnostic::new(paren.join(), format!("`{name}` has no input"));
            self.report(error.help("give each input a name and a shape: `(image: [3, 224, 224])`"));
        }
        if input.parse::<Option<Token![->]>>()?.is_none() {
            return Err(Diagnostic::new(
                paren.close(),
                format!("expected `->` and the shape that `{name}` returns"),
            )
            .help(FORM));
        }
        let output = self.dims(input)?;
        let end = output.place.last_token();
        network.output = Some(output);
        if !peek_body(input) {
            return Err(
                Diagnostic::new(end, format!("expected the body of `{name}` in braces")).help(FORM),
            );
        }
        Ok(())
    }

    /// Reads `<const A: usize, const B: usize = 10>`.
    pub(super) fn generics(&mut self, input: ParseStream, network: &mut Network) -> Result<()> {
        for parameter in input.parse::<Generics>()?.params {
            let place = Place::of(&parameter);
            let (name, generic) = match parameter {
                GenericParam::Lifetime(of) => (of.lifetime.ident, None),
                GenericParam::Type(of) => (of.ident, None),
                GenericParam::Const(of) => (of.ident.clone(), generic(of)),
            };
            let Some(generic) = generic else {
                let headline = "a parameter of a network must be a `const` of type `usize`";
                self.report(
                    Diagnostic::new(place, headline)
                        .note("parameters of a network are sizes")
                        .help("write `const CLASSES: usize`, or `const CLASSES: usize = 10` with a default"),
                );
                network.unreadable.push(name);
                continue;
            };
            if network.generics.iter().any(|other| other.name == name) {
                let headline = format!("two parameters have the name `{name}`");
                self.report(Diagnostic::new(&name, headline));
                continue;
            }
            network.generics.push(generic);
        }
        Ok(())
    }

    /// Reads the inputs; a mistake costs the input it stands in.
    fn inputs(&mut self, input: ParseStream, network: &mut Network) {
        while !input.is_empty() {
            let declared = input.cursor().ident().map(|(name, _)| name);
            match self.input(input) {
                Ok(read) => network.inputs.push(read),
                Err(error) => {
                    self.report(error);
                    network
                        .unreadable
                        .extend(declared.or_else(|| Some(network.name.clone())));
                    while !input.is_empty() && !input.peek(Token![,]) {
                        drop(input.parse::<TokenTree>());
                    }
                    drop(input.parse::<Option<Token![,]>>());
                }
            }
        }
    }

    fn input(&mut self, input: ParseStream) -> Result<Input> {
        let name = self.name(input, "an input")?;
        if input.parse::<Option<Token![:]>>()?.is_none() {
            return Err(
                Diagnostic::new(&name, format!("the input `{name}` has no shape")).help(format!(
                    "write `{name}: [3, 224, 224]`, without the batch dimension"
                )),
            );
        }
        let shape = match self.dims(input) {
            Ok(shape) => Some(shape),
            Err(error) => {
                self.report(error);
                while !input.is_empty() && !input.peek(Token![,]) {
                    input.parse::<TokenTree>()?;
                }
                None
            }
        };
        comma(input)?;
        Ok(Input { name, shape })
    }

    pub(super) fn dims(&mut self, input: ParseStream) -> Result<Dims> {
        if !input.peek(token::Bracket) {
            return Err(Diagnostic::new(
                input.span(),
                "expected a shape in brackets, such as `[3, 224, 224]`",
            ));
        }
        let (content, bracket) = group::brackets(input)?;
        let (dims, _) = self.list(&content)?;
        Ok(Dims {
            place: bracket.join().into(),
            dims,
        })
    }

    /// A name that Rust allows as one. `what` says what it names.
    pub(super) fn name(&mut self, input: ParseStream, what: &str) -> Result<Ident> {
        if !peek_word(input) {
            return Err(Diagnostic::new(
                input.span(),
                format!("expected the name of {what}"),
            ));
        }
        if input.peek(syn::Ident) {
            return Ok(input.parse()?);
        }
        let keyword = Ident::parse_any(input)?;
        Err(Diagnostic::new(
            &keyword,
            format!("`{keyword}` is a keyword of Rust and cannot name {what}"),
        )
        .help(format!("choose another name, such as `{keyword}_`")))
    }

    /// Whether `#[regular]` is among the attributes, and the others.
    pub(super) fn regular(&mut self, attributes: Vec<Attribute>) -> (bool, Vec<Attribute>) {
        let (regular, others): (Vec<_>, Vec<_>) = attributes
            .into_iter()
            .partition(|attribute| attribute.path().is_ident("regular"));
        for attribute in &regular {
            if let Err(error) = attribute.meta.require_path_only() {
                self.report(
                    Diagnostic::new(error.span(), "`#[regular]` takes no arguments")
                        .help("write `#[regular]`; a single layer does without its bias with `bias = false`"),
                );
            }
        }
        (!regular.is_empty(), others)
    }
}

fn generic(parameter: ConstParam) -> Option<Generic> {
    if !is_usize(&parameter.ty) || !parameter.attrs.is_empty() {
        return None;
    }
    let default = parameter
        .default
        .map(|(_, value)| value.into_token_stream());
    let name = parameter.ident;
    Some(Generic { name, default })
}

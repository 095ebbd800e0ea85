//! The head of a network.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Attribute, Token, Visibility, token};

use super::{Parser, Result, comma, drain, group, peek_body, peek_word};
use crate::ast::{Body, Dims, Input, Network};
use crate::diagnostic::{Diagnostic, Place};

const FORM: &str = "the form is `pub struct Name(input: [3, 224, 224]) -> [1000] { … }`";

impl Parser<'_> {
    pub(super) fn network(&mut self, input: ParseStream) -> Result<Network> {
        let mut attributes = input.call(Attribute::parse_outer)?;
        attributes.retain(|attribute| !self.is_refused(attribute));
        let visibility: Visibility = input.parse()?;
        if input.parse::<Option<Token![struct]>>()?.is_none() {
            return Err(Diagnostic::new(input.span(), "expected `struct`").help(FORM));
        }
        let name = self.name(input, "a network")?;
        let mut network = Network {
            attributes,
            visibility,
            inputs: Vec::new(),
            output: Dims {
                place: Place::from(&name),
                dims: Vec::new(),
            },
            body: Body {
                place: Place::from(&name),
                items: Vec::new(),
            },
            name,
            incomplete: false,
        };
        if let Err(error) = self.rest(input, &mut network) {
            self.report(error);
            drain(input);
        }
        network.incomplete = self.incomplete;
        Ok(network)
    }

    /// All that follows the name. The struct itself can be emitted without it.
    fn rest(&mut self, input: ParseStream, network: &mut Network) -> Result<()> {
        if input.peek(Token![<]) {
            return Err(
                Diagnostic::new(input.span(), "generic networks are not supported yet")
                    .help("write the sizes as numbers, or as `const`s inside of the network"),
            );
        }
        if !input.peek(token::Paren) {
            return Err(Diagnostic::new(
                input.span(),
                format!("expected the inputs of `{}` in parentheses", network.name),
            )
            .help(FORM));
        }
        let (content, paren) = group::parentheses(input)?;
        match self.or_drain(&content, Self::inputs) {
            Ok(inputs) if inputs.is_empty() => {
                let error =
                    Diagnostic::new(paren.join(), format!("`{}` has no input", network.name));
                self.report(
                    error.help("give each input a name and a shape: `(image: [3, 224, 224])`"),
                );
            }
            Ok(inputs) => network.inputs = inputs,
            Err(error) => self.report(error),
        }
        if input.parse::<Option<Token![->]>>()?.is_none() {
            return Err(Diagnostic::new(
                paren.close(),
                format!(
                    "expected `->` and the shape that `{}` returns",
                    network.name
                ),
            )
            .help(FORM));
        }
        network.output = self.dims(input)?;
        if !peek_body(input) {
            return Err(Diagnostic::new(
                network.output.place.last_token(),
                format!("expected the body of `{}` in braces", network.name),
            )
            .help(FORM));
        }
        network.body = self.body(input)?;
        if !input.is_empty() {
            return Err(Diagnostic::new(
                input.span(),
                "expected nothing behind the body of the network",
            )
            .help("give each network its own `network! { … }`"));
        }
        Ok(())
    }

    fn inputs(&mut self, input: ParseStream) -> Result<Vec<Input>> {
        let mut inputs = Vec::new();
        while !input.is_empty() {
            let name = self.name(input, "an input")?;
            if input.parse::<Option<Token![:]>>()?.is_none() {
                return Err(
                    Diagnostic::new(&name, format!("the input `{name}` has no shape")).help(
                        format!("write `{name}: [3, 224, 224]`, without the batch dimension"),
                    ),
                );
            }
            inputs.push(Input {
                name,
                shape: self.dims(input)?,
            });
            comma(input)?;
        }
        Ok(inputs)
    }

    fn dims(&mut self, input: ParseStream) -> Result<Dims> {
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

    fn is_refused(&mut self, attribute: &Attribute) -> bool {
        let refused = attribute.path().is_ident("regular");
        if refused {
            self.report(
                Diagnostic::new(
                    Place::of(attribute),
                    "`#[regular]` networks are not supported yet",
                )
                .help("remove the attribute: the network is then checked to be homogeneous"),
            );
        }
        refused
    }
}

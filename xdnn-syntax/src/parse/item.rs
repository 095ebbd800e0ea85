//! Bodies and their items.

use proc_macro2::Ident;
use syn::parse::ParseStream;
use syn::{Attribute, Token, token};

use super::{Parser, Result, comma, group, peek_body, recover};
use crate::ast::{Block, Body, Const, Item, Let, Parameter};
use crate::diagnostic::{Diagnostic, Place};

impl Parser<'_> {
    /// `{ … }`, which must stand next.
    pub(super) fn body(&mut self, input: ParseStream) -> Result<Body> {
        let (content, brace) = group::braces(input)?;
        let place = Place::from(brace.join());
        self.nested(input, |parser| {
            let mut items = Vec::new();
            while !content.is_empty() {
                let declared = declared_name(&content);
                let item = parser.item(&content).unwrap_or_else(|error| {
                    parser.report(error);
                    recover(&content);
                    Item::Unreadable(declared)
                });
                items.push(item);
            }
            Ok(Body { place, items })
        })
        .inspect_err(|_| super::drain(&content))
    }

    pub(super) fn item(&mut self, input: ParseStream) -> Result<Item> {
        let docs = input.call(Attribute::parse_outer)?;
        if let Some(attribute) = docs
            .iter()
            .find(|attribute| !attribute.path().is_ident("doc"))
        {
            self.report(
                Diagnostic::new(Place::of(attribute), "only doc comments can stand here")
                    .help("put attributes in front of the network"),
            );
        }
        if input.peek(Token![;]) {
            let error = Diagnostic::new(
                input.span(),
                "expected a layer, a block or a `let` before `;`",
            );
            return Err(error);
        }
        if input.peek(Token![const]) {
            return self.constant(input).map(Item::Const);
        }
        if input.peek(Token![let]) {
            return self.binding(input, docs).map(Item::Let);
        }
        if peek_keyword(input, "block") && input.peek2(syn::Ident) {
            return self.block(input).map(Item::Block);
        }
        let flow = self.flow(input, docs)?;
        // The last statement of a body, and one that ends in a brace, need no `;`.
        let needs_end =
            !input.is_empty() && !flow.steps.last().is_some_and(super::flow::ends_in_brace);
        self.end(input, flow.place(), needs_end)?;
        Ok(Item::Flow(flow))
    }

    /// Reads the `;` of the statement at `place`. A missing one is blamed on the end of the statement.
    fn end(&mut self, input: ParseStream, place: Place, needed: bool) -> Result<()> {
        if input.parse::<Option<Token![;]>>()?.is_some() || !needed {
            return Ok(());
        }
        if peek_keyword(input, "skip") {
            return Ok(());
        }
        if input.is_empty()
            || super::peek_word(input)
            || input.peek(token::Brace)
            || input.peek(Token![#])
        {
            self.errors.push(
                Diagnostic::new(place.last_token(), "missing `;` or `->` behind this")
                    .help("`;` ends a statement, `->` leads to one more layer"),
            );
            return Ok(());
        }
        Err(Diagnostic::new(
            input.span(),
            "expected `->` (one more layer) or `;` (the end of the statement)",
        ))
    }

    fn constant(&mut self, input: ParseStream) -> Result<Const> {
        input.parse::<Token![const]>()?;
        let name = self.name(input, "a constant")?;
        if input.parse::<Option<Token![:]>>()?.is_none() {
            return Err(
                Diagnostic::new(&name, format!("the constant `{name}` has no type"))
                    .help(format!("write `const {name}: usize = …;`")),
            );
        }
        let of: syn::Type = input.parse()?;
        if !is_usize(&of) {
            return Err(Diagnostic::new(
                Place::of(&of),
                format!("the constant `{name}` must be a `usize`"),
            )
            .note("constants of a network are sizes and counts"));
        }
        if input.parse::<Option<Token![=]>>()?.is_none() {
            return Err(
                Diagnostic::new(&name, format!("the constant `{name}` has no value"))
                    .help(format!("write `const {name}: usize = …;`")),
            );
        }
        let value = self.expr(input)?;
        self.end(input, value.place, true)?;
        Ok(Const { name, value })
    }

    fn binding(&mut self, input: ParseStream, docs: Vec<Attribute>) -> Result<Let> {
        input.parse::<Token![let]>()?;
        if input.peek(Token![mut]) {
            return Err(Diagnostic::new(
                input.span(),
                "values cannot change, so that they cannot be `mut`",
            )
            .help("write `let name = …;`"));
        }
        let name = self.name(input, "a value")?;
        if input.parse::<Option<Token![=]>>()?.is_none() {
            return Err(Diagnostic::new(&name, format!("`{name}` has no value"))
                .help(format!("write `let {name} = image -> …;`")));
        }
        let flow = self.flow(input, docs)?;
        self.end(input, flow.place(), true)?;
        Ok(Let { name, flow })
    }

    fn block(&mut self, input: ParseStream) -> Result<Block> {
        input.parse::<Ident>()?;
        let name = self.name(input, "a block")?;
        let form = format!("the form is `block {name}(width, stride = 1) {{ … }}`");
        if !input.peek(token::Paren) {
            return Err(Diagnostic::new(
                &name,
                format!("expected the parameters of `{name}` in parentheses"),
            )
            .help(form));
        }
        let (content, paren) = group::parentheses(input)?;
        let parameters = self.or_drain(&content, Self::parameters)?;
        if !peek_body(input) {
            return Err(Diagnostic::new(
                paren.close(),
                format!("expected the body of `{name}` in braces"),
            )
            .help(form));
        }
        let body = self.body(input)?;
        input.parse::<Option<Token![;]>>()?;
        Ok(Block {
            name,
            parameters,
            body,
        })
    }

    fn parameters(&mut self, input: ParseStream) -> Result<Vec<Parameter>> {
        let mut parameters = Vec::new();
        while !input.is_empty() {
            let name = self.name(input, "a parameter")?;
            if input.peek(Token![:]) {
                return Err(Diagnostic::new(
                    input.span(),
                    format!("the parameter `{name}` needs no type"),
                )
                .help(format!(
                    "parameters are `usize`: write `{name}`, or `{name} = 1` with a default"
                )));
            }
            let default = match input.parse::<Option<Token![=]>>()? {
                Some(_) => Some(self.expr(input)?),
                None => None,
            };
            parameters.push(Parameter { name, default });
            comma(input)?;
        }
        Ok(parameters)
    }
}

pub(super) fn is_usize(of: &syn::Type) -> bool {
    matches!(of, syn::Type::Path(path) if path.path.is_ident("usize"))
}

/// Whether this word of the language stands next.
pub(super) fn peek_keyword(input: ParseStream, keyword: &str) -> bool {
    input
        .cursor()
        .ident()
        .is_some_and(|(ident, _)| ident == keyword)
}

/// The name behind `let`, `const` or `block`, should the rest of the item turn out to be unreadable.
fn declared_name(input: ParseStream) -> Option<Ident> {
    let (keyword, rest) = input.cursor().ident()?;
    let declares = ["let", "const", "block"]
        .iter()
        .any(|declaring| keyword == declaring);
    declares
        .then(|| rest.ident().map(|(name, _)| name))
        .flatten()
}

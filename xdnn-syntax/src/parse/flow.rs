//! Flows: steps joined by `->`.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Attribute, Path, Token, token};
use xdnn_ir::Combine;

use super::item::peek_keyword;
use super::{Parser, Result, comma, group, peek_body, peek_word};
use crate::ast::{Argument, Body, Call, Flow, Kind, Operands, Step};
use crate::diagnostic::{Diagnostic, Place};
use crate::{arguments, suggest};

/// Whether the last token of the step is a `}`.
pub(super) fn ends_in_brace(step: &Step) -> bool {
    match &step.kind {
        Kind::Body(_) | Kind::Residual { .. } | Kind::Repeat { .. } => true,
        Kind::Combine { operands, .. } => matches!(operands, Operands::Body(_)),
        Kind::Call(_) => false,
    }
}

impl Parser<'_> {
    /// `docs` are doc comments that were read already.
    pub(super) fn flow(&mut self, input: ParseStream, docs: Vec<Attribute>) -> Result<Flow> {
        let mut steps = vec![self.step(input, docs)?];
        while input.peek(Token![->]) {
            let arrow = input.parse::<Token![->]>()?;
            if input.is_empty() || input.peek(Token![;]) || input.peek(Token![,]) {
                return Err(
                    Diagnostic::new(Place::of(arrow), "nothing stands behind this `->`")
                        .help("write one more layer, or remove the arrow"),
                );
            }
            let docs = input.call(Attribute::parse_outer)?;
            steps.push(self.step(input, docs)?);
        }
        Ok(Flow { steps })
    }

    fn step(&mut self, input: ParseStream, docs: Vec<Attribute>) -> Result<Step> {
        let start = Place::from(input.span());
        if input.peek(Token![->]) {
            return Err(Diagnostic::new(
                Place::of(input.parse::<Token![->]>()?),
                "a flow cannot start with `->`",
            )
            .help("the value of the statement before flows in by itself: start with a layer"));
        }
        let labelled = peek_word(input) && input.peek2(Token![:]) && !input.peek2(Token![::]);
        let label = if labelled {
            let label = self.name(input, "a layer")?;
            input.parse::<Token![:]>()?;
            Some(label)
        } else {
            self.label_without_colon(input)
        };
        let (kind, end) = self.kind(input)?;
        Ok(Step {
            docs,
            label,
            kind,
            place: start.to(end),
        })
    }

    /// Reads `conv1` of `conv1 Conv2d(3)`, where a colon is missing.
    fn label_without_colon(&mut self, input: ParseStream) -> Option<Ident> {
        let (label, rest) = input.cursor().ident()?;
        let (layer, _) = rest.ident()?;
        let is_layer = arguments::signature(&layer.to_string()).is_some();
        if arguments::signature(&label.to_string()).is_some() || !is_layer {
            return None;
        }
        let error = Diagnostic::new(&label, format!("missing `:` or `->` behind `{label}`"));
        self.report(error.help(format!(
            "write `{label}: {layer}` if it is a label, `{label} -> {layer}` if it is a value"
        )));
        input.parse().ok()
    }

    /// What the step does, and where it ends.
    fn kind(&mut self, input: ParseStream) -> Result<(Kind, Place)> {
        if peek_body(input) {
            let body = self.body(input)?;
            let end = body.place;
            return Ok((Kind::Body(body), end));
        }
        let expected = "expected a layer, a block, `residual`, `repeat` or `{`";
        if input.peek(Token![::]) || (peek_word(input) && input.peek2(Token![::])) {
            return self.path(input);
        }
        if !peek_word(input) {
            return Err(Diagnostic::new(input.span(), expected));
        }
        if !input.peek(syn::Ident) {
            let keyword = Ident::parse_any(input)?;
            return Err(Diagnostic::new(
                &keyword,
                format!("{expected}, found the keyword `{keyword}`"),
            ));
        }
        let name: Ident = input.parse()?;
        if name == "residual" && peek_body(input) {
            return self.residual(input, name);
        }
        if name == "repeat"
            && !input.peek(Token![->])
            && !input.peek(Token![;])
            && !input.is_empty()
        {
            return self.repeat(input, name);
        }
        let combine = Combine::ALL
            .into_iter()
            .find(|combine| name == combine.name());
        if let Some(combine) = combine.filter(|_| input.peek(token::Paren) || peek_body(input)) {
            return self.combine(input, name, combine);
        }
        if name == "skip" && peek_body(input) {
            return Err(Diagnostic::new(&name, "`skip` without `residual`")
                .help("write `residual { … } skip { … }`, without `;` between the two"));
        }
        if peek_body(input) || input.peek(syn::Lit) {
            let keywords = ["residual", "repeat", "skip", "block"]
                .into_iter()
                .chain(Combine::ALL.map(Combine::name));
            if let Some(meant) = suggest::closest(&name.to_string(), keywords) {
                return Err(Diagnostic::new(&name, format!("unknown word `{name}`"))
                    .help(format!("did you mean `{meant}`?")));
            }
        }
        self.call(input, TokenStream::new(), name)
    }

    /// `crate::act::shrink`, a function or a block of another place.
    fn path(&mut self, input: ParseStream) -> Result<(Kind, Place)> {
        let mut path = input.call(Path::parse_mod_style)?;
        if let Some(segment) = path.segments.iter().find(|segment| segment.ident == "Self") {
            let error = Diagnostic::new(&segment.ident, "functions and blocks are in no type");
            return Err(error.help("write the path of the module that declares it"));
        }
        let Some(last) = path.segments.pop() else {
            return Err(Diagnostic::new(input.span(), "expected a name behind `::`"));
        };
        self.call(input, path.into_token_stream(), last.ident)
    }

    fn call(
        &mut self,
        input: ParseStream,
        module: TokenStream,
        name: Ident,
    ) -> Result<(Kind, Place)> {
        let (arguments, end) = if input.peek(token::Paren) {
            let (content, paren) = group::parentheses(input)?;
            let arguments = self.or_drain(&content, Self::arguments)?;
            (Some(arguments), paren.join().into())
        } else {
            (None, Place::from(&name))
        };
        let call = Call {
            module,
            name,
            arguments,
            is_field: false,
        };
        Ok((Kind::Call(call), end))
    }

    fn residual(&mut self, input: ParseStream, keyword: Ident) -> Result<(Kind, Place)> {
        let body = self.body(input)?;
        let mut end = body.place;
        let skip = if peek_keyword(input, "skip") {
            let skip = input.parse::<Ident>()?;
            if !peek_body(input) {
                return Err(Diagnostic::new(&skip, "expected `{` behind `skip`")
                    .help("write `residual { … } skip { … }`"));
            }
            let skip = self.body(input)?;
            end = skip.place;
            Some(skip)
        } else {
            None
        };
        Ok((
            Kind::Residual {
                keyword,
                body,
                skip,
            },
            end,
        ))
    }

    fn repeat(&mut self, input: ParseStream, keyword: Ident) -> Result<(Kind, Place)> {
        if peek_body(input) {
            return Err(
                Diagnostic::new(&keyword, "`repeat` needs a count").help("write `repeat 3 { … }`")
            );
        }
        let count = self.expr(input)?;
        if !peek_body(input) {
            return Err(
                Diagnostic::new(count.place, "expected `{` behind the count of `repeat`")
                    .help("write `repeat 3 { … }`"),
            );
        }
        let body = self.body(input)?;
        let end = body.place;
        Ok((
            Kind::Repeat {
                keyword,
                count,
                body,
            },
            end,
        ))
    }

    fn combine(
        &mut self,
        input: ParseStream,
        keyword: Ident,
        combine: Combine,
    ) -> Result<(Kind, Place)> {
        let (operands, end) = if peek_body(input) {
            let body: Body = self.body(input)?;
            let end = body.place;
            (Operands::Body(body), end)
        } else {
            let (content, paren) = group::parentheses(input)?;
            let flows = self.or_drain(&content, |parser, input| {
                let mut flows = Vec::new();
                while !input.is_empty() {
                    let docs = input.call(Attribute::parse_outer)?;
                    flows.push(parser.flow(input, docs)?);
                    comma(input)?;
                }
                Ok(flows)
            })?;
            (Operands::Flows(flows), paren.join().into())
        };
        Ok((
            Kind::Combine {
                keyword,
                combine,
                operands,
            },
            end,
        ))
    }

    fn arguments(&mut self, input: ParseStream) -> Result<Vec<Argument>> {
        let mut arguments = Vec::new();
        while !input.is_empty() {
            let keyed = peek_word(input) && input.peek2(Token![=]) && !input.peek2(Token![==]);
            let key = if keyed {
                let key = Ident::parse_any(input)?;
                input.parse::<Token![=]>()?;
                Some(key)
            } else {
                None
            };
            arguments.push(Argument {
                key,
                value: self.expr(input)?,
            });
            comma(input)?;
        }
        Ok(arguments)
    }
}

//! Help for editors: hover, completion and go-to-definition of the names of layers and of their arguments.
//!
//! Names are mentioned where rust-analyzer can see them and rustc does not look. They are found among the tokens, so that
//! a mistake elsewhere, or the very name that is being typed, takes nothing away.
//!
//! To complete a name, rust-analyzer expands the call with and without a marker at the cursor, and expects the same text in
//! front of it. So the mentions come first, in the order of the source, and there is always one more import.

use std::collections::HashSet;
use std::iter::Peekable;

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree, token_stream};
use quote::{format_ident, quote};
use xdnn_ir::Combine;

use super::Context;
use crate::arguments;

/// Imports every mentioned layer into nowhere, and takes the named fields out of it, with the tokens of the user.
pub(super) fn mentions(context: &Context, declaration: TokenStream) -> TokenStream {
    let Context {
        krate,
        network,
        cfg,
        ..
    } = context;
    let mut names = Names {
        declared: HashSet::new(),
        layers: Vec::new(),
        arguments: Vec::new(),
    };
    let inputs = network.inputs.iter().map(|input| input.name.to_string());
    names.declared.extend(inputs);
    let body = declaration.into_iter().filter_map(group(Delimiter::Brace));
    if let Some(body) = body.last() {
        names.declare(body.stream());
        names.flows(body.stream());
    }
    let layers = names.layers;
    let fields = names.arguments.iter().map(|(layer, fields)| {
        let layer = format_ident!("{layer}");
        quote!(#krate::ir::layer::#layer { #(#fields: _,)* .. })
    });
    quote! {
        #(#cfg)*
        #[allow(unexpected_cfgs)] // It has no effect on the item whose cfg is unexpected, but on those inside.
        const _: () = {
            #[cfg(rust_analyzer)]
            const _: () = {
                #(use #krate::ir::layer::#layers as _;)*
                use #krate::ir::layer::Relu as _;
                #(const _: fn(_) = |#fields| ();)*
            };
        };
    }
}

fn group(delimiter: Delimiter) -> impl Fn(TokenTree) -> Option<Group> {
    move |token| match token {
        TokenTree::Group(group) if group.delimiter() == delimiter => Some(group),
        _ => None,
    }
}

struct Names {
    /// What else a name may stand for: inputs, values, blocks, constants and parameters.
    declared: HashSet<String>,
    layers: Vec<Ident>,
    /// The arguments that each layer is given by name.
    arguments: Vec<(String, Vec<Ident>)>,
}

impl Names {
    /// Finds what is declared in a body and in the bodies inside of it.
    fn declare(&mut self, body: TokenStream) {
        let mut tokens = body.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Ident(word) if ["let", "const", "block"].iter().any(|of| word == of) => {
                    if let Some(TokenTree::Ident(name)) = tokens.peek() {
                        self.declared.insert(name.to_string());
                        tokens.next();
                    }
                    if word == "block"
                        && let Some(parameters) = parentheses(&mut tokens)
                    {
                        let names =
                            parameters
                                .stream()
                                .into_iter()
                                .filter_map(|token| match token {
                                    TokenTree::Ident(name) => Some(name.to_string()),
                                    _ => None,
                                });
                        self.declared.extend(names);
                    }
                }
                TokenTree::Group(group) => self.declare(group.stream()),
                _ => {}
            }
        }
    }

    /// Finds the layers among the steps of a body, or of the operands of a combination.
    fn flows(&mut self, steps: TokenStream) {
        let mut tokens = steps.into_iter().peekable();
        let mut starts = true;
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Group(group) => {
                    if group.delimiter() == Delimiter::Brace {
                        self.flows(group.stream());
                    }
                    starts = group.delimiter() != Delimiter::Parenthesis;
                }
                TokenTree::Punct(punct) => starts = ":;>,=".contains(punct.as_char()),
                TokenTree::Ident(word) if word == "const" => {
                    // Up to its end there are only numbers.
                    tokens
                        .by_ref()
                        .take_while(|token| !is_punct(token, ';'))
                        .for_each(drop);
                    starts = true;
                }
                TokenTree::Ident(word)
                    if ["let", "block", "repeat", "skip"]
                        .iter()
                        .any(|of| word == of) =>
                {
                    starts = false;
                }
                // The name of a layer is one where its arrow is missing, too.
                TokenTree::Ident(word)
                    if starts || arguments::signature(&word.to_string()).is_some() =>
                {
                    starts = false;
                    let is_label = tokens.peek().is_some_and(|token| is_punct(token, ':'));
                    if !is_label {
                        self.step(word, &mut tokens);
                    }
                }
                TokenTree::Ident(_) | TokenTree::Literal(_) => starts = false,
            }
        }
    }

    fn step(&mut self, name: Ident, tokens: &mut Peekable<token_stream::IntoIter>) {
        let text = name.to_string();
        let is_body = |token: &TokenTree| group(Delimiter::Brace)(token.clone()).is_some();
        if self.declared.contains(&text) || tokens.peek().is_some_and(is_body) {
            return;
        }
        if Combine::ALL.iter().any(|combine| text == combine.name())
            && let Some(operands) = parentheses(tokens)
        {
            return self.flows(operands.stream());
        }
        if !is_name(&name) {
            return;
        }
        let is_layer = arguments::signature(&text).is_some();
        if let Some(given) = parentheses(tokens).filter(|_| is_layer) {
            let fields = self.fields(given.stream());
            self.arguments.push((text, fields));
        }
        self.layers.push(name);
    }

    /// The names in front of `=`, and those that may be about to get one.
    fn fields(&self, arguments: TokenStream) -> Vec<Ident> {
        let mut fields = Vec::new();
        let mut tokens = arguments.into_iter().peekable();
        let mut starts = true;
        while let Some(token) = tokens.next() {
            if let TokenTree::Ident(name) = &token
                && starts
            {
                let is_named = tokens.peek().is_some_and(|token| is_punct(token, '='));
                let is_typed = tokens.peek().is_none_or(|token| is_punct(token, ','));
                let text = name.to_string();
                let is_value =
                    self.declared.contains(&text) || text.starts_with(char::is_uppercase);
                if is_name(name) && (is_named || is_typed && !is_value) {
                    fields.push(name.clone());
                }
            }
            starts = is_punct(&token, ',');
        }
        fields
    }
}

/// Whether Rust allows the word as a name: a keyword would make the mentions unreadable.
fn is_name(word: &Ident) -> bool {
    syn::parse2::<Ident>(TokenTree::Ident(word.clone()).into()).is_ok()
}

fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == char)
}

/// The parentheses that stand next.
fn parentheses(tokens: &mut Peekable<token_stream::IntoIter>) -> Option<Group> {
    let next = group(Delimiter::Parenthesis)(tokens.peek()?.clone())?;
    tokens.next();
    Some(next)
}

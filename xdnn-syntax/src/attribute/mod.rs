//! `#[xdnn]` on functions and structs.
//!
//! A function stays what it is, a struct becomes what `network!` makes of its layers, and a struct with `layer` is a layer
//! of the crate at hand. Each leaves its declaration behind as a hidden macro of the same name, by which every network that
//! can see the item can read it.

mod hidden;
mod layer;

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::parse::{ParseStream, Parser as _};
use syn::{Attribute, Item, ItemFn};

use crate::declaration::{Declaration, Declarations};
use crate::diagnostic::{Collector, Diagnostic, Place};
use crate::expand::{compile_errors, declare};
use crate::{check, function, lower, parse};

pub(crate) use hidden::hidden;
pub(crate) use layer::Definition;

const FORM: &str = "write it in front of a function, `fn name(x: f32) -> f32 { … }`, a struct of layers, `struct Name { fc1: Linear<16>, relu1: Relu }`, or, as `#[xdnn(layer, degree = 1)]`, a layer of your own";

/// Expands `#[xdnn(arguments)]` in front of an item. Mistakes become `compile_error!`s.
pub fn attribute(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Collector::default();
    let items = expand(arguments, item, &mut errors);
    let errors = errors.finish().err().map(compile_errors);
    quote!(#errors #items)
}

fn expand(arguments: TokenStream, item: TokenStream, errors: &mut Collector) -> TokenStream {
    let is_struct = |token| matches!(token, TokenTree::Ident(word) if word == "struct");
    if item.clone().into_iter().any(is_struct) && parse::is_too_deep_for_syn(&item) {
        errors.push(parse::too_deep(item));
        return TokenStream::new();
    }
    match syn::parse2::<Item>(item.clone()) {
        Ok(Item::Fn(function)) => {
            read_no_arguments(arguments, errors);
            expand_function(item, &function, errors)
        }
        Ok(Item::Struct(item)) if layer::is_layer(&arguments) => {
            layer::expand(arguments, item, errors)
        }
        Ok(Item::Struct(_)) => declare(quote!(::xdnn), quote!(#[xdnn(#arguments)] #item), None),
        Ok(other) => {
            let place = other.to_token_stream().into_iter().next();
            errors.push(
                Diagnostic::new(
                    Place::of(place.into_iter().collect::<TokenStream>()),
                    "`#[xdnn]` does not know what to do with this item",
                )
                .help(FORM),
            );
            item
        }
        Err(error) => {
            errors.push(error.into());
            item
        }
    }
}

fn read_no_arguments(arguments: TokenStream, errors: &mut Collector) {
    if !arguments.is_empty() {
        errors.push(
            Diagnostic::new(
                Place::of(arguments),
                "`#[xdnn]` takes no arguments in front of a function",
            )
            .help("write `#[xdnn]`"),
        );
    }
}

fn expand_function(tokens: TokenStream, item: &ItemFn, errors: &mut Collector) -> TokenStream {
    let name = &item.sig.ident;
    let declaration =
        prove(tokens.clone(), item, errors).map_or(Declaration::Refused, Declaration::Function);
    let hidden = hidden(name, &item.vis, &item.attrs, &declaration);
    quote! {
        #[allow(dead_code)]
        #tokens
        #hidden
    }
}

fn prove(tokens: TokenStream, item: &ItemFn, errors: &mut Collector) -> Option<xdnn_ir::Function> {
    function::parse(tokens, errors)?;
    function::prove(item, errors)
}

/// What the items with `#[xdnn]` in front of a network declare, and the rest of the text.
pub(crate) fn declarations(
    tokens: TokenStream,
    errors: &mut Collector,
) -> (Declarations, TokenStream) {
    let mut declarations = Declarations::default();
    let mut rest = tokens;
    // What is too deep is refused together with the network.
    while parse::is_attributed(&rest) && !parse::is_too_deep_for_syn(&rest) {
        let mut item = None;
        let read = |input: ParseStream| {
            item = Some((input.call(Attribute::parse_outer)?, input.parse::<Item>()?));
            input.parse::<TokenStream>()
        };
        let behind = read.parse2(rest.clone());
        if let (Some((_, Item::Struct(_))), Ok(behind)) = (&item, &behind)
            && behind.is_empty()
        {
            // It is the network itself.
            return (declarations, rest);
        }
        rest = match behind {
            Ok(behind) => behind,
            Err(error) => {
                errors.push(error.into());
                return (declarations, TokenStream::new());
            }
        };
        match item {
            Some((_, Item::Fn(function))) => {
                let proved = prove(function.to_token_stream(), &function, errors);
                let declaration = proved.map_or(Declaration::Refused, Declaration::Function);
                declarations.insert(function.sig.ident.to_string(), declaration);
            }
            Some((attributes, Item::Struct(item))) if attributes.iter().any(layer::is_declared) => {
                let error = Diagnostic::new(&item.ident, "a layer of your own needs a compiler");
                errors.push(error.note("this is checked as text, and its rules are Rust"));
                declarations.insert(item.ident.to_string(), Declaration::Refused);
            }
            Some((attributes, Item::Struct(item))) => {
                let name = item.ident.to_string();
                let declaration = chain(quote!(#(#attributes)* #item), &declarations, errors);
                declarations.insert(name, declaration);
            }
            _ => {}
        }
    }
    (declarations, rest)
}

/// What a struct of layers declares; `declarations` stand in front of it.
fn chain(tokens: TokenStream, declarations: &Declarations, errors: &mut Collector) -> Declaration {
    let mut own = Collector::default();
    let declaration = parse::network(tokens, &mut own).map(|network| {
        let others = check::names::Others::Known(declarations);
        check::names::check(&network, &others, &mut own);
        let lowered = lower::lower(&network, declarations, &mut own);
        let right = own.is_empty() && !lowered.guesses;
        right.then(|| Declaration::of_chain(network, &lowered, declarations))
    });
    for error in own.finish().err().into_iter().flatten() {
        errors.push(error);
    }
    declaration.flatten().unwrap_or(Declaration::Refused)
}

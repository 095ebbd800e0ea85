//! `#[xdnn]` on functions and structs.
//!
//! An item stays what it is, and leaves its declaration behind as a hidden macro of the same name, by which every
//! network that can see the item can read it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, format_ident, quote};
use syn::parse::{ParseStream, Parser as _};
use syn::{Attribute, Item, ItemFn, Visibility};

use crate::declaration::{self, Declaration, Declarations};
use crate::diagnostic::{Collector, Diagnostic, Place};
use crate::expand::compile_errors;
use crate::function;

const FORM: &str = "write it in front of a function `fn name(x: f32) -> f32 { … }`";

/// Expands `#[xdnn(arguments)]` in front of an item. Mistakes become `compile_error!`s.
pub fn attribute(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Collector::default();
    let items = expand(arguments, item, &mut errors);
    let errors = errors.finish().err().map(compile_errors);
    quote!(#errors #items)
}

fn expand(arguments: TokenStream, item: TokenStream, errors: &mut Collector) -> TokenStream {
    read_arguments(arguments, errors);
    match syn::parse2::<Item>(item.clone()) {
        Ok(Item::Fn(function)) => expand_function(item, &function, errors),
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

fn read_arguments(arguments: TokenStream, errors: &mut Collector) {
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
    let declaration = match prove(tokens.clone(), item, errors) {
        Some(function) => declaration::function(name, &function),
        None => declaration::refused(name),
    };
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

/// The macro that hands a declaration to whoever asks for it, under the name of the item.
///
/// It is called with the macros to go on with, each in brackets, and what to give to the last one. Without anything it
/// is nothing: whoever does that wants to know whether it exists.
fn hidden(
    name: &Ident,
    visibility: &Visibility,
    attributes: &[Attribute],
    declaration: &TokenStream,
) -> TokenStream {
    let unique = unique(name);
    let cfg: Vec<_> = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"))
        .collect();
    let export = matches!(visibility, Visibility::Public(_)).then(|| quote!(#[macro_export]));
    quote! {
        #(#cfg)*
        #[doc(hidden)]
        #[allow(unused_macros, non_local_definitions)]
        #export
        macro_rules! #unique {
            () => {};
            ([$($next:tt)*] $($rest:tt)*) => {
                $($next)*! { $($rest)* { #declaration } }
            };
        }

        #(#cfg)*
        #[doc(hidden)]
        #[allow(unused_imports, unreachable_pub)]
        #visibility use #unique as #name;
    }
}

/// A name that no other item has: exported macros all live in one place.
fn unique(name: &Ident) -> Ident {
    let place = Span::call_site();
    let mut hasher = DefaultHasher::new();
    (place.file(), place.start().line, place.start().column).hash(&mut hasher);
    // The expansion that the attribute stands in, where it stands in one.
    format!("{place:?}").hash(&mut hasher);
    format_ident!(
        "__xdnn_{name}_{:016x}",
        hasher.finish(),
        span = Span::call_site()
    )
}

/// What the items with `#[xdnn]` in front of a network declare, and the rest of the text.
pub(crate) fn declarations(
    tokens: TokenStream,
    errors: &mut Collector,
) -> (Declarations, TokenStream) {
    let mut declarations = Declarations::default();
    let mut rest = tokens;
    while is_declaration(&rest) {
        let mut item = None;
        let read = |input: ParseStream| {
            let attribute: Option<Attribute> =
                input.call(Attribute::parse_outer)?.into_iter().next();
            let read: Item = input.parse()?;
            item = Some((attribute, read));
            input.parse::<TokenStream>()
        };
        rest = match read.parse2(rest) {
            Ok(rest) => rest,
            Err(error) => {
                errors.push(error.into());
                return (declarations, TokenStream::new());
            }
        };
        if let Some((_, Item::Fn(function))) = item {
            let proved = prove(function.to_token_stream(), &function, errors);
            let declaration = proved.map_or(Declaration::Refused, Declaration::Function);
            declarations.insert(function.sig.ident.to_string(), declaration);
        }
    }
    (declarations, rest)
}

/// Whether `#[xdnn…]` stands next.
fn is_declaration(tokens: &TokenStream) -> bool {
    let mut tokens = tokens.clone().into_iter();
    let (Some(TokenTree::Punct(hash)), Some(TokenTree::Group(attribute))) =
        (tokens.next(), tokens.next())
    else {
        return false;
    };
    let first = attribute.stream().into_iter().next();
    hash.as_char() == '#' && matches!(first, Some(TokenTree::Ident(word)) if word == "xdnn")
}

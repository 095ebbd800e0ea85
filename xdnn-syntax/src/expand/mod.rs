//! From a lowered network to Rust: the struct of its weights, its specification as a constant, and trait impls.
//!
//! Every path starts at `$crate`, which the `network!` macro of the facade hands in, at `::core` or at `::std`, so that
//! nothing around the call can change its meaning. After a mistake the same items come without content, so that the
//! uses of the network cause no further errors.

mod generics;
mod ide;
mod inputs;
mod members;
mod outline;
mod spec;

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::Attribute;
use syn::parse::Parser as _;

use crate::ast::Network;
use crate::check;
use crate::diagnostic::{Collector, Diagnostics};
use crate::lower;
use crate::parse;

use generics::Generics;

/// What every generated item shares.
struct Context<'n> {
    /// `$crate`, the path to the facade.
    krate: TokenStream,
    network: &'n Network,
    generics: Generics,
    /// The `#[cfg]`s of the network, which every item needs.
    cfg: Vec<&'n Attribute>,
}

/// Expands `[$crate] pub struct Net(x: [784]) -> [10] { … }`. Mistakes become `compile_error!`s.
pub fn expand(tokens: TokenStream) -> TokenStream {
    let (krate, tokens) = split(tokens);
    let mut errors = Collector::default();
    let mut mentions = TokenStream::new();
    let items = parse::network(tokens.clone(), &mut errors).map(|network| {
        check::names::check(&network, &mut errors);
        let lowered = lower::lower(&network, &mut errors);
        let context = Context {
            cfg: network
                .attributes
                .iter()
                .filter(|attribute| attribute.path().is_ident("cfg"))
                .collect(),
            krate,
            generics: Generics::of(&network),
            network: &network,
        };
        let spec = if errors.is_empty() {
            match &lowered.open {
                Some(open) => outline::spec(&context, &lowered.spec, open),
                None => spec::spec(&context, &lowered.spec),
            }
        } else {
            spec::placeholder(&context)
        };
        let members = members::structs(&context, &lowered);
        let inputs = inputs::inputs(&context, &lowered);
        mentions = ide::mentions(&context, tokens);
        quote!(#members #spec #inputs)
    });
    let errors = errors.finish().err().map(compile_errors);
    quote!(#mentions #errors #items)
}

/// The path in brackets in front, and the rest. Brackets around anything else are for the parser to judge.
fn split(tokens: TokenStream) -> (TokenStream, TokenStream) {
    let mut rest = tokens.clone().into_iter();
    if let Some(TokenTree::Group(group)) = rest.next()
        && group.delimiter() == Delimiter::Bracket
        && syn::Path::parse_mod_style.parse2(group.stream()).is_ok()
    {
        return (group.stream(), rest.collect());
    }
    (quote!(::xdnn), tokens)
}

fn compile_errors(errors: Diagnostics) -> TokenStream {
    errors
        .into_iter()
        .map(|error| error.to_compile_error())
        .collect()
}

/// A name of generated code that is visible to nobody else.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

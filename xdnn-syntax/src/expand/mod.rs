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
mod regular;
mod spec;

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::Attribute;
use syn::parse::Parser as _;

use crate::ast::Network;
use crate::check::names;
use crate::declaration::{self, Declarations};
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
///
/// Where the network mentions names that it does not know, the expansion calls the macros of these names, which
/// `#[xdnn]` has left behind, one after the other. The last one calls back with what they declare:
/// `[$crate] @ { pub struct Net … } { function shrink … } …`.
pub fn expand(tokens: TokenStream) -> TokenStream {
    let (krate, tokens) = split(tokens);
    let (tokens, declared) = match answers(tokens.clone()) {
        Some((tokens, declared)) => (tokens, Some(declared)),
        None => (tokens, None),
    };
    let mut errors = Collector::default();
    let Some(network) = parse::network(tokens.clone(), &mut errors) else {
        return errors
            .finish()
            .err()
            .map(compile_errors)
            .unwrap_or_default();
    };
    let mut probes = TokenStream::new();
    let declarations = match declared {
        Some(declared) => {
            let mut ignored = Collector::default();
            let asked = names::check(&network, &names::Others::Asked, &mut ignored);
            drop(ignored.finish());
            let declarations = Declarations::of(asked, declared);
            names::check(&network, &names::Others::Known(&declarations), &mut errors);
            declarations
        }
        None => {
            let asked = names::check(&network, &names::Others::Asked, &mut errors);
            if errors.is_empty()
                && let Some((first, others)) = asked.split_first()
            {
                drop(errors.finish());
                return quote! {
                    #first! { #([#others])* [#krate::__private::network_impl] [#krate] @ { #tokens } }
                };
            }
            // Whoever does not exist is reported together with the other mistakes.
            probes = quote!(#(#asked! {})*);
            Declarations::default()
        }
    };
    let (mentions, items) = items(&network, tokens, krate, &declarations, &mut errors);
    let errors = errors.finish().err().map(compile_errors);
    quote!(#mentions #errors #probes #items)
}

/// What editors want to know of a network that was read, and its items.
fn items(
    network: &Network,
    tokens: TokenStream,
    krate: TokenStream,
    declarations: &Declarations,
    errors: &mut Collector,
) -> (TokenStream, TokenStream) {
    let lowered = lower::lower(network, declarations, errors);
    let context = Context {
        cfg: network
            .attributes
            .iter()
            .filter(|attribute| attribute.path().is_ident("cfg"))
            .collect(),
        krate,
        generics: Generics::of(network),
        network,
    };
    let spec = if errors.is_empty() && !lowered.guesses {
        match &lowered.open {
            Some(open) => outline::spec(&context, &lowered.spec, open),
            None => spec::spec(&context, &lowered.spec),
        }
    } else {
        spec::placeholder(&context)
    };
    let members = members::structs(&context, &lowered);
    let inputs = inputs::inputs(&context, &lowered);
    let mentions = ide::mentions(&context, tokens);
    (mentions, quote!(#members #spec #inputs))
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

/// The network and what other places declare, where they have been asked.
fn answers(tokens: TokenStream) -> Option<(TokenStream, Vec<TokenStream>)> {
    let mut tokens = tokens.into_iter();
    match (tokens.next()?, tokens.next()?) {
        (TokenTree::Punct(at), TokenTree::Group(network)) if at.as_char() == '@' => {
            Some((network.stream(), declaration::groups(tokens)))
        }
        _ => None,
    }
}

pub(crate) fn compile_errors(errors: Diagnostics) -> TokenStream {
    errors
        .into_iter()
        .map(|error| error.to_compile_error())
        .collect()
}

/// A name of generated code that is visible to nobody else.
fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

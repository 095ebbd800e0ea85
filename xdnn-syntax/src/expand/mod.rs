//! From a lowered network to Rust: the struct of its weights, its specification as a constant, and trait impls.
//!
//! Every path starts at `$crate`, which the `network!` macro of the facade hands in, at `::core` or at `::std`, so that
//! nothing around the call can change its meaning. After a mistake the same items come without content, so that the
//! uses of the network cause no further errors.

mod block;
mod generics;
mod ide;
mod inputs;
mod members;
mod outline;
mod regular;
mod spec;
mod words;

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::Attribute;
use syn::parse::Parser as _;

use crate::ast::Network;
use crate::attribute::hidden;
use crate::check::names;
use crate::declaration::{self, Declaration, Declarations};
use crate::diagnostic::{Collector, Diagnostics};
use crate::lower::{self, Lowered};
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

impl<'n> Context<'n> {
    fn of(network: &'n Network, krate: TokenStream) -> Self {
        let cfg = network
            .attributes
            .iter()
            .filter(|attribute| attribute.path().is_ident("cfg"));
        Self {
            krate,
            network,
            generics: Generics::of(network),
            cfg: cfg.collect(),
        }
    }
}

/// Expands `[$crate] pub struct Net(x: [784]) -> [10] { … }`. Mistakes become `compile_error!`s.
///
/// Where the network mentions names that it does not know, the expansion calls the macros of these names, which
/// `#[xdnn]` has left behind, one after the other. The last one calls back with what they declare:
/// `[$crate] @ { pub struct Net … } { function shrink … } …`.
pub fn expand(tokens: TokenStream) -> TokenStream {
    let (krate, tokens) = split(tokens);
    match answers(tokens.clone()) {
        Some((tokens, declared)) => declare(krate, tokens, Some(declared)),
        None => declare(krate, tokens, None),
    }
}

/// Expands a network, or `#[xdnn] struct Stem { … }`. `declared` is what other places have answered.
pub(crate) fn declare(
    krate: TokenStream,
    tokens: TokenStream,
    declared: Option<Vec<TokenStream>>,
) -> TokenStream {
    let mut errors = Collector::default();
    let Some(network) = parse::network(tokens.clone(), &mut errors) else {
        return errors
            .finish()
            .err()
            .map(compile_errors)
            .unwrap_or_default();
    };
    let chain = network.chain.as_ref();
    let krate = chain.and_then(|chain| chain.krate.clone()).unwrap_or(krate);
    let mut context = Context::of(&network, krate);
    // They come with the question, and not again with the answer.
    let mentions = declared.is_none().then(|| {
        let body = chain.map(|chain| chain.body.clone());
        ide::mentions(&context, body.unwrap_or_else(|| tokens.clone()))
    });
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
                let krate = &context.krate;
                return quote! {
                    #mentions
                    #first! { #([#others])* [#krate::__private::network_impl] [#krate] @ { #tokens } }
                };
            }
            // Whoever does not exist is reported together with the other mistakes.
            probes = quote!(#(#asked! {})*);
            Declarations::default()
        }
    };
    let lowered = lower::lower(&network, &declarations, &mut errors);
    let mut right = errors.is_empty() && !lowered.guesses && probes.is_empty();
    if right && let Some(example) = lower::lower_with_defaults(&network, &declarations, &mut errors)
    {
        right = errors.is_empty();
        if right && example.agrees_with(&lowered) {
            context.generics.defaults = None; // nothing is left for the compiler to check
        }
    }
    let items = items(&context, &lowered, right);
    let block = network.chain.is_some().then(|| {
        let (name, visibility) = (network.name.clone(), network.visibility.clone());
        let attributes = network.attributes.clone();
        let declaration = match right {
            true => Declaration::of_chain(network, &lowered, &declarations),
            false => Declaration::Refused,
        };
        hidden(&name, &visibility, &attributes, &declaration)
    });
    let errors = errors.finish().err().map(compile_errors);
    quote!(#mentions #errors #probes #items #block)
}

/// The items of a network that was read. `right` says that there are no mistakes.
fn items(context: &Context, lowered: &Lowered, right: bool) -> TokenStream {
    let spec = match lowered.source.as_ref().filter(|_| right) {
        None => spec::placeholder(context),
        Some(_) if context.network.is_block() => block::spec(context),
        Some(source) => outline::spec(context, &lowered.spec, source),
    };
    let members = members::structs(context, lowered);
    let inputs = inputs::inputs(context, lowered);
    quote!(#members #spec #inputs)
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

//! The parameters of a network.

use proc_macro2::TokenStream;
use quote::quote;

use crate::ast::Network;

/// The parameters of a network, as Rust wants them in its different places; nothing where there are none.
pub(super) struct Generics {
    /// `<const CLASSES: usize = 10>`
    pub declared: TokenStream,
    /// `<const CLASSES: usize>`
    pub bound: TokenStream,
    /// `<CLASSES>`
    pub given: TokenStream,
    /// The defaults as constants of the parameters' names. `None` where a parameter has no default, and where the macro can
    /// check the defaults itself.
    pub defaults: Option<TokenStream>,
}

impl Generics {
    pub(super) fn of(network: &Network) -> Self {
        if network.generics.is_empty() {
            return Self {
                declared: TokenStream::new(),
                bound: TokenStream::new(),
                given: TokenStream::new(),
                defaults: Some(TokenStream::new()),
            };
        }
        let names = || network.generics.iter().map(|generic| &generic.name);
        let (bound, given) = (names(), names());
        let declared = network.generics.iter().map(|generic| {
            let name = &generic.name;
            let default = generic.default.as_ref().map(|default| quote!(= #default));
            quote!(const #name: ::core::primitive::usize #default)
        });
        let defaults = network.generics.iter().map(|generic| {
            let (name, default) = (&generic.name, generic.default.as_ref()?);
            Some(quote!(#[allow(dead_code, unused_braces)] const #name: ::core::primitive::usize = #default;))
        });
        Self {
            declared: quote!(<#(#declared),*>),
            bound: quote!(<#(const #bound: ::core::primitive::usize),*>),
            given: quote!(<#(#given),*>),
            defaults: defaults.collect(),
        }
    }
}

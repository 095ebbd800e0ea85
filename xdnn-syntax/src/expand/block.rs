//! `#[xdnn] struct` without an input: it is no network, which is said where it is used as one.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Context, spec};

/// An implementation of `Network` under a condition that never holds.
pub(super) fn spec(context: &Context) -> TokenStream {
    let Context {
        krate,
        network,
        cfg,
        ..
    } = context;
    let (name, spec) = (&network.name, spec::nothing(context));
    // A bound without a lifetime would be checked here, and not where it is needed.
    let condition =
        quote!(where for<'a> #krate::__private::Block: #krate::__private::HasInput<#name>);
    quote! {
        #(#cfg)*
        #[automatically_derived]
        impl #krate::Network for #name #condition {
            const SPEC: &'static #krate::ir::NetworkSpec = #spec;
        }

        // A method of a trait whose condition fails is not found; these are, and say why they cannot be called.
        #(#cfg)*
        #[automatically_derived]
        #[allow(dead_code, clippy::all, clippy::pedantic)]
        #[doc(hidden)]
        impl #name {
            pub fn init(_: #krate::Seed) -> Self #condition {
                Self {}
            }

            pub fn load<P>(_: P) -> #krate::Result<Self> #condition {
                ::core::result::Result::Ok(Self {})
            }
        }
    }
}

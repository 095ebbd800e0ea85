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
    quote! {
        #(#cfg)*
        #[automatically_derived]
        // A bound without a lifetime would be checked here, and not where the trait is needed.
        impl #krate::Network for #name where for<'a> #krate::__private::Block: #krate::__private::HasInput<#name> {
            const SPEC: &'static #krate::ir::NetworkSpec = #spec;
        }
    }
}

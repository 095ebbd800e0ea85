//! `impl Network` and `impl XNetwork`.

use proc_macro2::TokenStream;
use quote::quote;
use xdnn_ir::message::Message;

use super::{Context, regular};

/// The trait impls of a network with mistakes.
pub(super) fn placeholder(context: &Context) -> TokenStream {
    impls(context, &nothing(context), None)
}

/// A reference to a valid specification that returns its input.
pub(super) fn nothing(context: &Context) -> TokenStream {
    let (krate, name) = (&context.krate, context.network.name.to_string());
    quote!(&#krate::__private::outline::placeholder(#name))
}

/// The trait impls. `spec` refers to the specification; `unproved` says why there is no `attribute`.
pub(super) fn impls(
    context: &Context,
    spec: &TokenStream,
    unproved: Option<&Message>,
) -> TokenStream {
    let Context {
        krate,
        network,
        generics,
        cfg,
    } = context;
    let (name, bound, given) = (&network.name, &generics.bound, &generics.given);
    let x_network = match unproved {
        Some(reason) => regular::unproved(context, reason),
        None => quote! {
            #(#cfg)*
            #[automatically_derived]
            impl #bound #krate::XNetwork for #name #given {}
        },
    };
    quote! {
        #(#cfg)*
        #[automatically_derived]
        #[allow(long_running_const_eval)]
        impl #bound #krate::Network for #name #given {
            const SPEC: &'static #krate::ir::NetworkSpec = #spec;
        }

        #x_network
    }
}

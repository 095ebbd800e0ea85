//! Help for editors: hover, completion and go-to-definition of layer names.

use proc_macro2::TokenStream;
use quote::quote;

use super::Context;
use crate::arguments;
use crate::ast::Kind;

/// Imports every mentioned layer at the place where it is mentioned, into nowhere.
pub(super) fn mentions(context: &Context) -> TokenStream {
    let Context {
        krate,
        network,
        cfg,
        ..
    } = context;
    let mut names = Vec::new();
    if let Some(body) = &network.body {
        body.visit_steps(&mut |step| {
            if let Kind::Call(call) = &step.kind {
                names.push(&call.name);
            }
        });
    }
    let layers = names
        .into_iter()
        .filter(|name| arguments::signature(&name.to_string()).is_some());
    quote! {
        #(#cfg)*
        const _: () = {
            #(
                #[allow(unused_imports)]
                use #krate::ir::layer::#layers as _;
            )*
        };
    }
}

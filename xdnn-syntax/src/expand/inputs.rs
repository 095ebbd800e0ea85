//! The struct of named inputs of a network that has several.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use xdnn_ir::Shape;

use super::{Context, local};
use crate::lower::Lowered;

/// `pub struct FusionInputs<'a, T = f32> { … }`, or nothing for a single input.
pub(super) fn inputs(context: &Context, lowered: &Lowered) -> TokenStream {
    let Context {
        krate,
        network,
        cfg,
        ..
    } = context;
    if network.inputs.len() < 2 {
        return TokenStream::new();
    }
    let (name, visibility) = (&network.name, &network.visibility);
    let inputs = format_ident!("{name}Inputs");
    let doc = format!(" The inputs of [`{name}`], each with the batch in front.");
    let fields = network
        .inputs
        .iter()
        .zip(lowered.spec.inputs())
        .enumerate()
        .map(|(i, (input, spec))| {
            let dims = dims(lowered, i, spec.shape);
            let doc = format!(" `(N, {})`", dims.join(", "));
            let (field, view) = (
                &input.name,
                format_ident!("ArrayView{}", spec.shape.rank() + 1),
            );
            quote!(#[doc = #doc] #visibility #field: #krate::ndarray::#view<'a, T>)
        });
    let names: Vec<_> = network.inputs.iter().map(|input| &input.name).collect();
    let given = local("inputs");
    quote! {
        #(#cfg)*
        #[doc = #doc]
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #visibility struct #inputs<'a, T = f32> { #(#fields),* }

        #(#cfg)*
        #[automatically_derived]
        impl<'a, T: #krate::ops::Real> ::core::convert::From<#inputs<'a, T>> for #krate::Inputs<'a, T> {
            fn from(#given: #inputs<'a, T>) -> Self {
                #krate::Inputs::from_views([#(#given.#names.into_dyn()),*])
            }
        }
    }
}

/// The dimensions of an input as text.
fn dims(lowered: &Lowered, input: usize, shape: Shape) -> Vec<String> {
    let source = lowered.source.as_ref();
    match source.and_then(|source| source.inputs.get(input)) {
        Some(form) => form.dims.iter().map(|dim| dim.size.to_string()).collect(),
        None => shape.dims().iter().map(usize::to_string).collect(),
    }
}

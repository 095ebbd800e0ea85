//! Operations in the words of `xdnn_ir::written`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use xdnn_ir::{Combine, Function, Literal};

pub(super) fn combine(of: Combine) -> TokenStream {
    let variant = word(&format!("{of:?}"));
    quote!(Combine::#variant)
}

pub(super) fn word(text: &str) -> Ident {
    Ident::new(text, Span::call_site())
}

/// A function of the user.
pub(super) fn function(of: &Function) -> TokenStream {
    let (name, n, d) = (of.name, of.degree.numerator(), of.degree.denominator());
    let (positive, negative, at_zero) = (of.positive, of.negative, of.at_zero);
    quote!(act(#name, [#n, #d], [#positive, #negative, #at_zero]))
}

pub(super) fn literal(value: &Literal) -> TokenStream {
    match value {
        Literal::Int(value) => quote!(#value),
        Literal::Float(value) => quote!(#value),
        Literal::Bool(value) => quote!(#value),
        Literal::Ints(values) => quote!([#(#values),*]),
        Literal::Shape(shape) => {
            let dims = shape.dims();
            quote!(Shape::new([#(#dims),*]))
        }
        Literal::Variant { of, variant } => {
            let (of, variant) = (word(of), word(variant));
            quote!(#of::#variant)
        }
        Literal::Option(None) => quote!(None),
        Literal::Option(Some(value)) => {
            let value = literal(value);
            quote!(Some(#value))
        }
    }
}

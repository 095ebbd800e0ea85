//! The procedural macros of xdnn: a thin shell around `xdnn-syntax`.
//!
//! Use them through the facade, `xdnn::network!`, which hands in the path to itself.
#![forbid(unsafe_code)]

use proc_macro::TokenStream;

/// What `xdnn::network!` expands to: `[$crate] pub struct Net(x: [784]) -> [10] { … }`.
#[proc_macro]
pub fn network_impl(tokens: TokenStream) -> TokenStream {
    xdnn_syntax::expand(tokens.into()).into()
}

/// What `xdnn::xdnn` is: the attribute in front of functions and structs.
#[proc_macro_attribute]
pub fn xdnn(arguments: TokenStream, item: TokenStream) -> TokenStream {
    xdnn_syntax::attribute(arguments.into(), item.into()).into()
}

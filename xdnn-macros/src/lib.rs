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

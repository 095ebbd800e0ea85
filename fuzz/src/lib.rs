//! What holds for every text: the front end judges it, and does not panic.

use proc_macro2::{TokenStream, TokenTree};

/// Checks and expands what a text says, and what stands in braces in it.
///
/// # Panics
///
/// When the front end does, or when an expansion is no Rust.
pub fn judge(text: &str) {
    let _ = xdnn_syntax::check_str(text);
    if let Ok(tokens) = text.parse::<TokenStream>() {
        // A file with a `network!` in it is no network, but its braces hold one.
        for token in tokens.clone() {
            if let TokenTree::Group(group) = token {
                expand(group.stream());
            }
        }
        expand(tokens);
    }
    // The texts of earlier runs are kept for their spans otherwise, until the memory is full.
    proc_macro2::extra::invalidate_current_thread_spans();
}

fn expand(tokens: TokenStream) {
    let expansion = xdnn_syntax::expand(tokens);
    let text = expansion.to_string();
    assert!(syn::parse2::<syn::File>(expansion).is_ok(), "no Rust: {text}");
}

//! The front end of xdnn's language, as an ordinary library.
//!
//! ```text
//! tokens ── parse ──► ast ── check::names ──► ── lower ──► NetworkSpec ── expand ──► Rust
//!                                               (shapes, degrees)
//! ```
//!
//! Every stage goes on behind a mistake, and all mistakes come together, in the order of the source.
#![forbid(unsafe_code)]

mod arguments;
mod ast;
mod check;
mod diagnostic;
mod expand;
mod lower;
mod parse;
mod suggest;

use proc_macro2::TokenStream;
use xdnn_ir::NetworkSpec;

pub use diagnostic::{Diagnostic, Diagnostics};
pub use expand::expand;

/// Checks the declaration of a network, `pub struct Net(x: [784]) -> [10] { … }`.
///
/// The value of a constant of the user's crate is not to be found here: it is refused.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn check(tokens: TokenStream) -> Result<NetworkSpec, Diagnostics> {
    let mut errors = diagnostic::Collector::default();
    let spec = parse::network(tokens, &mut errors).map(|network| {
        check::names::check(&network, &mut errors);
        let lowered = lower::lower(&network, &mut errors);
        if let Some(refusal) = lowered.open.as_ref().and_then(lower::Open::refusal) {
            errors.push(refusal);
        }
        lowered.spec
    });
    errors.finish()?;
    spec.ok_or_else(Diagnostics::unreadable)
}

/// Checks the text of a declaration, like [`check`].
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn check_str(source: &str) -> Result<NetworkSpec, Diagnostics> {
    match source.parse() {
        Ok(tokens) => check(tokens),
        Err(error) => Err(Diagnostics::from_lexer(&error)),
    }
}

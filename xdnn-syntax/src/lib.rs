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
mod attribute;
mod check;
mod declaration;
mod diagnostic;
mod expand;
mod function;
mod lower;
mod parse;
mod source;
mod suggest;

use proc_macro2::TokenStream;
use xdnn_ir::{Function, NetworkSpec};

pub use attribute::attribute;
pub use diagnostic::{Diagnostic, Diagnostics};
pub use expand::expand;
pub use source::source;

/// Checks the declaration of a network, `pub struct Net(x: [784]) -> [10] { … }`, or
/// `#[xdnn(input = [784])] pub struct Net { head: Linear<10> }`.
///
/// The value of a constant of the user's crate is not to be found here: it is refused.
///
/// Items in front of it that have the attribute `#[xdnn]` are what the network may use besides:
/// `#[xdnn] fn shrink(x: f32) -> f32 { … } struct Net(x: [784]) -> [10] { fc: Linear(10) -> shrink; }`.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn check(tokens: TokenStream) -> Result<NetworkSpec, Diagnostics> {
    let mut errors = diagnostic::Collector::default();
    let (declarations, tokens) = attribute::declarations(tokens, &mut errors);
    let spec = parse::network(tokens, &mut errors).map(|network| {
        let others = check::names::Others::Known(&declarations);
        check::names::check(&network, &others, &mut errors);
        let lowered = lower::lower(&network, &declarations, &mut errors);
        if network.is_block() {
            let headline = format!("`{}` has no `input`, so it is no network", network.name);
            let error = Diagnostic::new(&network.name, headline);
            let help = "write the shape of one sample, as in `#[xdnn(input = [1, 28, 28])]`";
            errors.push(error.help(help));
        } else if let Some(refusal) = lowered.source.as_ref().and_then(lower::Source::refusal) {
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

/// Proves a function, `fn shrink(x: f32) -> f32 { … }`, to be homogeneous.
///
/// # Errors
///
/// Everything that keeps it from being so.
pub fn prove(tokens: TokenStream) -> Result<Function, Diagnostics> {
    let mut errors = diagnostic::Collector::default();
    let function =
        function::parse(tokens, &mut errors).and_then(|item| function::prove(&item, &mut errors));
    errors.finish()?;
    function.ok_or_else(Diagnostics::unreadable)
}

/// Proves the text of a function, like [`prove`].
///
/// # Errors
///
/// Everything that keeps it from being homogeneous.
pub fn prove_str(source: &str) -> Result<Function, Diagnostics> {
    match source.parse() {
        Ok(tokens) => prove(tokens),
        Err(error) => Err(Diagnostics::from_lexer(&error)),
    }
}

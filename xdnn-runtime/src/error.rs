//! The one error of the runtime.

use std::borrow::Cow;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A graph breaks an invariant. This is a fault of the library or of a compiler pass, never of the data.
    #[error("invalid graph: {0}; this is a fault of the library or of a compiler pass")]
    Graph(Cow<'static, str>),
}

/// The result of whatever can go wrong with an [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The error of a graph that breaks an invariant.
pub(crate) fn invalid(text: impl Into<Cow<'static, str>>) -> Error {
    Error::Graph(text.into())
}

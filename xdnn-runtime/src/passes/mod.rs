//! Passes: luminal compilers that make a graph faster, whichever backend runs it.

mod channels;
mod fallible;
mod fuse;
mod lower;
mod rewrite;
mod slopes;
mod winograd;

#[cfg(test)]
mod tests;

pub use channels::BlockChannels;
pub(crate) use fallible::{Attempt, Fallible};
pub use fuse::FuseElementwise;
pub use lower::LowerToPrimitives;
pub(crate) use lower::is_lowered;
pub(crate) use rewrite::Rewrite;
pub use slopes::SlopesAsBits;
pub use winograd::UseWinograd;

//! Passes: luminal compilers that make a graph faster, whichever backend runs it.

mod channels;
mod fuse;
mod lower;
mod rewrite;
mod slopes;
mod winograd;

#[cfg(test)]
mod tests;

pub use channels::BlockChannels;
pub use fuse::FuseElementwise;
pub use lower::LowerToPrimitives;
pub(crate) use lower::{Lowering, is_lowered};
pub use slopes::SlopesAsBits;
pub use winograd::UseWinograd;

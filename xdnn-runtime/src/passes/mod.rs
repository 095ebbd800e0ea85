//! Passes: luminal compilers that make a graph faster, whichever backend runs it.

mod channels;
mod fuse;
mod rewrite;
mod slopes;
mod winograd;

#[cfg(test)]
mod tests;

pub use channels::BlockChannels;
pub use fuse::FuseElementwise;
pub use slopes::SlopesAsBits;
pub use winograd::UseWinograd;

//! Passes: luminal compilers that make a graph faster, whichever backend runs it.

mod winograd;

pub use winograd::UseWinograd;

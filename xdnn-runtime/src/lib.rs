//! The runtime of xdnn: graphs, their derivatives, and what executes them.

pub mod autodiff;
pub mod backend;
mod error;
pub mod graph;
pub mod ops;
#[cfg(feature = "plot")]
pub mod plot;

//! The runtime.

#[cfg(feature = "plot")]
pub mod plot;

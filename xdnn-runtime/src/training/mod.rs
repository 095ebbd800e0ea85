//! Training: how weights follow their gradients.

mod optimizer;

pub use optimizer::{Adam, AdamW, Optimizer, OptimizerState, Sgd};

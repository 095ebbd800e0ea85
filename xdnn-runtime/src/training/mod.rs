//! Training: through the same graphs that attribute.

mod optimizer;
mod trainer;

pub use crate::graph::Loss;
pub use optimizer::{Adam, AdamW, Optimizer, OptimizerState, Sgd};
pub use trainer::{Fit, Progress, Step, Trainer};

//! Training: through the same graphs that attribute.

mod classes;
mod optimizer;
mod prior;
mod trainer;

pub use crate::graph::Loss;
pub use optimizer::{Adam, AdamW, Optimizer, OptimizerState, Sgd};
pub use prior::Prior;
pub use trainer::{Fit, Progress, Step, Trainer};

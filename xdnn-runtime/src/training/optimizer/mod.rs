//! How weights follow their gradients.
//!
//! An [`Optimizer`] is a formula with its hyperparameters, plain data without memory; an [`OptimizerState`] holds what
//! the formula remembers between steps and carries it out on all tensors, in parallel. The formulas are PyTorch's, so
//! that a learning rate found there holds here.

mod adam;
mod sgd;
mod state;

pub use adam::{Adam, AdamW};
pub use sgd::Sgd;
pub use state::OptimizerState;

use crate::{Error, Result};

/// A formula that moves each weight by its own gradient and its own memory.
///
/// Implement it to train with a formula of your own: [`OptimizerState`] does the rest.
pub trait Optimizer: Clone + Send + Sync + 'static {
    /// Whether the hyperparameters make sense.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for the first that does not.
    fn check(&self) -> Result<()>;

    /// The learning rate of the next step.
    fn learning_rate(&self) -> f64;

    /// Changes the learning rate, as a schedule does. [`OptimizerState::set_learning_rate`] checks it too.
    fn set_learning_rate(&mut self, learning_rate: f64);

    /// How many numbers are remembered for each weight.
    fn memory(&self) -> usize;

    /// Moves some weights of a tensor. `step` counts from 1; `gradients` and each of the [`memory`](Self::memory)
    /// slices are as long as `weights`, and memory is 0 before the first step.
    fn update(&self, step: u64, weights: &mut [f32], gradients: &[f32], memory: &mut [&mut [f32]]);
}

/// Checks that a hyperparameter is at least 0 and finite, as the `f32` that it is used as.
pub(super) fn not_negative(name: &'static str, value: f64) -> Result<()> {
    if value >= 0.0 && (value as f32).is_finite() {
        return Ok(());
    }
    Err(Error::option(name, "a finite number of at least 0", value))
}

/// Checks that what is remembered fades.
fn decay(name: &'static str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::option(name, "at least 0 and below 1", value))
}

//! Stochastic gradient descent.

use super::{Optimizer, not_negative};
use crate::{Error, Result};

/// Stochastic gradient descent with momentum, as
/// [`torch.optim.SGD`](https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html) without dampening.
///
/// ```text
/// g ← g + weight_decay·w
/// v ← momentum·v + g
/// w ← w − learning_rate·v                      plain
/// w ← w − learning_rate·(g + momentum·v)       Nesterov
/// ```
///
/// Sources: Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep learning",
/// ICML 2013; the learning rate stands outside of `v`, as in PyTorch, and not inside, as there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// The step size, at least 0.
    pub learning_rate: f64,
    /// The share of the velocity `v` that stays, at least 0; 0 remembers nothing.
    pub momentum: f64,
    /// The weight of `½‖w‖²` in the loss, at least 0.
    pub weight_decay: f64,
    /// Whether the gradient is that of the place where the momentum leads; wants a momentum above 0.
    pub nesterov: bool,
}

impl Sgd {
    /// Plain gradient descent: no momentum, no weight decay.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            momentum: 0.0,
            weight_decay: 0.0,
            nesterov: false,
        }
    }
}

impl Optimizer for Sgd {
    fn check(&self) -> Result<()> {
        not_negative("learning_rate", self.learning_rate)?;
        not_negative("momentum", self.momentum)?;
        not_negative("weight_decay", self.weight_decay)?;
        if self.nesterov && self.momentum == 0.0 {
            return Err(Error::option(
                "momentum",
                "above 0 with `nesterov`",
                self.momentum,
            ));
        }
        Ok(())
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    fn memory(&self) -> usize {
        usize::from(self.momentum != 0.0)
    }

    fn update(&self, _: u64, weights: &mut [f32], gradients: &[f32], memory: &mut [&mut [f32]]) {
        let [rate, momentum, weight_decay] =
            [self.learning_rate, self.momentum, self.weight_decay].map(|value| value as f32);
        let weights = weights.iter_mut().zip(gradients);
        let [velocity] = memory else {
            return weights.for_each(|(w, g)| *w -= rate * (g + weight_decay * *w));
        };
        for ((w, g), v) in weights.zip(velocity.iter_mut()) {
            let g = g + weight_decay * *w;
            *v = momentum * *v + g;
            *w -= rate * if self.nesterov { g + momentum * *v } else { *v };
        }
    }
}

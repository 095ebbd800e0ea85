//! Adam, with weight decay in the gradient or beside it.

use super::{Optimizer, decay, not_negative};
use crate::{Error, Result};

/// Adam, as [`torch.optim.Adam`](https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html).
///
/// ```text
/// g ← g + weight_decay·w
/// m ← β₁·m + (1 − β₁)·g                        β = betas, t = step, from 1
/// v ← β₂·v + (1 − β₂)·g²
/// w ← w − learning_rate · m/(1 − β₁ᵗ) / (√v/√(1 − β₂ᵗ) + epsilon)
/// ```
///
/// Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, algorithm 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// The step size, at least 0.
    pub learning_rate: f64,
    /// How much of the mean gradient and of the mean square stays with each step, at least 0 and below 1.
    pub betas: [f64; 2],
    /// What keeps the quotient finite, above 0.
    pub epsilon: f64,
    /// The weight of `½‖w‖²` in the loss, at least 0.
    pub weight_decay: f64,
}

/// Adam with weight decay beside the gradient, as
/// [`torch.optim.AdamW`](https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html).
///
/// `w ← w − learning_rate·weight_decay·w`, then the step of [`Adam`] without its own decay.
///
/// Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, algorithm 2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamW {
    /// The step size, at least 0.
    pub learning_rate: f64,
    /// How much of the mean gradient and of the mean square stays with each step, at least 0 and below 1.
    pub betas: [f64; 2],
    /// What keeps the quotient finite, above 0.
    pub epsilon: f64,
    /// The share of a weight that a learning rate of 1 would take away with each step, at least 0.
    pub weight_decay: f64,
}

impl Adam {
    /// Adam with the paper's constants: betas 0.9 and 0.999, epsilon 1e-8, no weight decay.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            weight_decay: 0.0,
        }
    }
}

impl AdamW {
    /// AdamW with PyTorch's constants: betas 0.9 and 0.999, epsilon 1e-8, weight decay 0.01.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            weight_decay: 0.01,
        }
    }
}

impl Optimizer for Adam {
    fn check(&self) -> Result<()> {
        not_negative("learning_rate", self.learning_rate)?;
        self.betas
            .into_iter()
            .try_for_each(|beta| decay("betas", beta))?;
        not_negative("weight_decay", self.weight_decay)?;
        // What is 0 as an `f32` would divide 0 by 0 for a weight that has had no gradient.
        if self.epsilon as f32 > 0.0 && self.epsilon.is_finite() {
            return Ok(());
        }
        Err(Error::option(
            "epsilon",
            "a finite number above 0",
            self.epsilon,
        ))
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    fn memory(&self) -> usize {
        2
    }

    fn update(&self, step: u64, weights: &mut [f32], gradients: &[f32], memory: &mut [&mut [f32]]) {
        let [mean, square] = memory else { return };
        let corrections = self.betas.map(|beta| 1.0 - beta.powf(step as f64));
        let rate = (self.learning_rate / corrections[0]) as f32;
        let root = corrections[1].sqrt() as f32;
        let [epsilon, weight_decay, kept] =
            [self.epsilon, self.weight_decay, self.betas[1]].map(|value| value as f32);
        let [new_mean, new_square] = self.betas.map(|beta| (1.0 - beta) as f32);
        let memory = mean.iter_mut().zip(square.iter_mut());
        for ((w, g), (m, v)) in weights.iter_mut().zip(gradients).zip(memory) {
            let g = g + weight_decay * *w;
            *m += new_mean * (g - *m);
            *v = kept * *v + new_square * g * g;
            *w -= rate * (*m / (v.sqrt() / root + epsilon));
        }
    }
}

impl AdamW {
    /// The step beside the weight decay.
    fn adam(&self) -> Adam {
        Adam {
            learning_rate: self.learning_rate,
            betas: self.betas,
            epsilon: self.epsilon,
            weight_decay: 0.0,
        }
    }
}

impl Optimizer for AdamW {
    fn check(&self) -> Result<()> {
        not_negative("weight_decay", self.weight_decay)?;
        self.adam().check()
    }

    fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    fn memory(&self) -> usize {
        self.adam().memory()
    }

    fn update(&self, step: u64, weights: &mut [f32], gradients: &[f32], memory: &mut [&mut [f32]]) {
        let kept = (1.0 - self.learning_rate * self.weight_decay) as f32;
        weights.iter_mut().for_each(|w| *w *= kept);
        self.adam().update(step, weights, gradients, memory);
    }
}

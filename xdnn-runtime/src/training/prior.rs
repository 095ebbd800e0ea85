//! Attribution priors.

use super::optimizer::not_negative;
use crate::Result;
use crate::graph::{Loss, Task};

/// What explanations should look like, as a part of what a network is trained for: [`Trainer::with_prior`] adds it to the
/// loss.
///
/// The attributions are the X-Gradients `A = x · ∂F/∂x / k` of each sample of the batch, where `F` is the logit of its class:
/// of the true one for cross-entropy (the sum over the positions of an output `[classes, …]`), of class 1 for binary
/// cross-entropy. A homogeneous network has them in one pass, where others train on an approximation of many (Hesse,
/// Schaub-Meyer and Roth, NeurIPS 2021). The gradient of the prior with respect to the weights is exact.
///
/// [`Trainer::with_prior`]: super::Trainer::with_prior
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Prior {
    /// Attributions should be sparse: adds
    ///
    /// ```text
    /// −strength · Gini(v)        v = mean of |A| over the batch
    /// Gini(v) = Σᵢⱼ |vᵢ − vⱼ| / (2n · Σᵢ vᵢ)
    /// ```
    ///
    /// for the `n` elements of all inputs together. The Gini coefficient is 0 where all elements are attributed alike, and
    /// `1 − 1/n` where one takes all; of zeros it is 0. It does not depend on the order of elements, their scale or `k`.
    ///
    /// Erion, Janizek, Sturmfels, Lundberg and Lee, "Improving performance of deep learning models with axiomatic
    /// attribution priors and expected gradients", Nature Machine Intelligence 2021; with X-Gradients Hesse et al. 2021.
    /// Both train with a strength of 1 on 100 samples of 118 features.
    Gini {
        /// The weight of the prior beside the loss, at least 0.
        strength: f64,
    },
}

impl Prior {
    /// Whether the strength makes sense.
    pub(super) fn check(self) -> Result<()> {
        let Self::Gini { strength } = self;
        not_negative("strength", strength)
    }

    /// The strength, as a graph reads it.
    pub(super) fn strength(self) -> f32 {
        let Self::Gini { strength } = self;
        strength as f32
    }

    /// What a step with this prior runs.
    pub(super) fn task(self, loss: Loss) -> Task {
        let Self::Gini { .. } = self;
        Task::TrainWithGini(loss)
    }
}

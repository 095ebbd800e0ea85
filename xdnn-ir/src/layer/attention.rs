//! Attention in its homogeneous forms, and positions as rotations.

use super::{Weights, finite};
use crate::argument::choice;
use crate::{Degree, Fault, Shape};

choice! {
    /// How [`MultiheadAttention`] turns the scores `q_i·k_j` of a query into weights.
    AttentionKind {
        /// `max(q_i·k_j / √d, 0) / tokens` (Wortsman et al. 2023). Three times the degree.
        Relu = "relu",
        /// `max(q_i·k_j, 0) / Σ_l max(q_i·k_l, 0)`, 0 where no score is positive. Keeps the degree: the weights have degree 0.
        NormalizedRelu = "normalized_relu",
        /// The softmax of `√d · cos(q_i, k_j)`, scores of unit vectors (after Henry et al. 2020). Keeps the degree: the weights
        /// have degree 0.
        NormalizedSoftmax = "normalized_softmax",
    }
}

layer! {
    /// Self-attention between tokens, `[tokens, features] → [tokens, features]`: each of the heads adds up the values `v_j`
    /// with weights that it makes of the scores of queries and keys. The kind decides the degree.
    ///
    /// Weights `in_proj_weight`, `[3·features, features]`, and `out_proj.weight`, `[features, features]`.
    MultiheadAttention {
        /// The number of heads; it divides the number of features.
        num_heads: usize,
        /// `relu`, `normalized_relu` or `normalized_softmax`.
        kind: AttentionKind,
        /// Whether a token sees only itself and those before it.
        is_causal: bool = false,
        /// Whether queries and keys are rotated by their positions, as [`RotaryEmbedding`] does with each head.
        rotary: bool = false,
    }
}

layer! {
    /// Rotates the pairs of features `(2i, 2i + 1)` of token `t` by the angle `t·base^(−2i/d)`, where `d` is the number of
    /// features of a head (Su et al. 2021): `[tokens, features] → [tokens, features]`. Linear, so it keeps the degree.
    RotaryEmbedding {
        /// The number of heads; each begins with the largest angle.
        num_heads: usize = 1,
        /// The base of the angles, above 0.
        base: f64 = 10_000.0,
    }
}

keeps_degree!(RotaryEmbedding);
no_weights!(RotaryEmbedding);

const TOKENS: &str = "[tokens, features]";

/// Checks that a value consists of tokens, and that each head has as many of their features, an even number where pairs
/// are rotated.
const fn heads(num_heads: usize, pairs: bool, input: Shape) -> Result<Shape, Fault> {
    if input.rank() != 2 {
        return Err(Fault::Rank {
            expected: TOKENS,
            found: input,
        });
    }
    if num_heads == 0 {
        return Err(Fault::Argument {
            name: "num_heads",
            expected: "at least 1",
        });
    }
    let features = input.dim(1);
    if !features.is_multiple_of(num_heads) {
        return Err(Fault::Indivisible {
            argument: "num_heads",
            what: "input features",
            size: features,
            divisor: num_heads,
        });
    }
    if pairs && !(features / num_heads).is_multiple_of(2) {
        return Err(Fault::Misfit {
            name: "num_heads",
            expected: "such that each head has an even number of features, which are rotated in pairs",
        });
    }
    Ok(input)
}

impl MultiheadAttention {
    /// The shape of the result: that of the input. The scores must fit into memory, too.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        tri!(heads(self.num_heads, self.rotary, input));
        let scores = Shape::new([self.num_heads, input.dim(0), input.dim(0)]);
        if scores.is_computable() {
            Ok(input)
        } else {
            Err(Fault::TooLarge)
        }
    }

    /// The degree of the result: that of the input, or three times that.
    pub const fn degree(&self, input: Degree) -> Result<Degree, Fault> {
        match (self.kind, input.times(Degree::integer(3))) {
            (AttentionKind::NormalizedRelu | AttentionKind::NormalizedSoftmax, _) => Ok(input),
            (AttentionKind::Relu, Some(degree)) => Ok(degree),
            (AttentionKind::Relu, None) => Err(Fault::DegreeTooLarge),
        }
    }

    /// The weights: those of queries, keys and values, and those of the result.
    pub const fn weights(&self, input: Shape) -> Weights {
        let features = input.dim(1);
        Weights::of(&[
            (
                "in_proj_weight",
                Shape::new([features.saturating_mul(3), features]),
            ),
            ("out_proj.weight", Shape::new([features, features])),
        ])
    }
}

impl RotaryEmbedding {
    /// The shape of the result: that of the input.
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        if !(finite(self.base) && self.base as f32 > 0.0) {
            return Err(Fault::Argument {
                name: "base",
                expected: "a number above 0 that fits `f32`",
            });
        }
        heads(self.num_heads, true, input)
    }
}

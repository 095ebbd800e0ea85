//! Attribution priors: what explanations should look like, as a part of what is trained for.

use xdnn_ir::Shape;

use super::{Graph, Value};
use crate::autodiff::vjp;
use crate::error::Result;
use crate::ops::{Concat, Map, Rank, Slopes};

/// The Gini coefficient of the attributions `x · ∂F/∂x / k` of a batch, a scalar, where `F` is what is explained.
pub(super) fn gini(
    graph: &mut Graph,
    inputs: &[Value],
    explained: (Value, Value),
) -> Result<Value> {
    let gradients = vjp(graph, &[explained], inputs)?;
    let mut parts = Vec::new();
    for (x, gradient) in inputs.iter().zip(gradients) {
        let attribution = graph.mul(*x, gradient)?;
        let sizes = graph.map(Map::PiecewiseLinear(Slopes::ABS), attribution)?;
        let sum = graph.sum(sizes, [0])?;
        let elements = sum.shape().elements();
        parts.push(graph.reshape(sum, Shape::new([elements]))?);
    }
    let all = match parts[..] {
        [part] => part,
        _ => graph.apply(Concat { axis: 0 }, &parts)?,
    };
    coefficient(graph, all)
}

/// `Gini(v) = Σᵢⱼ |vᵢ − vⱼ| / (2n · Σᵢ vᵢ) = Σᵢ rankᵢ·vᵢ / (n · Σᵢ vᵢ)` of `n` elements.
///
/// No factor of `v` changes it: neither that between a sum over the batch and its mean, nor the degree `k`.
fn coefficient(graph: &mut Graph, v: Value) -> Result<Value> {
    let ranks = graph.apply(Rank, &[v])?;
    let differences = graph.mul(ranks, v)?;
    let differences = graph.sum(differences, [0])?;
    let total = graph.sum(v, [0])?;
    let recip = graph.map(Map::Recip, total)?;
    let ratio = graph.mul(differences, recip)?;
    graph.scale(ratio, 1.0 / v.shape().elements().max(1) as f64)
}

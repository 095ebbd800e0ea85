//! Normalisations. `0/0` is 0, and so is the derivative where a norm is 0: [`Map::Power`] sees to both.

use xdnn_ir::Shape;
use xdnn_ir::layer::{GroupNorm, L2Normalize, LayerNorm, RmsNorm};

use super::degree_zero::{offset, subtract};
use super::{Lower, Site};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::{Map, Slice};

impl Lower for L2Normalize {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        unit(graph, x, self.dim)
    }
}

/// `x / ‖x‖₂` along an axis.
pub(super) fn unit(graph: &mut Graph, x: Value, axis: usize) -> Result<Value> {
    let square = graph.mul(x, x)?;
    let sum = graph.sum(square, [axis])?;
    let recip = graph.map(Map::Power(-0.5), sum)?;
    let recip = graph.broadcast(recip, [axis], x.shape())?;
    graph.mul(x, recip)
}

impl Lower for RmsNorm {
    fn lower(
        &self,
        Site {
            graph, x, weights, ..
        }: Site<'_>,
    ) -> Result<Value> {
        let rows = rows(graph, x, normalized(self.normalized_shape, x))?;
        let y = by_root_mean_square(graph, rows, self.eps)?;
        let y = graph.reshape(y, x.shape())?;
        elementwise_affine(graph, y, weights)
    }
}

impl Lower for LayerNorm {
    fn lower(
        &self,
        Site {
            graph, x, weights, ..
        }: Site<'_>,
    ) -> Result<Value> {
        let rows = rows(graph, x, normalized(self.normalized_shape, x))?;
        let y = standardized(graph, rows, self.eps)?;
        let y = graph.reshape(y, x.shape())?;
        elementwise_affine(graph, y, weights)
    }
}

impl Lower for GroupNorm {
    fn lower(
        &self,
        Site {
            graph, x, weights, ..
        }: Site<'_>,
    ) -> Result<Value> {
        let shape = x.shape();
        let size = shape.elements() / (shape.dim(0) * self.num_groups).max(1);
        let rows = rows(graph, x, size)?;
        let y = standardized(graph, rows, self.eps)?;
        let y = graph.reshape(y, shape)?;
        affine(graph, y, weights, |axis| axis == 1)
    }
}

/// The number of elements that are normalised together.
fn normalized(given: Option<Shape>, x: Value) -> usize {
    given.map_or(x.shape().dim(x.shape().rank() - 1), |given| {
        given.elements()
    })
}

/// What is normalised together, a row each.
fn rows(graph: &mut Graph, x: Value, size: usize) -> Result<Value> {
    let rows = x.shape().elements() / size.max(1);
    graph.reshape(x, Shape::new([rows, size]))
}

/// Each row less its mean, by the root of its variance. A constant row is 0: less its first element it is exactly 0, where
/// the mean would leave a rounding behind that the root of its variance makes large.
fn standardized(graph: &mut Graph, rows: Value, eps: f64) -> Result<Value> {
    let first = Slice {
        axis: 1,
        start: 0,
        length: 1,
    };
    let first = graph.apply(first, &[rows])?;
    let first = graph.reshape(first, Shape::new([rows.shape().dim(0)]))?;
    let first = graph.broadcast(first, [1], rows.shape())?;
    let rows = subtract(graph, rows, first)?;
    let mean = graph.sum(rows, [1])?;
    let mean = graph.scale(mean, 1.0 / rows.shape().dim(1).max(1) as f64)?;
    let mean = graph.broadcast(mean, [1], rows.shape())?;
    let centred = subtract(graph, rows, mean)?;
    by_root_mean_square(graph, centred, eps)
}

/// Each row by the root of its mean square.
fn by_root_mean_square(graph: &mut Graph, rows: Value, eps: f64) -> Result<Value> {
    let square = graph.mul(rows, rows)?;
    let mean = graph.sum(square, [1])?;
    let mean = graph.scale(mean, 1.0 / rows.shape().dim(1).max(1) as f64)?;
    let mean = offset(graph, mean, eps)?;
    let recip = graph.map(Map::Power(-0.5), mean)?;
    let recip = graph.broadcast(recip, [1], rows.shape())?;
    graph.mul(rows, recip)
}

/// A factor and an offset, where they exist, for each element of the last dimensions.
fn elementwise_affine(graph: &mut Graph, x: Value, weights: &[Value]) -> Result<Value> {
    let first = weights.first().map_or(0, |weight| weight.shape().rank());
    let first = x.shape().rank() - first;
    affine(graph, x, weights, |axis| axis >= first)
}

/// `w·x + b`, where `w` and `b` have the axes that are `own`.
fn affine(
    graph: &mut Graph,
    x: Value,
    weights: &[Value],
    own: impl Fn(usize) -> bool,
) -> Result<Value> {
    let shape = x.shape();
    let others: Vec<usize> = (0..shape.rank()).filter(|axis| !own(*axis)).collect();
    let mut y = x;
    if let Some(weight) = weights.first() {
        let weight = graph.broadcast(*weight, others.iter().copied(), shape)?;
        y = graph.mul(y, weight)?;
    }
    if let Some(bias) = weights.get(1) {
        let bias = graph.broadcast(*bias, others.iter().copied(), shape)?;
        y = graph.add(y, bias)?;
    }
    Ok(y)
}

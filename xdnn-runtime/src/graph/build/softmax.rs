//! Softmax and its relatives, with the largest value taken out of the exponent.

use xdnn_ir::Shape;
use xdnn_ir::layer::{LogSoftmax, Softmax, Softmin};

use super::degree_zero::subtract;
use super::pool::select;
use super::{Lower, Site};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::{Map, PoolWindow, Winner};

impl Lower for Softmax {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        softmax(graph, x, axis(self.dim, x))
    }
}

impl Lower for Softmin {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        let negative = graph.scale(x, -1.0)?;
        softmax(graph, negative, axis(self.dim, x))
    }
}

impl Lower for LogSoftmax {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        let axis = axis(self.dim, x);
        let shifted = shifted(graph, x, axis)?;
        let exponentials = graph.map(Map::Exp, shifted)?;
        let sum = graph.sum(exponentials, [axis])?;
        let log = graph.map(Map::Ln, sum)?;
        let log = graph.broadcast(log, [axis], x.shape())?;
        subtract(graph, shifted, log)
    }
}

fn axis(dim: Option<usize>, x: Value) -> usize {
    dim.unwrap_or(x.shape().rank() - 1)
}

/// `e^(x_i) / Σ_j e^(x_j)` along an axis.
fn softmax(graph: &mut Graph, x: Value, axis: usize) -> Result<Value> {
    let exponentials = exponentials(graph, x, axis)?;
    share(graph, exponentials, axis)
}

/// `e^(x_i − max_j x_j)` along an axis: at most 1, and 1 somewhere.
pub(super) fn exponentials(graph: &mut Graph, x: Value, axis: usize) -> Result<Value> {
    let shifted = shifted(graph, x, axis)?;
    graph.map(Map::Exp, shifted)
}

/// `x_i / Σ_j x_j` along an axis, 0 where the sum is 0.
pub(super) fn share(graph: &mut Graph, x: Value, axis: usize) -> Result<Value> {
    let sum = graph.sum(x, [axis])?;
    let recip = graph.map(Map::Recip, sum)?;
    let recip = graph.broadcast(recip, [axis], x.shape())?;
    graph.mul(x, recip)
}

/// `x` less its largest value along an axis, so that no exponential is infinite.
fn shifted(graph: &mut Graph, x: Value, axis: usize) -> Result<Value> {
    let (shape, dims) = (x.shape(), x.shape());
    let product = |dims: &[usize]| dims.iter().product::<usize>();
    let (before, behind) = dims.dims().split_at(axis);
    let (outer, size) = (product(before), shape.dim(axis));
    let inner = product(behind) / size.max(1);
    let columns = graph.reshape(x, Shape::new([outer, 1, size, inner]))?;
    let window = PoolWindow::columns(size, inner);
    let largest = select(graph, columns, window, Winner::Max)?;
    let without = before.iter().chain(behind.iter().skip(1)).copied();
    let without: Vec<usize> = without.collect();
    let largest = graph.reshape(largest, Shape::from_slice(&without).unwrap_or(shape))?;
    let largest = graph.broadcast(largest, [axis], shape)?;
    subtract(graph, x, largest)
}

//! Linear maps of features, and learned scales.

use xdnn_ir::Shape;
use xdnn_ir::layer::{Identity, Linear, Neg, Scale};

use super::{Lower, Site};
use crate::error::Result;
use crate::graph::{Graph, Value};

impl Lower for Linear {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let x = site.x;
        let features = x.shape().dim(x.shape().rank() - 1);
        let rows = Shape::new([x.shape().elements() / features.max(1), features]);
        let weight = site.weight()?;
        let rows = site.graph.reshape(x, rows)?;
        let product = site.graph.matmul_transposed(rows, weight)?;
        let product = site.graph.reshape(product, site.shape)?;
        let features = site.shape.rank() - 1;
        biased(site, product, features)
    }
}

impl Lower for Scale {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let factor = per_channel(site.graph, site.weight()?, site.x.shape())?;
        site.graph.mul(site.x, factor)
    }
}

impl Lower for Identity {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        Ok(site.x)
    }
}

impl Lower for Neg {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        site.graph.scale(site.x, -1.0)
    }
}

/// A weight of one element, or of one a channel, repeated to `shape`.
pub(super) fn per_channel(graph: &mut Graph, weight: Value, shape: Shape) -> Result<Value> {
    if weight.shape().elements() == 1 {
        let scalar = graph.reshape(weight, Shape::new([]))?;
        graph.broadcast(scalar, 0..shape.rank(), shape)
    } else {
        graph.broadcast(weight, (0..shape.rank()).filter(|axis| *axis != 1), shape)
    }
}

/// The value with the layer's bias, where it has one, added along an axis.
pub(super) fn biased(site: Site<'_>, value: Value, axis: usize) -> Result<Value> {
    let Some(bias) = site.weights.get(1) else {
        return Ok(value);
    };
    let shape = value.shape();
    let others = (0..shape.rank()).filter(|other| *other != axis);
    let bias = site.graph.broadcast(*bias, others, shape)?;
    site.graph.add(value, bias)
}

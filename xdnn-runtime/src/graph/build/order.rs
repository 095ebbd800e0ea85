//! Pools of the largest elements.

use xdnn_ir::Shape;
use xdnn_ir::layer::TopKPool;

use super::{Lower, Site};
use crate::error::Result;
use crate::graph::Value;
use crate::ops::Largest;

impl Lower for TopKPool {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let x = site.x.shape();
        let [batch, channels] = [x.dim(0), x.dim(1)];
        let plane = x.elements() / (batch * channels).max(1);
        let rows = Shape::new([batch, channels, plane]);
        let rows = site.graph.reshape(site.x, rows)?;
        let chosen = site.graph.apply(Largest { count: self.k }, &[rows])?;
        let chosen = site.graph.mul(rows, chosen)?;
        let sum = site.graph.sum(chosen, [2])?;
        let mean = site.graph.scale(sum, 1.0 / self.k as f64)?;
        site.graph.reshape(mean, site.shape)
    }
}

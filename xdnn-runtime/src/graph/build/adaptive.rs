//! Pools whose windows follow from the size of their output.

use xdnn_ir::Shape;
use xdnn_ir::layer::{AdaptiveAvgPool2d, GlobalAvgPool, GlobalMaxPool};

use super::axes::along;
use super::pool::select;
use super::{Lower, Site, malformed};
use crate::error::Result;
use crate::graph::Value;
use crate::ops::{PoolWindow, SparseMap, Spatial, Winner};

impl Lower for AdaptiveAvgPool2d {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        mean(site)
    }
}

impl Lower for GlobalAvgPool {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        mean(site)
    }
}

impl Lower for GlobalMaxPool {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let x = site.x;
        let [batch, channels] = [x.shape().dim(0), x.shape().dim(1)];
        let plane = x.shape().elements() / (batch * channels).max(1);
        // Windows have three axes at most; as one window covers them all, any number of them is as good as a line.
        let line = match Spatial::of(x.shape()) {
            Some(_) => x,
            None => site
                .graph
                .reshape(x, Shape::new([batch, channels, plane]))?,
        };
        let spatial = Spatial::of(line.shape()).ok_or_else(|| malformed(site.name))?;
        let window = PoolWindow::global(spatial.size);
        let winner = select(site.graph, line, window, Winner::Max)?;
        site.graph.reshape(winner, site.shape)
    }
}

fn mean(site: Site<'_>) -> Result<Value> {
    let (x, shape) = (site.x.shape(), site.shape);
    let map = |axis| (axis, adaptive_mean(x.dim(axis), shape.dim(axis)));
    along(site.graph, site.x, (2..shape.rank()).map(map))
}

fn adaptive_mean(inputs: usize, outputs: usize) -> SparseMap {
    let row = |output: usize| {
        let (first, last) = (
            output * inputs / outputs,
            ((output + 1) * inputs).div_ceil(outputs),
        );
        (first..last)
            .map(|i| (i, 1.0 / (last - first) as f64))
            .collect()
    };
    SparseMap::new(inputs, (0..outputs).map(row))
}

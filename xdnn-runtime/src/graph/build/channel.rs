//! Layers that rearrange or select among neighbouring channels.

use xdnn_ir::Shape;
use xdnn_ir::layer::{CRelu, FrozenScale, GroupSort, Maxout};

use super::linear::per_channel;
use super::pool::select;
use super::{Lower, Site};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::{Concat, Map, PoolWindow, Slopes, Winner};

impl Lower for FrozenScale {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let factor = per_channel(site.graph, site.weight()?, site.x.shape())?;
        site.graph.mul(site.x, factor)
    }
}

impl Lower for CRelu {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        let relu = Map::PiecewiseLinear(Slopes::RELU);
        let positive = graph.map(relu, x)?;
        let negative = graph.scale(x, -1.0)?;
        let negative = graph.map(relu, negative)?;
        graph.apply(Concat { axis: 1 }, &[positive, negative])
    }
}

impl Lower for Maxout {
    fn lower(
        &self,
        Site {
            graph, x, shape, ..
        }: Site<'_>,
    ) -> Result<Value> {
        let columns = groups(graph, x, self.pieces)?;
        let window = PoolWindow::columns(self.pieces, columns.shape().dim(3));
        let largest = select(graph, columns, window, Winner::Max)?;
        graph.reshape(largest, shape)
    }
}

impl Lower for GroupSort {
    fn lower(
        &self,
        Site {
            graph, x, shape, ..
        }: Site<'_>,
    ) -> Result<Value> {
        let columns = groups(graph, x, self.group_size)?;
        let window = PoolWindow::columns(self.group_size, columns.shape().dim(3));
        let mut members = Vec::new();
        for rank in 0..self.group_size {
            members.push(select(graph, columns, window, Winner::Rank(rank))?);
        }
        let sorted = graph.apply(Concat { axis: 2 }, &members)?;
        graph.reshape(sorted, shape)
    }
}

/// `[samples, groups, members, positions]` of `[samples, channels, …]`.
fn groups(graph: &mut Graph, x: Value, members: usize) -> Result<Value> {
    let (samples, channels) = (x.shape().dim(0), x.shape().dim(1));
    let positions = x.shape().elements() / (samples * channels).max(1);
    let groups = channels / members.max(1);
    graph.reshape(x, Shape::new([samples, groups, members, positions]))
}

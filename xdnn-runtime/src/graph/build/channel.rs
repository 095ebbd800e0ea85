//! Layers that rearrange or select among neighbouring channels.

use xdnn_ir::Shape;
use xdnn_ir::layer::{CRelu, FrozenScale, GroupSort, Maxout};

use super::combine::{larger, smaller};
use super::linear::per_channel;
use super::pool::select;
use super::{Lower, Site};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::{Concat, Map, PoolWindow, Slice, Slopes, Winner};

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
        let window = PoolWindow {
            kernel: [1, self.pieces, 1],
            stride: [1; 3],
            padding: [0; 3],
            dilation: [1; 3],
            output: [1, 1, columns.shape().dim(3)],
        };
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
        let groups = groups(graph, x, self.group_size)?;
        let mut members = Vec::new();
        for start in 0..self.group_size {
            let member = Slice {
                axis: 2,
                start,
                length: 1,
            };
            members.push(graph.apply(member, &[groups])?);
        }
        // Odd-even transposition: as many rounds as there are members put neighbours into order.
        for round in 0..members.len() {
            for first in (round % 2..members.len() - 1).step_by(2) {
                let (a, b) = (members[first], members[first + 1]);
                members[first] = smaller(graph, a, b)?;
                members[first + 1] = larger(graph, a, b)?;
            }
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

//! Pools whose windows follow from the size of their output.

use std::ops::Range;

use xdnn_ir::Shape;
use xdnn_ir::layer::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, AdaptiveMaxPool1d, AdaptiveMaxPool2d,
    AdaptiveMaxPool3d, GlobalAvgPool, GlobalMaxPool,
};

use super::axes::along;
use super::pool::select;
use super::{Lower, Site, malformed};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::{PoolWindow, SparseMap, Spatial, Winner};

macro_rules! layers {
    ($($name:ident: $lower:ident),* $(,)?) => {$(
        impl Lower for $name {
            fn lower(&self, site: Site<'_>) -> Result<Value> {
                $lower(site.graph, site.x, site.shape)
            }
        }
    )*};
}

layers! {
    AdaptiveAvgPool1d: mean,
    AdaptiveAvgPool2d: mean,
    AdaptiveAvgPool3d: mean,
    AdaptiveMaxPool1d: maximum,
    AdaptiveMaxPool2d: maximum,
    AdaptiveMaxPool3d: maximum,
    GlobalAvgPool: mean,
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

pub(super) fn mean(graph: &mut Graph, x: Value, shape: Shape) -> Result<Value> {
    let size = x.shape();
    let map = |axis| (axis, adaptive_mean(size.dim(axis), shape.dim(axis)));
    along(graph, x, (2..shape.rank()).map(map))
}

/// The maximum along the last axis, then along those before: of several it finds the first in row-major order, as one
/// pool along all axes would.
fn maximum(graph: &mut Graph, x: Value, shape: Shape) -> Result<Value> {
    let rank = shape.rank();
    (2..rank).rev().try_fold(x, |x, axis| {
        let (inputs, outputs) = (x.shape().dim(axis), shape.dim(axis));
        let windows = (0..outputs).map(|output| window(output, inputs, outputs));
        let size = windows.map(|window| window.len()).max().unwrap_or(1);
        let x = if inputs == outputs * size {
            x
        } else {
            along(graph, x, [(axis, side_by_side(inputs, outputs, size))])?
        };
        let mut window = PoolWindow::global([1; 3]);
        for axis in 2..rank {
            window.output[axis + 3 - rank] = x.shape().dim(axis);
        }
        let axis = axis + 3 - rank;
        (window.kernel[axis], window.stride[axis]) = (size, size);
        window.output[axis] = outputs;
        select(graph, x, window, Winner::Max)
    })
}

/// Copies of all windows, one after the other and all of one size: the last element of a smaller one repeats, which
/// changes no maximum, and it is not the first of equals.
fn side_by_side(inputs: usize, outputs: usize, size: usize) -> SparseMap {
    let rows = (0..outputs).flat_map(|output| {
        let window = window(output, inputs, outputs);
        (0..size).map(move |i| vec![((window.start + i).min(window.end - 1), 1.0)])
    });
    SparseMap::new(inputs, rows)
}

fn adaptive_mean(inputs: usize, outputs: usize) -> SparseMap {
    let row = |output: usize| {
        let window = window(output, inputs, outputs);
        let factor = 1.0 / window.len() as f64;
        window.map(|i| (i, factor)).collect()
    };
    SparseMap::new(inputs, (0..outputs).map(row))
}

fn window(output: usize, inputs: usize, outputs: usize) -> Range<usize> {
    output * inputs / outputs..((output + 1) * inputs).div_ceil(outputs)
}

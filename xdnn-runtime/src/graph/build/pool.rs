//! Sliding-window pools.

use xdnn_ir::Shape;
use xdnn_ir::layer::{
    AvgPool1d, AvgPool2d, AvgPool3d, MaxPool1d, MaxPool2d, MaxPool3d, MedianPool1d, MedianPool2d,
    MinPool1d, MinPool2d, MinPool3d,
};

use super::axes::along;
use super::window::{Sizes, Steps};
use super::{Lower, Site};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::{PoolGather, PoolWindow, PoolWinner, SparseMap, Winner};

/// Pools that take one element of each window, and which.
macro_rules! selecting {
    ($($name:ident: $winner:expr;)*) => {$(
        impl Lower for $name {
            fn lower(&self, site: Site<'_>) -> Result<Value> {
                let steps = Steps {
                    stride: self.stride().list(),
                    padding: self.padding.list(),
                    dilation: self.dilation.list(),
                };
                let windows = steps.windows(self.kernel.list(), site.shape);
                select(site.graph, site.x, windows, $winner)
            }
        }
    )*};
}

selecting! {
    MaxPool1d: Winner::Max;
    MaxPool2d: Winner::Max;
    MaxPool3d: Winner::Max;
    MinPool1d: Winner::Min;
    MinPool2d: Winner::Min;
    MinPool3d: Winner::Min;
    MedianPool1d: Winner::Median;
    MedianPool2d: Winner::Median;
}

/// Pools that take the mean of each window.
macro_rules! averaging {
    ($($name:ident),*) => {$(
        impl Lower for $name {
            fn lower(&self, site: Site<'_>) -> Result<Value> {
                let (kernel, stride) = (self.kernel.list(), self.stride().list());
                let padding = self.padding.list();
                let windows: Vec<Mean> = (0..kernel.len())
                    .map(|axis| Mean {
                        kernel: kernel[axis],
                        stride: stride[axis],
                        padding: padding[axis],
                        count_include_pad: self.count_include_pad,
                    })
                    .collect();
                mean(site.graph, site.x, site.shape, &windows)
            }
        }
    )*};
}

averaging!(AvgPool1d, AvgPool2d, AvgPool3d);

/// The element of each window that wins.
pub(super) fn select(
    graph: &mut Graph,
    x: Value,
    window: PoolWindow,
    winner: Winner,
) -> Result<Value> {
    let winner = graph.apply(PoolWinner { window, winner }, &[x])?;
    graph.apply(PoolGather { window }, &[x, winner])
}

/// The means of windows, of which there is one for each spatial axis.
pub(super) fn mean(graph: &mut Graph, x: Value, shape: Shape, windows: &[Mean]) -> Result<Value> {
    let size = x.shape();
    let maps = windows.iter().zip(2..);
    let maps = maps.map(|(window, axis)| (axis, window.map(size.dim(axis), shape.dim(axis))));
    along(graph, x, maps)
}

/// Average pooling along one axis. Over several axes the divisor is the product of theirs, so the axes separate.
pub(super) struct Mean {
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
    pub count_include_pad: bool,
}

impl Mean {
    fn map(&self, inputs: usize, outputs: usize) -> SparseMap {
        let row = |output: usize| {
            let start = output * self.stride;
            let end = (start + self.kernel).min(inputs + 2 * self.padding);
            let first = start.saturating_sub(self.padding);
            let last = end.saturating_sub(self.padding).min(inputs);
            let divisor = if self.count_include_pad {
                end - start
            } else {
                last - first
            };
            (first..last).map(|i| (i, 1.0 / divisor as f64)).collect()
        };
        SparseMap::new(inputs, (0..outputs).map(row))
    }
}

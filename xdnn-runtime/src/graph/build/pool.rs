//! Sliding-window pools.

use xdnn_ir::layer::{AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d};

use super::axes::along;
use super::window::Steps;
use super::{Lower, Site};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::{PoolGather, PoolWindow, PoolWinner, SparseMap, Winner};

impl Lower for MaxPool1d {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let steps = Steps {
            stride: [self.stride()],
            padding: [self.padding],
            dilation: [self.dilation],
        };
        let windows = steps.windows([self.kernel], site.shape);
        select(site.graph, site.x, windows, Winner::Max)
    }
}

impl Lower for MaxPool2d {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let steps = Steps {
            stride: self.stride(),
            padding: self.padding,
            dilation: self.dilation,
        };
        let windows = steps.windows(self.kernel, site.shape);
        select(site.graph, site.x, windows, Winner::Max)
    }
}

impl Lower for AvgPool1d {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let windows = [Mean {
            kernel: self.kernel,
            stride: self.stride(),
            padding: self.padding,
            count_include_pad: self.count_include_pad,
        }];
        mean(site, &windows)
    }
}

impl Lower for AvgPool2d {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let windows = [0, 1].map(|axis| Mean {
            kernel: self.kernel[axis],
            stride: self.stride()[axis],
            padding: self.padding[axis],
            count_include_pad: self.count_include_pad,
        });
        mean(site, &windows)
    }
}

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
fn mean(site: Site<'_>, windows: &[Mean]) -> Result<Value> {
    let (x, shape) = (site.x.shape(), site.shape);
    let maps = windows.iter().zip(2..);
    let maps = maps.map(|(window, axis)| (axis, window.map(x.dim(axis), shape.dim(axis))));
    along(site.graph, site.x, maps)
}

/// Average pooling along one axis. Over several axes the divisor is the product of theirs, so the axes separate.
struct Mean {
    kernel: usize,
    stride: usize,
    padding: usize,
    count_include_pad: bool,
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

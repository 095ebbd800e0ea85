//! Convolutions.

use xdnn_ir::layer::{Conv1d, Conv2d};

use super::window::Steps;
use super::{Lower, Site};
use crate::error::Result;
use crate::graph::Value;

impl Lower for Conv1d {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let steps = Steps {
            stride: [self.stride],
            padding: [self.padding],
            dilation: [self.dilation],
        };
        convolution(site, steps, self.groups)
    }
}

impl Lower for Conv2d {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let steps = Steps {
            stride: self.stride,
            padding: self.padding,
            dilation: self.dilation,
        };
        convolution(site, steps, self.groups)
    }
}

fn convolution<const R: usize>(site: Site<'_>, steps: Steps<R>, groups: usize) -> Result<Value> {
    let operands = [site.x, site.weight()?];
    let convolution = steps.convolution(groups, site.shape);
    site.graph.apply(convolution, &operands)
}

//! Convolutions, and the transposed ones.

use xdnn_ir::layer::{Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d};

use super::linear::biased;
use super::window::{Sizes, Steps};
use super::{Lower, Site};
use crate::error::Result;
use crate::graph::Value;
use crate::ops::{Convolution, Place, Role};

macro_rules! convolutions {
    ($($name:ident),*) => {$(
        impl Lower for $name {
            fn lower(&self, site: Site<'_>) -> Result<Value> {
                let steps = Steps {
                    stride: self.stride.list(),
                    padding: self.padding.list(),
                    dilation: self.dilation.list(),
                };
                let operands = [site.x, site.weight()?];
                let convolution = steps.convolution(self.groups, site.shape);
                let result = site.graph.apply(convolution, &operands)?;
                biased(site, result, 1)
            }
        }
    )*};
}

macro_rules! transposed {
    ($($name:ident),*) => {$(
        impl Lower for $name {
            fn lower(&self, site: Site<'_>) -> Result<Value> {
                let steps = Steps {
                    stride: self.stride.list(),
                    padding: self.padding.list(),
                    dilation: self.dilation.list(),
                };
                transposed(site, &steps, &self.output_padding.list(), self.groups)
            }
        }
    )*};
}

convolutions!(Conv1d, Conv2d, Conv3d);
transposed!(ConvTranspose1d, ConvTranspose2d, ConvTranspose3d);

/// What a convolution of the same steps, groups and weight makes of the gradient of its result.
fn transposed<const R: usize>(
    site: Site<'_>,
    steps: &Steps<R>,
    output_padding: &[usize],
    groups: usize,
) -> Result<Value> {
    let mut x = site.x;
    for (i, padding) in output_padding.iter().enumerate() {
        // A convolution leaves less than its stride unread. Where the result grows by more, zeros are what it reads.
        let more = padding / steps.stride[i].max(1);
        if more > 0 {
            let axis = i + 2;
            let (start, size) = (0, x.shape().dim(axis) + more);
            x = site.graph.apply(Place { axis, start, size }, &[x])?;
        }
    }
    let convolution = Convolution {
        role: Role::InputGradient,
        ..steps.convolution(groups, site.shape)
    };
    let weight = site.weight()?;
    let result = site.graph.apply(convolution, &[x, weight])?;
    biased(site, result, 1)
}

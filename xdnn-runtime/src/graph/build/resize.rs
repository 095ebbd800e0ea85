//! Linear changes of the spatial size.

use xdnn_ir::Shape;
use xdnn_ir::layer::{Interpolation, PixelShuffle, PixelUnshuffle, Upsample};

use super::axes::along;
use super::{Lower, Site};
use crate::error::Result;
use crate::graph::Value;
use crate::ops::{Permute, SparseMap};

impl Lower for Upsample {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let (x, shape) = (site.x.shape(), site.shape);
        let map = |axis| (axis, interpolation(self, x.dim(axis), shape.dim(axis)));
        along(site.graph, site.x, [2, 3].map(map))
    }
}

impl Lower for PixelShuffle {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let (r, x) = (self.upscale_factor, site.x.shape());
        let [n, c] = [site.shape.dim(0), site.shape.dim(1)];
        let split = Shape::new([n, c, r, r, x.dim(2), x.dim(3)]);
        let split = site.graph.reshape(site.x, split)?;
        let interleave = Permute {
            axes: vec![0, 1, 4, 2, 5, 3],
        };
        let interleaved = site.graph.apply(interleave, &[split])?;
        site.graph.reshape(interleaved, site.shape)
    }
}

impl Lower for PixelUnshuffle {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let (r, x, shape) = (self.downscale_factor, site.x.shape(), site.shape);
        let split = [x.dim(0), x.dim(1), shape.dim(2), r, shape.dim(3), r];
        let split = site.graph.reshape(site.x, Shape::new(split))?;
        let gather = Permute {
            axes: vec![0, 1, 3, 5, 2, 4],
        };
        let gathered = site.graph.apply(gather, &[split])?;
        site.graph.reshape(gathered, shape)
    }
}

fn interpolation(upsample: &Upsample, inputs: usize, outputs: usize) -> SparseMap {
    let row = |output: usize| match upsample.mode {
        Interpolation::Nearest => vec![(output * inputs / outputs, 1.0)],
        Interpolation::Bilinear => {
            let source = source(upsample, output, inputs, outputs).max(0.0);
            let low = (source as usize).min(inputs - 1);
            let fraction = source - low as f64;
            let neighbours = [(low, 1.0 - fraction), ((low + 1).min(inputs - 1), fraction)];
            neighbours
                .into_iter()
                .filter(|(_, factor)| *factor != 0.0)
                .collect()
        }
        Interpolation::Bicubic => {
            let source = source(upsample, output, inputs, outputs);
            let neighbours = [-1.0, 0.0, 1.0, 2.0].map(|i| source.floor() + i);
            // Beyond the border its pixels repeat.
            let clamp = |at: f64| at.clamp(0.0, (inputs - 1) as f64) as usize;
            neighbours
                .into_iter()
                .map(|at| (clamp(at), cubic(source - at)))
                .filter(|(_, factor)| *factor != 0.0)
                .collect()
        }
    };
    SparseMap::new(inputs, (0..outputs).map(row))
}

/// Where the centre of a pixel of the result lies among the centres of the input's.
fn source(upsample: &Upsample, output: usize, inputs: usize, outputs: usize) -> f64 {
    match (upsample.align_corners, outputs) {
        (true, 1) => 0.0,
        (true, _) => output as f64 * (inputs - 1) as f64 / (outputs - 1) as f64,
        (false, _) => (output as f64 + 0.5) * inputs as f64 / outputs as f64 - 0.5,
    }
}

/// The kernel of cubic convolution with `a = −0.75` (Keys 1981, equation 15), at a distance of at most 2.
fn cubic(distance: f64) -> f64 {
    const A: f64 = -0.75;
    let x = distance.abs();
    if x <= 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else {
        ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
    }
}

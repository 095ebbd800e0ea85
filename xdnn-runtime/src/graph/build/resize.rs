//! Linear changes of the spatial size.

use xdnn_ir::Shape;
use xdnn_ir::layer::{Interpolation, PixelShuffle, Upsample, ZeroPad2d};

use super::axes::along;
use super::{Lower, Site};
use crate::error::Result;
use crate::graph::Value;
use crate::ops::{Permute, Place, SparseMap};

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

impl Lower for ZeroPad2d {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let [left, _, top, _] = self.padding;
        let place = |axis, start| Place {
            axis,
            start,
            size: site.shape.dim(axis),
        };
        let rows = site.graph.apply(place(2, top), &[site.x])?;
        site.graph.apply(place(3, left), &[rows])
    }
}

fn interpolation(upsample: &Upsample, inputs: usize, outputs: usize) -> SparseMap {
    let row = |output: usize| match upsample.mode {
        Interpolation::Nearest => vec![(output * inputs / outputs, 1.0)],
        Interpolation::Bilinear => {
            let source = match (upsample.align_corners, outputs) {
                (true, 1) => 0.0,
                (true, _) => output as f64 * (inputs - 1) as f64 / (outputs - 1) as f64,
                (false, _) => {
                    ((output as f64 + 0.5) * inputs as f64 / outputs as f64 - 0.5).max(0.0)
                }
            };
            let low = (source as usize).min(inputs - 1);
            let fraction = source - low as f64;
            let neighbours = [(low, 1.0 - fraction), ((low + 1).min(inputs - 1), fraction)];
            neighbours
                .into_iter()
                .filter(|(_, factor)| *factor != 0.0)
                .collect()
        }
    };
    SparseMap::new(inputs, (0..outputs).map(row))
}

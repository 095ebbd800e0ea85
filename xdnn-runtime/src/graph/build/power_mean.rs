//! Roots of means of powers.

use xdnn_ir::Shape;
use xdnn_ir::layer::{GeM, LpPool1d, LpPool2d};

use super::adaptive;
use super::pool::{Mean, mean};
use super::window::Sizes;
use super::{Lower, Site};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::{Map, Slopes};

macro_rules! norms {
    ($($name:ident),*) => {$(
        impl Lower for $name {
            fn lower(&self, site: Site<'_>) -> Result<Value> {
                norm(site, self.norm_type, &self.kernel.list(), &self.stride().list())
            }
        }
    )*};
}

norms!(LpPool1d, LpPool2d);

/// The mean of each window times the size of a whole one, as PyTorch has it: a partial window weighs as much.
fn norm(site: Site<'_>, p: f64, kernel: &[usize], stride: &[usize]) -> Result<Value> {
    let windows = kernel.iter().zip(stride).map(|(kernel, stride)| Mean {
        kernel: *kernel,
        stride: *stride,
        padding: 0,
        count_include_pad: true,
    });
    let windows: Vec<Mean> = windows.collect();
    let magnitude = site.graph.map(Map::PiecewiseLinear(Slopes::ABS), site.x)?;
    let power = site.graph.map(Map::Power(p), magnitude)?;
    let mean = mean(site.graph, power, site.shape, &windows)?;
    let size: usize = kernel.iter().product();
    let sum = site.graph.scale(mean, size as f64)?;
    site.graph.map(Map::Power(1.0 / p), sum)
}

impl Lower for GeM {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        if !self.learned {
            let power = site.graph.map(Map::Power(self.p), site.x)?;
            let mean = adaptive::mean(site.graph, power, site.shape)?;
            return site.graph.map(Map::Power(1.0 / self.p), mean);
        }
        let scalar = site.graph.reshape(site.weight()?, Shape::new([]))?;
        let root = site.graph.map(Map::Recip, scalar)?;
        let power = positive_power(site.graph, site.x, scalar)?;
        let mean = adaptive::mean(site.graph, power, site.shape)?;
        positive_power(site.graph, mean, root)
    }
}

/// `xᵖ` for `x > 0`, and 0 otherwise, with derivatives by both: `exp(p·ln x)`, where 1 stands in for what is not positive.
fn positive_power(graph: &mut Graph, x: Value, exponent: Value) -> Result<Value> {
    let slope = |positive, other| Slopes {
        positive,
        zero: other,
        negative: other,
    };
    let positive = graph.map(Map::PiecewiseLinear(Slopes::RELU), x)?;
    let one = graph.map(Map::Slope(slope(0.0, 1.0)), x)?;
    let base = graph.add(positive, one)?;
    let logarithm = graph.map(Map::Ln, base)?;
    let exponent = graph.broadcast(exponent, 0..x.shape().rank(), x.shape())?;
    let product = graph.mul(exponent, logarithm)?;
    let power = graph.map(Map::Exp, product)?;
    let mask = graph.map(Map::Slope(slope(1.0, 0.0)), x)?;
    graph.mul(power, mask)
}

//! Piecewise linear activations.

use xdnn_ir::layer::{Abs, LeakyRelu, PRelu, Relu};

use super::linear::per_channel;
use super::{Lower, Site};
use crate::error::Result;
use crate::graph::Value;
use crate::ops::{Map, Slopes};

impl Lower for Relu {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        site.graph.map(Map::PiecewiseLinear(Slopes::RELU), site.x)
    }
}

impl Lower for LeakyRelu {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let slopes = Slopes::leaky(self.negative_slope);
        site.graph.map(Map::PiecewiseLinear(slopes), site.x)
    }
}

impl Lower for PRelu {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let slope = per_channel(site.graph, site.weight()?, site.x.shape())?;
        let positive = site.graph.map(Map::PiecewiseLinear(Slopes::RELU), site.x)?;
        let negative = Map::PiecewiseLinear(Slopes::NEGATIVE_PART);
        let negative = site.graph.map(negative, site.x)?;
        let negative = site.graph.mul(negative, slope)?;
        site.graph.add(positive, negative)
    }
}

impl Lower for Abs {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        site.graph.map(Map::PiecewiseLinear(Slopes::ABS), site.x)
    }
}

//! Powers and signs.

use xdnn_ir::layer::{Cube, Power, Sign, Sqrt, Square, SquaredRelu};

use super::{Lower, Site};
use crate::error::Result;
use crate::graph::Value;
use crate::ops::{Map, Slopes};

impl Lower for Power {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        site.graph.map(Map::Power(self.exponent), site.x)
    }
}

impl Lower for Square {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        site.graph.mul(site.x, site.x)
    }
}

impl Lower for Cube {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let square = site.graph.mul(site.x, site.x)?;
        site.graph.mul(square, site.x)
    }
}

impl Lower for Sqrt {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        site.graph.map(Map::Power(0.5), site.x)
    }
}

impl Lower for SquaredRelu {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        site.graph.map(Map::Power(2.0), site.x)
    }
}

impl Lower for Sign {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        site.graph.map(Map::Slope(Slopes::ABS), site.x)
    }
}

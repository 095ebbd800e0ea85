use xdnn::graph::Value;
use xdnn::ir::Fault;
use xdnn::prelude::*;
use xdnn::{CustomLayer, Graph};

#[xdnn(layer, degree = 1)]
pub struct Blur {}

impl CustomLayer for Blur {
    fn lower(&self, _: &mut Graph, x: Value, _: &[Value]) -> xdnn::Result<Value> {
        Ok(x)
    }
}

#[xdnn(layer, degree = 1)]
pub struct Glow {}

impl Glow {
    pub fn output(&self, input: Shape) -> Result<Shape, Fault> {
        Ok(input)
    }
}

impl CustomLayer for Glow {
    fn lower(&self, _: &mut Graph, x: Value, _: &[Value]) -> xdnn::Result<Value> {
        Ok(x)
    }
}

#[xdnn(layer, degree = 1)]
pub struct Shade {}

impl Shade {
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        Ok(input)
    }
}

fn main() {}

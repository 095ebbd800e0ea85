use xdnn::graph::Value;
use xdnn::ir::Fault;
use xdnn::prelude::*;
use xdnn::{CustomLayer, Graph};

#[xdnn(layer, degree = 1, weight = [gain])]
pub struct Blur {}

impl Blur {
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        Ok(input)
    }
}

impl CustomLayer for Blur {
    fn lower(&self, _: &mut Graph, x: Value, _: &[Value]) -> xdnn::Result<Value> {
        Ok(x)
    }
}

#[xdnn(layer, degree = 0.5)]
pub struct Roots {}

impl Roots {
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        Ok(input)
    }
}

impl CustomLayer for Roots {
    fn lower(&self, _: &mut Graph, x: Value, _: &[Value]) -> xdnn::Result<Value> {
        Ok(x)
    }
}

#[xdnn(layer, degree = -1)]
pub struct Inverse {}

impl Inverse {
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        Ok(input)
    }
}

impl CustomLayer for Inverse {
    fn lower(&self, _: &mut Graph, x: Value, _: &[Value]) -> xdnn::Result<Value> {
        Ok(x)
    }
}

fn main() {}

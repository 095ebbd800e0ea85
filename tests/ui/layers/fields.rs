use xdnn::graph::Value;
use xdnn::ir::Fault;
use xdnn::prelude::*;
use xdnn::{CustomLayer, Graph};

#[xdnn(layer, degree = 1)]
pub struct Blur {
    radius: u32,
    #[default = 1.5]
    times: usize,
    #[default(true)]
    wrap: bool,
}

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

#[xdnn(layer, degree = 1)]
pub struct Pair(usize, f64);

impl Pair {
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        Ok(input)
    }
}

impl CustomLayer for Pair {
    fn lower(&self, _: &mut Graph, x: Value, _: &[Value]) -> xdnn::Result<Value> {
        Ok(x)
    }
}

#[xdnn(layer, degree = 1)]
pub struct Sized<const N: usize> {}

#[xdnn(layer, degree = 1)]
pub enum Either {
    This,
}

fn main() {}

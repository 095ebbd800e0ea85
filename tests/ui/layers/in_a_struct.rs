use xdnn::graph::Value;
use xdnn::ir::Fault;
use xdnn::prelude::*;
use xdnn::{CustomLayer, Graph};

#[xdnn(layer, degree = 1)]
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

#[xdnn]
pub struct Stem {
    blur: Blur,
    relu: Relu,
}

network! {
    struct Net(x: [8]) -> [8] {
        Stem;
    }
}

fn main() {}

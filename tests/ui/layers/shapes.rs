use xdnn::graph::Value;
use xdnn::ir::Fault;
use xdnn::prelude::*;
use xdnn::{CustomLayer, Graph};

#[xdnn(layer, degree = 1)]
pub struct Halves {
    parts: usize,
}

impl Halves {
    pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
        if input.rank() != 1 {
            return Err(Fault::Rank {
                expected: "[features]",
                found: input,
            });
        }
        if self.parts == 0 || input.dim(0) % self.parts != 0 {
            return Err(Fault::Misfit {
                name: "parts",
                expected: "a divisor of the number of features",
            });
        }
        Ok(input.with_dim(0, input.dim(0) / self.parts))
    }
}

impl CustomLayer for Halves {
    fn lower(&self, _: &mut Graph, x: Value, _: &[Value]) -> xdnn::Result<Value> {
        Ok(x)
    }
}

network! {
    struct Net(x: [8]) -> [4] {
        self::Halves(2) -> self::Halves(3);
    }
}

network! {
    struct Image(x: [1, 8, 8]) -> [4] {
        self::Halves(2);
    }
}

network! {
    struct Output(x: [8]) -> [5] {
        self::Halves(2);
    }
}

fn main() {}

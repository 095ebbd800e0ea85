use xdnn::graph::Value;
use xdnn::ir::Fault;
use xdnn::prelude::*;
use xdnn::{CustomLayer, Graph};

mod layers {
    use super::*;

    #[xdnn(layer, degree = 1)]
    pub struct Blur {
        pub radius: usize,
        #[default = 0.5]
        pub sigma: f64,
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

    #[xdnn(layer, degree = 1, weights = [gain])]
    pub struct Gain {}

    impl Gain {
        pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
            Ok(input)
        }

        pub const fn weights(&self, input: Shape) -> xdnn::ir::layer::Weights {
            xdnn::ir::layer::Weights::of(&[("gain", input)])
        }
    }

    impl CustomLayer for Gain {
        fn lower(&self, _: &mut Graph, x: Value, _: &[Value]) -> xdnn::Result<Value> {
            Ok(x)
        }
    }
}

network! {
    struct Net(x: [8]) -> [8] {
        layers::Blur;
        layers::Blur(3, sigmaa = 2.0);
        layers::Blur(3, 0.5, 7);
        layers::Blur(1.5);
        layers::Blur(3, sigma = true);
        layers::Gain;
    }
}

fn main() {}

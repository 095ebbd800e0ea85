//! Layers that a crate of the user defines.

#![allow(clippy::panic, clippy::unwrap_used)]

use xdnn::graph::Value;
use xdnn::ir::Fault;
use xdnn::ir::layer::Weights;
use xdnn::ndarray::{Array2, Ix1, arr1, arr2};
use xdnn::ops::{Map, Slopes};
use xdnn::prelude::*;
use xdnn::{CustomLayer, Error, Graph};

mod layers {
    use super::*;

    /// What is wrong with it decides `kind`.
    #[xdnn(layer, degree = 1, weights = [shift])]
    pub struct Faulty {
        pub kind: usize,
    }

    impl Faulty {
        pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
            Ok(input)
        }

        pub const fn weights(&self, input: Shape) -> Weights {
            Weights::of(&[("shift", input)])
        }
    }

    impl CustomLayer for Faulty {
        fn lower(&self, graph: &mut Graph, x: Value, weights: &[Value]) -> xdnn::Result<Value> {
            let shift = graph.broadcast(weights[0], [0], x.shape())?;
            match self.kind {
                0 => graph.add(x, shift),
                1 => graph.mul(x, x),
                2 => {
                    // Clips at 300.
                    let limit = graph.constant(300.0, x.shape())?;
                    let negative = graph.scale(x, -1.0)?;
                    let room = graph.add(limit, negative)?;
                    let excess = graph.map(Map::PiecewiseLinear(Slopes::RELU), room)?;
                    let excess = graph.scale(excess, -1.0)?;
                    graph.add(limit, excess)
                }
                3 => {
                    // The mean of the batch.
                    let batch = x.shape().dim(0);
                    let sum = graph.sum(x, [0])?;
                    let mean = graph.scale(sum, 1.0 / batch as f64)?;
                    graph.broadcast(mean, [0], x.shape())
                }
                4 => graph.sum(x, [1]),
                _ => graph.map(Map::Recip, x),
            }
        }
    }

    /// `x / |x|`, of degree 0.
    #[xdnn(layer, degree = 0)]
    pub struct Signs;

    impl Signs {
        pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
            Ok(input)
        }
    }

    impl CustomLayer for Signs {
        fn lower(&self, graph: &mut Graph, x: Value, _: &[Value]) -> xdnn::Result<Value> {
            let slopes = Slopes {
                positive: 1.0,
                zero: 0.0,
                negative: -1.0,
            };
            graph.map(Map::Slope(slopes), x)
        }
    }

    /// `√|x|`.
    #[xdnn(layer, degree = 1/2)]
    pub struct Roots {}

    impl Roots {
        pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
            Ok(input)
        }
    }

    impl CustomLayer for Roots {
        fn lower(&self, graph: &mut Graph, x: Value, _: &[Value]) -> xdnn::Result<Value> {
            let sizes = graph.map(Map::PiecewiseLinear(Slopes::ABS), x)?;
            graph.map(Map::Power(0.5), sizes)
        }
    }

    /// `y_i = g_i · |x_i|`.
    #[xdnn(layer, degree = 1, weights = [gain])]
    pub struct Sizes {}

    impl Sizes {
        pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
            if input.rank() == 1 {
                Ok(input)
            } else {
                Err(Fault::Rank {
                    expected: "[features]",
                    found: input,
                })
            }
        }

        pub const fn weights(&self, input: Shape) -> Weights {
            Weights::of(&[("gain", input)])
        }
    }

    impl CustomLayer for Sizes {
        fn lower(&self, graph: &mut Graph, x: Value, weights: &[Value]) -> xdnn::Result<Value> {
            let sizes = graph.map(Map::PiecewiseLinear(Slopes::ABS), x)?;
            let gain = graph.broadcast(weights[0], [0], x.shape())?;
            graph.mul(sizes, gain)
        }
    }

    /// The value `times` times, with a factor.
    #[xdnn(layer, degree = 1)]
    #[derive(PartialEq)]
    pub struct Copies {
        pub times: usize,
        #[default = 0.5]
        pub factor: f64,
        #[default = false]
        pub negative: bool,
    }

    impl Copies {
        pub const fn output(&self, input: Shape) -> Result<Shape, Fault> {
            if self.times == 0 {
                return Err(Fault::Argument {
                    name: "times",
                    expected: "at least 1",
                });
            }
            Ok(input.with_dim(0, input.dim(0) * self.times))
        }
    }

    impl CustomLayer for Copies {
        fn lower(&self, graph: &mut Graph, x: Value, _: &[Value]) -> xdnn::Result<Value> {
            let factor = if self.negative {
                -self.factor
            } else {
                self.factor
            };
            let x = graph.scale(x, factor)?;
            graph.apply(xdnn::ops::Concat { axis: 1 }, &vec![x; self.times])
        }
    }
}

network! {
    struct Net(x: [4]) -> [3] {
        sizes: layers::Sizes -> layers::Copies(2, factor = 2.0);
        head: Linear(3);
    }
}

// The same, from layers of the language.
network! {
    struct Plain(x: [4]) -> [3] {
        Abs;
        sizes: Scale(4);
        concat { let y = LeakyRelu(1.0); sum(y, y); sum(LeakyRelu(1.0), LeakyRelu(1.0)); };
        head: Linear(3);
    }
}

#[test]
fn a_layer_of_the_user_is_as_good_as_one_of_the_language() {
    assert_eq!(Net::DEGREE, Degree::ONE);
    let mut net = Net::init(Seed(3));
    net.sizes
        .gain
        .view_mut()
        .assign(&arr1(&[0.5, 2.0, -1.0, 3.0]).into_dyn());
    let mut plain = Plain::init(Seed(3));
    plain
        .sizes
        .weight
        .view_mut()
        .assign(&net.sizes.gain.view().into_dimensionality::<Ix1>().unwrap());
    plain.head.weight.view_mut().assign(&net.head.weight.view());
    let x: Array2<f32> = arr2(&[[1.0, -2.0, 0.25, 0.5], [-3.0, 0.125, 8.0, -0.75]]);
    let (net, plain) = (
        net.compile(Device::Cpu).unwrap(),
        plain.compile(Device::Cpu).unwrap(),
    );
    assert_eq!(net.forward(&x).unwrap(), plain.forward(&x).unwrap());
    let (a, b) = (
        net.attribute(&x, Target::Class(1)).unwrap(),
        plain.attribute(&x, Target::Class(1)).unwrap(),
    );
    assert_eq!(a.values(), b.values());
}

/// The network with a layer that declares degree 1, compiled.
macro_rules! refused {
    ($kind:literal) => {{
        network! {
            struct Net(x: [3]) -> [3] {
                first: Linear(3);
                faulty: layers::Faulty($kind);
            }
        }
        Net::init(Seed(0))
            .compile(Device::Cpu)
            .unwrap()
            .forward(&arr2(&[[1.0_f32, 2.0, 3.0]]))
            .unwrap_err()
    }};
}

#[test]
fn a_layer_without_its_degree_is_refused_with_the_evidence() {
    for (error, factor) in [
        (refused!(0), 4.0),
        (refused!(1), 4.0),
        (refused!(2), 1024.0),
        (refused!(3), 4.0),
        (refused!(5), 4.0),
    ] {
        let Error::DegreeRefuted(evidence) = &error else {
            panic!("{error}");
        };
        assert_eq!(evidence.path, "faulty");
        assert_eq!(evidence.factor, factor, "{error}");
        assert!(error.to_string().starts_with("layer `Faulty("), "{error}");
    }
    let text = refused!(0).to_string();
    assert_eq!(
        text,
        "layer `Faulty(0)` at `faulty` is declared homogeneous of degree 1, but is not: an element of f(x) is \
         -0.2854856689717171, and of f(4*x) -2.5020870483239652 instead of -1.1419426758868685; correct its `degree` or what it computes"
    );
}

#[test]
fn a_shape_that_is_not_that_of_the_rule_is_refused() {
    let error = refused!(4);
    assert!(matches!(error, Error::CustomLayer { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "layer `Faulty(4)` of another crate: it computes [2] for a batch of 2, but its `output` says [3] for each \
         sample; make the two agree"
    );
}

#[allow(dead_code, non_upper_case_globals)]
const shape: usize = 7; // Generated code has a variable of the kind.

mod sizes {
    pub const TIMES: usize = 3;
}

network! {
    struct Open<const N: usize>(x: [N]) -> [2] {
        layers::Roots -> layers::Copies(sizes::TIMES, negative = true) -> Cube;
        head: Linear(2);
    }
}

#[test]
fn sizes_of_the_crate_and_of_parameters_reach_the_layer() {
    assert_eq!(Open::<5>::DEGREE, Degree::rational(3, 2).unwrap());
    assert_eq!(Open::<5>::SPEC.weights()[0].shape.dims(), [2, 15]);
    let text = Open::<5>::SPEC.to_string();
    assert!(
        text.contains("Copies(3, 0.5, true)(%0) -> [15], degree 1/2"),
        "{text}"
    );
    let model = Open::<5>::init(Seed(1)).compile_f64().unwrap();
    let x = arr2(&[[0.5, -1.0, 2.0, 0.25, -0.125]]);
    let (one, four) = (
        model.forward(&x).unwrap(),
        model.forward(&(4.0 * &x)).unwrap(),
    );
    assert_eq!(four, one * 8.0);
}

#[test]
fn a_layer_of_degree_0_opens_the_way_for_gates() {
    network! {
        struct Gated(x: [4]) -> [4] {
            let gate = layers::Signs -> Sigmoid;
            product(gate, Identity);
        }
    }
    assert_eq!(Gated::DEGREE, Degree::ONE);
    let model = Gated::init(Seed(0)).compile(Device::Cpu).unwrap();
    let x: Array2<f32> = arr2(&[[1.0, -2.0, 0.25, 0.5]]);
    let attribution = model.attribute(&x, Target::Class(1)).unwrap();
    let sum: f32 = attribution.values().iter().sum();
    assert!((sum - model.forward(&x).unwrap()[[0, 1]]).abs() < 1e-6);
}

#[test]
fn a_regular_network_can_hold_one() {
    network! {
        #[regular]
        struct Regular(x: [4]) -> [1] {
            fc: Linear(4) -> Sigmoid -> layers::Roots;
            head: Linear(1);
        }
    }
    let model = Regular::init(Seed(0)).compile(Device::Cpu).unwrap();
    let x: Array2<f32> = arr2(&[[1.0, -2.0, 0.25, 0.5]]);
    assert_eq!(model.forward(&x).unwrap().shape(), [1, 1]);
}

#[test]
fn a_layer_of_another_crate_goes_by_its_path() {
    network! {
        struct Foreign(x: [4]) -> [4] {
            gain: hygiene::custom::Gain -> Identity;
            again: ::hygiene::custom::Gain(2, negative = true);
        }
    }
    assert_eq!(
        Foreign::SPEC.weights(),
        hygiene::custom::Own::SPEC.weights()
    );
    let model = Foreign::init(Seed(0)).compile(Device::Cpu).unwrap();
    let x: Array2<f32> = arr2(&[[1.0, -2.0, 0.25, 0.5]]);
    assert_eq!(model.forward(&x).unwrap(), (-x).into_dyn()); // All gains start at 1.
}

//! Sizes from constants of the user's crate and from parameters make the networks that literals make.
#![deny(warnings, unreachable_pub)]
#![allow(unused_qualifications)] // Paths of every kind are what is tested.
#![deny(clippy::all, clippy::pedantic)]
#![allow(clippy::cast_precision_loss, reason = "indices of small arrays")]

use xdnn::ndarray::{Array2, Array4};
use xdnn::{Device, Network, Seed, Target, XNetwork, network, verify};

mod config {
    pub(crate) const WIDTH: usize = 6;
    pub(crate) const KERNEL: usize = 3;
}

struct Config;

impl Config {
    const CLASSES: usize = 4;
}

const SIDE: usize = 8;

mod literal {
    xdnn::network! {
        pub(crate) struct Net(image: [2, 8, 8]) -> [4] {
            block unit(width, stride = 1) {
                conv: Conv2d(width, kernel = 3, padding = (1, 1), stride = stride) -> act: PRelu(width);
            }
            stem: unit(6) -> MaxPool2d(2, stride = 2);
            body: repeat 2 { residual { unit(6); gain: Scale(6); } }
            down: unit(12, stride = 2) -> ZeroPad2d((1, 2, 1, 2)) -> AdaptiveAvgPool2d(3, 2);
            Reshape(6, 12) -> Flatten;
            sum(a: Linear(4), b: Linear(4) -> Abs);
        }
    }
}

mod constant {
    use super::{Config, SIDE, config};

    xdnn::network! {
        pub(crate) struct Net(image: [2, SIDE, super::SIDE]) -> [Config::CLASSES] {
            const WIDTH: usize = 2 * crate::config::WIDTH / 2;
            const HALF: usize = config::KERNEL / 2;
            block unit(width, stride = SIDE - 7) {
                conv: Conv2d(width, kernel = config::KERNEL, padding = (1, HALF), stride = stride)
                    -> act: PRelu(width);
            }
            stem: unit(WIDTH) -> MaxPool2d(SIDE / 4, stride = SIDE / 4);
            body: repeat 2 { residual { unit(config::WIDTH); gain: Scale(WIDTH); } }
            down: unit(width = 2 * WIDTH, stride = 2)
                -> ZeroPad2d((-HALF + 2, 2, 1, SIDE % 3)) -> AdaptiveAvgPool2d(HALF + 2, 2);
            Reshape(WIDTH, 12) -> Flatten;
            sum(a: Linear(Config::CLASSES), b: Linear(crate::Config::CLASSES) -> Abs);
        }
    }
}

#[test]
fn constants_make_the_network_that_literals_make() {
    assert_eq!(literal::Net::SPEC, constant::Net::SPEC);
    let image = Array4::from_shape_fn((3, 2, 8, 8), |(n, c, y, x)| {
        (0.7 * n as f32 + 1.3 * c as f32 + 0.4 * y as f32 - 0.9 * x as f32).sin()
    });
    let literal = literal::Net::init(Seed(3)).compile(Device::Cpu).unwrap();
    let constant = constant::Net::init(Seed(3)).compile(Device::Cpu).unwrap();
    assert_eq!(
        literal.forward(&image).unwrap(),
        constant.forward(&image).unwrap()
    );
    assert_eq!(
        literal
            .attribute(&image, Target::Predicted)
            .unwrap()
            .values(),
        constant
            .attribute(&image, Target::Predicted)
            .unwrap()
            .values()
    );
}

network! {
    /// As many classes as asked for.
    struct Custom<const CLASSES: usize, const WIDTH: usize = { 2 * SIDE }>(x: [SIDE]) -> [CLASSES] {
        body: { fc: Linear(WIDTH) -> Relu; }
        head: Linear(CLASSES);
    }
}

const _: () = verify::<Custom<10>>();

network! { struct Of10(x: [8]) -> [10] { body: { fc: Linear(16) -> Relu; } head: Linear(10); } }
network! { struct Of3(x: [8]) -> [3] { body: { fc: Linear(5) -> Relu; } head: Linear(3); } }

/// The specification as text, without the name of the network.
fn text<N: Network>() -> String {
    let text = N::SPEC.to_string();
    text[text.find('(').unwrap_or_default()..].to_owned()
}

#[test]
fn parameters_make_networks_of_different_sizes() {
    assert_eq!(text::<Custom<10>>(), text::<Of10>());
    assert_eq!(text::<Custom<3, 5>>(), text::<Of3>());
    assert_eq!(Custom::<7>::OUTPUT.dims(), [7]);
    assert_eq!(Custom::<7>::DEGREE, Of3::DEGREE);
    assert_eq!(Custom::<3, 5>::WEIGHTS, Of3::WEIGHTS);
    let network = Custom::<3, 5>::init(Seed(7));
    assert_eq!(network.body.fc.weight.shape(), [5, 8]);
    let x = Array2::from_shape_fn((2, 8), |(n, i)| (n as f32 + 0.3 * i as f32).cos());
    let (custom, plain) = (
        network.compile(Device::Cpu).unwrap(),
        Of3::init(Seed(7)).compile(Device::Cpu).unwrap(),
    );
    let (custom, plain) = (
        custom.attribute(&x, Target::Predicted).unwrap(),
        plain.attribute(&x, Target::Predicted).unwrap(),
    );
    assert_eq!(custom.values(), plain.values());
    assert_eq!(custom.outputs(), plain.outputs());
}

network! {
    struct Squares<const N: usize = 3>(low: [1, N, N], high: [1, 2 * N, 2 * N]) -> [N * N] {
        let up = low -> Upsample(2);
        concat(up, high) -> conv: Conv2d(4, kernel = N, padding = N / 2) -> GlobalAvgPool -> Flatten;
        head: Linear(N * N);
    }
}

/// The same number for arguments of other names is another layer.
#[test]
fn arguments_of_equal_value_are_told_apart() {
    network! {
        struct Parameter<const N: usize = 2>(image: [2, 11, 11]) -> [8, 6, 6] {
            a: Conv2d(8, kernel = 1, stride = N);
            b: Conv2d(8, kernel = 1, dilation = N);
            c: Conv2d(8, kernel = 1, groups = N);
        }
    }
    network! {
        struct Literal(image: [2, 11, 11]) -> [8, 6, 6] {
            a: Conv2d(8, kernel = 1, stride = 2);
            b: Conv2d(8, kernel = 1, dilation = 2);
            c: Conv2d(8, kernel = 1, groups = 2);
        }
    }
    assert_eq!(<Parameter>::SPEC.nodes(), Literal::SPEC.nodes());
    assert_eq!(<Parameter>::WEIGHTS, Literal::WEIGHTS);
}

#[test]
fn inputs_may_depend_on_parameters() {
    let (low, high) = (
        Array4::<f32>::ones((1, 1, 5, 5)),
        Array4::<f32>::ones((1, 1, 10, 10)),
    );
    let inputs = SquaresInputs {
        low: low.view(),
        high: high.view(),
    };
    let model = Squares::<5>::init(Seed(1)).compile(Device::Cpu).unwrap();
    assert_eq!(model.forward(inputs).unwrap().shape(), [1, 25]);
    assert_eq!(<Squares>::OUTPUT.dims(), [9]);
}

network! {
    /// Weights and arguments whose sizes the macro does not know, in layers whose weights have names of several words.
    struct Tokens<const N: usize>(image: [2, N, N]) -> [3] {
        Reshape(2, N * N) -> Permute(2, 1) -> up: Linear(4);
        attention: MultiheadAttention(2, kind = normalized_softmax);
        Permute(2, 1) -> GlobalAvgPool -> Flatten -> head: Linear(3);
    }
}

#[test]
fn weights_keep_their_names() {
    let names: Vec<_> = Tokens::<3>::WEIGHTS.iter().map(|w| &*w.name).collect();
    let attention = ["attention.in_proj_weight", "attention.out_proj.weight"];
    assert_eq!(
        names,
        [&["up.weight"], &attention[..], &["head.weight"]].concat()
    );
    assert_eq!(
        Tokens::<3>::init(Seed(1)).attention.out_proj_weight.shape(),
        [4, 4]
    );
}

#[test]
fn constants_of_functions_and_other_crates_are_sizes() {
    const WIDTH: usize = 5;
    network! { struct Local(x: [WIDTH]) -> [xdnn::ir::MAX_RANK] { fc: Linear(::xdnn::ir::MAX_RANK); } }
    assert_eq!(
        text::<Local>().lines().next(),
        Some("(x: [5]) -> [6], degree 1, 30 weights")
    );
}

mod hidden {
    pub(crate) const WIDTH: usize = 2;
    pub(crate) const FOURTEEN: usize = 14;

    /// What the words of generated code might hide.
    #[allow(non_upper_case_globals)]
    pub(crate) mod names {
        pub(crate) const input: usize = 1;
        pub(crate) const sizes: usize = 2;
        pub(crate) const outline: usize = 3;
        pub(crate) const None: usize = 4;
    }
}

macro_rules! declare {
    ($name:ident, $width:expr, $classes:path) => {
        network! { struct $name(x: [$width]) -> [$classes] { a: Linear($crate::hidden::WIDTH); fc: Linear($width - 2); } }
    };
}

#[test]
fn macros_hand_in_sizes() {
    declare!(Declared, 2 * SIDE, crate::hidden::FOURTEEN);
    assert_eq!(
        text::<Declared>().lines().next(),
        Some("(x: [16]) -> [14], degree 1, 60 weights")
    );
}

#[test]
fn names_of_generated_code_hide_no_constant() {
    use hidden::names as layer;
    network! {
        struct Names(x: [layer::input]) -> [layer::None] {
            a: Linear(layer::sizes) -> b: Linear(layer::outline) -> c: Linear(self::hidden::names::None);
        }
    }
    assert_eq!(
        text::<Names>().lines().next(),
        Some("(x: [1]) -> [4], degree 1, 20 weights")
    );
}

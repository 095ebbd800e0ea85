//! Structs of layers, as networks and as blocks of networks.
#![deny(warnings, missing_docs, unused_qualifications)]
#![deny(clippy::all, clippy::pedantic)]
#![allow(
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a failing helper is a failing test, and small integers are exact"
)]

use hygiene::chain::{Chained, Features, Open};
use ndarray::{Array2, Array4, ArrayD, ArrayView4};
use xdnn::Parameters;
use xdnn::prelude::*;

#[xdnn]
fn shrink(x: f32) -> f32 {
    if x > 0.0 { x } else { 0.1 * x }
}

#[xdnn(input = [4])]
#[regular]
struct Biased {
    fc: hygiene::chain::Biased,
}

/// The network of `network!` below, as a struct.
#[xdnn(input = [1, 12, 12])]
pub(crate) struct LeNet {
    /// The kernel.
    #[layer(4, kernel = 3)]
    conv1: Conv2d,
    relu1: Relu,
    pool1: MaxPool2d<2>,
    #[layer(6, kernel = (2, 3), padding = 1)]
    conv2: Conv2d,
    act: shrink,
    slope: LeakyRelu<0.2>,
    flatten: Flatten,
    head: Linear<{ 2 * 5 }>,
}

network! {
    struct Written(image: [1, 12, 12]) -> [10] {
        conv1: Conv2d(4, kernel = 3) -> Relu -> MaxPool2d(2);
        conv2: Conv2d(6, kernel = (2, 3), padding = 1) -> shrink -> LeakyRelu(0.2);
        Flatten -> head: Linear(10);
    }
}

mod blocks {
    use xdnn::xdnn;

    #[xdnn]
    pub(super) struct Stem {
        #[layer(4, kernel = 3)]
        conv1: Conv2d,
        relu1: Relu,
        pool1: MaxPool2d<2>,
    }

    #[xdnn]
    pub(crate) struct Body {
        conv2: self::inner::Convolution,
        act: super::shrink,
        slope: LeakyRelu<0.2>,
        flatten: Flatten,
    }

    mod inner {
        #[xdnn::xdnn]
        pub(super) struct Convolution {
            #[layer(6, kernel = (2, 3), padding = 1)]
            conv: Conv2d,
        }
    }
}

use blocks::Stem;

network! {
    /// The same again, of blocks.
    struct Composed(image: [1, 12, 12]) -> [10] {
        stem: Stem;
        body: { blocks::Body -> head: Linear(10) }
    }
}

network! {
    /// The whole network is a block, too, whose weights are called as those of the network.
    struct Wrapped(image: [1, 12, 12]) -> [10] { LeNet }
}

fn images() -> Array4<f32> {
    Array4::from_shape_fn((3, 1, 12, 12), |(n, _, h, w)| {
        ((n * 144 + h * 12 + w) as f32 * 0.37).sin() * 3.0
    })
}

/// What a network of `weights` computes from the images: outputs and attributions.
fn computed<N: XNetwork>(mut network: N, weights: &[Vec<f32>]) -> [ArrayD<f32>; 2] {
    let mut weights = weights.iter();
    network.visit_mut(&mut |view| {
        view.into_slice().copy_from_slice(weights.next().unwrap());
    });
    assert!(weights.next().is_none());
    let (model, x) = (network.compile(Device::Cpu).unwrap(), images());
    let attribution = model.attribute(&x, Target::Predicted).unwrap();
    [model.forward(&x).unwrap(), attribution.values().to_owned()]
}

#[test]
fn a_struct_computes_what_the_same_network_computes() {
    let net = LeNet::init(Seed(7));
    let mut weights = Vec::new();
    net.visit(&mut |view| weights.push(view.as_slice().to_vec()));
    let expected = computed(Written::init(Seed(1)), &weights);
    assert_eq!(computed(net, &weights), expected);
    assert_eq!(computed(Composed::init(Seed(2)), &weights), expected);
    assert_eq!(computed(Wrapped::init(Seed(3)), &weights), expected);
}

fn names<N: Network>() -> Vec<&'static str> {
    N::WEIGHTS.iter().map(|weight| &*weight.name).collect()
}

#[test]
fn fields_name_the_weights() {
    let expected = ["conv1.weight", "conv2.weight", "head.weight"];
    assert_eq!(names::<LeNet>(), expected);
    assert_eq!(names::<Written>(), expected);
    assert_eq!(names::<Wrapped>(), expected);
    assert_eq!(
        names::<Composed>(),
        [
            "stem.conv1.weight",
            "body.conv2.conv.weight",
            "body.head.weight"
        ]
    );
    assert_eq!(
        names::<Chained>(),
        [
            "features.stem.conv1.weight",
            "features.type.weight",
            "head.weight"
        ]
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    let net = LeNet::init(Seed(7));
    net.save(file.path()).unwrap();
    let same = Written::load(file.path()).unwrap();
    assert_eq!(same.head.weight.view(), net.head.weight.view());
}

#[test]
fn a_struct_has_what_a_network_has() {
    assert_eq!(
        (LeNet::OUTPUT, LeNet::DEGREE),
        (Shape::new([10]), Degree::ONE)
    );
    assert_eq!(LeNet::INPUTS[0].name, "input");
    assert_eq!(Open::<3>::SPEC.parameters(), 4 * 8 + 8 * 3);
    assert_eq!(<Open>::OUTPUT, Shape::new([3]));
    let biased = Biased::init(Seed(1));
    assert!(biased.fc.fc.bias.is_some());
    let model = biased.compile(Device::Cpu).unwrap();
    assert_eq!(
        model
            .forward(Array2::<f32>::ones((1, 4)).view())
            .unwrap()
            .shape(),
        [1, 2]
    );
    assert_eq!(Features::OUTPUT, Shape::new([8]));
}

network! {
    /// Blocks of another crate.
    struct Far(image: [1, 12, 12]) -> [3] {
        features: hygiene::chain::Features;
        two: { stem: Linear(144) -> Reshape(1, 12, 12) -> ::hygiene::chain::Stem; }
        Flatten -> head: Linear(3);
    }
}

network! {
    /// What stands in it has the biases that it is declared with.
    #[regular]
    struct Regular(image: [1, 12, 12]) -> [2] {
        Stem -> Flatten -> fc: Linear(4) -> biased: self::Biased;
    }
}

#[test]
fn blocks_come_from_other_crates() {
    let far = Far::init(Seed(1));
    assert_eq!(far.features.stem.conv1.weight.shape(), [4, 1, 3, 3]);
    assert_eq!(far.two.conv1.weight.shape(), [4, 1, 3, 3]);
    let model = far.compile(Device::Cpu).unwrap();
    let (x, y) = (images(), 2.0 * images());
    let twice = |x: ArrayView4<f32>| model.forward(x).unwrap();
    let (once, scaled) = (twice(x.view()), twice(y.view()));
    assert_eq!(scaled, 2.0 * once);
}

macro_rules! of_width {
    ($width:literal) => {{
        #[xdnn]
        struct Unit {
            fc: Linear<$width>,
            relu: Relu,
        }
        network! {
            struct Net(x: [4]) -> [$width] { unit: Unit; }
        }
        Net::SPEC.parameters()
    }};
}

#[test]
fn structs_stand_in_functions_and_come_from_macros() {
    assert_eq!((of_width!(3), of_width!(5)), (12, 20));
}

#[test]
fn a_block_keeps_its_biases() {
    assert_eq!(
        names::<Regular>(),
        [
            "conv1.weight",
            "fc.weight",
            "fc.bias",
            "biased.fc.fc.weight",
            "biased.fc.fc.bias"
        ]
    );
}

//! Expansions need nothing around them, cause no warnings, and keep what the declaration says.
#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]
#![deny(clippy::all, clippy::pedantic)]
#![no_implicit_prelude]

mod declared {
    ::xdnn::network! {
        /// Every kind of scope.
        #[must_use]
        pub(crate) struct Scopes(x: [1, 8, 8]) -> [4] {
            block unit(width) { conv: Conv2d(width, kernel = 3, padding = 1) -> Relu; }
            /// The first convolution.
            stem: unit(2);
            body: repeat 2 { unit(2); residual { inner: unit(2) } }
            lists: repeat 2 { repeat 3 { unit(2); } }
            list: { repeat 2 { unit(2); } -> LeakyRelu(-0.5); }
            r#type: { gain: Scale(2) -> act: PRelu(2); }
            list_: { a: Scale -> Upsample(1, mode = bilinear, align_corners = true); }
            Flatten;
            max { low: Linear(4); high: Linear(4) -> Abs; }
        }
    }

    ::xdnn::network! {
        pub(crate) struct Undocumented(image: [1, 4, 4], sound: [7]) -> [1] {
            concat(image -> Flatten, sound) -> Dropout(0.25) -> head: Linear(1);
        }
    }

    ::xdnn::network! {
        #[cfg(any())]
        pub(crate) struct Absent(x: [1], y: [1]) -> [1] { sum(x -> s: { a: Linear(1) }, y); }
    }

    ::xdnn::network! {
        pub(crate) struct Weightless(x: [1, 4, 4]) -> [1, 2, 2] { MaxPool2d(2); }
    }
}

use ::std::string::String;
use ::std::vec::Vec;
use ::std::{assert, assert_eq, format};
use ::xdnn::{Network, Parameters, Seed};

/// The names of the tensors as the struct holds them.
fn visited<N: Network>(network: &N) -> Vec<String> {
    let mut names = Vec::new();
    Parameters::visit(network, &mut |weight| {
        names.push(::std::string::ToString::to_string(weight.name));
    });
    names
}

#[test]
fn structs_hold_the_weights_in_the_order_of_the_specification() {
    let network = declared::Scopes::init(Seed(1));
    let listed: Vec<_> = ::std::iter::Iterator::collect(::std::iter::Iterator::map(
        declared::Scopes::WEIGHTS.iter(),
        |weight| ::std::string::ToString::to_string(&weight.name),
    ));
    assert_eq!(visited(&network), listed);
    assert_eq!(
        network.body[1].inner.conv.weight.name(),
        "body.1.inner.conv.weight"
    );
    assert_eq!(
        network.lists[1][2].conv.weight.name(),
        "lists.1.2.conv.weight"
    );
    assert_eq!(network.list[1].conv.weight.name(), "list.1.conv.weight");
    assert_eq!(network.r#type.act.weight.name(), "type.act.weight");
    assert_eq!(network.low.weight.shape(), [4, 128]);
}

#[test]
fn inputs_are_named() {
    let image = ::ndarray::Array4::<f32>::zeros((2, 1, 4, 4));
    let sound = ::ndarray::Array2::<f32>::zeros((2, 7));
    let inputs = declared::UndocumentedInputs {
        image: image.view(),
        sound: sound.view(),
    };
    let inputs = <::xdnn::Inputs as ::std::convert::From<_>>::from(inputs);
    let shapes: Vec<_> =
        ::std::iter::Iterator::collect(::std::iter::Iterator::map(inputs.views().iter(), |view| {
            view.shape().len()
        }));
    assert_eq!(shapes, [4, 2]);
    assert_eq!(
        visited(&declared::Undocumented::init(Seed(1))),
        ["head.weight"]
    );
}

#[test]
fn named_inputs_hold_either_number() {
    let image = ::ndarray::Array4::<f64>::from_elem((2, 1, 4, 4), 0.1);
    let sound = ::ndarray::Array2::<f64>::from_elem((2, 7), 0.1);
    let inputs = declared::UndocumentedInputs {
        image: image.view(),
        sound: sound.view(),
    };
    assert_eq!(
        format!("{inputs:?}"),
        format!("{:?}", ::std::clone::Clone::clone(&inputs))
    );
    let network = declared::Undocumented::init(Seed(1));
    let model = network.compile_f64().unwrap();
    let (first, second) = (
        model.forward(inputs).unwrap(),
        model.forward(inputs).unwrap(),
    );
    assert_eq!(first, second);
    let weights = network.head.weight.as_slice().iter();
    let expected: f64 = ::std::iter::Iterator::sum(::std::iter::Iterator::map(weights, |weight| {
        0.1 * <f64 as ::std::convert::From<f32>>::from(*weight)
    }));
    assert!((first[[0, 0]] - expected).abs() < 1e-14);
}

#[test]
fn a_network_may_have_no_weights() {
    let network = declared::Weightless::init(Seed(1));
    assert_eq!(format!("{network:?}"), "Weightless");
    assert_eq!(declared::Weightless::SPEC.parameters(), 0);
}

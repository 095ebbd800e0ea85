//! What a user can do wrong, one mistake a test: a typed error comes back that says what was expected and what was
//! found, and nothing panics or is half done.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

use ndarray::{Array4, ArrayD};
use xdnn::prelude::*;
use xdnn::{Model, Parameters, Result};

mod inputs;
mod requests;
mod training;
mod weights;

network! {
    struct Tiny(image: [1, 4, 4]) -> [3] {
        conv: Conv2d(2, kernel = 3) -> Relu -> Flatten;
        head: Linear(3);
    }
}

network! {
    struct Fusion(image: [3], audio: [2]) -> [2] {
        concat(image, audio) -> head: Linear(2);
    }
}

network! {
    struct Map(image: [1, 4, 4]) -> [2, 4, 4] {
        conv: Conv2d(2, kernel = 3, padding = 1) -> Relu;
    }
}

network! {
    struct Logit(image: [1, 4, 4]) -> [1] {
        Flatten -> head: Linear(1);
    }
}

/// The result is an error of that kind and has exactly that text.
macro_rules! refused {
    ($result:expr, $kind:pat, $text:expr $(,)?) => {{
        let error = $result.map(drop).unwrap_err();
        assert!(matches!(error, $kind), "{error:?}");
        assert_eq!(error.to_string(), $text);
    }};
}
use refused;

fn tiny() -> Model<Tiny> {
    Tiny::init(Seed(1)).compile(Device::Cpu).unwrap()
}

fn images(samples: usize) -> Array4<f32> {
    Array4::from_shape_fn((samples, 1, 4, 4), |(n, _, y, x)| {
        ((n + 3 * y + x) % 5) as f32 - 1.5
    })
}

/// What all ways to run a network say to bad inputs: the same.
fn run(inputs: &ArrayD<f32>) -> Result<()> {
    let mut texts = Vec::new();
    let mut last = Ok(());
    for device in [Device::Cpu, Device::Reference] {
        let model = Tiny::init(Seed(1)).compile(device)?;
        let method = IntegratedGradients::new(2);
        for result in [
            model.forward(inputs).map(drop),
            model.attribute(inputs, Target::Predicted).map(drop),
            model
                .integrated_gradients(inputs, Target::Predicted, &method)
                .map(drop),
        ] {
            texts.push(result.as_ref().map_err(ToString::to_string).err());
            last = result;
        }
    }
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    last
}

fn all_weights<P: Parameters>(parameters: &P) -> Vec<u32> {
    let mut bits = Vec::new();
    parameters.visit(&mut |weight| bits.extend(weight.as_slice().iter().map(|w| w.to_bits())));
    bits
}

//! What is counted: the cases of the kernels' benches, and X-Gradients of small networks.

use std::hint;

use anyhow::{Context, Result};
use xdnn::ndarray::{ArrayD, IxDyn};
use xdnn::prelude::*;
use xdnn::zoo::{XLlama, XUnet, XVit};

use super::cases::{Case, cases};
use crate::bench_peers::network::drawn;

network! {
    /// Convolutions with a pool between them.
    struct Plain(image: [3, 32, 32]) -> [10] {
        conv1: Conv2d(32, kernel = 3, padding = 1) -> Relu;
        conv2: Conv2d(32, kernel = 3, padding = 1) -> Relu -> MaxPool2d(2);
        conv3: Conv2d(64, kernel = 5, padding = 2) -> Relu -> MaxPool2d(2);
        Flatten -> fc: Linear(128) -> Relu;
        head: Linear(10);
    }
}

network! {
    /// Bottlenecks as in X-ResNet-50.
    struct Residual(image: [3, 64, 64]) -> [10] {
        block bottleneck(width, stride = 1) {
            conv1: Conv2d(width, kernel = 1) -> Relu;
            conv2: Conv2d(width, kernel = 3, stride = stride, padding = 1) -> Relu;
            conv3: Conv2d(4 * width, kernel = 1);
        }
        stem: Conv2d(32, kernel = 7, stride = 2, padding = 3) -> Relu -> MaxPool2d(3, stride = 2, padding = 1);
        down: residual { bottleneck(32, stride = 2) } skip { wider: Conv2d(128, kernel = 1, stride = 2) } -> Relu;
        rest: residual { bottleneck(32) } -> Relu;
        GlobalAvgPool -> Flatten;
        head: Linear(10);
    }
}

/// Part of the name of the function that callgrind counts in.
pub const COUNTED: &str = "count_this_run";

/// What can be run again and again.
pub struct Work(Box<dyn FnMut() -> Result<()>>);

impl Work {
    /// Runs twice, the second time counted.
    pub fn count(mut self) -> Result<()> {
        (self.0)()?;
        count_this_run(&mut *self.0)
    }
}

#[inline(never)]
fn count_this_run(run: &mut dyn FnMut() -> Result<()>) -> Result<()> {
    hint::black_box(run()) // so that it is no jump
}

type Prepare = fn() -> Result<Work>;

const NETWORKS: [(&str, Prepare); 5] = [
    ("x-gradient/plain", x_gradient::<Plain>),
    ("x-gradient/residual", x_gradient::<Residual>),
    (
        "x-gradient/vision-transformer",
        x_gradient::<XVit<32, 8, 48, 10>>,
    ),
    (
        "x-gradient/causal-transformer",
        x_gradient::<XLlama<16, 32, 50>>,
    ),
    ("x-gradient/u-net", x_gradient::<XUnet<1, 32, 16, 2>>),
];

/// The names of all works.
pub fn names() -> Vec<String> {
    let networks = NETWORKS.iter().map(|(name, _)| (*name).to_owned());
    networks.chain(cases().iter().map(name_of)).collect()
}

/// A work, ready to run.
pub fn find(name: &str) -> Result<Work> {
    if let Some((_, prepare)) = NETWORKS.iter().find(|(other, _)| *other == name) {
        return prepare();
    }
    let case = cases().into_iter().find(|case| name_of(case) == name);
    let mut kernel = case
        .with_context(|| format!("no work `{name}`"))?
        .prepare()?;
    Ok(Work(Box::new(move || Ok(kernel.run()?))))
}

fn name_of(case: &Case) -> String {
    format!("{}/{}", case.kernel, case.name)
}

fn x_gradient<N: XNetwork>() -> Result<Work> {
    let model = drawn(N::init(Seed(1))).compile(Device::Cpu)?;
    let dims = [&[1], N::INPUTS[0].shape.dims()].concat();
    let mut i = 0.0_f32;
    let x = ArrayD::from_shape_simple_fn(IxDyn(&dims), || {
        i += 1.0;
        i.sin()
    });
    Ok(Work(Box::new(move || {
        hint::black_box(model.attribute(&x, Target::Predicted)?);
        Ok(())
    })))
}

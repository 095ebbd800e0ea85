//! One model, many threads: the same bits as alone, whatever else runs at the same time.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

use std::sync::Barrier;
use std::thread;

use ndarray::{Array4, ArrayD};
use xdnn::prelude::*;
use xdnn::{DynamicModel, Error, Model};

network! {
    struct Pixels(image: [1, 12, 12]) -> [5] {
        conv1: Conv2d(8, kernel = 3, padding = 1) -> Relu -> MaxPool2d(2);
        conv2: Conv2d(12, kernel = 3) -> Relu;
        Flatten -> head: Linear(5);
    }
}

network! {
    struct Squares(image: [1, 12, 12]) -> [7] {
        product(a: Conv2d(4, kernel = 5) -> Relu, b: Conv2d(4, kernel = 5) -> Abs);
        Flatten -> head: Linear(7);
    }
}

const THREADS: usize = 4;
const ROUNDS: usize = 8;

const fn crosses_threads<T: Send + Sync>() {}
const _: () = {
    crosses_threads::<Model<Pixels>>();
    crosses_threads::<Model<Pixels, f64>>();
    crosses_threads::<DynamicModel>();
    crosses_threads::<Pixels>();
    crosses_threads::<Trainer<Pixels, Adam>>();
    crosses_threads::<Error>();
};

fn images(samples: usize, salt: usize) -> Array4<f32> {
    Array4::from_shape_fn((samples, 1, 12, 12), |(n, _, y, x)| {
        let i = salt + 7 * n + 3 * y + 5 * x + n * x * y;
        (i % 23) as f32 / 11.0 - 1.0
    })
}

/// What a model makes of a batch, bit for bit.
fn bits<N: XNetwork>(model: &Model<N>, images: &Array4<f32>) -> Vec<u32> {
    let attribution = model.attribute(images, Target::Predicted).unwrap();
    let logits: ArrayD<f32> = model.forward(images).unwrap();
    let outputs = attribution.outputs();
    let all = attribution.values().into_iter().chain(outputs);
    all.chain(&logits).map(|value| value.to_bits()).collect()
}

/// Runs `work` on all threads at once, each with its number.
fn at_once(work: impl Fn(usize) + Sync) {
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (start, work) = (&start, &work);
            scope.spawn(move || {
                start.wait();
                work(thread);
            });
        }
    });
}

#[test]
fn threads_share_a_model() {
    for device in [Device::Cpu, Device::Reference] {
        let model = Pixels::init(Seed(1)).compile(device).unwrap();
        let alone: Vec<_> = (0..THREADS).map(|t| bits(&model, &images(3, t))).collect();
        at_once(|thread| {
            for _ in 0..ROUNDS {
                assert_eq!(bits(&model, &images(3, thread)), alone[thread]);
            }
        });
    }
}

#[test]
fn threads_that_all_come_first_compile_one_program() {
    let known = Pixels::init(Seed(1)).compile(Device::Cpu).unwrap();
    let alone: Vec<_> = (0..THREADS).map(|t| bits(&known, &images(3, t))).collect();
    for _ in 0..ROUNDS {
        let model = Pixels::init(Seed(1)).compile(Device::Cpu).unwrap();
        at_once(|thread| assert_eq!(bits(&model, &images(3, thread)), alone[thread]));
    }
}

#[test]
fn models_do_not_disturb_each_other() {
    let pixels = Pixels::init(Seed(1)).compile(Device::Cpu).unwrap();
    let others = Pixels::init(Seed(2)).compile(Device::Cpu).unwrap();
    let squares = Squares::init(Seed(3)).compile(Device::Cpu).unwrap();
    let images = images(4, 0);
    let alone = [
        bits(&pixels, &images),
        bits(&others, &images),
        bits(&squares, &images),
    ];
    assert_ne!(alone[0], alone[1]);
    at_once(|thread| {
        for round in 0..ROUNDS {
            match (thread + round) % 3 {
                0 => assert_eq!(bits(&pixels, &images), alone[0]),
                1 => assert_eq!(bits(&others, &images), alone[1]),
                _ => assert_eq!(bits(&squares, &images), alone[2]),
            }
        }
    });
}

#[test]
fn batches_of_all_sizes_interleave() {
    const SIZES: [usize; 6] = [1, 9, 2, 33, 3, 16];
    let model = Pixels::init(Seed(1)).compile(Device::Cpu).unwrap();
    let alone = SIZES.map(|size| bits(&model, &images(size, size)));
    at_once(|thread| {
        for round in 0..2 * SIZES.len() {
            let i = (thread + round) % SIZES.len();
            assert_eq!(bits(&model, &images(SIZES[i], SIZES[i])), alone[i]);
        }
    });
}

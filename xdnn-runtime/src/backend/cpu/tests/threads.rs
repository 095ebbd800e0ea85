//! The same bits, whoever computes them.

use rayon::ThreadPoolBuilder;
use xdnn_ir::layer::{Flatten, Relu};
use xdnn_ir::{NetworkSpec, Operand};

use super::compile;
use super::networks::optimised;
use super::run;
use crate::backend::testing::networks::{conv2d, leaves, linear, residual};
use crate::graph::{Graph, Loss, Task};
use crate::sketch::Sketch;

/// Large enough that every kernel divides its work.
fn wide(channels: usize) -> NetworkSpec {
    let mut net = Sketch::new(&[("x", &[channels, 20, 20])]);
    let x = net.layer("a", conv2d(80, 3, 1, 1), Operand::Input(0));
    let x = net.layer("", Relu {}, x);
    let x = net.layer("a2", conv2d(32, 5, 1, 1), x);
    let x = net.layer("", Relu {}, x);
    let x = net.layer("b", conv2d(48, 3, 2, 2), x);
    let x = net.layer("c", conv2d(48, 3, 2, 48), x);
    let x = net.layer("d", conv2d(64, 3, 2, 1), x);
    let x = net.layer("", Flatten {}, x);
    let x = net.layer("e", linear(100), x);
    net.finish(x)
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for (batch, channels) in [(1, 16), (3, 16), (8, 3), (1, 3), (20, 3)] {
        for task in [
            Task::Attribute,
            Task::Train(Loss::CrossEntropy),
            Task::TrainWithGini(Loss::CrossEntropy),
        ] {
            let on = |threads: usize| {
                let pool = ThreadPoolBuilder::new().num_threads(threads).build();
                pool.unwrap().install(|| {
                    let mut graph = Graph::build(&wide(channels), task, batch).unwrap();
                    let values = leaves(&compile(&graph).unwrap(), 7);
                    let (program, leaves) = optimised(&mut graph, task, true, &values);
                    run(&program, &leaves)
                })
            };
            let one = on(1);
            for threads in [2, 3, 5] {
                assert!(one == on(threads), "{threads} threads, {batch} samples");
            }
        }
    }
}

#[test]
fn threads_share_a_program() {
    let program = compile(&Graph::build(&residual(), Task::Attribute, 4).unwrap()).unwrap();
    let inputs: Vec<_> = (0..4).map(|seed| leaves(&program, seed)).collect();
    let expected: Vec<_> = inputs.iter().map(|leaves| run(&program, leaves)).collect();
    std::thread::scope(|scope| {
        for (leaves, expected) in inputs.iter().zip(&expected) {
            let program = &program;
            scope.spawn(move || {
                for _ in 0..20 {
                    assert!(run(program, leaves) == *expected);
                }
            });
        }
    });
}

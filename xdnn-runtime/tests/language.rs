//! The whole way from text to numbers: what the front end makes of a declaration computes what was declared.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failing helper is a failing test"
)]

mod common;

use common::numbers::Numbers;
use common::random_network::random_network;
use common::run::{Leaves, run};
use xdnn_runtime::ops::Leaf;
use xdnn_runtime::{Graph, Task};

const NETWORKS: u64 = 400;

#[test]
fn declared_networks_compute_what_their_descriptions_do() {
    let mut declared = 0;
    for seed in 0..NETWORKS {
        let spec = random_network(seed);
        let Some(text) = xdnn_syntax::source(&spec) else {
            continue;
        };
        let checked =
            xdnn_syntax::check_str(&text).unwrap_or_else(|errors| panic!("{text}\n{errors}"));
        assert_eq!(
            (checked.degree(), checked.output_shape()),
            (spec.degree(), spec.output_shape()),
            "{text}"
        );

        let mut numbers = Numbers::new(seed ^ 0xC0DE);
        let (mut expected, mut found) = (Leaves::new(), Leaves::new());
        for (i, input) in spec.inputs().iter().enumerate() {
            let x = numbers.reals(input.shape.elements(), -1.0..1.0);
            expected.insert(Leaf::Input(i), x.clone());
            found.insert(Leaf::Input(i), x);
        }
        for (i, weight) in spec.weights().iter().enumerate() {
            let w = numbers.reals(weight.shape.elements(), -1.0..1.0);
            if let Some(j) = checked.weights().iter().position(|other| other == weight) {
                found.insert(Leaf::Weight(j), w.clone());
            }
            expected.insert(Leaf::Weight(i), w);
        }
        let expected = run(
            &mut Graph::build(&spec, Task::Forward, 1).unwrap(),
            &expected,
        );
        let found = run(
            &mut Graph::build(&checked, Task::Forward, 1).unwrap(),
            &found,
        );
        assert_eq!(found, expected, "{text}");
        declared += 1;
    }
    assert!(
        declared * 2 > NETWORKS,
        "only {declared} networks use all of their inputs"
    );
}

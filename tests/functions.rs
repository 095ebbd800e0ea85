//! Functions with `#[xdnn]` as steps of networks.
#![deny(warnings, missing_docs, unused_qualifications)]
#![deny(clippy::all, clippy::pedantic)]
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    clippy::cast_precision_loss,
    reason = "a failing helper is a failing test, equal means equal, and small integers are exact"
)]

use ndarray::Array2;
use xdnn::prelude::*;

/// Keeps a tenth below 0.
#[xdnn]
pub(crate) fn shrink(x: f32) -> f32 {
    if x > 0.0 { x } else { 0.1 * x }
}

mod act {
    use xdnn::xdnn;

    #[xdnn]
    pub(crate) fn squared(x: f32) -> f32 {
        x * x.max(0.0)
    }

    #[xdnn]
    pub(super) fn root(x: f32) -> f32 {
        f32::copysign(x.abs().sqrt(), x)
    }

    /// Of the same name as another, and exported for all that the macro knows.
    #[xdnn]
    pub fn shrink(x: f32) -> f32 {
        let half = 0.5 * x;
        half.max(x) - half.min(0.0)
    }

    pub(crate) mod deep {
        #[xdnn::xdnn]
        pub(in crate::act) fn sign(x: f32) -> f32 {
            if x == 0.0 { 0.0 } else { x.signum() }
        }
    }

    xdnn::network! {
        pub(crate) struct Inner(x: [4]) -> [4] {
            product(deep::sign, squared -> self::squared);
        }
    }
}

network! {
    pub(crate) struct Net(x: [6]) -> [3] {
        fc1: Linear(8) -> shrink;
        fc2: Linear(8) -> crate::act::squared;
        fc3: Linear(8) -> cut: act::shrink -> self::act::root;
        sum(fc4: Linear(3) -> ::hygiene::act::shrink, shrink -> fc5: Linear(3));
        repeat 2 { shrink }
    }
}

#[test]
fn functions_change_the_degree() {
    assert_eq!(Net::DEGREE, Degree::ONE);
    assert_eq!(act::Inner::DEGREE, Degree::integer(4));
    let operations: Vec<_> = Net::SPEC
        .nodes()
        .iter()
        .map(|node| format!("{} {}", node.operation, node.degree.unwrap()))
        .collect();
    assert_eq!(
        operations,
        [
            "Linear(8) 1",
            "shrink 1",
            "Linear(8) 1",
            "squared 2",
            "Linear(8) 2",
            "shrink 2",
            "root 1",
            "Linear(3) 1",
            "shrink 1",
            "shrink 1",
            "Linear(3) 1",
            "sum 1",
            "shrink 1",
            "shrink 1"
        ]
    );
}

/// What a network of one function computes is what the function does.
macro_rules! agree {
    ($($name:ident: $x:ident => $body:expr;)*) => {$(
        #[test]
        fn $name() {
            #[xdnn]
            fn f($x: f32) -> f32 {
                $body
            }
            network! {
                struct Single(x: [512]) -> [512] { f }
            }
            compare::<Single>(f);
        }
    )*};
}

agree! {
    rectify: x => x.max(0.0);
    leak: x => if x > 0.0 { x } else { 0.3 * x };
    cube: x => x.powi(3);
    quartic: x => x * x * x.powi(2);
    three_halves: x => x.abs().powf(1.5).copysign(x);
    square_root: x => x.max(0.0).sqrt() - 3.0 * (-x).max(0.0).sqrt();
    cube_root: x => 2.0 * x.cbrt();
    clamp: x => x.clamp(-2.0 * x.abs(), 0.5 * x.abs());
    quotient: x => if x == 0.0 { 0.0 } else { x.powi(3) / x.hypot(x) };
    gate: x => x * x.signum().tanh() * if x < 0.0 { 1.5 } else { 0.25 };
}

fn compare<N: XNetwork>(f: fn(f32) -> f32) {
    let x = Array2::from_shape_fn((3, 512), |(i, j)| match (i, j) {
        (0, 0) => 0.0,
        (1, 7) => -0.0,
        _ => ((j as f32).sin() * 4.0) * [0.1, 1.0, 10.0][i],
    });
    let close =
        |found: f32, expected: f32| (found - expected).abs() <= 4.0 * f32::EPSILON * expected.abs();
    let network = N::init(Seed(1));
    for device in [Device::Cpu, Device::Reference] {
        let model = network.compile(device).unwrap();
        for (x, found) in x.iter().zip(&model.forward(&x).unwrap()) {
            assert!(close(*found, f(*x)), "f({x}) = {}, not {found}", f(*x));
        }
        // By Euler's theorem the attribution of a function of one number is its value.
        let attribution = model.attribute(&x, Target::Class(5)).unwrap();
        for (i, (found, x)) in attribution.values().iter().zip(&x).enumerate() {
            let expected = if i % 512 == 5 { f(*x) } else { 0.0 };
            assert!(close(*found, expected), "at {x}: {expected}, not {found}");
        }
    }
}

#[test]
fn what_has_degree_zero_multiplies() {
    #[xdnn]
    fn step(x: f32) -> f32 {
        if x > 0.0 { 1.0 } else { -0.25 }
    }
    network! {
        struct Stepped(x: [3]) -> [3] { product({ step }, x -> Abs); }
    }
    assert_eq!(Stepped::DEGREE, Degree::ONE);
    let model = Stepped::init(Seed(1)).compile(Device::Cpu).unwrap();
    let x = ndarray::array![[2.0, 0.0, -2.0]];
    assert_eq!(
        model.forward(&x).unwrap(),
        ndarray::array![[2.0, 0.0, -0.5]].into_dyn()
    );
}

//! Functions beside networks, as text.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failing helper is a failing test"
)]

use xdnn_ir::{Degree, NetworkSpec, Operation};
use xdnn_syntax::check_str;

const ACTIVATIONS: &str = "
    #[xdnn] fn shrink(x: f32) -> f32 { if x > 0.0 { x } else { 0.1 * x } }
    #[xdnn] pub fn square(x: f32) -> f32 { x * x.max(0.0) }
    #[xdnn] fn sign(x: f32) -> f32 { if x > 0.0 { 1.0 } else { -1.0 } }
";

fn check(body: &str) -> Result<NetworkSpec, String> {
    let source = format!("{ACTIVATIONS} struct Net(x: [4]) -> [4] {{ {body} }}");
    check_str(&source).map_err(|errors| {
        let headlines: Vec<_> = errors.as_slice().iter().map(|e| e.headline()).collect();
        headlines.join("; ")
    })
}

fn degree(body: &str) -> Degree {
    let spec = check(body).unwrap_or_else(|errors| panic!("{body}: {errors}"));
    spec.degree().unwrap()
}

#[test]
fn a_function_multiplies_the_degree_by_its_own() {
    assert_eq!(degree("shrink"), Degree::ONE);
    assert_eq!(degree("square -> shrink -> square"), Degree::integer(4));
    assert_eq!(
        degree("product(x -> square, x -> sign)"),
        Degree::integer(2)
    );
    assert_eq!(degree("repeat 3 { square }"), Degree::integer(8));
    assert_eq!(
        degree("block twice() { square -> square } twice()"),
        Degree::integer(4)
    );
}

#[test]
fn nodes_hold_the_normal_form() {
    let spec = check("act: shrink()").unwrap();
    let Operation::Function(function) = &spec.nodes()[0].operation else {
        panic!("{spec}");
    };
    assert_eq!(function.name, "shrink");
    assert_eq!(spec.nodes()[0].path, "act");
    assert_eq!(
        [function.positive, function.negative, function.at_zero],
        [1.0, -0.1, 0.1]
    );
}

#[test]
fn misuse_is_refused() {
    for (body, headline) in [
        ("shrink(2)", "`shrink` takes no arguments"),
        (
            "sum(x, x -> square)",
            "`sum` mixes the degrees 1 and 2: its result is not homogeneous",
        ),
        (
            "sign",
            "`Net` is homogeneous of degree 0, which leaves nothing to attribute",
        ),
        ("crate::shrink", "unknown path `crate::shrink`"),
        ("other", "unknown value `other`"),
        ("Relu -> other", "unknown layer `other`"),
        ("layers::Relu", "layers have plain names"),
        (
            "repeat 40 { square }",
            "the degree of the result of `square` is too large to compute with",
        ),
    ] {
        assert_eq!(check(body).unwrap_err(), headline, "{body}");
    }
    let several = "struct Net(a: [4], b: [4]) -> [4] { shrink -> sum(a, b); }";
    let errors = check_str(&format!("{ACTIVATIONS} {several}")).unwrap_err();
    assert_eq!(
        errors.as_slice()[0].headline(),
        "`shrink` has nothing to read"
    );
}

#[test]
fn a_refused_function_is_reported_once() {
    let errors = check_str(
        "#[xdnn] fn wrong(x: f32) -> f32 { x + 1.0 } struct Net(x: [4]) -> [2] { wrong -> fc: Linear(2) }",
    )
    .unwrap_err();
    let headlines: Vec<_> = errors.as_slice().iter().map(|e| e.headline()).collect();
    assert_eq!(
        headlines,
        ["`+` mixes the degrees 1 and 0: its result is not homogeneous"]
    );
}

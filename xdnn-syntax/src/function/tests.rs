//! The calculus: what it accepts has the degree that it says, and what it refuses has none.
#![allow(clippy::panic, reason = "a failing helper is a failing test")]

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use xdnn_ir::{Degree, Function};

use super::{argument, body::Kind, parse, program, read};
use crate::diagnostic::Collector;
use crate::prove_str;

fn prove(body: &str) -> Result<Function, String> {
    prove_str(&format!("fn f(x: f32) -> f32 {{ {body} }}")).map_err(|errors| {
        let headlines: Vec<_> = errors.as_slice().iter().map(|e| e.headline()).collect();
        headlines.join("; ")
    })
}

fn degree(text: &str) -> Degree {
    let (numerator, denominator) = text.split_once('/').unwrap_or((text, "1"));
    Degree::rational(numerator.parse().unwrap(), denominator.parse().unwrap()).unwrap()
}

/// `name, "body" => degree 2;` or `name, "body" => degree 1, 1.0, -0.1, 0.1;`, with the values at 1, −1 and 0.
macro_rules! homogeneous {
    ($($name:ident, $body:literal => degree $degree:literal $(, $positive:literal, $negative:literal, $zero:literal)?;)*) => {$(
        #[test]
        fn $name() {
            let function = prove($body).unwrap_or_else(|errors| panic!("{errors}"));
            assert_eq!(function.degree, degree(stringify!($degree).trim_matches('"')));
            $(assert_eq!([function.positive, function.negative, function.at_zero], [$positive, $negative, $zero]);)?
        }
    )*};
}

/// `name, "body" => "headline";`
macro_rules! refused {
    ($($name:ident, $body:literal => $headline:literal;)*) => {$(
        #[test]
        fn $name() {
            assert_eq!(prove($body).unwrap_err(), $headline);
        }
    )*};
}

homogeneous! {
    identity, "x" => degree 1, 1.0, -1.0, 1.0;
    relu, "x.max(0.0)" => degree 1, 1.0, 0.0, 0.0;
    relu_the_other_way_round, "0.0_f32.max(x)" => degree 1, 1.0, 0.0, 0.0;
    relu_by_path, "f32::max(x, 0.)" => degree 1, 1.0, 0.0, 0.0;
    relu_by_clamp, "x.clamp(0.0, x.abs())" => degree 1, 1.0, 0.0, 0.0;
    absolute, "x.abs()" => degree 1, 1.0, 1.0, 0.0;
    absolute_by_max, "x.max(-x)" => degree 1, 1.0, 1.0, 0.0;
    absolute_by_root, "(x * x).sqrt()" => degree 1, 1.0, 1.0, 0.0;
    leaky, "if x > 0.0 { x } else { 0.1 * x }" => degree 1, 1.0, -0.1, 0.1;
    leaky_by_max, "x.max(0.1 * x)" => degree 1, 1.0, -0.1, 0.1;
    negative_slope, "if x > 0.0 { x } else { -0.5 * x }" => degree 1, 1.0, 0.5, -0.5;
    kinks_take_the_branch, "if x >= 0.0 { 2.0 * x } else { x }" => degree 1, 2.0, -1.0, 2.0;
    with_lets, "const K: f32 = 0.5; let y: f32 = K * x; let z = { let y = y + x; y }; z - y" => degree 1, 1.0, -1.0, 1.0;
    shadowing, "let x = x * x; let x = x * x; x" => degree 4;
    squared_relu, "x * x.max(0.0)" => degree 2, 1.0, 0.0, 0.0;
    cube, "x.powi(3)" => degree 3, 1.0, -1.0, 0.0;
    root, "x.max(0.0).sqrt()" => degree "1/2", 1.0, 0.0, 0.0;
    signed_root, "x.signum() * x.abs().sqrt()" => degree "1/2", 1.0, -1.0, 0.0;
    cube_root, "x.cbrt()" => degree "1/3", 1.0, -1.0, 0.0;
    three_halves, "x.abs().powf(1.5).copysign(x)" => degree "3/2", 1.0, -1.0, 0.0;
    norm_of_slopes, "x.hypot(2.0 * x)" => degree 1;
    quotient, "if x == 0.0 { 0.0 } else { x.powi(4) / (x * x + 3.0 * x.powi(2)) }" => degree 2, 0.25, 0.25, 0.0;
    step, "if x > 0.0 { 1.0 } else { 0.0 }" => degree 0, 1.0, 0.0, 0.0;
    sign, "if x > 0.0 { 1.0 } else if x < 0.0 { -1.0 } else { 0.5 }" => degree 0, 1.0, -1.0, 0.5;
    functions_of_degree_zero, "x * x.signum().tanh().exp()" => degree 1;
    constants_fold, "x * (2.0_f32.ln() - 1.0).exp() + x * (1.0 - 1.0)" => degree 1;
    zero_has_every_degree, "x * x + (2.0 - 2.0) + 0.0 * x" => degree 2, 1.0, 1.0, 0.0;
    constants_of_std, "x * std::f32::consts::SQRT_2" => degree 1;
    truths, "if (x > 0.0 && !(x < 0.0)) || false { x } else { 0.0 }" => degree 1, 1.0, 0.0, 0.0;
    equal_degrees_compare, "if x.abs() > x { -x } else { x }" => degree 1, 1.0, 1.0, 1.0;
    fused, "x.mul_add(2.0, x)" => degree 1, 3.0, -3.0, 3.0;
    of_either_sign, "if x.is_sign_negative() { 0.0 } else { x }" => degree 1, 1.0, 0.0, 1.0;
}

refused! {
    offset, "x + 1.0" => "`+` mixes the degrees 1 and 0: its result is not homogeneous";
    clipped_twice, "x.max(0.0).min(6.0)" => "`min` mixes the degrees 1 and 0: its result is not homogeneous";
    clamped, "x.clamp(0.0, 6.0)" => "`clamp` mixes the degrees 1 and 0: its result is not homogeneous";
    polynomial, "x * x + x" => "`+` mixes the degrees 2 and 1: its result is not homogeneous";
    sigmoid, "1.0 / (1.0 + (-x).exp())" => "`exp` of a value of degree 1 is not homogeneous";
    hyperbolic, "x.tanh()" => "`tanh` of a value of degree 1 is not homogeneous";
    rounding, "x.floor()" => "`floor` of a value of degree 1 is not homogeneous";
    threshold, "if x > 1.0 { x } else { 0.0 }" => "`>` compares the degrees 1 and 0: scaling changes its answer";
    branches, "if x > 0.0 { x } else { x * x }" => "`if` mixes the degrees 1 and 2: its result is not homogeneous";
    two_mistakes, "(x + 1.0) * x.sin()" => "`+` mixes the degrees 1 and 0: its result is not homogeneous; `sin` of a value of degree 1 is not homogeneous";
    nothing, "0.0 * x" => "`f` is 0 everywhere";
    difference_of_equals, "x - x" => "`f` is 0 everywhere";
    inverse, "1.0 / x" => "`f` is homogeneous of degree -1, and has no value at 0";
    roots_of_both_signs, "x.sqrt()" => "`f(-1.0)` is not a number";
    no_value_at_zero, "x * x / x" => "`f(0.0)` is not a number";
    no_value_at_all, "x / (x - x)" => "`f(1.0)` is not finite";
    truth, "x > 0.0" => "`f` returns a `bool`";
    integers, "x * 2" => "expected a number of type `f32`";
    overflow, "x * 1e39" => "expected a number that fits `f32`";
    unknown_name, "x * SLOPE" => "the value of `SLOPE` is not known here";
    unknown_function, "helper(x)" => "what `helper` does is not known here";
    unknown_method, "x.next_up()" => "what `next_up` does to a degree is not known";
    inexact_exponents, "x.abs().powf(0.3)" => "the exponent of `powf` must be a fraction that `f32` holds exactly";
    large_degrees, "x.powi(2000000000) * x.powi(2000000000)" => "the degree of this is too large to compute with";
    without_else, "if x > 0.0 { x }" => "this `if` has no `else`";
    returning, "return x" => "`return` cannot stand in a function of `#[xdnn]`";
    mutable, "let mut y = x; y" => "only plain names can be bound in a function of `#[xdnn]`";
    assigning, "let y = x; y = 2.0; y" => "this statement cannot stand in a function of `#[xdnn]`";
    empty, "" => "this block has no value";
    remainder, "x % 2.0" => "`%` cannot stand in a function of `#[xdnn]`";
}

#[test]
fn heads_have_one_form() {
    for (head, headline) in [
        (
            "fn f(x: f64) -> f32",
            "the argument of a function of `#[xdnn]` is an `f32`",
        ),
        (
            "fn f(x: f32) -> f64",
            "a function of `#[xdnn]` returns an `f32`",
        ),
        ("fn f(x: f32)", "a function of `#[xdnn]` returns an `f32`"),
        ("fn f() -> f32", "a function of `#[xdnn]` has one argument"),
        (
            "fn f(x: f32, y: f32) -> f32",
            "a function of `#[xdnn]` has one argument, the element that it maps",
        ),
        (
            "fn f<T>(x: f32) -> f32",
            "a function of `#[xdnn]` cannot be generic",
        ),
        (
            "async fn f(x: f32) -> f32",
            "a function of `#[xdnn]` cannot be `async`",
        ),
        (
            "unsafe fn f(x: f32) -> f32",
            "a function of `#[xdnn]` cannot be `unsafe`",
        ),
        (
            "extern \"C\" fn f(x: f32) -> f32",
            "a function of `#[xdnn]` has Rust's calling convention",
        ),
        (
            "fn f(mut x: f32) -> f32",
            "the argument of a function of `#[xdnn]` has a plain name",
        ),
    ] {
        let errors = prove_str(&format!("{head} {{ x }}")).unwrap_err();
        assert_eq!(errors.as_slice()[0].headline(), headline);
    }
    assert!(prove_str("const fn f(x: f32) -> f32 { x }").is_ok());
}

#[test]
fn the_guilty_part_is_blamed() {
    let errors = prove_str("fn f(x: f32) -> f32 { 2.0 * (x + 1.0) }").unwrap_err();
    let error = &errors.as_slice()[0];
    assert_eq!(error.position(), (1, 29));
    assert_eq!(
        error.notes(),
        ["scaling the argument by a > 0 scales one side by a and the other by 1"]
    );
    assert_eq!(
        error.helps(),
        ["remove the constant: only 0 scales with everything"]
    );
}

#[test]
fn long_bodies_are_refused_before_they_overflow_the_stack() {
    for deep in ["-".repeat(100_000) + "x", "x + ".repeat(50_000) + "x"] {
        assert!(prove(&deep).unwrap_err().contains("tokens"));
    }
    prove(&("x + ".repeat(470) + "x")).unwrap();
    prove(&("-".repeat(950) + "x")).unwrap();
}

/// Random bodies, most of which have no degree.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => Just("x".to_owned()),
        1 => Just("0.0".to_owned()),
        1 => Just("1.5".to_owned()),
    ];
    leaf.prop_recursive(5, 24, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            (two.clone(), prop::sample::select(vec!["+", "-", "*", "/"]))
                .prop_map(|((a, b), op)| format!("({a} {op} {b})")),
            (
                two.clone(),
                prop::sample::select(vec!["max", "min", "hypot", "copysign"])
            )
                .prop_map(|((a, b), name)| format!("f32::{name}({a}, {b})")),
            (
                inner.clone(),
                prop::sample::select(vec![
                    "abs()",
                    "sqrt()",
                    "cbrt()",
                    "recip()",
                    "signum()",
                    "powi(2)",
                    "powi(-1)",
                    "powf(1.5)",
                    "exp()",
                    "tanh()",
                    "floor()",
                ])
            )
                .prop_map(|(a, call)| format!("({a}).{call}")),
            (
                two,
                inner.clone(),
                inner,
                prop::sample::select(vec!["<", ">=", "==", "!="])
            )
                .prop_map(|((a, b), c, d, op)| format!(
                    "(if {a} {op} {b} {{ {c} }} else {{ {d} }})"
                )),
        ]
    })
}

/// Whatever the calculus gives a degree has it: at every point and scale, computed step by step.
#[test]
fn accepted_bodies_are_homogeneous() {
    let (accepted, compared) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(ProptestConfig::with_cases(20_000));
    let checked = runner.run(&expression(), |body| {
        let mut errors = Collector::default();
        let source = format!("fn f(x: f32) -> f32 {{ {body} }}");
        let item = parse(source.parse().unwrap(), &mut errors).unwrap();
        let known = read(argument(&item.sig).unwrap(), &item, &mut errors);
        if errors.finish().is_err() {
            return Ok(());
        }
        accepted.set(accepted.get() + 1);
        let (steps, kind) = known.unwrap();
        let degree = match kind {
            Kind::Degree(degree) => degree.to_f64(),
            Kind::Zero | Kind::Truth => 0.0,
        };
        for x in [1.0, -1.0, 0.75, -3.0, 0.0] {
            let at_one = program::at(&steps, x).value;
            // Powers of two scale without rounding, so that equal numbers stay equal.
            for scale in [-9, -3, 2, 10].map(|exponent| 64_f64.powi(exponent)) {
                let expected = at_one * scale.powf(degree);
                let found = program::at(&steps, scale * x).value;
                if expected.is_finite() && (expected == 0.0 || expected.abs() > 1e-200) {
                    prop_assert!(
                        (found - expected).abs() <= 1e-9 * expected.abs(),
                        "{body} at {x} * {scale}: {found}, not {expected}"
                    );
                    compared.set(compared.get() + 1);
                }
            }
        }
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
    assert!(
        accepted.get() > 2_000 && compared.get() > 20_000,
        "{accepted:?} bodies, {compared:?} values"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// Two values and a degree are the whole function.
    #[test]
    fn a_function_is_its_normal_form(body in expression()) {
        let Ok(function) = prove(&body) else { return Ok(()) };
        let mut errors = Collector::default();
        let item = parse(format!("fn f(x: f32) -> f32 {{ {body} }}").parse().unwrap(), &mut errors).unwrap();
        let (steps, _) = read(argument(&item.sig).unwrap(), &item, &mut errors).unwrap();
        prop_assert!(errors.finish().is_ok());
        for x in [0.5, -0.5, 3.0, -40.0, 0.0] {
            let (expected, found) = (program::at(&steps, x).value, function.at(x));
            prop_assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{body} at {x}: {found}, not {expected}");
        }
    }
}

//! The methods of `f32` that a body may call, and what they do to degrees.

/// How a method of one number changes the degree.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    /// `|a·x| = a·|x|`
    Abs,
    /// `√(a·x) = √a·√x`, and the same for the cube root.
    Root(i32),
    /// `1/(a·x) = a⁻¹/x`
    Recip,
    /// The scale does not matter: the result has degree 0.
    Sign(fn(f64) -> f64),
    /// The scale does not matter: the result is a truth.
    Truth(fn(f64) -> bool),
    /// Has no degree: only values of degree 0 can pass.
    Fixed(fn(f64) -> f64),
}

/// The rule of the method of this name, where it has one argument, `self`.
pub(super) fn unary(name: &str) -> Option<Rule> {
    use Rule::{Abs, Fixed, Recip, Root, Sign, Truth};
    Some(match name {
        "abs" => Abs,
        "sqrt" => Root(2),
        "cbrt" => Root(3),
        "recip" => Recip,
        "signum" => Sign(f64::signum),
        "is_sign_positive" => Truth(f64::is_sign_positive),
        "is_sign_negative" => Truth(f64::is_sign_negative),
        "exp" => Fixed(f64::exp),
        "exp2" => Fixed(f64::exp2),
        "exp_m1" => Fixed(f64::exp_m1),
        "ln" => Fixed(f64::ln),
        "ln_1p" => Fixed(f64::ln_1p),
        "log2" => Fixed(f64::log2),
        "log10" => Fixed(f64::log10),
        "sin" => Fixed(f64::sin),
        "cos" => Fixed(f64::cos),
        "tan" => Fixed(f64::tan),
        "asin" => Fixed(f64::asin),
        "acos" => Fixed(f64::acos),
        "atan" => Fixed(f64::atan),
        "sinh" => Fixed(f64::sinh),
        "cosh" => Fixed(f64::cosh),
        "tanh" => Fixed(f64::tanh),
        "asinh" => Fixed(f64::asinh),
        "acosh" => Fixed(f64::acosh),
        "atanh" => Fixed(f64::atanh),
        "floor" => Fixed(f64::floor),
        "ceil" => Fixed(f64::ceil),
        "round" => Fixed(f64::round),
        "trunc" => Fixed(f64::trunc),
        "fract" => Fixed(f64::fract),
        _ => return None,
    })
}

/// A constant of `std::f32::consts`.
pub(super) fn constant(name: &str) -> Option<f64> {
    use std::f64::consts;
    Some(match name {
        "PI" => consts::PI,
        "TAU" => consts::TAU,
        "E" => consts::E,
        "SQRT_2" => consts::SQRT_2,
        "FRAC_1_SQRT_2" => consts::FRAC_1_SQRT_2,
        "FRAC_PI_2" => consts::FRAC_PI_2,
        "FRAC_1_PI" => consts::FRAC_1_PI,
        "FRAC_2_PI" => consts::FRAC_2_PI,
        "LN_2" => consts::LN_2,
        "LN_10" => consts::LN_10,
        _ => return None,
    })
}

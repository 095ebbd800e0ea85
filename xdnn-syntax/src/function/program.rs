//! The body of a function as a list of steps, each of which reads earlier ones.

/// A number, and the derivative of the body up to here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dual {
    pub value: f64,
    pub slope: f64,
}

/// A truth is 1 or 0.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Argument,
    Constant(f64),
    Negate(usize),
    Abs(usize),
    Root(i32, usize),
    Power(f64, usize),
    /// A function whose derivative is 0 wherever it is of use: of a value that does not change with the argument, or
    /// constant for each sign.
    Flat(fn(f64) -> f64, usize),
    Add(usize, usize),
    Multiply(usize, usize),
    Divide(usize, usize),
    Max(usize, usize),
    Min(usize, usize),
    Hypot(usize, usize),
    CopySign(usize, usize),
    /// Whether the comparison holds, of two numbers or two truths.
    Test(fn(f64, f64) -> bool, usize, usize),
    /// The second where the first is true, the third elsewhere.
    Select(usize, usize, usize),
}

impl Step {
    /// What it reads.
    pub(super) fn operands(self) -> Vec<usize> {
        match self {
            Self::Argument | Self::Constant(_) => vec![],
            Self::Negate(a)
            | Self::Abs(a)
            | Self::Root(_, a)
            | Self::Power(_, a)
            | Self::Flat(_, a) => vec![a],
            Self::Add(a, b)
            | Self::Multiply(a, b)
            | Self::Divide(a, b)
            | Self::Max(a, b)
            | Self::Min(a, b)
            | Self::Hypot(a, b)
            | Self::CopySign(a, b)
            | Self::Test(_, a, b) => vec![a, b],
            Self::Select(a, b, c) => vec![a, b, c],
        }
    }

    /// The result at `x`, where `of` gives those of earlier steps.
    pub(super) fn at(self, x: f64, of: impl Fn(usize) -> Dual) -> Dual {
        let dual = |value, slope| Dual { value, slope };
        match self {
            Self::Argument => dual(x, 1.0),
            Self::Constant(value) => dual(value, 0.0),
            Self::Negate(a) => dual(-of(a).value, -of(a).slope),
            Self::Abs(a) => {
                let a = of(a);
                let sign = if a.value == 0.0 {
                    0.0
                } else {
                    a.value.signum()
                };
                dual(a.value.abs(), sign * a.slope)
            }
            Self::Root(n, a) => {
                let a = of(a);
                let root = match n {
                    3 => a.value.cbrt(),
                    _ => a.value.sqrt(),
                };
                dual(root, a.slope / (f64::from(n) * root.powi(n - 1)))
            }
            Self::Power(p, a) => {
                let a = of(a);
                dual(a.value.powf(p), p * a.value.powf(p - 1.0) * a.slope)
            }
            Self::Flat(f, a) => dual(f(of(a).value), 0.0),
            Self::Add(a, b) => dual(of(a).value + of(b).value, of(a).slope + of(b).slope),
            Self::Multiply(a, b) => {
                let (a, b) = (of(a), of(b));
                dual(a.value * b.value, a.value * b.slope + a.slope * b.value)
            }
            Self::Divide(a, b) => {
                let (a, b) = (of(a), of(b));
                let value = a.value / b.value;
                dual(value, (a.slope - value * b.slope) / b.value)
            }
            Self::Max(a, b) => {
                let (a, b) = (of(a), of(b));
                dual(
                    a.value.max(b.value),
                    chosen(a, b, a.value > b.value, a.value < b.value),
                )
            }
            Self::Min(a, b) => {
                let (a, b) = (of(a), of(b));
                dual(
                    a.value.min(b.value),
                    chosen(a, b, a.value < b.value, a.value > b.value),
                )
            }
            Self::Hypot(a, b) => {
                let (a, b) = (of(a), of(b));
                let value = a.value.hypot(b.value);
                dual(value, (a.value * a.slope + b.value * b.slope) / value)
            }
            Self::CopySign(a, b) => {
                let (a, b) = (of(a), of(b));
                let flips = a.value.signum() != b.value.signum();
                dual(
                    a.value.copysign(b.value),
                    if flips { -a.slope } else { a.slope },
                )
            }
            Self::Test(test, a, b) => dual(f64::from(test(of(a).value, of(b).value)), 0.0),
            Self::Select(condition, yes, no) => {
                if of(condition).value == 0.0 {
                    of(no)
                } else {
                    of(yes)
                }
            }
        }
    }
}

/// The slope of the operand that is chosen; between equal ones, that of neither side.
fn chosen(a: Dual, b: Dual, first: bool, second: bool) -> f64 {
    match (first, second) {
        (true, _) => a.slope,
        (_, true) => b.slope,
        _ => between(a.slope, b.slope),
    }
}

/// The slope at a kink between two slopes: the smaller one, or 0 where the sign changes. This is 0 for ReLU and `|x|`,
/// and the negative slope of a leaky ReLU.
pub(super) fn between(a: f64, b: f64) -> f64 {
    if a * b <= 0.0 {
        0.0
    } else if a.abs() < b.abs() {
        a
    } else {
        b
    }
}

/// The result of the last step at `x`.
pub(super) fn at(steps: &[Step], x: f64) -> Dual {
    let mut results: Vec<Dual> = Vec::with_capacity(steps.len());
    for step in steps {
        let result = step.at(x, |i| results[i]);
        results.push(result);
    }
    results.pop().unwrap_or(Dual {
        value: 0.0,
        slope: 0.0,
    })
}

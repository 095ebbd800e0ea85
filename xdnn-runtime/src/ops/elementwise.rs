//! Elementwise operators.

use std::f64::consts::{FRAC_2_SQRT_PI, FRAC_PI_2, LN_2, LOG2_E};

use xdnn_ir::Shape;

use super::{Applied, Operation, Real, TensorView, accumulate, bilinear_tangent, misfit};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::lowering::{Dense, Primitives};

/// `a + b`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Add;

/// `a · b`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mul;

/// One slope for each sign of `x`. Which slope holds at the kink is the convention that parity with other frameworks
/// needs: ReLU'(0) = 0, |·|'(0) = 0, and the negative slope for leaky ReLU and PReLU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slopes {
    /// For `x > 0`.
    pub positive: f64,
    /// For `x = 0`.
    pub zero: f64,
    /// For `x < 0`.
    pub negative: f64,
}

/// A function of each element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Map {
    /// `c·x`.
    Scale(f64),
    /// The slope at `x`: constant between kinks, so its own derivative is 0.
    Slope(Slopes),
    /// `slope(x)·x`: ReLU, leaky ReLU, absolute value.
    PiecewiseLinear(Slopes),
    /// `eˣ`.
    Exp,
    /// `ln x`.
    Ln,
    /// `1/x`, and 0 at 0, so that `0/0` is 0 and no derivative is infinite.
    Recip,
    /// `√x`.
    Sqrt,
    /// `xᵖ` for `x > 0`, and 0 otherwise, whatever `p` is: so is each derivative, and none is infinite at 0.
    Power(f64),
    /// `eˣ − 1`.
    ExpM1,
    /// `sin x`.
    Sin,
    /// `cos x`.
    Cos,
    /// `1 / (1 + e⁻ˣ)`.
    Sigmoid,
    /// `tanh x`.
    Tanh,
    /// `2/√π · ∫₀ˣ e^(−t²) dt`.
    Erf,
    /// `ln(1 + eˣ)`.
    Softplus,
}

impl Slopes {
    /// `max(x, 0)`.
    pub const RELU: Self = Self {
        positive: 1.0,
        zero: 0.0,
        negative: 0.0,
    };
    /// `|x|`.
    pub const ABS: Self = Self {
        positive: 1.0,
        zero: 0.0,
        negative: -1.0,
    };
    /// `min(x, 0)`, with the slope 1 at 0: what PReLU multiplies by its weight.
    pub const NEGATIVE_PART: Self = Self {
        positive: 0.0,
        zero: 1.0,
        negative: 1.0,
    };

    /// `x` for `x > 0`, `slope·x` otherwise.
    pub const fn leaky(slope: f64) -> Self {
        Self {
            positive: 1.0,
            zero: slope,
            negative: slope,
        }
    }

    /// The slope at `x`.
    pub fn at<T: Real>(self, x: T) -> T {
        T::of(if x > T::zero() {
            self.positive
        } else if x < T::zero() {
            self.negative
        } else {
            self.zero
        })
    }
}

impl Map {
    /// The value at `x`.
    pub fn apply<T: Real>(self, x: T) -> T {
        match self {
            Self::Scale(factor) => T::of(factor) * x,
            Self::Slope(slopes) => slopes.at(x),
            Self::PiecewiseLinear(slopes) => match slopes.at(x) {
                // A slope of 0 cuts off whatever stands there, infinities included.
                slope if slope.is_zero() && !x.is_nan() => T::zero(),
                slope => slope * x,
            },
            Self::Exp => x.exp(),
            Self::Ln => x.ln(),
            Self::Recip if x.is_zero() => T::zero(),
            Self::Recip => x.recip(),
            Self::Sqrt => x.sqrt(),
            Self::Power(exponent) => power(x, exponent),
            Self::ExpM1 => x.exp_m1(),
            Self::Sin => x.sin(),
            Self::Cos => x.cos(),
            Self::Sigmoid => (T::one() + (-x).exp()).recip(),
            Self::Tanh => x.tanh(),
            Self::Erf => x.erf(),
            Self::Softplus => x.max(T::zero()) + (-x.abs()).exp().ln_1p(),
        }
    }

    /// `f'(x) · t`, given `y = f(x)`; `None` is zero. The same rule serves both modes, as the Jacobian is diagonal.
    fn differential(
        self,
        graph: &mut Graph,
        x: Value,
        y: Value,
        t: Value,
    ) -> Result<Option<Value>> {
        let product = match self {
            Self::Scale(factor) => graph.scale(t, factor)?, // d(cx) = c dx
            Self::Slope(_) => return Ok(None),              // constant between kinks
            Self::PiecewiseLinear(slopes) => {
                let slope = graph.map(Self::Slope(slopes), x)?;
                graph.mul(t, slope)? // d(s(x)·x) = s(x) dx
            }
            Self::Exp => graph.mul(t, y)?, // d eˣ = eˣ dx
            Self::Ln => {
                let recip = graph.map(Self::Recip, x)?;
                graph.mul(t, recip)? // d ln x = dx / x
            }
            Self::Recip => {
                let square = graph.mul(y, y)?;
                let product = graph.mul(t, square)?;
                graph.scale(product, -1.0)? // d x⁻¹ = −x⁻² dx
            }
            Self::Sqrt => {
                let recip = graph.map(Self::Recip, y)?;
                let product = graph.mul(t, recip)?;
                graph.scale(product, 0.5)? // d √x = dx / 2√x
            }
            Self::Power(exponent) => {
                let lower = graph.map(Self::Power(exponent - 1.0), x)?;
                let product = graph.mul(t, lower)?;
                graph.scale(product, exponent)? // d xᵖ = p xᵖ⁻¹ dx
            }
            Self::ExpM1 => {
                let exp = graph.map(Self::Exp, x)?;
                graph.mul(t, exp)? // d (eˣ − 1) = eˣ dx
            }
            Self::Sin => {
                let cos = graph.map(Self::Cos, x)?;
                graph.mul(t, cos)? // d sin x = cos x dx
            }
            Self::Cos => {
                let sin = graph.map(Self::Sin, x)?;
                let product = graph.mul(t, sin)?;
                graph.scale(product, -1.0)? // d cos x = −sin x dx
            }
            Self::Sigmoid => {
                let slope = bell(graph, x)?;
                graph.mul(t, slope)? // d σ(x) = σ(x) σ(−x) dx
            }
            Self::Tanh => {
                let double = graph.scale(x, 2.0)?;
                let slope = bell(graph, double)?;
                let product = graph.mul(t, slope)?;
                graph.scale(product, 4.0)? // d tanh x = 4 σ(2x) σ(−2x) dx, as tanh x = 2σ(2x) − 1
            }
            Self::Erf => {
                let square = graph.mul(x, x)?;
                let negative = graph.scale(square, -1.0)?;
                let gaussian = graph.map(Self::Exp, negative)?;
                let product = graph.mul(t, gaussian)?;
                graph.scale(product, FRAC_2_SQRT_PI)? // d erf x = 2/√π e^(−x²) dx
            }
            Self::Softplus => {
                let slope = graph.map(Self::Sigmoid, x)?;
                graph.mul(t, slope)? // d ln(1 + eˣ) = σ(x) dx
            }
        };
        Ok(Some(product))
    }
}

/// `xᵖ` for `x > 0`, and 0 otherwise. The exponents of layers and of their derivatives are computed without logarithms.
fn power<T: Real>(x: T, exponent: f64) -> T {
    let positive = x > T::zero() || x.is_nan();
    match exponent {
        _ if !positive => T::zero(),
        0.0 => T::one(),
        1.0 => x,
        2.0 => x * x,
        -1.0 => x.recip(),
        0.5 => x.sqrt(),
        -0.5 => x.sqrt().recip(),
        -1.5 => (x * x.sqrt()).recip(),
        exponent => x.powf(T::of(exponent)),
    }
}

/// `σ(x)·σ(−x)`, which loses no digits where one of the two is close to 1.
fn bell(graph: &mut Graph, x: Value) -> Result<Value> {
    let negative = graph.scale(x, -1.0)?;
    let left = graph.map(Map::Sigmoid, x)?;
    let right = graph.map(Map::Sigmoid, negative)?;
    graph.mul(left, right)
}

impl Slopes {
    /// The slope at `x`. One of the summands is not 0.
    fn lower(self, to: &mut Primitives<'_>, x: Dense) -> Dense {
        let positive = to.above(x, 0.0);
        if self == Self::RELU {
            return positive;
        }
        let negative = to.below(x, 0.0);
        let signed = to.add(positive, negative);
        let zero = to.not(signed);
        let sides = [
            (positive, self.positive),
            (zero, self.zero),
            (negative, self.negative),
        ];
        let slopes = sides.into_iter().filter(|(_, slope)| *slope != 0.0);
        let slopes: Vec<Dense> = slopes.map(|(side, slope)| to.scale(side, slope)).collect();
        match slopes.split_first() {
            Some((first, rest)) => rest.iter().fold(*first, |sum, slope| to.add(sum, *slope)),
            None => to.fill(0.0, x.shape()),
        }
    }
}

fn exp(to: &mut Primitives<'_>, x: Dense) -> Dense {
    let x = to.scale(x, LOG2_E);
    to.exp2(x)
}

fn ln(to: &mut Primitives<'_>, x: Dense) -> Dense {
    let log = to.log2(x);
    to.scale(log, LN_2)
}

fn ratio(to: &mut Primitives<'_>, a: Dense, b: Dense) -> Dense {
    let recip = to.recip(b);
    to.mul(a, recip)
}

/// 1 where `x` is 0, 0 elsewhere.
fn is_zero(to: &mut Primitives<'_>, x: Dense) -> Dense {
    let (positive, negative) = (to.above(x, 0.0), to.below(x, 0.0));
    let signed = to.add(positive, negative);
    to.not(signed)
}

/// `c₀ + c₁x + c₂x² + …`.
fn polynomial(to: &mut Primitives<'_>, x: Dense, coefficients: &[f64]) -> Dense {
    let mut coefficients = coefficients.iter().rev();
    let last = coefficients.next().copied().unwrap_or_default();
    let start = to.fill(last, x.shape());
    coefficients.fold(start, |sum, coefficient| {
        let product = to.mul(sum, x);
        to.shift(product, *coefficient)
    })
}

/// See [`power`]. Where `x` is not positive, the power of 1 stands in for it.
fn lower_power(to: &mut Primitives<'_>, x: Dense, exponent: f64) -> Dense {
    let positive = to.above(x, 0.0);
    let other = to.not(positive);
    let kept = to.mul(x, positive);
    let safe = to.add(kept, other);
    let power = match exponent {
        0.0 => return positive,
        1.0 => return kept,
        2.0 => return to.mul(kept, kept),
        0.5 => return to.sqrt(kept),
        -1.0 => to.recip(safe),
        -0.5 => {
            let root = to.sqrt(safe);
            to.recip(root)
        }
        -1.5 => {
            let root = to.sqrt(safe);
            let product = to.mul(safe, root);
            to.recip(product)
        }
        exponent => {
            let log = to.log2(safe);
            let log = to.scale(log, exponent);
            to.exp2(log)
        }
    };
    to.mul(power, positive)
}

/// `eˣ − 1`. Near 0 it is `(u − 1) · x / ln u` for the rounded `u = eˣ`, whose error the quotient cancels (Higham,
/// *Accuracy and Stability of Numerical Algorithms*, section 1.14.1), and `x` where `u` is 1.
fn exp_m1(to: &mut Primitives<'_>, x: Dense) -> Dense {
    let (least, most) = (to.above(x, -0.5), to.below(x, 0.5));
    let near = to.mul(least, most);
    let small = to.mul(x, near);
    let u = exp(to, small);
    let less = to.shift(u, -1.0);
    let one = is_zero(to, less);
    let log = ln(to, u);
    let (less, log) = (to.add(less, one), to.add(log, one));
    let quotient = ratio(to, less, log);
    let close = to.mul(quotient, small);
    let far = exp(to, x);
    let far = to.shift(far, -1.0);
    to.select(near, close, far)
}

/// `ln(1 + x)` for `x ≥ 0`, in the manner of [`exp_m1`].
fn ln_1p(to: &mut Primitives<'_>, x: Dense) -> Dense {
    let u = to.shift(x, 1.0);
    let less = to.shift(u, -1.0);
    let one = is_zero(to, less);
    let log = ln(to, u);
    let (less, log) = (to.add(less, one), to.add(log, one));
    let quotient = ratio(to, log, less);
    to.mul(quotient, x)
}

/// `2/√π · (x − x³/3 + x⁵/10 − …)` for `|x| < 1`, up to 2·10⁻⁸, and otherwise formula 7.1.26 of Abramowitz and Stegun,
/// *Handbook of Mathematical Functions*, up to 2·10⁻⁷.
fn erf(to: &mut Primitives<'_>, x: Dense) -> Dense {
    let sign = Slopes::ABS.lower(to, x);
    let size = to.mul(x, sign);
    let near = to.below(size, 1.0);

    let small = to.mul(size, near);
    let square = to.mul(small, small);
    let mut factor = FRAC_2_SQRT_PI;
    let series: Vec<f64> = (0..10)
        .map(|n| {
            let n = f64::from(n);
            let term = factor / (2.0 * n + 1.0);
            factor /= -(n + 1.0);
            term
        })
        .collect();
    let series = polynomial(to, square, &series);
    let series = to.mul(series, small);

    let t = to.scale(size, 0.327_591_1);
    let t = to.shift(t, 1.0);
    let t = to.recip(t);
    let tail = [
        0.0,
        0.254_829_592,
        -0.284_496_736,
        1.421_413_741,
        -1.453_152_027,
        1.061_405_429,
    ];
    let tail = polynomial(to, t, &tail);
    let square = to.mul(size, size);
    let square = to.scale(square, -1.0);
    let bell = exp(to, square);
    let tail = to.mul(tail, bell);
    let tail = to.scale(tail, -1.0);
    let tail = to.shift(tail, 1.0);

    let value = to.select(near, series, tail);
    to.mul(value, sign)
}

impl Operation for Map {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        match operands {
            [x] => Ok(*x),
            _ => Err(misfit(self, operands)),
        }
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], _: Shape, output: &mut [T]) {
        for (y, x) in output.iter_mut().zip(operands[0].data) {
            *y = self.apply(*x);
        }
    }

    fn vjp(&self, graph: &mut Graph, at: Applied<'_>, g: Value) -> Result<Vec<Option<Value>>> {
        Ok(vec![self.differential(
            graph,
            at.operands[0],
            at.output,
            g,
        )?])
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Applied<'_>,
        tangents: &[Option<Value>],
    ) -> Result<Option<Value>> {
        let Some(t) = tangents[0] else {
            return Ok(None);
        };
        self.differential(graph, at.operands[0], at.output, t)
    }

    fn lower(&self, to: &mut Primitives<'_>, operands: &[Dense], _: Shape) -> Result<Dense> {
        let x = operands[0];
        Ok(match *self {
            Self::Scale(factor) => to.scale(x, factor),
            Self::Slope(slopes) => slopes.lower(to, x),
            Self::PiecewiseLinear(slopes) => {
                let slope = slopes.lower(to, x);
                to.mul(slope, x)
            }
            Self::Exp => exp(to, x),
            Self::Ln => ln(to, x),
            Self::Recip => {
                let zero = is_zero(to, x);
                let safe = to.add(x, zero);
                let (recip, other) = (to.recip(safe), to.not(zero));
                to.mul(recip, other)
            }
            Self::Sqrt => to.sqrt(x),
            Self::Power(exponent) => lower_power(to, x, exponent),
            Self::ExpM1 => exp_m1(to, x),
            Self::Sin => to.sin(x),
            Self::Cos => {
                let ahead = to.shift(x, FRAC_PI_2);
                to.sin(ahead)
            }
            Self::Sigmoid => {
                let negative = to.scale(x, -1.0);
                let exp = exp(to, negative);
                let more = to.shift(exp, 1.0);
                to.recip(more)
            }
            Self::Tanh => {
                // tanh |x| = −e / (e + 2) with e = e^(−2|x|) − 1, which is never large.
                let twice = Slopes {
                    positive: -2.0,
                    zero: 0.0,
                    negative: 2.0,
                };
                let twice = Self::PiecewiseLinear(twice).lower(to, &[x], x.shape())?;
                let e = exp_m1(to, twice);
                let more = to.shift(e, 2.0);
                let ratio = ratio(to, e, more);
                let sign = Slopes {
                    positive: -1.0,
                    zero: 0.0,
                    negative: 1.0,
                };
                let sign = sign.lower(to, x);
                to.mul(ratio, sign)
            }
            Self::Erf => erf(to, x),
            Self::Softplus => {
                let positive = Self::PiecewiseLinear(Slopes::RELU);
                let positive = positive.lower(to, &[x], x.shape())?;
                let size = Slopes {
                    positive: -1.0,
                    zero: 0.0,
                    negative: 1.0,
                };
                let size = Self::PiecewiseLinear(size).lower(to, &[x], x.shape())?;
                let exp = exp(to, size);
                let more = ln_1p(to, exp);
                to.add(positive, more)
            }
        })
    }
}

impl Operation for Add {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        same(self, operands)
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], _: Shape, output: &mut [T]) {
        for ((y, a), b) in output
            .iter_mut()
            .zip(operands[0].data)
            .zip(operands[1].data)
        {
            *y = *a + *b;
        }
    }

    fn vjp(&self, _: &mut Graph, _: Applied<'_>, g: Value) -> Result<Vec<Option<Value>>> {
        Ok(vec![Some(g), Some(g)]) // d(a+b) = da + db
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        _: Applied<'_>,
        tangents: &[Option<Value>],
    ) -> Result<Option<Value>> {
        accumulate(graph, tangents[0], tangents[1])
    }

    fn lower(&self, to: &mut Primitives<'_>, operands: &[Dense], _: Shape) -> Result<Dense> {
        Ok(to.add(operands[0], operands[1]))
    }
}

impl Operation for Mul {
    fn shape(&self, operands: &[Shape]) -> Result<Shape> {
        same(self, operands)
    }

    fn eval<T: Real>(&self, operands: &[TensorView<'_, T>], _: Shape, output: &mut [T]) {
        for ((y, a), b) in output
            .iter_mut()
            .zip(operands[0].data)
            .zip(operands[1].data)
        {
            *y = *a * *b;
        }
    }

    fn vjp(&self, graph: &mut Graph, at: Applied<'_>, g: Value) -> Result<Vec<Option<Value>>> {
        let [a, b] = [at.operands[0], at.operands[1]];
        Ok(vec![Some(graph.mul(g, b)?), Some(graph.mul(g, a)?)]) // d(ab) = b da + a db
    }

    fn jvp(
        &self,
        graph: &mut Graph,
        at: Applied<'_>,
        tangents: &[Option<Value>],
    ) -> Result<Option<Value>> {
        bilinear_tangent(self, graph, at, tangents)
    }

    fn lower(&self, to: &mut Primitives<'_>, operands: &[Dense], _: Shape) -> Result<Dense> {
        Ok(to.mul(operands[0], operands[1]))
    }
}

fn same(op: &impl std::fmt::Debug, operands: &[Shape]) -> Result<Shape> {
    match operands {
        [a, b] if a == b => Ok(*a),
        _ => Err(misfit(op, operands)),
    }
}

//! Functions of values of degree 0, element by element.

use xdnn_ir::layer::{
    Approximation, Bias, Celu, Cos, Elu, Exp, Gelu, Glu, Hardshrink, Hardsigmoid, Hardswish,
    Hardtanh, LocalResponseNorm, Log, LogSigmoid, Mish, Relu6, Selu, Sigmoid, Silu, Sin, Softplus,
    Softshrink, Softsign, Tanh, Tanhshrink, Threshold,
};

use super::axes::{along, window};
use super::{Lower, Site};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::{Map, Slice, Slopes};

/// Layers that one function of the dialect computes.
macro_rules! maps {
    ($($layer:ident => $map:expr),* $(,)?) => {$(
        impl Lower for $layer {
            fn lower(&self, site: Site<'_>) -> Result<Value> {
                site.graph.map($map, site.x)
            }
        }
    )*};
}

maps! {
    Sigmoid => Map::Sigmoid,
    Tanh => Map::Tanh,
    Exp => Map::Exp,
    Sin => Map::Sin,
    Cos => Map::Cos,
}

/// 1 for `x > 0`, 0 otherwise.
const STEP: Slopes = Slopes::RELU;
/// 0 for `x > 0`, 1 otherwise.
const OTHERWISE: Slopes = Slopes {
    positive: 0.0,
    zero: 1.0,
    negative: 1.0,
};

impl Lower for Log {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        // 1 where there is no logarithm.
        let positive = graph.map(Map::PiecewiseLinear(Slopes::RELU), x)?;
        let absent = graph.map(Map::Slope(OTHERWISE), x)?;
        let argument = graph.add(positive, absent)?;
        graph.map(Map::Ln, argument)
    }
}

impl Lower for LogSigmoid {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        let negative = graph.scale(x, -1.0)?;
        let softplus = graph.map(Map::Softplus, negative)?;
        graph.scale(softplus, -1.0)
    }
}

impl Lower for Tanhshrink {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        let tanh = graph.map(Map::Tanh, x)?;
        subtract(graph, x, tanh)
    }
}

impl Lower for Gelu {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        let probability = match self.approximate {
            Approximation::None => {
                let scaled = graph.scale(x, std::f64::consts::FRAC_1_SQRT_2)?;
                let erf = graph.map(Map::Erf, scaled)?;
                let half = graph.scale(erf, 0.5)?;
                offset(graph, half, 0.5)?
            }
            Approximation::Tanh => {
                let square = graph.mul(x, x)?;
                let cubic = graph.scale(square, 0.044_715)?;
                let factor = offset(graph, cubic, 1.0)?;
                let inner = graph.mul(x, factor)?;
                let root = (2.0 / std::f64::consts::PI).sqrt();
                let double = graph.scale(inner, 2.0 * root)?;
                graph.map(Map::Sigmoid, double)? // (1 + tanh u) / 2 = σ(2u)
            }
        };
        graph.mul(x, probability)
    }
}

impl Lower for Silu {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        let gate = graph.map(Map::Sigmoid, x)?;
        graph.mul(x, gate)
    }
}

impl Lower for Mish {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        let softplus = graph.map(Map::Softplus, x)?;
        let gate = graph.map(Map::Tanh, softplus)?;
        graph.mul(x, gate)
    }
}

impl Lower for Elu {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        exponential_unit(graph, x, self.alpha, 1.0)
    }
}

impl Lower for Celu {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        exponential_unit(graph, x, self.alpha, self.alpha)
    }
}

impl Lower for Selu {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        let unit = exponential_unit(graph, x, 1.673_263_242_354_377_2, 1.0)?;
        graph.scale(unit, 1.050_700_987_355_480_5)
    }
}

/// `x` for `x > 0`, `factor·(e^(x/width) − 1)` otherwise.
fn exponential_unit(graph: &mut Graph, x: Value, factor: f64, width: f64) -> Result<Value> {
    let positive = graph.map(Map::PiecewiseLinear(Slopes::RELU), x)?;
    let negative = graph.map(Map::PiecewiseLinear(Slopes::NEGATIVE_PART), x)?;
    let scaled = graph.scale(negative, 1.0 / width)?;
    let exponential = graph.map(Map::ExpM1, scaled)?;
    let negative = graph.scale(exponential, factor)?;
    graph.add(positive, negative)
}

impl Lower for Softplus {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        let scaled = graph.scale(x, self.beta)?;
        let softplus = graph.map(Map::Softplus, scaled)?;
        let softplus = graph.scale(softplus, 1.0 / self.beta)?;
        let above = offset(graph, scaled, -self.threshold)?;
        choose(graph, above, x, softplus)
    }
}

impl Lower for Softsign {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        let magnitude = graph.map(Map::PiecewiseLinear(Slopes::ABS), x)?;
        let divisor = offset(graph, magnitude, 1.0)?;
        let recip = graph.map(Map::Recip, divisor)?;
        graph.mul(x, recip)
    }
}

impl Lower for Hardtanh {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        clip(graph, x, self.min_val, self.max_val)
    }
}

impl Lower for Relu6 {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        clip(graph, x, 0.0, 6.0)
    }
}

impl Lower for Hardsigmoid {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        hard_sigmoid(graph, x)
    }
}

impl Lower for Hardswish {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        let gate = hard_sigmoid(graph, x)?;
        graph.mul(x, gate)
    }
}

fn hard_sigmoid(graph: &mut Graph, x: Value) -> Result<Value> {
    let clipped = clip(graph, x, -3.0, 3.0)?;
    let moved = offset(graph, clipped, 3.0)?;
    graph.scale(moved, 1.0 / 6.0)
}

/// `min(max(x, lower), upper)`, with the derivative 0 at the bounds.
fn clip(graph: &mut Graph, x: Value, lower: f64, upper: f64) -> Result<Value> {
    let above = offset(graph, x, -lower)?;
    let room = graph.scale(x, -1.0)?;
    let room = offset(graph, room, upper)?;
    let above = graph.map(Map::Slope(STEP), above)?;
    let below = graph.map(Map::Slope(STEP), room)?;
    let inside = graph.mul(above, below)?;
    let kept = graph.mul(x, inside)?;
    let low = graph.scale(above, -lower)?;
    let low = offset(graph, low, lower)?;
    let high = graph.scale(below, -upper)?;
    let high = offset(graph, high, upper)?;
    let bounds = graph.add(low, high)?;
    graph.add(kept, bounds)
}

impl Lower for Threshold {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        let above = offset(graph, x, -self.threshold)?;
        let value = graph.constant(self.value, x.shape())?;
        choose(graph, above, x, value)
    }
}

impl Lower for Hardshrink {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        let magnitude = graph.map(Map::PiecewiseLinear(Slopes::ABS), x)?;
        let above = offset(graph, magnitude, -self.lambd)?;
        let kept = graph.map(Map::Slope(STEP), above)?;
        graph.mul(x, kept)
    }
}

impl Lower for Softshrink {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        let right = offset(graph, x, -self.lambd)?;
        let right = graph.map(Map::PiecewiseLinear(Slopes::RELU), right)?;
        let left = graph.scale(x, -1.0)?;
        let left = offset(graph, left, -self.lambd)?;
        let left = graph.map(Map::PiecewiseLinear(Slopes::RELU), left)?;
        subtract(graph, right, left)
    }
}

impl Lower for Bias {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let (shape, bias) = (site.x.shape(), site.weight()?);
        let others = (0..shape.rank()).filter(|axis| *axis != self.dim);
        let bias = site.graph.broadcast(bias, others, shape)?;
        site.graph.add(site.x, bias)
    }
}

impl Lower for Glu {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        let axis = self.dim.unwrap_or(x.shape().rank() - 1);
        let length = x.shape().dim(axis) / 2;
        let half = |start| Slice {
            axis,
            start,
            length,
        };
        let value = graph.apply(half(0), &[x])?;
        let gate = graph.apply(half(length), &[x])?;
        let gate = graph.map(Map::Sigmoid, gate)?;
        graph.mul(value, gate)
    }
}

impl Lower for LocalResponseNorm {
    fn lower(&self, Site { graph, x, .. }: Site<'_>) -> Result<Value> {
        let channels = x.shape().dim(1);
        let square = graph.mul(x, x)?;
        // As PyTorch: `size / 2` channels before the one in question, `size − size / 2 − 1` behind it.
        let factor = self.alpha / self.size as f64;
        let neighbours = window(channels, self.size / 2, self.size, factor);
        let sum = along(graph, square, [(1, neighbours)])?;
        let base = offset(graph, sum, self.k)?;
        let divisor = graph.map(Map::Power(-self.beta), base)?;
        graph.mul(x, divisor)
    }
}

/// `a − b`.
pub(super) fn subtract(graph: &mut Graph, a: Value, b: Value) -> Result<Value> {
    let negative = graph.scale(b, -1.0)?;
    graph.add(a, negative)
}

/// `x + c`.
pub(super) fn offset(graph: &mut Graph, x: Value, constant: f64) -> Result<Value> {
    if constant == 0.0 {
        return Ok(x);
    }
    let constant = graph.constant(constant, x.shape())?;
    graph.add(x, constant)
}

/// `a` where `condition > 0`, `b` elsewhere.
fn choose(graph: &mut Graph, condition: Value, a: Value, b: Value) -> Result<Value> {
    let take_a = graph.map(Map::Slope(STEP), condition)?;
    let take_b = graph.map(Map::Slope(OTHERWISE), condition)?;
    let (a, b) = (graph.mul(a, take_a)?, graph.mul(b, take_b)?);
    graph.add(a, b)
}

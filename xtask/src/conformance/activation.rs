//! Elementwise operators of one tensor. The first axis is taken as the batch.

use xdnn_ir::Layer;
use xdnn_ir::layer::{Abs, Dropout, Hardtanh, Identity, LeakyRelu, Neg, PRelu, Relu, Scale};

use ndarray::{ArrayD, IxDyn};

use super::operator::{Operator, batched, first_axis_batched, reshaped};
use super::skip::Skip;
use super::trial::{Builder, Trial};
use crate::onnx::Tensor;

pub fn relu(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&[])?;
    elementwise(op, Relu {})
}

pub fn abs(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&[])?;
    elementwise(op, Abs {})
}

pub fn leaky_relu(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["alpha"])?;
    let negative_slope = f64::from(op.float("alpha", 0.01)?);
    elementwise(op, LeakyRelu { negative_slope })
}

pub fn neg(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&[])?;
    elementwise(op, Neg {})
}

pub fn identity(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&[])?;
    elementwise(op, Identity {})
}

/// The rectifier for the bounds 0 and ∞, nothing at all for −∞ and ∞. Others are constants, which need a degree of 0.
pub fn clip(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["max", "min"])?;
    let bound = |i: usize, name: &str, none: f32| -> Result<f32, Skip> {
        let operand = op
            .optional_floats(i)?
            .and_then(|bound| bound.first().copied());
        operand.map_or_else(|| op.float(name, none), Ok)
    };
    let lower = bound(1, "min", f32::NEG_INFINITY)?;
    let upper = bound(2, "max", f32::INFINITY)?;
    match (lower, upper) {
        (0.0, f32::INFINITY) => elementwise(op, Relu {}),
        (f32::NEG_INFINITY, f32::INFINITY) => elementwise(op, Identity {}),
        (lower, upper) => hard_tanh(op, lower, upper),
    }
}

/// In inference, or at probability 0. Training draws from another generator than ours.
pub fn dropout(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["is_test", "ratio", "seed"])?;
    let operand = op
        .optional_floats(1)?
        .and_then(|ratio| ratio.first().copied());
    let p = operand.map_or_else(|| op.float("ratio", 0.5), Ok)?;
    let trains = match op.optional(2)? {
        Some(Tensor::Bool(mode)) => mode.iter().any(|mode| *mode),
        _ => op.case.opset < 7 && !op.flag("is_test")?,
    };
    if trains && p != 0.0 {
        return Err(Skip::new("the random mask of another generator"));
    }
    elementwise(op, Dropout { p: f64::from(p) })
}

/// The slope is aligned to the last axes, and to the channels before opset 7. A slope that varies makes those axes
/// the channels, all axes before them the batch.
pub fn prelu(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&[])?;
    let (x, slope, expected) = (op.floats(0)?, op.floats(1)?, op.expected()?);
    let num_parameters = slope.len();
    let slope = reshaped(&slope, &[num_parameters])?;
    let (x, expected) = if op.case.opset < 7 || num_parameters == 1 {
        (first_axis_batched(&x)?, first_axis_batched(&expected)?)
    } else {
        let given = op.floats(1)?;
        let axes = given.ndim();
        if !x.shape().ends_with(given.shape()) {
            return Err(Skip::new("a slope that is repeated along inner axes"));
        }
        let dims = [x.len() / num_parameters.max(1), num_parameters];
        let outer = x.ndim() - axes;
        (
            reshaped(&batched(&x, outer)?, &dims)?,
            reshaped(&batched(&expected, outer)?, &dims)?,
        )
    };
    let (mut network, x) = Builder::of(x)?;
    let output = network.weighted(PRelu { num_parameters }, x, [slope])?;
    Ok(network.expect(output, expected))
}

/// In inference, `(x − mean)·scale/√(var + ε) + shift` is a scale a channel, less a constant that is subtracted from
/// the expected output.
pub fn batch_normalization(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["epsilon", "is_test", "momentum", "training_mode"])?;
    let trains = if op.case.opset < 7 {
        !op.flag("is_test")?
    } else {
        op.flag("training_mode")?
    };
    if trains {
        return Err(Skip::new("normalisation by the statistics of the batch"));
    }
    let epsilon = f64::from(op.float("epsilon", 1e-5)?);
    let [scale, shift, mean, variance] =
        [op.floats(1)?, op.floats(2)?, op.floats(3)?, op.floats(4)?];
    let channels = scale.len();
    let mut expected = op.expected()?;
    let mut factors = ArrayD::zeros(IxDyn(&[channels]));
    for (c, mut channel) in expected.axis_iter_mut(ndarray::Axis(1)).enumerate() {
        let [scale, shift, mean, variance] =
            [&scale, &shift, &mean, &variance].map(|values| f64::from(values[c]));
        let factor = scale / (variance + epsilon).sqrt();
        channel -= shift - factor * mean;
        factors[c] = factor as f32;
    }
    let (mut network, x) = Builder::of(op.floats(0)?)?;
    let layer = Scale {
        num_parameters: channels,
    };
    let output = network.weighted(layer, x, [factors])?;
    Ok(network.expect(output, expected))
}

/// Bounds that are constants other than 0.
fn hard_tanh(op: Operator<'_>, lower: f32, upper: f32) -> Result<Trial, Skip> {
    let (min_val, max_val) = (f64::from(lower), f64::from(upper));
    if !(min_val.is_finite() && max_val.is_finite() && min_val < max_val) {
        return Err(Skip::new("a clip without two bounds in order"));
    }
    elementwise(op, Hardtanh { min_val, max_val })
}

pub fn elementwise(op: Operator<'_>, layer: impl Into<Layer>) -> Result<Trial, Skip> {
    let (mut network, x) = Builder::of(first_axis_batched(&op.floats(0)?)?)?;
    let output = network.layer(layer, x)?;
    Ok(network.expect(output, first_axis_batched(&op.expected()?)?))
}

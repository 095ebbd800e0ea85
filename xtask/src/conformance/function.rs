//! Functions without a degree, norms and powers. A node whose rule refuses a degree computes all the same.

use ndarray::{ArrayD, IxDyn};
use xdnn_ir::Layer;
use xdnn_ir::layer::{
    Approximation, Celu, Cos, Elu, Exp, Gelu, GroupNorm, Hardshrink, Hardsigmoid, Hardswish,
    L2Normalize, LayerNorm, LocalResponseNorm, Log, LogSoftmax, Mish, Power, RmsNorm, Selu,
    Sigmoid, Sign, Silu, Sin, Softmax, Softplus, Softshrink, Softsign, Sqrt, Square, Tanh,
    Threshold,
};

use super::activation::elementwise;
use super::operator::{Operator, batched, reshaped};
use super::skip::Skip;
use super::trial::{Builder, Trial};

/// Functions without attributes.
pub fn plain(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&[])?;
    let softplus = Softplus {
        beta: 1.0,
        threshold: 1e9,
    };
    let layer: Layer = match op.name() {
        "Sigmoid" => Sigmoid {}.into(),
        "Tanh" => Tanh {}.into(),
        "Exp" => Exp {}.into(),
        "Log" => Log {}.into(),
        "Sin" => Sin {}.into(),
        "Cos" => Cos {}.into(),
        "Softplus" => softplus.into(),
        "Softsign" => Softsign {}.into(),
        "Mish" => Mish {}.into(),
        "HardSwish" => Hardswish {}.into(),
        "Sign" => Sign {}.into(),
        "Sqrt" if op.floats(0)?.iter().any(|x| *x < 0.0) => {
            return Err(Skip::new("powers of negative numbers"));
        }
        "Sqrt" => Sqrt {}.into(),
        other => return Err(Skip::operator(other)),
    };
    elementwise(op, layer)
}

pub fn elu(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["alpha"])?;
    let alpha = f64::from(op.float("alpha", 1.0)?);
    elementwise(op, Elu { alpha })
}

pub fn celu(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["alpha"])?;
    let alpha = f64::from(op.float("alpha", 1.0)?);
    elementwise(op, Celu { alpha })
}

/// With the constants of the paper only.
pub fn selu(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["alpha", "gamma"])?;
    if op.float("alpha", 1.673_263_2)? != 1.673_263_2 || op.float("gamma", 1.050_701)? != 1.050_701
    {
        return Err(Skip::new("other constants than those of the layer"));
    }
    elementwise(op, Selu {})
}

pub fn swish(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["alpha"])?;
    if op.float("alpha", 1.0)? != 1.0 {
        return Err(Skip::new("other constants than those of the layer"));
    }
    elementwise(op, Silu {})
}

/// With the slope of PyTorch only.
pub fn hard_sigmoid(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["alpha", "beta"])?;
    let slope = op.float("alpha", 0.2)?;
    if (slope - 1.0 / 6.0).abs() > 1e-6 || op.float("beta", 0.5)? != 0.5 {
        return Err(Skip::new("other constants than those of the layer"));
    }
    elementwise(op, Hardsigmoid {})
}

pub fn gelu(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["approximate"])?;
    let approximate = match op.text("approximate", "none")? {
        "tanh" => Approximation::Tanh,
        _ => Approximation::None,
    };
    elementwise(op, Gelu { approximate })
}

pub fn thresholded_relu(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["alpha"])?;
    let threshold = f64::from(op.float("alpha", 1.0)?);
    let value = 0.0;
    elementwise(op, Threshold { threshold, value })
}

/// Without a bias the hard one; with as much as the threshold the soft one.
pub fn shrink(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["bias", "lambd"])?;
    let (bias, lambd) = (op.float("bias", 0.0)?, op.float("lambd", 0.5)?);
    let threshold = f64::from(lambd);
    if bias == 0.0 {
        elementwise(op, Hardshrink { lambd: threshold })
    } else if bias == lambd {
        elementwise(op, Softshrink { lambd: threshold })
    } else {
        Err(Skip::new("other constants than those of the layer"))
    }
}

/// By a constant: 2 is the square, others read what is not negative.
pub fn pow(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&[])?;
    let exponent = op.floats(1)?;
    let (Some(exponent), 1) = (exponent.first(), exponent.len()) else {
        return Err(Skip::new("an exponent for each element"));
    };
    if *exponent == 2.0 {
        return elementwise(op, Square {});
    }
    if op.floats(0)?.iter().any(|x| *x < 0.0) {
        return Err(Skip::new("powers of negative numbers"));
    }
    let exponent = f64::from(*exponent);
    elementwise(op, Power { exponent })
}

/// Before opset 13 the axis and all behind it are one; the axes before it are the batch.
pub fn softmax(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["axis"])?;
    let (x, expected) = (op.floats(0)?, op.expected()?);
    let old = op.case.opset < 13;
    let axis = op.axis(op.int("axis", if old { 1 } else { -1 })?, x.ndim())?;
    let (mut x, mut expected) = (batched(&x, axis)?, batched(&expected, axis)?);
    if old {
        let dims = [x.shape()[0], x.len() / x.shape()[0].max(1)];
        (x, expected) = (reshaped(&x, &dims)?, reshaped(&expected, &dims)?);
    }
    let dim = Some(1);
    let layer: Layer = match op.name() {
        "Softmax" => Softmax { dim }.into(),
        _ => LogSoftmax { dim }.into(),
    };
    run(x, layer, [], expected)
}

/// The Euclidean norm, along any axis.
pub fn lp_normalization(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["axis", "p"])?;
    if op.int("p", 2)? != 2 {
        return Err(Skip::new("another norm than the Euclidean"));
    }
    let (x, expected) = (op.floats(0)?, op.expected()?);
    let axis = op.axis(op.int("axis", -1)?, x.ndim())?;
    let layer = L2Normalize { dim: 1 };
    run(batched(&x, axis)?, layer, [], batched(&expected, axis)?)
}

/// The axes before that of the normalisation are the batch.
pub fn layer_norm(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["axis", "epsilon", "stash_type"])?;
    let (x, scale, expected) = (op.floats(0)?, op.floats(1)?, op.expected()?);
    let axis = op.axis(op.int("axis", -1)?, x.ndim())?;
    let (x, expected) = (batched(&x, axis)?, batched(&expected, axis)?);
    let normalized_shape = xdnn_ir::Shape::from_slice(&x.shape()[1..]);
    let dims = x.shape()[1..].to_vec();
    let whole = |values: &ArrayD<f32>| match values.broadcast(IxDyn(&dims)) {
        Some(values) => Ok(values.to_owned()),
        None => Err(Skip::new("a scale of another shape")),
    };
    let (scale, bias) = (whole(&scale)?, op.optional_floats(2)?);
    let eps = f64::from(op.float("epsilon", 1e-5)?);
    if op.name() == "RMSNormalization" {
        let layer = RmsNorm {
            normalized_shape,
            eps,
            elementwise_affine: true,
        };
        return run(x, layer, [scale], expected);
    }
    let layer = LayerNorm {
        normalized_shape,
        eps,
        elementwise_affine: true,
        bias: bias.is_some(),
    };
    let bias = bias.as_ref().map(whole).transpose()?;
    run(x, layer, [scale].into_iter().chain(bias), expected)
}

/// An instance norm has a group for each channel. Before opset 21, group norm has scales for groups, not for channels.
pub fn group_norm(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["epsilon", "num_groups", "stash_type"])?;
    let (x, scale, shift) = (op.floats(0)?, op.floats(1)?, op.floats(2)?);
    let channels = x.shape().get(1).copied().unwrap_or(1);
    let groups = usize::try_from(op.int("num_groups", channels as i64)?);
    let num_groups = groups.map_err(|_| Skip::new("no groups"))?;
    let of_channels = |values: &ArrayD<f32>| -> ArrayD<f32> {
        let each = channels / values.len().max(1);
        ArrayD::from_shape_fn(IxDyn(&[channels]), |c| {
            values
                .iter()
                .nth(c[0] / each.max(1))
                .copied()
                .unwrap_or(0.0)
        })
    };
    let layer = GroupNorm {
        num_groups,
        num_channels: None,
        eps: f64::from(op.float("epsilon", 1e-5)?),
        affine: true,
    };
    let weights = [of_channels(&scale), of_channels(&shift)];
    run(x, layer, weights, op.expected()?)
}

pub fn local_response_norm(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["alpha", "beta", "bias", "size"])?;
    let size = usize::try_from(op.int("size", 0)?).map_err(|_| Skip::new("no size"))?;
    // Where PyTorch's window has one more element in front, that of ONNX has it behind.
    if size.is_multiple_of(2) {
        return Err(Skip::new("an even window, which is placed elsewhere"));
    }
    let layer = LocalResponseNorm {
        size,
        alpha: f64::from(op.float("alpha", 1e-4)?),
        beta: f64::from(op.float("beta", 0.75)?),
        k: f64::from(op.float("bias", 1.0)?),
    };
    run(op.floats(0)?, layer, [], op.expected()?)
}

fn run(
    x: ArrayD<f32>,
    layer: impl Into<Layer>,
    weights: impl IntoIterator<Item = ArrayD<f32>>,
    expected: ArrayD<f64>,
) -> Result<Trial, Skip> {
    let (mut network, x) = Builder::of(x)?;
    let output = network.weighted(layer, x, weights)?;
    Ok(network.expect(output, expected))
}

//! `Conv` and `ConvTranspose`. The bias, which we have not, is subtracted from the expected output.

use ndarray::{ArrayD, Axis};
use xdnn_ir::{Argument, Layer};

use super::operator::Operator;
use super::skip::Skip;
use super::trial::{Builder, Trial};
use super::window::{Window, layer, margins, sizes};

pub fn conv(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&[
        "auto_pad",
        "dilations",
        "group",
        "kernel_shape",
        "pads",
        "strides",
    ])?;
    let (x, weight) = (op.floats(0)?, op.floats(1)?);
    let size = x.shape().get(2..).unwrap_or_default();
    let kernel = weight.shape().get(2..).unwrap_or_default();
    let window = Window::of(op, size, Some(kernel))?;
    let out_channels = weight.shape()[0];
    let groups = usize::try_from(op.int("group", 1)?).unwrap_or_default();

    let mut expected = op.expected()?;
    if let Some(bias) = op.optional_floats(2)? {
        subtract_per_channel(&mut expected, &bias);
    }
    let (mut network, mut value) = Builder::of(x)?;
    let mut padding = window.begin.clone();
    if !window.is_symmetric() {
        // Convolutions pad with zeros, so the zeros may as well be put there before.
        value = network.layer(zero_pad(&window)?, value)?;
        padding.fill(0);
    }
    let arguments = [
        ("out_channels", Argument::Int(out_channels)),
        ("kernel", sizes(&window.kernel)?),
        ("stride", sizes(&window.stride)?),
        ("padding", sizes(&padding)?),
        ("dilation", sizes(&window.dilation)?),
        ("groups", Argument::Int(groups)),
    ];
    let layer = layer("Conv", window.kernel.len(), &arguments)?;
    let output = network.weighted(layer, value, [weight])?;
    Ok(network.expect(output, expected))
}

/// The padding, where it differs between the ends, is a crop of the whole result, and an output beyond that is padding of
/// the output.
pub fn conv_transpose(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&[
        "auto_pad",
        "dilations",
        "group",
        "kernel_shape",
        "output_padding",
        "output_shape",
        "pads",
        "strides",
    ])?;
    let (x, weight) = (op.floats(0)?, op.floats(1)?);
    let size = x.shape().get(2..).unwrap_or_default();
    let kernel = weight.shape().get(2..).unwrap_or_default();
    let axes = kernel.len();
    let groups = usize::try_from(op.int("group", 1)?).unwrap_or_default();
    let out_channels = weight.shape().get(1).unwrap_or(&0) * groups;
    let (stride, dilation) = (
        op.sizes("strides", axes, 1)?,
        op.sizes("dilations", axes, 1)?,
    );
    let mut output_padding = op.sizes("output_padding", axes, 0)?;

    let pads = op.sizes("pads", 2 * axes, 0)?;
    let (mut begin, mut end) = (pads[..axes].to_vec(), pads[axes..].to_vec());
    let mode = op.text("auto_pad", "NOTSET")?;
    let asked = match (op.ints("output_shape")?, mode) {
        (Some(_), _) => Some(op.sizes("output_shape", axes, 0)?),
        (None, "NOTSET" | "VALID") => None,
        (None, _) => Some(size.iter().zip(&stride).map(|(n, s)| n * s).collect()),
    };
    for (axis, asked) in asked.into_iter().flatten().enumerate() {
        let extent = kernel[axis].saturating_sub(1) * dilation[axis] + 1;
        let whole = (size[axis] - 1) * stride[axis] + extent + output_padding[axis];
        output_padding[axis] += asked.saturating_sub(whole);
        let total = whole.saturating_sub(asked);
        let (less, more) = (total / 2, total.div_ceil(2));
        let upper = mode == "SAME_UPPER";
        (begin[axis], end[axis]) = if upper { (less, more) } else { (more, less) };
    }

    let mut expected = op.expected()?;
    if let Some(bias) = op.optional_floats(2)? {
        subtract_per_channel(&mut expected, &bias);
    }
    let symmetric = begin == end;
    let padding = if symmetric {
        begin.clone()
    } else {
        vec![0; axes]
    };
    let arguments = [
        ("out_channels", Argument::Int(out_channels)),
        ("kernel", sizes(kernel)?),
        ("stride", sizes(&stride)?),
        ("padding", sizes(&padding)?),
        ("output_padding", sizes(&output_padding)?),
        ("groups", Argument::Int(groups)),
        ("dilation", sizes(&dilation)?),
    ];
    let transposed = layer("ConvTranspose", axes, &arguments)?;
    let (mut network, x) = Builder::of(x)?;
    let mut output = network.weighted(transposed, x, [weight])?;
    if !symmetric {
        let crop = layer("Crop", axes, &[("cropping", margins(&begin, &end)?)])?;
        output = network.layer(crop, output)?;
    }
    Ok(network.expect(output, expected))
}

/// The padding of a window as a layer.
pub fn zero_pad(window: &Window) -> Result<Layer, Skip> {
    let margins = margins(&window.begin, &window.end)?;
    layer("ZeroPad", window.begin.len(), &[("padding", margins)])
}

/// Subtracts `bias[c]` from channel `c`, which is axis 1.
pub fn subtract_per_channel(expected: &mut ArrayD<f64>, bias: &ArrayD<f32>) {
    for (mut channel, bias) in expected.axis_iter_mut(Axis(1)).zip(bias) {
        channel -= f64::from(*bias);
    }
}

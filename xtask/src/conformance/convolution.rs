//! `Conv`. The bias, which we have not, is subtracted from the expected output.

use ndarray::{ArrayD, Axis};
use xdnn_ir::layer::{Conv1d, Conv2d, ZeroPad2d};

use super::operator::Operator;
use super::skip::Skip;
use super::trial::{Builder, Trial};
use super::window::{Window, line, plane};

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
    let output = if window.kernel.len() == 1 {
        let layer = Conv1d {
            out_channels,
            kernel: line(&window.kernel)?,
            stride: line(&window.stride)?,
            padding: line(&padding)?,
            dilation: line(&window.dilation)?,
            groups,
        };
        network.weighted(layer, value, [weight])?
    } else {
        let layer = Conv2d {
            out_channels,
            kernel: plane(&window.kernel)?,
            stride: plane(&window.stride)?,
            padding: plane(&padding)?,
            dilation: plane(&window.dilation)?,
            groups,
        };
        network.weighted(layer, value, [weight])?
    };
    Ok(network.expect(output, expected))
}

/// The padding of a window as a layer.
pub fn zero_pad(window: &Window) -> Result<ZeroPad2d, Skip> {
    let ([top, left], [bottom, right]) = (plane(&window.begin)?, plane(&window.end)?);
    let padding = [left, right, top, bottom];
    Ok(ZeroPad2d { padding })
}

/// Subtracts `bias[c]` from channel `c`, which is axis 1.
pub fn subtract_per_channel(expected: &mut ArrayD<f64>, bias: &ArrayD<f32>) {
    for (mut channel, bias) in expected.axis_iter_mut(Axis(1)).zip(bias) {
        channel -= f64::from(*bias);
    }
}

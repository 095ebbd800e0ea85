//! `MaxPool`, `AveragePool` and the global pools.
//!
//! Padding at one end only has no counterpart in our pools, and zeros put there before are not the same: they would win
//! a maximum of negative numbers and count in a mean. So the layer gets the larger padding on both sides, and its
//! output has positions before or after those expected, which are left out of the comparison.

use xdnn_ir::layer::{GlobalAvgPool, GlobalMaxPool};
use xdnn_ir::{Argument, Layer};

use super::convolution::zero_pad;
use super::operator::Operator;
use super::skip::Skip;
use super::trial::{Builder, Trial};
use super::window::{Window, layer, sizes};

/// The only expected output that was typed in, with four decimals.
const TYPED_IN: &str = "node/test_averagepool_2d_ceil_last_window_starts_on_pad";
const FOUR_DECIMALS: f64 = 3e-4;

pub fn max_pool(op: Operator<'_>) -> Result<Trial, Skip> {
    // The storage order is that of the indices, a second output.
    op.knows(&[
        "auto_pad",
        "ceil_mode",
        "dilations",
        "kernel_shape",
        "pads",
        "storage_order",
        "strides",
    ])?;
    let x = op.floats(0)?;
    let window = Window::of(op, x.shape().get(2..).unwrap_or_default(), None)?;
    let ceil_mode = op.flag("ceil_mode")?;
    let (padding, offset) = symmetric(&window, ceil_mode)?;
    let arguments = [
        ("kernel", sizes(&window.kernel)?),
        ("stride", sizes(&window.stride)?),
        ("padding", sizes(&padding)?),
        ("dilation", sizes(&window.dilation)?),
        ("ceil_mode", Argument::Bool(ceil_mode)),
    ];
    let pool = layer("MaxPool", window.kernel.len(), &arguments)?;
    let (mut network, x) = Builder::of(x)?;
    let output = network.layer(pool, x)?;
    Ok(part(
        network.expect(output, op.expected()?),
        &window,
        offset,
    ))
}

pub fn average_pool(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&[
        "auto_pad",
        "ceil_mode",
        "count_include_pad",
        "dilations",
        "kernel_shape",
        "pads",
        "strides",
    ])?;
    let x = op.floats(0)?;
    let window = Window::of(op, x.shape().get(2..).unwrap_or_default(), None)?;
    if window.dilation.iter().any(|dilation| *dilation != 1) {
        return Err(Skip::new("no layer for the mean of dilated windows"));
    }
    let (ceil_mode, count_include_pad) = (op.flag("ceil_mode")?, op.flag("count_include_pad")?);
    let (mut network, mut value) = Builder::of(x)?;
    let (mut padding, mut offset) = symmetric(&window, ceil_mode)?;
    let too_large = padding.iter().zip(&window.kernel).any(|(p, k)| *p > k / 2);
    if too_large && count_include_pad && !ceil_mode {
        // Zeros that count like any others may as well be put there before.
        value = network.layer(zero_pad(&window)?, value)?;
        padding.fill(0);
        offset.fill(0);
    }
    let arguments = [
        ("kernel", sizes(&window.kernel)?),
        ("stride", sizes(&window.stride)?),
        ("padding", sizes(&padding)?),
        ("ceil_mode", Argument::Bool(ceil_mode)),
        ("count_include_pad", Argument::Bool(count_include_pad)),
    ];
    let pool = layer("AvgPool", window.kernel.len(), &arguments)?;
    let output = network.layer(pool, value)?;
    let trial = part(network.expect(output, op.expected()?), &window, offset);
    Ok(if op.case.path == TYPED_IN {
        trial.tolerating(FOUR_DECIMALS)
    } else {
        trial
    })
}

/// Padding is with zeros, which add nothing to a norm.
pub fn lp_pool(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&[
        "auto_pad",
        "ceil_mode",
        "dilations",
        "kernel_shape",
        "p",
        "pads",
        "strides",
    ])?;
    let x = op.floats(0)?;
    let window = Window::of(op, x.shape().get(2..).unwrap_or_default(), None)?;
    if window.dilation.iter().any(|dilation| *dilation != 1) {
        return Err(Skip::new("no layer for the norm of dilated windows"));
    }
    if op.flag("ceil_mode")? {
        return Err(Skip::new("another norm of partial windows"));
    }
    let p = op.int("p", 2)?;
    let arguments = [
        ("norm_type", Argument::Float(p as f64)),
        ("kernel", sizes(&window.kernel)?),
        ("stride", sizes(&window.stride)?),
    ];
    let pool = layer("LpPool", window.kernel.len(), &arguments)?;
    let (mut network, x) = Builder::of(x)?;
    let x = network.layer(zero_pad(&window)?, x)?;
    let output = network.layer(pool, x)?;
    Ok(network.expect(output, op.expected()?))
}

/// One window over everything.
pub fn global_lp_pool(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["p"])?;
    let x = op.floats(0)?;
    let size = x.shape().get(2..).unwrap_or_default().to_vec();
    let p = op.int("p", 2)?;
    let arguments = [
        ("norm_type", Argument::Float(p as f64)),
        ("kernel", sizes(&size)?),
    ];
    let pool = layer("LpPool", size.len(), &arguments)?;
    let (mut network, x) = Builder::of(x)?;
    let output = network.layer(pool, x)?;
    Ok(network.expect(output, op.expected()?))
}

pub fn global_average_pool(op: Operator<'_>) -> Result<Trial, Skip> {
    global(op, GlobalAvgPool {})
}

pub fn global_max_pool(op: Operator<'_>) -> Result<Trial, Skip> {
    global(op, GlobalMaxPool {})
}

fn global(op: Operator<'_>, layer: impl Into<Layer>) -> Result<Trial, Skip> {
    op.knows(&[])?;
    let (mut network, x) = Builder::of(op.floats(0)?)?;
    let output = network.layer(layer, x)?;
    Ok(network.expect(output, op.expected()?))
}

fn symmetric(window: &Window, ceil_mode: bool) -> Result<(Vec<usize>, Vec<usize>), Skip> {
    if ceil_mode && !window.is_symmetric() {
        return Err(Skip::new(
            "padding whose beginning and end differ, with `ceil_mode`",
        ));
    }
    window.symmetric()
}

/// What is expected lies behind the batch, the channels, and the positions that the layer has before it.
fn part(trial: Trial, window: &Window, offset: Vec<usize>) -> Trial {
    if window.is_symmetric() {
        return trial;
    }
    trial.at_offset([vec![0, 0], offset].concat())
}

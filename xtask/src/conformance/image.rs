//! Operators that change the size of an image: `Resize`, `Upsample`, `DepthToSpace`,
//! `SpaceToDepth`, `Pad`.

use ndarray::IxDyn;
use xdnn_ir::Argument;
use xdnn_ir::layer::{Interpolation, PixelShuffle, PixelUnshuffle, Upsample};

use super::operator::{Operator, reshaped};
use super::skip::Skip;
use super::trial::{Builder, Trial};
use super::window::{layer, margins};

/// Enlargements by whole factors. Of the many ways to place pixels, those count that our layer computes as well: for
/// whole factors `half_pixel` with either rounding, and `asymmetric` with `floor`, take pixel `⌊i / factor⌋`.
pub fn resize(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&[
        "antialias",
        "axes",
        "coordinate_transformation_mode",
        "cubic_coeff_a",
        "exclude_outside",
        "extrapolation_value",
        "keep_aspect_ratio_policy",
        "mode",
        "nearest_mode",
    ])?;
    if op.flag("antialias")? {
        return Err(Skip::new("no layer resizes with antialiasing"));
    }
    let coordinates = op.text("coordinate_transformation_mode", "half_pixel")?;
    let rounding = op.text("nearest_mode", "round_prefer_floor")?;
    let (mode, align_corners) = match (op.text("mode", "nearest")?, coordinates, rounding) {
        ("nearest", "half_pixel", "round_prefer_floor" | "round_prefer_ceil") => {
            (Interpolation::Nearest, false)
        }
        ("nearest", "asymmetric", "floor") => (Interpolation::Nearest, false),
        ("nearest", ..) => {
            return Err(Skip::new(format!(
                "no layer takes the nearest pixels of `{coordinates}` and `{rounding}`"
            )));
        }
        ("linear", "half_pixel", _) => (Interpolation::Bilinear, false),
        ("linear", "align_corners", _) => (Interpolation::Bilinear, true),
        ("cubic", "half_pixel" | "align_corners", _) => {
            let a = op.float("cubic_coeff_a", -0.75)?;
            if a != -0.75 || op.flag("exclude_outside")? {
                return Err(Skip::new("no layer interpolates with another cubic kernel"));
            }
            (Interpolation::Bicubic, coordinates == "align_corners")
        }
        ("linear" | "cubic", ..) => {
            return Err(Skip::new(format!(
                "no layer interpolates with `{coordinates}`"
            )));
        }
        (other, ..) => {
            return Err(Skip::new(format!("no layer interpolates with `{other}`")));
        }
    };
    upsample(op, 2, mode, align_corners)
}

/// The older operator, which places pixels as `asymmetric` with `floor`.
pub fn upsample_of_old(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["mode"])?;
    match op.text("mode", "nearest")? {
        "nearest" => upsample(op, 1, Interpolation::Nearest, false),
        other => Err(Skip::new(format!(
            "no layer interpolates with `{other}` and `asymmetric`"
        ))),
    }
}

fn upsample(
    op: Operator<'_>,
    scales: usize,
    mode: Interpolation,
    align_corners: bool,
) -> Result<Trial, Skip> {
    let (x, expected) = (op.floats(0)?, op.expected()?);
    let not_whole = || Skip::new("no layer resizes by factors that are not whole");
    let mut factors = Vec::new();
    for (size, target) in x.shape().iter().zip(expected.shape()) {
        if target < size {
            return Err(Skip::new("no layer makes images smaller by interpolation"));
        }
        if target % size != 0 {
            return Err(not_whole());
        }
        factors.push(target / size);
    }
    // The size is rounded down from the factor, which may not be whole although the quotient of the sizes is.
    let given = op.optional(scales)?.filter(|scales| scales.shape() != [0]);
    if given.is_some() && op.floats(scales)?.iter().any(|scale| scale.fract() != 0.0) {
        return Err(not_whole());
    }
    let [1, 1, vertical, horizontal] = factors[..] else {
        return Err(Skip::new("no layer resizes other values than images"));
    };
    let layer = Upsample {
        scale_factor: [vertical, horizontal],
        mode,
        align_corners,
    };
    let (mut network, x) = Builder::of(x)?;
    let output = network.layer(layer, x)?;
    Ok(network.expect(output, expected))
}

/// `CRD` is our order. `DCR` has the channels innermost, so they are moved outwards before.
pub fn depth_to_space(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["blocksize", "mode"])?;
    let x = op.floats(0)?;
    let r = usize::try_from(op.int("blocksize", 0)?).unwrap_or_default();
    let x = match (op.text("mode", "DCR")?, x.shape()) {
        ("CRD", _) => x,
        ("DCR", &[n, c, h, w]) if r > 0 => {
            let split = reshaped(&x, &[n, r * r, c / (r * r), h, w])?;
            let moved = split.permuted_axes(IxDyn(&[0, 2, 1, 3, 4]));
            reshaped(&moved, &[n, c, h, w])?
        }
        (other, _) => return Err(Skip::new(format!("`mode = {other}`"))),
    };
    let (mut network, x) = Builder::of(x)?;
    let output = network.layer(PixelShuffle { upscale_factor: r }, x)?;
    Ok(network.expect(output, op.expected()?))
}

/// Ours is `CRD`, as that of [`depth_to_space`]. Theirs is `DCR`, so the expected channels are moved inwards.
pub fn space_to_depth(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["blocksize"])?;
    let expected = op.expected()?;
    let r = usize::try_from(op.int("blocksize", 0)?).unwrap_or_default();
    let &[n, c, h, w] = expected.shape() else {
        return Err(Skip::new("no layer takes apart other values than images"));
    };
    let channels = c.checked_div(r * r).unwrap_or_default();
    let split = reshaped(&expected, &[n, r * r, channels, h, w])?;
    let moved = split.permuted_axes(IxDyn(&[0, 2, 1, 3, 4]));
    let expected = reshaped(&moved, &[n, c, h, w])?;
    let (mut network, x) = Builder::of(op.floats(0)?)?;
    let unshuffle = PixelUnshuffle {
        downscale_factor: r,
    };
    let output = network.layer(unshuffle, x)?;
    Ok(network.expect(output, expected))
}

/// Margins; negative ones cut something off.
pub fn pad(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["mode", "paddings", "pads", "value"])?;
    let name = match op.text("mode", "constant")? {
        "constant" => "ConstantPad",
        "reflect" => "ReflectionPad",
        "edge" => "ReplicationPad",
        "wrap" => "CircularPad",
        other => return Err(Skip::new(format!("no layer pads with `{other}`"))),
    };
    let x = op.floats(0)?;
    let operand = op
        .optional_floats(2)?
        .and_then(|value| value.first().copied());
    let value = operand.map_or_else(|| op.float("value", 0.0), Ok)?;
    let pads = match op.optional_ints(1)? {
        Some(pads) => Some(pads),
        None => op.ints("pads")?.or(op.ints("paddings")?),
    };
    let pads = pads.unwrap_or_default();
    let axes: Vec<usize> = match op.optional_ints(3)? {
        None => (0..x.ndim()).collect(),
        Some(axes) => axes
            .into_iter()
            .map(|axis| op.axis(axis, x.ndim()))
            .collect::<Result<_, _>>()?,
    };
    let (mut begin, mut end) = (vec![0; x.ndim()], vec![0; x.ndim()]);
    for (i, axis) in axes.iter().enumerate() {
        let side = |i: usize| pads.get(i).copied().unwrap_or_default();
        (begin[*axis], end[*axis]) = (side(i), side(i + axes.len()));
    }
    let outer = [&begin[..2.min(begin.len())], &end[..2.min(end.len())]].concat();
    if x.ndim() < 3 || outer.iter().any(|margin| *margin != 0) {
        return Err(Skip::new("no layer pads the batch or the channels"));
    }
    let (begin, end) = (&begin[2..], &end[2..]);
    let positive = |margins: &[i64], sign: i64| -> Vec<usize> {
        let positive = margins.iter().map(|margin| usize::try_from(sign * margin));
        positive.map(Result::unwrap_or_default).collect()
    };
    let (mut network, mut output) = Builder::of(x)?;
    for (name, argument, sign) in [("Crop", "cropping", -1), (name, "padding", 1)] {
        let (begin, end) = (positive(begin, sign), positive(end, sign));
        if begin.iter().chain(&end).any(|margin| *margin > 0) {
            let margins = margins(&begin, &end)?;
            let value = ("value", Argument::Float(f64::from(value)));
            let layer = layer(name, begin.len(), &[(argument, margins), value])?;
            output = network.layer(layer, output)?;
        }
    }
    Ok(network.expect(output, op.expected()?))
}

//! Operators that change the size of an image: `Resize`, `Upsample`, `DepthToSpace`, `Pad`.

use ndarray::IxDyn;
use xdnn_ir::layer::{Interpolation, PixelShuffle, Upsample, ZeroPad2d};

use super::operator::{Operator, reshaped};
use super::skip::Skip;
use super::trial::{Builder, Trial};

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
        ("linear", ..) => {
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

/// Zeros around images.
pub fn pad(op: Operator<'_>) -> Result<Trial, Skip> {
    op.knows(&["mode", "pads", "value"])?;
    let mode = op.text("mode", "constant")?;
    if mode != "constant" {
        return Err(Skip::new(format!(
            "homogeneous, but no layer pads with `{mode}`"
        )));
    }
    let x = op.floats(0)?;
    let operand = op
        .optional_floats(2)?
        .and_then(|value| value.first().copied());
    let value = operand.map_or_else(|| op.float("value", 0.0), Ok)?;
    if value != 0.0 {
        return Err(Skip::new(
            "not homogeneous: it pads with a constant other than 0",
        ));
    }
    let pads = op
        .optional_ints(1)?
        .or(op.ints("pads")?)
        .unwrap_or_default();
    let pads: Result<Vec<usize>, _> = pads.into_iter().map(usize::try_from).collect();
    let pads = pads.map_err(|_| Skip::new("no layer cuts off a margin"))?;
    let [0, 0, top, left, 0, 0, bottom, right] = pads[..] else {
        return Err(Skip::new("no layer pads other values than images"));
    };
    let (mut network, x) = Builder::of(x)?;
    let padding = [left, right, top, bottom];
    let output = network.layer(ZeroPad2d { padding }, x)?;
    Ok(network.expect(output, op.expected()?))
}

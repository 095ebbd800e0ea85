use ndarray::ArrayView2;

use super::PlotError;

pub(super) type Rgb = [u8; 3];

/// ColorBrewer's 9-class RdBu, from its neutral middle outwards on each arm.
const NEUTRAL: Rgb = [0xf7, 0xf7, 0xf7];
const FOR: [Rgb; 5] = [
    NEUTRAL,
    [0xfd, 0xdb, 0xc7],
    [0xf4, 0xa5, 0x82],
    [0xd6, 0x60, 0x4d],
    [0xb2, 0x18, 0x2b],
];
const AGAINST: [Rgb; 5] = [
    NEUTRAL,
    [0xd1, 0xe5, 0xf0],
    [0x92, 0xc5, 0xde],
    [0x43, 0x93, 0xc3],
    [0x21, 0x66, 0xac],
];

/// The sRGB colour of a value in `[-1, 1]`: blue below 0, neutral at 0, red above.
///
/// The colours are the nine of ColorBrewer's diverging scheme RdBu, safe for colour-blind readers
/// (Harrower & Brewer, *ColorBrewer.org: An Online Tool for Selecting Colour Schemes for Maps*,
/// The Cartographic Journal 40, 2003), with straight lines in sRGB between them. `v` and `-v` lie at the
/// same place of the two arms. Values beyond the ends take the colour of the end; NaN is neutral.
#[must_use]
pub fn diverging(value: f64) -> [u8; 3] {
    let arm = if value > 0.0 { &FOR } else { &AGAINST };
    let mut place = value.clamp(-1.0, 1.0).abs() * 4.0;
    for stop in arm.windows(2) {
        if let [near, far] = stop
            && place <= 1.0
        {
            return mix(*near, *far, place);
        }
        place -= 1.0;
    }
    NEUTRAL
}

/// `near + part (far - near)`, for `part` in `[0, 1]`.
pub(super) fn mix(near: Rgb, far: Rgb, part: f64) -> Rgb {
    std::array::from_fn(|channel| {
        let (near, far) = (f64::from(near[channel]), f64::from(far[channel]));
        (near + part * (far - near)).round() as u8
    })
}

/// The value that takes the end of the colour map: the `percentile` of `|map|`, with linear interpolation
/// between ranks, or `max |map|` where that percentile is 0.
pub(super) fn scale(map: ArrayView2<'_, f64>, percentile: f64) -> Result<f64, PlotError> {
    if !(percentile > 0.0 && percentile <= 100.0) {
        return Err(PlotError::Percentile(percentile));
    }
    let mut magnitudes: Vec<f64> = map.iter().map(|value| value.abs()).collect();
    magnitudes.sort_by(f64::total_cmp);
    let max = magnitudes.last().copied().unwrap_or(0.0);
    let rank = percentile / 100.0 * magnitudes.len().saturating_sub(1) as f64;
    let at = |index: f64| magnitudes.get(index as usize).copied().unwrap_or(max);
    let (low, high) = (at(rank.floor()), at(rank.ceil()));
    let found = low + (high - low) * rank.fract();
    Ok(if found > 0.0 { found } else { max })
}

/// The colour of `value` on a map whose scale is `scale`; a map of zeros is neutral.
pub(super) fn on_scale(value: f64, scale: f64) -> Rgb {
    if scale > 0.0 {
        diverging(value / scale)
    } else {
        NEUTRAL
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    /// CIE 1976 lightness of an sRGB colour.
    fn lightness(rgb: Rgb) -> f64 {
        let linear = rgb.map(|byte| (f64::from(byte) / 255.0).powf(2.2));
        let luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
        116.0 * luminance.cbrt() - 16.0
    }

    #[test]
    fn zero_is_neutral() {
        assert_eq!(diverging(0.0), NEUTRAL);
        assert_eq!(diverging(-0.0), NEUTRAL);
        assert_eq!(diverging(f64::NAN), NEUTRAL);
    }

    #[test]
    fn the_arms_mirror_each_other_in_lightness() {
        for step in 1..=100 {
            let value = f64::from(step) / 100.0;
            let (warm, cold) = (diverging(value), diverging(-value));
            assert!(warm[0] > warm[2] && cold[2] > cold[0], "{value}");
            assert!((lightness(warm) - lightness(cold)).abs() < 8.0, "{value}");
            assert!(lightness(warm) < lightness(diverging(value - 0.01)));
            assert!(lightness(cold) < lightness(diverging(0.01 - value)));
        }
    }

    #[test]
    fn values_beyond_the_ends_take_the_ends() {
        assert_eq!(diverging(1.0), FOR[4]);
        assert_eq!(diverging(f64::INFINITY), FOR[4]);
        assert_eq!(diverging(-7.0), AGAINST[4]);
    }

    #[test]
    fn the_scale_is_the_percentile_of_magnitudes() {
        let map = array![[0.0, -4.0], [1.0, 2.0]];
        assert_eq!(scale(map.view(), 100.0).unwrap(), 4.0);
        assert_eq!(scale(map.view(), 50.0).unwrap(), 1.5);
        assert!(matches!(
            scale(map.view(), f64::NAN),
            Err(PlotError::Percentile(_))
        ));
    }

    #[test]
    fn a_sparse_map_falls_back_to_its_maximum() {
        let mut map = Array2::zeros((10, 10));
        map[[3, 3]] = 5.0;
        assert_eq!(scale(map.view(), 90.0).unwrap(), 5.0);
    }

    #[test]
    fn a_map_of_zeros_is_neutral() {
        let scale = scale(Array2::zeros((3, 3)).view(), 100.0).unwrap();
        assert_eq!(on_scale(0.0, scale), NEUTRAL);
    }
}

//! How far two attributions are from each other.

use ndarray::{ArrayViewD, Axis};

use crate::backend::Element;

/// The mean over samples of `Σᵢ |aᵢ − bᵢ| / Σᵢ |bᵢ|`, the mean absolute relative difference that Hesse et al. (2021)
/// report between an attribution `a` and Integrated Gradients `b`.
///
/// Both have the shape `(N, …)`. A sample where both vanish counts 0. `None` where the shapes differ or `N` is 0.
pub fn mean_absolute_relative_difference<T: Element>(
    a: ArrayViewD<'_, T>,
    b: ArrayViewD<'_, T>,
) -> Option<f64> {
    if a.shape() != b.shape() || a.ndim() == 0 || a.len_of(Axis(0)) == 0 {
        return None;
    }
    let samples = a.len_of(Axis(0));
    let distance = |sample: usize| {
        let (a, b) = (a.index_axis(Axis(0), sample), b.index_axis(Axis(0), sample));
        let (mut difference, mut size) = (0.0, 0.0);
        for (a, b) in a.iter().zip(&b) {
            let (a, b) = (
                a.to_f64().unwrap_or(f64::NAN),
                b.to_f64().unwrap_or(f64::NAN),
            );
            difference += (a - b).abs();
            size += b.abs();
        }
        if difference == 0.0 {
            0.0
        } else {
            difference / size
        }
    };
    Some((0..samples).map(distance).sum::<f64>() / samples as f64)
}

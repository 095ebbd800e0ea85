//! How good a network is.

use ndarray::{ArrayViewD, Axis};

use crate::backend::Element;
use crate::ops::argmax;

/// The share of samples whose largest output is their class.
///
/// `outputs` has the shape `(N, classes)`, and there is a class for each sample; `None` otherwise, or where `N` is 0.
pub fn accuracy<T: Element>(outputs: ArrayViewD<'_, T>, classes: &[usize]) -> Option<f64> {
    if outputs.ndim() != 2 || classes.is_empty() || outputs.len_of(Axis(0)) != classes.len() {
        return None;
    }
    let predicted = outputs
        .axis_iter(Axis(0))
        .map(|row| argmax(&row.iter().copied().collect::<Vec<_>>()));
    let correct = predicted
        .zip(classes)
        .filter(|(predicted, class)| predicted == *class)
        .count();
    Some(correct as f64 / classes.len() as f64)
}

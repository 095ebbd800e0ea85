//! The search for numbers that are not finite.

use rayon::prelude::*;

use crate::ops::Real;

/// Numbers tested without a branch; also the smallest share of a thread, in chunks.
const CHUNK: usize = 4096;
const CHUNKS_PER_THREAD: usize = 16;

/// The position of the first NaN or infinity.
pub(crate) fn first_non_finite<T: Real>(values: &[T]) -> Option<usize> {
    let (chunk, values) = values
        .par_chunks(CHUNK)
        .enumerate()
        .with_min_len(CHUNKS_PER_THREAD)
        .find_first(|(_, chunk)| !chunk.iter().fold(true, |ok, value| ok & value.is_finite()))?;
    let within = values.iter().position(|value| !value.is_finite())?;
    Some(chunk * CHUNK + within)
}

/// The index in an array of shape `dims` of element number `position` in row-major order.
pub(crate) fn unravel(mut position: usize, dims: &[usize]) -> Vec<usize> {
    let mut index = vec![0; dims.len()];
    for (i, &dim) in index.iter_mut().zip(dims).rev() {
        let dim = dim.max(1);
        (*i, position) = (position % dim, position / dim);
    }
    index
}

#[cfg(test)]
mod tests {
    use super::{first_non_finite, unravel};

    #[test]
    fn the_first_of_several_is_found_wherever_it_stands() {
        for position in [0, 1, 4095, 4096, 99_999] {
            let mut values = vec![1.0; 100_000];
            values[position] = f32::NEG_INFINITY;
            values[99_999] = f32::NAN;
            assert_eq!(first_non_finite(&values), Some(position));
        }
        assert_eq!(first_non_finite(&vec![f32::MAX; 100_000]), None);
        assert_eq!(first_non_finite::<f32>(&[]), None);
    }

    #[test]
    fn positions_become_indices() {
        assert_eq!(unravel(23, &[2, 3, 4]), [1, 2, 3]);
        assert_eq!(unravel(5, &[2, 3]), [1, 2]);
        assert_eq!(unravel(0, &[]), Vec::<usize>::new());
    }
}

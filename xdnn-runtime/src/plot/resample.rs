use ndarray::{Array1, Array2, ArrayView2, Axis};

/// Height and width at which a plane of `size` is shown in a square of `tile` pixels: enlarged by a whole
/// number, so that every pixel stays a crisp square, or reduced with its proportions kept.
pub(super) fn shown_size((height, width): (usize, usize), tile: usize) -> (usize, usize) {
    let side = height.max(width).max(1);
    if side <= tile {
        let factor = tile / side;
        (height * factor, width * factor)
    } else {
        let reduce =
            |length: usize| (length as f64 * tile as f64 / side as f64).round().max(1.0) as usize;
        (reduce(height), reduce(width))
    }
}

/// The plane at `size`: nearest neighbours where it grows, means over areas where it shrinks.
pub(super) fn resample(plane: ArrayView2<'_, f64>, size: (usize, usize)) -> Array2<f64> {
    let rows = along(plane, Axis(0), size.0);
    along(rows.view(), Axis(1), size.1)
}

fn along(plane: ArrayView2<'_, f64>, axis: Axis, length: usize) -> Array2<f64> {
    let old = plane.len_of(axis);
    let mut shape = plane.raw_dim();
    shape[axis.index()] = length;
    let mut resampled = Array2::zeros(shape);
    for (index, mut lane) in resampled.axis_iter_mut(axis).enumerate() {
        if length >= old {
            lane.assign(&plane.index_axis(axis, index * old / length));
        } else {
            lane.assign(&mean(plane, axis, index, old as f64 / length as f64));
        }
    }
    resampled
}

/// The mean of the lanes that `[index * step, (index + 1) * step)` covers, each weighted by how much of it is covered.
fn mean(plane: ArrayView2<'_, f64>, axis: Axis, index: usize, step: f64) -> Array1<f64> {
    let start = index as f64 * step;
    let end = (start + step).min(plane.len_of(axis) as f64);
    let mut mean = Array1::zeros(plane.len_of(Axis(1 - axis.index())));
    for lane in start as usize..end.ceil() as usize {
        let covered = (lane as f64 + 1.0).min(end) - (lane as f64).max(start);
        mean.scaled_add(covered / (end - start), &plane.index_axis(axis, lane));
    }
    mean
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn small_planes_grow_by_a_whole_number() {
        assert_eq!(shown_size((8, 8), 168), (168, 168));
        assert_eq!(shown_size((28, 14), 160), (140, 70));
        assert_eq!(shown_size((300, 600), 160), (80, 160));
        assert_eq!(shown_size((1, 9000), 160), (1, 160));
    }

    #[test]
    fn growing_repeats_pixels() {
        let grown = resample(array![[1.0, 2.0]].view(), (2, 4));
        assert_eq!(grown, array![[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]);
    }

    #[test]
    fn shrinking_takes_means() {
        let shrunk = resample(array![[1.0, 3.0], [5.0, 7.0]].view(), (1, 1));
        assert_eq!(shrunk, array![[4.0]]);
        let uneven = resample(array![[3.0, 6.0, 9.0]].view(), (1, 2));
        assert_eq!(uneven, array![[4.0, 8.0]]);
    }

    #[test]
    fn shrinking_keeps_the_mean_of_the_plane() {
        let plane = Array2::from_shape_fn((23, 31), |(y, x)| ((y * 7 + x * 5) % 11) as f64);
        let shrunk = resample(plane.view(), (9, 13));
        assert!((shrunk.sum() / 117.0 - plane.sum() / 713.0).abs() < 1e-12);
    }
}

use ndarray::{Array2, Array3, ArrayD, ArrayRef, Axis, Dimension, Ix3};

use super::PlotError;

/// The image as `(3, H, W)` in `[0, 1]`; values that leave this range are stretched from their minimum to
/// their maximum.
pub(super) fn picture<A, D>(image: &ArrayRef<A, D>) -> Result<Array3<f64>, PlotError>
where
    A: Copy + Into<f64>,
    D: Dimension,
{
    let picture = planes(image, "image", "(H, W), (1, H, W) or (3, H, W)")?;
    let (channels, height, width) = picture.dim();
    if !matches!(channels, 1 | 3) {
        return Err(PlotError::Shape {
            array: "image",
            expected: "(H, W), (1, H, W) or (3, H, W)",
            found: image.shape().to_vec(),
        });
    }
    let (low, high) = picture
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| {
            (low.min(value), high.max(value))
        });
    let grey = if low >= 0.0 && high <= 1.0 {
        picture
    } else if low < high {
        // Halves keep the difference of two large numbers finite.
        picture.mapv(|value| (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0))
    } else {
        picture.mapv(|_| 0.5)
    };
    Ok(match grey.broadcast((3, height, width)) {
        Some(rgb) => rgb.to_owned(),
        None => grey,
    })
}

/// The attribution summed over channels: `m[y, x] = Σ_c a[c, y, x]`.
pub(super) fn map<A, D>(attribution: &ArrayRef<A, D>) -> Result<Array2<f64>, PlotError>
where
    A: Copy + Into<f64>,
    D: Dimension,
{
    let map = planes(attribution, "attribution", "(H, W) or (C, H, W)")?.sum_axis(Axis(0));
    check_finite("attribution", &map)?;
    Ok(map)
}

/// The array as `(C, H, W)`, not empty and finite.
fn planes<A, D>(
    array: &ArrayRef<A, D>,
    name: &'static str,
    expected: &'static str,
) -> Result<Array3<f64>, PlotError>
where
    A: Copy + Into<f64>,
    D: Dimension,
{
    let wrong_shape = || PlotError::Shape {
        array: name,
        expected,
        found: array.shape().to_vec(),
    };
    if array.is_empty() {
        return Err(wrong_shape());
    }
    let values: ArrayD<f64> = array.mapv(Into::into).into_dyn();
    check_finite(name, &values)?;
    let values = match values.ndim() {
        2 => values.insert_axis(Axis(0)),
        _ => values,
    };
    values
        .into_dimensionality::<Ix3>()
        .map_err(|_| wrong_shape())
}

fn check_finite<D: Dimension>(
    name: &'static str,
    array: &ArrayRef<f64, D>,
) -> Result<(), PlotError> {
    let dynamic = array.view().into_dyn();
    match dynamic.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some((index, &value)) => Err(PlotError::NonFinite {
            array: name,
            index: index.as_array_view().to_vec(),
            value,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array, array};

    use super::*;

    #[test]
    fn an_image_inside_of_the_unit_range_is_kept() {
        let picture = picture(&array![[0.25f32, 0.5]]).unwrap();
        assert_eq!(picture, array![[[0.25, 0.5]], [[0.25, 0.5]], [[0.25, 0.5]]]);
    }

    #[test]
    fn any_other_image_is_stretched() {
        let picture = picture(&array![[[-2.0f32, 0.0, 2.0]]]).unwrap();
        assert_eq!(picture.index_axis(Axis(0), 2), array![[0.0, 0.5, 1.0]]);
        let huge = self::picture(&array![[f64::MIN, f64::MAX]]).unwrap();
        assert_eq!(huge.index_axis(Axis(0), 0), array![[0.0, 1.0]]);
    }

    #[test]
    fn bytes_are_an_image_too() {
        let picture = picture(&array![[0u8, 255]]).unwrap();
        assert_eq!(picture.index_axis(Axis(0), 1), array![[0.0, 1.0]]);
    }

    #[test]
    fn attributions_are_summed_over_channels() {
        assert_eq!(
            map(&array![[[1.0f32]], [[-3.0]], [[5.0]]]).unwrap(),
            array![[3.0]]
        );
    }

    #[test]
    fn a_value_that_is_not_finite_is_named_by_its_index() {
        let mut attribution = Array::zeros((2, 3, 4));
        attribution[[1, 2, 3]] = f32::NAN;
        let error = map(&attribution).unwrap_err();
        assert!(
            matches!(&error, PlotError::NonFinite { array: "attribution", index, .. } if *index == [1, 2, 3])
        );
        assert!(matches!(
            picture(&array![[f32::INFINITY]]),
            Err(PlotError::NonFinite { array: "image", .. })
        ));
    }

    #[test]
    fn a_sum_that_overflows_is_an_error() {
        let error = map(&array![[[f64::MAX]], [[f64::MAX]]]).unwrap_err();
        assert!(matches!(error, PlotError::NonFinite { index, .. } if index == [0, 0]));
    }

    #[test]
    fn a_shape_that_is_no_picture_is_an_error() {
        for shape in [vec![], vec![3], vec![2, 4, 4], vec![1, 1, 4, 4], vec![0, 4]] {
            let image = Array::<f32, _>::zeros(shape.clone());
            assert!(
                matches!(picture(&image), Err(PlotError::Shape { found, .. }) if found == shape)
            );
        }
    }
}

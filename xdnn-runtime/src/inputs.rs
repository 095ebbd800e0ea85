//! What a network is given.

use std::borrow::Cow;

use ndarray::{ArrayBase, ArrayView, ArrayViewD, Data, Dimension};
use xdnn_ir::NetworkSpec;

use crate::error::invalid;
use crate::finite::{first_non_finite, unravel};
use crate::ops::Real;
use crate::{Error, Result};

/// One array for each declared input, in order of declaration, each of shape `(N, …)` with the same number of samples
/// `N`.
///
/// A network with one input takes a reference to an array or a view; one with several takes the struct of named inputs
/// that its declaration makes, or [`from_views`](Self::from_views). Any memory layout will do; row-major and contiguous
/// arrays are read in place.
#[derive(Clone, Debug)]
pub struct Inputs<'a, T = f32> {
    views: Vec<ArrayViewD<'a, T>>,
}

impl<'a, T: Real, S: Data<Elem = T>, D: Dimension> From<&'a ArrayBase<S, D>> for Inputs<'a, T> {
    fn from(array: &'a ArrayBase<S, D>) -> Self {
        Self::from_views([array.view().into_dyn()])
    }
}

impl<'a, T: Real, D: Dimension> From<ArrayView<'a, T, D>> for Inputs<'a, T> {
    fn from(view: ArrayView<'a, T, D>) -> Self {
        Self::from_views([view.into_dyn()])
    }
}

impl<'a, T: Real> Inputs<'a, T> {
    /// Inputs in order of declaration.
    pub fn from_views(views: impl IntoIterator<Item = ArrayViewD<'a, T>>) -> Self {
        let views = views.into_iter().collect();
        Self { views }
    }

    /// The arrays, in order of declaration.
    pub fn views(&self) -> &[ArrayViewD<'a, T>] {
        &self.views
    }

    /// The number of samples, if these are inputs that `spec` takes.
    ///
    /// # Errors
    ///
    /// [`Error::InputCount`], [`Error::InputShape`], [`Error::EmptyBatch`], [`Error::BatchesDiffer`] or, with the index
    /// of the first such value in row-major order, [`Error::NonFiniteInput`]. Shapes are checked before values.
    pub fn check(&self, spec: &NetworkSpec) -> Result<usize> {
        let declared = spec.inputs();
        if self.views.len() != declared.len() {
            return Err(Error::InputCount {
                names: declared.iter().map(|input| input.name.clone()).collect(),
                found: self.views.len(),
            });
        }
        let mut batch = None;
        for (input, view) in declared.iter().zip(&self.views) {
            let samples = match view.shape().split_first() {
                Some((&samples, sample)) if sample == input.shape.dims() => samples,
                _ => {
                    return Err(Error::InputShape {
                        name: input.name.clone(),
                        expected: input.shape,
                        found: view.shape().to_vec(),
                    });
                }
            };
            let name = input.name.clone();
            match batch {
                _ if samples == 0 => return Err(Error::EmptyBatch { name }),
                None => batch = Some((samples, input)),
                Some((expected, _)) if expected == samples => {}
                Some((expected, first)) => {
                    return Err(Error::BatchesDiffer {
                        first: first.name.clone(),
                        expected,
                        name,
                        found: samples,
                    });
                }
            }
        }
        for (input, view) in declared.iter().zip(&self.views) {
            if let Some((index, value)) = non_finite(view) {
                return Err(Error::NonFiniteInput {
                    name: input.name.clone(),
                    index,
                    value,
                });
            }
        }
        match batch {
            Some((samples, _)) => Ok(samples),
            None => Err(invalid("a network without inputs")),
        }
    }

    /// The numbers of each input in row-major order; copied where they are not stored so.
    pub fn slices(&self) -> Vec<Cow<'a, [T]>> {
        self.views.iter().map(row_major).collect()
    }
}

fn row_major<'a, T: Real>(view: &ArrayViewD<'a, T>) -> Cow<'a, [T]> {
    match view.to_slice() {
        Some(slice) => Cow::Borrowed(slice),
        None => Cow::Owned(view.iter().copied().collect()),
    }
}

/// The first NaN or infinity in row-major order, with its index.
fn non_finite<T: Real>(view: &ArrayViewD<'_, T>) -> Option<(Vec<usize>, f64)> {
    let position = match view.as_slice() {
        Some(slice) => first_non_finite(slice)?,
        None => view.iter().position(|value| !value.is_finite())?,
    };
    let index = unravel(position, view.shape());
    let value = view.get(index.as_slice())?.to_f64()?;
    Some((index, value))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use ndarray::{Array1, Array2, Array3, Array4, Axis, s};
    use xdnn_ir::{NetworkSpec, Operand};

    use super::Inputs;
    use crate::Error;
    use crate::sketch::Sketch;

    fn takes(inputs: &[(&'static str, &[usize])]) -> NetworkSpec {
        Sketch::new(inputs).finish(Operand::Input(0))
    }

    fn image() -> NetworkSpec {
        takes(&[("image", &[1, 2, 3])])
    }

    fn fusion() -> NetworkSpec {
        takes(&[("image", &[3]), ("audio", &[2])])
    }

    #[test]
    fn a_batch_of_the_declared_shape_is_counted() {
        let images = Array4::<f32>::zeros((5, 1, 2, 3));
        assert_eq!(Inputs::from(&images).check(&image()).unwrap(), 5);
        assert_eq!(
            Inputs::from(images.slice(s![1..3, .., .., ..]))
                .check(&image())
                .unwrap(),
            2
        );
    }

    #[test]
    fn a_sample_without_its_batch_dimension_is_refused_with_advice() {
        let error = Inputs::from(&Array3::<f32>::zeros((1, 2, 3)))
            .check(&image())
            .unwrap_err();
        assert!(matches!(error, Error::InputShape { .. }));
        assert!(error.to_string().contains("insert_axis"), "{error}");
    }

    #[test]
    fn a_wrong_size_is_refused() {
        let error = Inputs::from(&Array4::<f32>::zeros((5, 1, 3, 2)))
            .check(&image())
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "input `image` must have the shape `(N, 1, 2, 3)`, found `(5, 1, 3, 2)`"
        );
    }

    #[test]
    fn a_wrong_number_of_inputs_is_refused() {
        let error = Inputs::from(&Array2::<f32>::zeros((5, 3)))
            .check(&fusion())
            .unwrap_err();
        assert!(matches!(error, Error::InputCount { found: 1, .. }));
    }

    #[test]
    fn inputs_of_different_batches_are_refused() {
        let (image, audio) = (Array2::<f32>::zeros((5, 3)), Array2::<f32>::zeros((4, 2)));
        let inputs = Inputs::from_views([image.view().into_dyn(), audio.view().into_dyn()]);
        assert_eq!(
            inputs.check(&fusion()).unwrap_err().to_string(),
            "input `audio` holds 4 samples, but input `image` holds 5; give every input the same number of samples"
        );
    }

    #[test]
    fn an_empty_batch_is_refused() {
        let error = Inputs::from(&Array4::<f32>::zeros((0, 1, 2, 3)))
            .check(&image())
            .unwrap_err();
        assert!(matches!(error, Error::EmptyBatch { .. }));
    }

    #[test]
    fn a_scalar_is_refused() {
        let error = Inputs::from(&ndarray::arr0(1.0_f32))
            .check(&image())
            .unwrap_err();
        assert!(matches!(error, Error::InputShape { .. }));
    }

    #[test]
    fn the_first_value_that_is_not_finite_is_named_in_any_layout() {
        let mut images = Array4::<f32>::zeros((5, 1, 2, 3));
        images[[3, 0, 1, 2]] = f32::INFINITY;
        images[[4, 0, 0, 0]] = f32::NAN;
        let mut reversed = images.clone();
        reversed.invert_axis(Axis(0));
        reversed.invert_axis(Axis(0));
        let fortran = images.t().as_standard_layout().into_owned().reversed_axes();
        for images in [images, reversed, fortran] {
            match Inputs::from(&images).check(&image()).unwrap_err() {
                Error::NonFiniteInput { index, value, .. } => {
                    assert_eq!((index, value), (vec![3, 0, 1, 2], f64::INFINITY));
                }
                error => panic!("{error}"),
            }
        }
    }

    #[test]
    fn only_layouts_that_are_not_row_major_are_copied() {
        let plain = Array1::from_iter(0..6_u8)
            .mapv(f32::from)
            .into_shape_with_order((2, 3))
            .unwrap();
        let slices = Inputs::from(&plain).slices();
        assert!(matches!(
            &slices[..],
            [Cow::Borrowed([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])]
        ));
        let slices = Inputs::from(plain.t()).slices();
        assert!(
            matches!(&slices[..], [Cow::Owned(values)] if values == &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0])
        );
    }
}

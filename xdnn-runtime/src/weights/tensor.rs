//! A named tensor.

use std::borrow::Cow;
use std::fmt;

use ndarray::{
    ArcArray, Array, ArrayBase, ArrayView, ArrayViewD, ArrayViewMut, ArrayViewMutD, Data,
    Dimension, IxDyn,
};

use super::WeightReader;
use crate::error::Tuple;
use crate::{Error, Parameters, Result};

/// A tensor of weights with its name.
///
/// Its numbers can be read as [`view`](Self::view) and changed through [`view_mut`](Self::view_mut); its shape stays.
/// Clones share the numbers until one of them changes, so that cloning a network costs next to nothing.
#[derive(Clone)]
pub struct Weight<D: Dimension> {
    name: Cow<'static, str>,
    /// Row-major and contiguous.
    array: ArcArray<f32, D>,
}

impl<D: Dimension> Weight<D> {
    /// A tensor of that name.
    pub(crate) fn new(name: Cow<'static, str>, array: Array<f32, D>) -> Self {
        let array = if array.is_standard_layout() {
            array.into_shared()
        } else {
            array.as_standard_layout().into_owned().into_shared()
        };
        Self { name, array }
    }

    /// The path of labels to the layer and the tensor's own name, such as `layer1.rest.0.conv1.weight`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shape, in PyTorch's layout.
    pub fn shape(&self) -> &[usize] {
        self.array.shape()
    }

    /// The numbers.
    pub fn view(&self) -> ArrayView<'_, f32, D> {
        self.array.view()
    }

    /// The numbers, to change them. A compiled model keeps those that it was compiled with.
    pub fn view_mut(&mut self) -> ArrayViewMut<'_, f32, D> {
        self.array.view_mut()
    }

    /// The numbers in row-major order.
    pub fn as_slice(&self) -> &[f32] {
        self.array.as_slice().unwrap_or_default()
    }

    /// The numbers in row-major order, to change them.
    pub fn as_slice_mut(&mut self) -> &mut [f32] {
        self.array.as_slice_mut().unwrap_or_default()
    }

    /// Replaces the numbers.
    ///
    /// # Errors
    ///
    /// [`Error::WeightShape`] when `array` has another shape; the numbers are then as before.
    pub fn assign<S: Data<Elem = f32>>(&mut self, array: &ArrayBase<S, D>) -> Result<()> {
        if array.shape() != self.shape() {
            return Err(Error::WeightShape {
                name: self.name.clone(),
                expected: self.shape().to_vec(),
                found: array.shape().to_vec(),
            });
        }
        self.array.assign(array);
        Ok(())
    }
}

/// `` `conv1.weight` (16, 1, 3, 3) ``: the name and the shape, not the numbers.
impl<D: Dimension> fmt::Debug for Weight<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.name, Tuple(self.shape()))
    }
}

impl<D: Dimension> Parameters for Weight<D> {
    fn read(reader: &mut WeightReader) -> Self {
        reader.weight()
    }

    fn visit<'a>(&'a self, visitor: &mut dyn FnMut(WeightView<'a>)) {
        visitor(WeightView {
            name: &self.name,
            array: self.array.view().into_dyn(),
            shared: self.array.clone().into_dyn(),
        });
    }

    fn visit_mut<'a>(&'a mut self, visitor: &mut dyn FnMut(WeightViewMut<'a>)) {
        visitor(WeightViewMut {
            name: &self.name,
            array: self.array.view_mut().into_dyn(),
        });
    }
}

/// A tensor of a network under its name, as [`Parameters::visit`] shows it.
#[derive(Clone)]
#[non_exhaustive]
pub struct WeightView<'a> {
    /// The name.
    pub name: &'a str,
    /// The numbers, row-major and contiguous.
    pub array: ArrayViewD<'a, f32>,
    /// The array that `array` was made from.
    shared: ArcArray<f32, IxDyn>,
}

impl<'a> WeightView<'a> {
    /// The numbers in row-major order.
    pub fn as_slice(&self) -> &'a [f32] {
        self.array.to_slice().unwrap_or_default()
    }

    /// The numbers, to be kept; without a copy, unless somebody has put others in their place.
    pub(crate) fn into_shared(self) -> ArcArray<f32, IxDyn> {
        let same = self.array.as_ptr() == self.shared.as_ptr()
            && self.array.shape() == self.shared.shape()
            && self.array.strides() == self.shared.strides();
        if same {
            self.shared
        } else {
            self.array.to_owned().into_shared()
        }
    }
}

impl fmt::Debug for WeightView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeightView")
            .field("name", &self.name)
            .field("array", &self.array)
            .finish()
    }
}

/// A tensor of a network under its name, as [`Parameters::visit_mut`] shows it.
#[derive(Debug)]
#[non_exhaustive]
pub struct WeightViewMut<'a> {
    /// The name.
    pub name: &'a str,
    /// The numbers, row-major and contiguous.
    pub array: ArrayViewMutD<'a, f32>,
}

impl<'a> WeightViewMut<'a> {
    /// The numbers in row-major order.
    pub fn into_slice(self) -> &'a mut [f32] {
        self.array.into_slice().unwrap_or_default()
    }
}

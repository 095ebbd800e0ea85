//! What luminal's tensors hold.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use luminal::prelude::{Data, Tensor};

use crate::error::Error;

/// The numbers of a tensor as luminal passes them along: `f32` or `f64`.
#[derive(Clone, Debug)]
pub struct Buffer<T>(pub Vec<T>);

impl<T: Clone + fmt::Debug + 'static> Data for Buffer<T> {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// What a tensor holds of this type.
pub(crate) fn held<T: Clone + fmt::Debug + 'static>(tensor: &Tensor) -> Option<&[T]> {
    let buffer = tensor.data.as_any().downcast_ref::<Buffer<T>>()?;
    Some(&buffer.0)
}

/// In place of the numbers of a run that failed: luminal's operators return no errors.
#[derive(Clone, Debug)]
pub(crate) struct Failure(Rc<RefCell<Option<Error>>>);

impl Failure {
    pub(crate) fn new(error: Error) -> Self {
        Self(Rc::new(RefCell::new(Some(error))))
    }

    /// The error, for the first who asks.
    pub(crate) fn take(&self) -> Option<Error> {
        self.0.take()
    }
}

impl Data for Failure {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

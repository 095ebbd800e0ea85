//! Passes that may fail: luminal's compilers return nothing.

use std::cell::RefCell;

use luminal::prelude::{Compiler, Graph, ToIdsMut};

use crate::error::{Error, Result};

/// A pass that may fail, and then leaves the graph as it is.
pub(crate) trait Fallible {
    fn attempt<T: ToIdsMut>(&self, graph: &mut Graph, remap: T) -> Result<()>;

    /// What such a pass does as a [`Compiler`].
    fn attempt_or_warn<T: ToIdsMut>(&self, graph: &mut Graph, remap: T) {
        if let Err(error) = self.attempt(graph, remap) {
            tracing::warn!(%error, "the graph stays as it is");
        }
    }
}

/// A pass as a [`Compiler`], for those who want to know why it could not be done.
pub(crate) struct Attempt<'a, P> {
    pass: &'a P,
    fault: RefCell<Option<Error>>,
}

impl<'a, P: Fallible> Attempt<'a, P> {
    pub(crate) fn new(pass: &'a P) -> Self {
        Self {
            pass,
            fault: RefCell::default(),
        }
    }

    pub(crate) fn result(self) -> Result<()> {
        self.fault.into_inner().map_or(Ok(()), Err)
    }
}

impl<P: Fallible> Compiler for &Attempt<'_, P> {
    fn compile<T: ToIdsMut>(&self, graph: &mut Graph, remap: T) {
        if let Err(error) = self.pass.attempt(graph, remap) {
            self.fault.replace(Some(error));
        }
    }
}

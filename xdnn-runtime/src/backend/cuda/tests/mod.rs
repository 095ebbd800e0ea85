//! The CUDA backend.

use std::fmt;

use super::{Interface, Plan, Weights, plan};
use crate::Precision;
use crate::graph::{Graph, Task};
use crate::passes::{FuseElementwise, SlopesAsBits};

struct Listing(Interface, Plan<super::Kernel>);

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::write(f, &self.0.leaves, &self.1)
    }
}


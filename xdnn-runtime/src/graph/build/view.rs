//! The same elements under other dimensions, or as they are.

use xdnn_ir::layer::{Dropout, Flatten, Reshape};

use super::{Lower, Site};
use crate::error::Result;
use crate::graph::Value;

impl Lower for Flatten {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        site.graph.reshape(site.x, site.shape)
    }
}

impl Lower for Reshape {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        site.graph.reshape(site.x, site.shape)
    }
}

/// What it does where it does not act.
impl Lower for Dropout {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        Ok(site.x)
    }
}

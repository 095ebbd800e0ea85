//! The same elements under other dimensions, in another order, or as they are.

use xdnn_ir::Shape;
use xdnn_ir::layer::{ChannelShuffle, Dropout, Flatten, Permute, Reshape};

use super::{Lower, Site};
use crate::error::Result;
use crate::graph::Value;
use crate::ops;

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

impl Lower for Permute {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let axes = [&[0], self.dims.dims()].concat();
        site.graph.apply(ops::Permute { axes }, &[site.x])
    }
}

impl Lower for ChannelShuffle {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let [batch, channels] = [site.shape.dim(0), site.shape.dim(1)];
        let rest = site.shape.dims().iter().skip(2).product();
        let group = channels / self.groups.max(1);
        let split = Shape::new([batch, self.groups, group, rest]);
        let split = site.graph.reshape(site.x, split)?;
        let axes = vec![0, 2, 1, 3];
        let exchanged = site.graph.apply(ops::Permute { axes }, &[split])?;
        site.graph.reshape(exchanged, site.shape)
    }
}

/// What it does where it does not act.
impl Lower for Dropout {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        Ok(site.x)
    }
}

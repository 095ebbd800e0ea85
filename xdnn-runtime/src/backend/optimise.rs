//! The passes on the way to a program, in their order.

use luminal::prelude::Compiler;

use super::Weights;
use crate::Result;
use crate::graph::Graph;
#[cfg(debug_assertions)]
use crate::graph::verify;
use crate::passes::{BlockChannels, FuseElementwise, SlopesAsBits};

/// The passes that every backend's graphs go through.
pub(crate) fn optimise(graph: &mut Graph, weights: Weights) -> Result<()> {
    if weights == Weights::Constant {
        pass(graph, BlockChannels)?;
    }
    pass(graph, SlopesAsBits)?;
    pass(graph, FuseElementwise)
}

/// Runs a pass; debug builds check what it has made.
pub(super) fn pass(graph: &mut Graph, pass: impl Compiler) -> Result<()> {
    graph.compile_with(pass)?;
    #[cfg(debug_assertions)]
    verify::verify(graph)?;
    Ok(())
}

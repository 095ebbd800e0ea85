//! Linear maps that act on one axis after the other.

use std::sync::Arc;

use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::{AxisMap, SparseMap};

/// One linear map after the other, each along its axis.
pub(super) fn along(
    graph: &mut Graph,
    x: Value,
    maps: impl IntoIterator<Item = (usize, SparseMap)>,
) -> Result<Value> {
    maps.into_iter().try_fold(x, |x, (axis, map)| {
        graph.apply(
            AxisMap {
                axis,
                map: Arc::new(map),
            },
            &[x],
        )
    })
}

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
    let maps = maps.into_iter().filter(|(_, map)| !map.is_identity());
    let mut maps = maps;
    maps.try_fold(x, |x, (axis, map)| {
        graph.apply(
            AxisMap {
                axis,
                map: Arc::new(map),
            },
            &[x],
        )
    })
}

/// `factor` times the sum of `size` neighbours, from `before` ones in front of each element on, as far as they exist.
pub(super) fn window(elements: usize, before: usize, size: usize, factor: f64) -> SparseMap {
    let row = |i: usize| {
        let end = (i + size).saturating_sub(before).min(elements);
        (i.saturating_sub(before)..end)
            .map(|j| (j, factor))
            .collect()
    };
    SparseMap::new(elements, (0..elements).map(row))
}

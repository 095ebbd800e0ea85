//! Attention, and positions as rotations.

use std::sync::Arc;

use xdnn_ir::Shape;
use xdnn_ir::layer::{AttentionKind, MultiheadAttention, RotaryEmbedding};

use super::norm::unit;
use super::softmax::{exponentials, share};
use super::{Lower, Site, malformed};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::{AxisMap, Map, MatMul, Permute, Slice, Slopes, SparseMap};

/// The base of the angles that PyTorch's libraries take where none is given.
const BASE: f64 = 10_000.0;

impl Lower for MultiheadAttention {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        let Site {
            graph,
            x,
            weights,
            name,
            shape,
        } = site;
        let [project, combine] = weights else {
            return Err(malformed(name));
        };
        let [samples, tokens, features] = [x.shape().dim(0), x.shape().dim(1), x.shape().dim(2)];
        let width = features / self.num_heads.max(1);
        let rows = Shape::new([samples * tokens, features]);
        let x = graph.reshape(x, rows)?;
        let projected = graph.matmul_transposed(x, *project)?;
        let parts = Shape::new([samples, tokens, 3, self.num_heads, width]);
        let parts = graph.reshape(projected, parts)?;
        let axes = vec![2, 0, 3, 1, 4];
        let parts = graph.apply(Permute { axes }, &[parts])?;
        let heads = Shape::new([samples, self.num_heads, tokens, width]);
        let part = |graph: &mut Graph, start| {
            let part = Slice {
                axis: 0,
                start,
                length: 1,
            };
            let part = graph.apply(part, &[parts])?;
            graph.reshape(part, heads)
        };
        let (mut query, mut key) = (part(graph, 0)?, part(graph, 1)?);
        let value = part(graph, 2)?;
        if self.rotary {
            query = rotated(graph, query, 1, BASE)?;
            key = rotated(graph, key, 1, BASE)?;
        }
        let attended = weigh(self, graph, query, key)?;
        let plain = MatMul {
            transpose_a: false,
            transpose_b: false,
        };
        let mixed = graph.apply(plain, &[attended, value])?;
        let axes = vec![0, 2, 1, 3];
        let mixed = graph.apply(Permute { axes }, &[mixed])?;
        let mixed = graph.reshape(mixed, rows)?;
        let result = graph.matmul_transposed(mixed, *combine)?;
        graph.reshape(result, shape)
    }
}

/// The weights `[samples, heads, tokens, tokens]` with which each token reads the others.
fn weigh(layer: &MultiheadAttention, graph: &mut Graph, query: Value, key: Value) -> Result<Value> {
    let (tokens, width) = (query.shape().dim(2), query.shape().dim(3) as f64);
    let relu = Map::PiecewiseLinear(Slopes::RELU);
    match layer.kind {
        AttentionKind::Relu => {
            let scores = graph.matmul_transposed(query, key)?;
            let factor = 1.0 / (width.sqrt() * tokens as f64);
            let scores = graph.scale(scores, factor)?;
            let positive = graph.map(relu, scores)?;
            masked(layer, graph, positive)
        }
        AttentionKind::NormalizedRelu => {
            let scores = graph.matmul_transposed(query, key)?;
            let positive = graph.map(relu, scores)?;
            let seen = masked(layer, graph, positive)?;
            share(graph, seen, 3)
        }
        AttentionKind::NormalizedSoftmax => {
            let (query, key) = (unit(graph, query, 3)?, unit(graph, key, 3)?);
            let scores = graph.matmul_transposed(query, key)?;
            let scores = graph.scale(scores, width.sqrt())?;
            let exponentials = exponentials(graph, scores, 3)?;
            let seen = masked(layer, graph, exponentials)?;
            share(graph, seen, 3)
        }
    }
}

/// 0 for each token behind the one that looks, if the attention is causal.
fn masked(layer: &MultiheadAttention, graph: &mut Graph, scores: Value) -> Result<Value> {
    if !layer.is_causal {
        return Ok(scores);
    }
    let tokens = scores.shape().dim(2);
    let seen = |i: usize| match i % tokens <= i / tokens {
        true => vec![(i, 1.0)],
        false => vec![],
    };
    let mask = SparseMap::new(tokens * tokens, (0..tokens * tokens).map(seen));
    on_last_two(graph, scores, mask)
}

impl Lower for RotaryEmbedding {
    fn lower(&self, site: Site<'_>) -> Result<Value> {
        rotated(site.graph, site.x, self.num_heads, self.base)
    }
}

/// Each pair of features of `[…, tokens, features]` turned by the angle of its token.
fn rotated(graph: &mut Graph, x: Value, heads: usize, base: f64) -> Result<Value> {
    let rank = x.shape().rank();
    let (tokens, features) = (x.shape().dim(rank - 2), x.shape().dim(rank - 1));
    let width = features / heads.max(1);
    let row = |i: usize| {
        let (token, feature) = (i / features, i % features % width.max(1));
        let frequency = base.powf(-((feature - feature % 2) as f64) / width as f64);
        let (sin, cos) = (token as f64 * frequency).sin_cos();
        // (x, y) becomes (x cos − y sin, y cos + x sin).
        match feature % 2 {
            0 => vec![(i, cos), (i + 1, -sin)],
            _ => vec![(i, cos), (i - 1, sin)],
        }
    };
    let rotation = SparseMap::new(tokens * features, (0..tokens * features).map(row));
    on_last_two(graph, x, rotation)
}

/// A linear map of the last two dimensions, taken as one.
fn on_last_two(graph: &mut Graph, x: Value, map: SparseMap) -> Result<Value> {
    let matrices = x.shape().elements() / map.inputs().max(1);
    let flat = graph.reshape(x, Shape::new([matrices, map.inputs()]))?;
    let map = Arc::new(map);
    let mapped = graph.apply(AxisMap { axis: 1, map }, &[flat])?;
    graph.reshape(mapped, x.shape())
}

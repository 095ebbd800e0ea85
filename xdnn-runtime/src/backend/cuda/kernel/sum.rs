//! Sums over axes.

use xdnn_ir::{MAX_RANK, Shape};

use super::code::Code;
use super::element::finish;
use super::index::offset;
use super::{Draft, Parts, Request};
use crate::ops::{Axes, strides};

/// Threads of a block.
const THREADS: u32 = 256;
/// Sums of fewer summands are computed by one thread each.
const SHORT: usize = 64;

/// The kernel of sums over axes of `x`, which stages finish.
pub(in super::super) fn sum(axes: Axes, request: Request<'_>) -> Draft {
    let Request {
        label,
        operands,
        stages,
        ..
    } = request;
    let mut code = Code::default();
    let x = operands[0].shape;
    let source = code.access(&operands[0], false);
    let stages = finish(&mut code, stages, &operands, true);
    let summed = part(x, |axis| axes.contains(axis));
    let kept = part(x, |axis| !axes.contains(axis));
    let (summands, sums) = (summed.0.elements(), kept.0.elements());
    let start = offset(kept.0, &kept.1, "i");
    let read = source.at(&format!("start + {}", offset(summed.0, &summed.1, "j")));
    let (body, blocks) = if summands < SHORT {
        let body = format!(
            "  unsigned i = blockIdx.x * {THREADS}u + threadIdx.x; if (i >= {sums}u) return;\n  \
             const unsigned start = {start}; float v = 0.f;\n  \
             for (unsigned j = 0u; j < {summands}u; ++j) v += {read};\n  {stages}y0[i] = v;\n"
        );
        (body, sums.div_ceil(THREADS as usize))
    } else {
        let body = format!(
            "  const unsigned i = blockIdx.x; const unsigned start = {start}; float v = 0.f;\n  \
             for (unsigned j = threadIdx.x; j < {summands}u; j += {THREADS}u) v += {read};\n  \
             v = block_sum<{THREADS}>(v); if (threadIdx.x) return;\n  {stages}y0[i] = v;\n"
        );
        (body, sums)
    };
    Parts {
        label,
        kind: "sum",
        results: 1,
        code,
        body,
        grid: [blocks.max(1) as u32, 1, 1],
        threads: THREADS,
        shared: 0,
        sizes: None,
        shares: None,
    }
    .draft()
}

/// The axes of a shape that are chosen, with their strides.
fn part(shape: Shape, chosen: impl Fn(usize) -> bool) -> (Shape, [usize; MAX_RANK]) {
    let all = strides(shape);
    let (mut dims, mut kept) = (Vec::new(), [0; MAX_RANK]);
    for axis in (0..shape.rank()).filter(|axis| chosen(*axis)) {
        kept[dims.len()] = all[axis];
        dims.push(shape.dim(axis));
    }
    (Shape::from_slice(&dims).unwrap_or(shape), kept)
}

//! The rows of a matrix that targets choose: what the backward pass of the last layer comes to.

use super::code::{Code, Tree};
use super::element::finish;
use super::{Draft, Parts, Request};

/// Threads of a block.
const THREADS: u32 = 256;
/// The most blocks along the axes that are not the first.
const BLOCKS: usize = 65_535;

/// The kernel of `OneHot(scores, target)·W`, which stages finish. The operands are `W`, then those of the stages, from number 2 on.
pub(in super::super) fn head([scores, target]: &[Tree<'_>; 2], request: Request<'_>) -> Draft {
    let Request {
        label,
        operands,
        stages,
        ..
    } = request;
    let mut code = Code::default();
    let w = code.access(&operands[1], false);
    let (rows, classes) = (scores.shape.dim(0), scores.shape.dim(1));
    let columns = operands[1].shape.dim(1);
    let score = code
        .access(scores, false)
        .at(&format!("r * {classes}u + j"));
    let target = code.access(target, false).at("r");
    let stages = finish(&mut code, stages, &operands, true);
    let row = w.at(&format!("best * {columns}u + c"));
    let blocks = rows.clamp(1, BLOCKS);
    let body = format!(
        "  auto score = [=](unsigned r, unsigned j) -> float {{ return {score}; }};\n  \
         const unsigned c = blockIdx.x * {THREADS}u + threadIdx.x;\n  \
         for (unsigned r = blockIdx.y; r < {rows}u; r += {blocks}u) {{\n    \
         const float target = {target};\n    \
         const unsigned best = target > -1.f && target < 4294967296.f ? (unsigned)target : block_largest<{THREADS}>({classes}u, [=](unsigned j) {{ return score(r, j); }});\n    \
         if (c < {columns}u) {{ const unsigned i = r * {columns}u + c; float v = best < {classes}u ? {row} : 0.f; {stages}y0[i] = v; }}\n  }}\n"
    );
    Parts {
        label,
        kind: "head",
        results: 1,
        code,
        body,
        grid: [
            columns.div_ceil(THREADS as usize).max(1) as u32,
            blocks as u32,
            1,
        ],
        threads: THREADS,
        shared: 0,
        sizes: None,
        shares: None,
    }
    .draft()
}

//! The rows of a matrix that targets choose: what the backward pass of the last layer comes to.

use super::code::{Code, Source, Tree};
use super::element::finish;
use super::{Draft, Parts, Request};
use crate::ops::{Op, Stage};

/// Threads of a block.
const THREADS: usize = 256;
/// The most blocks along the axes that are not the first.
const BLOCKS: usize = 65_535;

/// The kernel of `OneHot(scores, target)·W`, which stages finish. The operands are `W`, then those of the stages, from number 2 on.
pub(in super::super) fn head(chosen: &[Tree<'_>; 2], request: Request<'_>) -> Draft {
    let Request {
        label,
        operands,
        stages,
        ..
    } = request;
    let mut code = Code::default();
    let rows = chosen[0].shape.dim(0);
    let columns = operands[1].shape.dim(1);
    let element = element(&mut code, chosen, &operands, stages, THREADS, true);
    let blocks = rows.clamp(1, BLOCKS);
    let body = format!(
        "  const unsigned c = blockIdx.x * {THREADS}u + threadIdx.x;\n  \
         for (unsigned r = blockIdx.y; r < {rows}u; r += {blocks}u) {{\n    \
         const unsigned best = choose(r);\n    \
         if (c < {columns}u) {{ {element}y0[i] = v; }}\n  }}\n"
    );
    Parts {
        label,
        kind: "head",
        results: 1,
        code,
        body,
        grid: [columns.div_ceil(THREADS).max(1) as u32, blocks as u32, 1],
        threads: THREADS as u32,
        shared: 0,
        sizes: None,
        shares: None,
    }
    .draft()
}

/// Statements that return element `(r, c)` of such a product where a kernel reads it, if it is one. Each block of the kernel, of so many threads,
/// finds the classes of all rows first.
pub(super) fn head_element(code: &mut Code, tree: &Tree<'_>, threads: usize) -> Option<String> {
    let Source::Operator(op, shape, operands) = &tree.source else {
        return None;
    };
    let (op, stages) = match op {
        Op::Fused(fused) => (&*fused.op, fused.numbered().collect()),
        op => (*op, Vec::new()),
    };
    let chosen = match (op, &operands.first()?.source) {
        (Op::MatMul(_), Source::Operator(Op::OneHot(_), _, chosen)) => chosen.as_array()?,
        _ => return None,
    };
    let element = element(code, chosen, operands, stages, threads, false);
    let classes: Vec<String> = (0..shape.dim(0)).map(|r| format!("choose({r}u)")).collect();
    code.text += &format!("  const unsigned classes[] = {{{}}};\n", classes.join(", "));
    Some(format!(
        "const unsigned best = classes[r]; {element}return v;"
    ))
}

/// Declares `choose`, with which all threads of a block find the class that the target of a row chooses, and makes statements that compute
/// `v`, element `i` of the product, in row `r` and column `c`, from that class, `best`.
fn element(
    code: &mut Code,
    [scores, target]: &[Tree<'_>; 2],
    operands: &[Tree<'_>],
    stages: Vec<(Stage, usize)>,
    threads: usize,
    own: bool,
) -> String {
    let classes = scores.shape.dim(1);
    let columns = operands[1].shape.dim(1);
    let w = code.access(&operands[1], false);
    let row = w.at(&format!("best * {columns}u + c"));
    let score = code.access(scores, false);
    let score = score.at(&format!("r * {classes}u + j"));
    let target = code.access(target, false).at("r");
    let stages = finish(code, stages, operands, own);
    code.text += &format!(
        "  auto choose = [=](unsigned r) -> unsigned {{ const float target = {target}; \
         return target > -1.f && target < 4294967296.f ? (unsigned)target : block_largest<{threads}>({classes}u, [=](unsigned j) {{ return {score}; }}); }};\n"
    );
    format!(
        "const unsigned i = r * {columns}u + c; float v = best < {classes}u ? {row} : 0.f; {stages}"
    )
}

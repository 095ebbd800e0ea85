//! Products of a few rows with a matrix.

use super::code::Code;
use super::element::finish;
use super::head::head_element;
use super::{Draft, Parts, Request};
use crate::ops::{Layout, MatMul, Select, Sizes, Stage, WORD};

/// Warps of a block, as in `few_rows.cuh`.
const WARPS: usize = 16;
/// Threads of a block.
const THREADS: usize = 32 * WARPS;
/// The most rows.
const ROWS: usize = 4;
/// Blocks that ask for as much at a time as the memory of a GPU gives: about two for each of the multiprocessors of an H100.
const BLOCKS: usize = 256;

/// Whether a product has so few rows.
pub(in super::super) fn is_few(op: &MatMul, sizes: Sizes, signs: bool) -> bool {
    let Sizes { batch, m, k, n } = sizes;
    let whole = !signs || n.is_multiple_of(WORD);
    batch == 1 && (1..=ROWS).contains(&m) && !op.transpose_a && k > 0 && n > 0 && whole
}

/// The kernel of a product of [`is_few`] rows, which stages finish, and the layout in which it reads a `constant` matrix: with one row for each
/// element of what is multiplied forwards and of what is computed backwards, so that one layout serves both, and rows that meet a zero, or
/// whose result is one, are not read.
pub(in super::super) fn few_rows(
    op: MatMul,
    sizes: Sizes,
    constant: bool,
    request: Request<'_>,
) -> (Draft, Option<Layout>) {
    let Request {
        label,
        operands,
        stages,
        signs,
        ..
    } = request;
    let mut code = Code::default();
    let Sizes { m, k, n, .. } = sizes;
    let a = match head_element(&mut code, &operands[0], THREADS) {
        Some(element) => element,
        None => {
            let a = code.access(&operands[0], false);
            format!("return {};", a.at(&format!("r * {k}u + c")))
        }
    };
    let b = code.access(&operands[1], false).at("0");
    let needed = match stages.first() {
        Some((Stage::Select(Select { other: 0.0, .. }), operand)) => {
            let words = code.access(&operands[*operand], false);
            let word = words.at(&format!("(r * {n}u + c) / 32u"));
            format!("__float_as_uint({word}) >> (r * {n}u + c) % 32u & 1u")
        }
        _ => "true".to_owned(),
    };
    let finish = finish(&mut code, stages, &operands, true);
    let (layout, dots) = match constant {
        true => {
            let natural = [operands[1].shape.dim(0), operands[1].shape.dim(1)];
            (Some(Layout::Transposed(natural)), !op.transpose_b)
        }
        false => (None, op.transpose_b),
    };
    let words = if signs {
        "reinterpret_cast<unsigned*>(y1)"
    } else {
        "nullptr"
    };
    let fits = |columns: &usize| n / columns >= BLOCKS;
    let columns = match dots {
        true => WARPS,
        false => [32, 16].into_iter().find(fits).unwrap_or(8),
    };
    let call = match dots {
        true => format!("few_dots<{m}>({n}u, {k}u, a, &{b}, needed, put, {words});"),
        false => format!("few_rows<{m}, {columns}>({n}u, {k}u, a, &{b}, put, {words});"),
    };
    let needed = match dots {
        true => {
            format!("  auto needed = [=](unsigned r, unsigned c) -> bool {{ return {needed}; }};\n")
        }
        false => String::new(),
    };
    let body = format!(
        "  auto a = [=](unsigned r, unsigned c) -> float {{ {a} }};\n{needed}  \
         auto put = [=](unsigned r, unsigned c, float v) -> float {{ const unsigned i = r * {n}u + c; {finish}y0[i] = v; return v; }};\n  \
         {call}\n"
    );
    let draft = Parts {
        label,
        kind: "rows",
        results: 1 + usize::from(signs),
        code,
        body,
        grid: [n.div_ceil(columns) as u32, 1, 1],
        threads: THREADS as u32,
        shared: 0,
        sizes: None,
        shares: None,
    };
    (draft.draft(), layout)
}

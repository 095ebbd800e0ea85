//! Kernels that compute each element of their result alone.

use super::code::{Code, Tree};
use super::{Draft, Parts};

/// Threads of a block.
const THREADS: u32 = 256;
/// The most blocks: each of their threads computes further elements.
const BLOCKS: usize = 8192;

/// What a pointwise kernel writes.
pub(in super::super) struct Pointwise<'a> {
    /// The result, unless nothing but its signs is asked for.
    pub value: Tree<'a>,
    /// Values of the same size that are computed before, as results 1 and up; `value` may read them.
    pub before: Vec<Tree<'a>>,
    /// Whether the result itself is written.
    pub stored: bool,
    /// Whether the signs of the result are written, behind all others.
    pub signs: bool,
}

impl Pointwise<'_> {
    /// The kernel.
    pub(in super::super) fn draft(&self, label: String) -> Draft {
        let mut code = Code::default();
        let elements = self.value.shape.elements();
        let first = usize::from(self.stored);
        let mut writes = String::new();
        for (i, tree) in self.before.iter().enumerate() {
            let read = code.access(tree, true).at("i");
            writes += &format!("y{}[i] = {read}; ", first + i);
        }
        let value = code.access(&self.value, true).at("i");
        let store = if self.stored { "y0[i] = v; " } else { "" };
        let results = first + self.before.len() + usize::from(self.signs);
        let (bound, body) = match self.signs {
            false => (elements, format!("{writes}float v = {value}; {store}")),
            // All lanes of a warp vote, those beyond the last element too.
            true => (
                elements.next_multiple_of(32),
                format!(
                    "float v = 0.f; if (i < {elements}u) {{ {writes}v = {value}; {store}}} \
                     unsigned word = __ballot_sync(0xffffffffu, v > 0.f); \
                     if (i % 32u == 0u) reinterpret_cast<unsigned*>(y{})[i / 32u] = word; ",
                    results - 1
                ),
            ),
        };
        let body = format!(
            "  for (unsigned i = blockIdx.x * {THREADS}u + threadIdx.x; i < {bound}u; i += gridDim.x * {THREADS}u) {{ {body}}}\n"
        );
        let blocks = elements.div_ceil(THREADS as usize).clamp(1, BLOCKS);
        Parts {
            label,
            kind: "pointwise",
            results,
            code,
            body,
            grid: [blocks as u32, 1, 1],
            threads: THREADS,
            sizes: None,
        }
        .draft()
    }
}

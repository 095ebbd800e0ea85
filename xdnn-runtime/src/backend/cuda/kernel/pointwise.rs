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
    /// A value that is computed before, as result 1, and the index of the element of it that belongs to element `i`; `value` may read it.
    pub before: Option<(Tree<'a>, String)>,
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
        let writes = self.before.as_ref().map(|(tree, index)| {
            let read = code.access(tree, false).at("j");
            format!("const unsigned j = {index}; y1[j] = {read}; ")
        });
        let writes = writes.unwrap_or_default();
        let value = code.access(&self.value, true).at("i");
        let store = if self.stored { "y0[i] = v; " } else { "" };
        let results = [self.stored, self.before.is_some(), self.signs];
        let results = results.into_iter().filter(|written| *written).count();
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
            shared: 0,
            sizes: None,
            shares: None,
        }
        .draft()
    }
}

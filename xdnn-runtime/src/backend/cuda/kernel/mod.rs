//! Kernels: the text of what the device executes, and how it is launched.

use std::collections::BTreeMap;

use crate::Precision;
use crate::graph::Value;
use crate::ops::Stage;

mod blocked;
mod code;
mod directed;
mod element;
mod few_rows;
mod head;
mod index;
mod label;
mod patches;
mod pointwise;
mod product;
mod sum;
mod tiles;

pub(super) use blocked::{Then, blocked, is_square, of_places, reads_windows, side_by_side};
use code::Code;
pub(super) use code::{Source, Tree};
pub(super) use element::{from_blocks, is_element, is_movement};
pub(super) use few_rows::{few_rows, is_few};
pub(super) use head::head;
pub(super) use label::label;
pub(super) use patches::Patches;
pub(super) use pointwise::Pointwise;
pub(super) use product::{convolution, matmul};
pub(super) use sum::sum;

/// What the texts of all kernels are made of.
pub(super) const PRELUDE: &str = concat!(
    include_str!("../kernels/primitives.cuh"),
    include_str!("../kernels/elements.cuh"),
    include_str!("../kernels/few_rows.cuh"),
    include_str!("../kernels/product.cuh"),
    include_str!("../kernels/places.cuh"),
    include_str!("../kernels/fetch.cuh"),
    include_str!("../kernels/windows.cuh"),
    include_str!("../kernels/blocked.cuh"),
);

/// A function of the device, and how it is launched. Its parameters are the addresses of what it writes, `y0`, `y1` …, and of what
/// it reads, `a0`, `a1` …
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    /// What it computes, for listings.
    pub label: String,
    /// The name of the function; functions of the same name are the same.
    pub name: String,
    /// The text of the function.
    pub text: String,
    /// The tables that it reads, by name.
    pub tables: BTreeMap<String, String>,
    /// Blocks along each axis.
    pub grid: [u32; 3],
    /// Threads of a block.
    pub threads: u32,
    /// Bytes of shared memory that a block takes beside those that the text declares.
    pub shared: u32,
    /// What it takes behind the addresses: the sizes of a `Convolution`.
    pub sizes: Option<Sizes>,
    /// What it takes where several blocks share a sum: `scratch` and `counters`, behind the operands.
    pub shares: Option<Shares>,
}

/// What the blocks of a kernel that share sums need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shares {
    /// Numbers to work in.
    pub scratch: usize,
    /// Counters that are 0 before and afterwards.
    pub counters: usize,
}

impl Kernel {
    /// The numbers that it works in besides what it reads and writes.
    pub(super) fn scratch(&self) -> usize {
        self.shares.map_or(0, |shares| shares.scratch)
    }
}

/// The sizes that a kernel is given, as a structure of so many integers.
pub(super) type Sizes = [i32; 17];

/// A kernel that is asked for, beside the operator that it computes first.
pub(super) struct Request<'a> {
    /// What it computes, for listings.
    pub label: String,
    /// What it reads: what the operator does, then what the stages do.
    pub operands: Vec<Tree<'a>>,
    /// What happens to the results, each stage with the number of the operand that it reads.
    pub stages: Vec<(Stage, usize)>,
    /// Whether it writes the signs of its results, too.
    pub signs: bool,
    pub precision: Precision,
}

/// A kernel with what it reads.
pub(super) struct Draft {
    pub kernel: Kernel,
    pub operands: Vec<Value>,
    /// The operands over which the first result may be written.
    pub over: Vec<usize>,
}

/// What a kernel is made of.
struct Parts {
    label: String,
    /// The first part of its name.
    kind: &'static str,
    results: usize,
    code: Code,
    /// What follows what `code` declares.
    body: String,
    grid: [u32; 3],
    threads: u32,
    shared: u32,
    sizes: Option<Sizes>,
    shares: Option<Shares>,
}

impl Parts {
    fn draft(self) -> Draft {
        let bounds = format!("__launch_bounds__({})", self.threads);
        self.bounded(&bounds)
    }

    /// The same for a kernel of many registers, of which so many blocks are to fit a multiprocessor. By itself ptxas may aim at more, and spills what
    /// is in the way.
    fn draft_for(self, blocks: u32) -> Draft {
        let bounds = format!("__launch_bounds__({}, {blocks})", self.threads);
        self.bounded(&bounds)
    }

    fn bounded(self, bounds: &str) -> Draft {
        let results = (0..self.results).map(|i| format!("float* y{i}"));
        let operands = (0..self.code.operands.len()).map(|i| format!("const float* a{i}"));
        let shares = self
            .shares
            .map(|_| "float* scratch, unsigned* counters".to_owned());
        let sizes = self.sizes.map(|_| "Convolution sizes".to_owned());
        let parameters = results.chain(operands).chain(shares).chain(sizes);
        let parameters = parameters.collect::<Vec<_>>().join(", ");
        let (declared, body, threads) = (&self.code.text, &self.body, self.threads);
        let function = format!("({parameters}) {{\n{declared}{body}}}\n");
        let name = format!("{}_{}", self.kind, code::digest(&[bounds, &function]));
        Draft {
            over: self.code.over(),
            kernel: Kernel {
                text: format!("extern \"C\" __global__ void {bounds} {name}{function}"),
                label: self.label,
                name,
                tables: self.code.tables,
                grid: self.grid,
                threads,
                shared: self.shared,
                sizes: self.sizes,
                shares: self.shares,
            },
            operands: self.code.operands,
        }
    }
}

/// The text of a module that holds kernels, each once.
pub(super) fn module<'a>(kernels: impl IntoIterator<Item = &'a Kernel>) -> String {
    let (mut tables, mut functions) = (BTreeMap::new(), BTreeMap::new());
    for kernel in kernels {
        tables.extend(&kernel.tables);
        functions.insert(&kernel.name, &kernel.text);
    }
    let texts = tables.into_values().chain(functions.into_values());
    let texts = texts.flat_map(|text| ["\n", text.as_str()]);
    [PRELUDE].into_iter().chain(texts).collect()
}

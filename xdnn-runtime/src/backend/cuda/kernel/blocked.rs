//! Convolutions to and from values whose channels are in blocks, and their input gradients.

use super::code::{Code, Tree};
use super::directed::Directed;
use super::element::{Windows, finish, to_blocks};
use super::patches::Patches;
use super::product::name;
use super::tiles::{NARROW, ROWS, Tiles};
use super::{Draft, Parts, Request};
use crate::Precision;
use crate::ops::{
    CHANNELS, Convolution, Direction, Layout, MatMul, PoolWindow, Role, Sizes, Spatial, Stage,
    Volumes,
};
use xdnn_ir::Shape;

/// Threads of a block, as in `places.cuh`.
const THREADS: u32 = 256;
/// The steps whose operands are in shared memory, as there.
const STAGES: usize = 4;
/// The most blocks along the axes that are not the first.
const MOST: usize = 65_535;

/// The most numbers of a window for which there is a table: with it, a block has room on all GPUs, and two of them on an A100's
/// multiprocessor.
const MOST_NUMBERS: usize = 4096;

/// What becomes of the results of a convolution in the kernel that computes them.
pub(in super::super) enum Then<'a> {
    /// They are written.
    Nothing,
    /// Each of them is what a place adds to the input through one tap, and those that meet in an element are added up.
    Fold { patches: Patches },
    /// Of each window the largest is written, as result 0, moved out of blocks to a value of the shape `plain`, if there is one; and which one
    /// it is, as result 1, where `winners` is set. Stages finish it. Without patches, windows are 2×2 places that tile the plane.
    Pool {
        patches: Option<Patches>,
        winners: bool,
        plain: Option<Shape>,
        operands: &'a [Tree<'a>],
        stages: Vec<(Stage, usize)>,
    },
    /// They are scattered to where the winners of windows came from. The operands are those of the scatter. Without patches, windows do not
    /// overlap.
    Scatter {
        patches: Option<Patches>,
        window: &'a PoolWindow,
        shape: Shape,
        operands: &'a [Tree<'a>],
        stages: Vec<(Stage, usize)>,
    },
}

/// Whether windows lie side by side and leave nothing out.
pub(in super::super) fn side_by_side(window: &PoolWindow, operand: Shape) -> bool {
    let size = Spatial::of(operand).map(|spatial| spatial.size);
    let covered: [usize; 3] = std::array::from_fn(|axis| window.output[axis] * window.kernel[axis]);
    let dense = (0..3).all(|axis| window.kernel[axis] == 1 || window.dilation[axis] == 1);
    dense && window.kernel == window.stride && window.padding == [0; 3] && size == Some(covered)
}

/// Whether windows are of 2×2 places of values whose channels are in blocks.
pub(in super::super) fn is_square(window: &PoolWindow) -> bool {
    window.kernel == [2, 2, 1]
}

/// Whether a kernel can read windows of weights of this shape: the taps of a place along an axis are the bits of a word; where channels are
/// in no blocks, of half of one, and a table has all numbers of a window.
pub(in super::super) fn reads_windows(weight: Shape, in_blocks: bool) -> bool {
    let [window, axes] = [&weight.dims()[1..], &weight.dims()[2..]];
    let most = if in_blocks { 32 } else { 15 };
    let fits = in_blocks || window.iter().product::<usize>() <= MOST_NUMBERS;
    fits && axes.iter().all(|taps| *taps <= most)
}

/// A product of rows with a matrix as a convolution of images of one place, or the input gradient of one: a row is the channels of a sample. They
/// must make whole blocks, and a grid have room for the results.
pub(in super::super) fn of_places(op: MatMul, sizes: Sizes) -> Option<(Convolution, Volumes)> {
    let Sizes { batch, m, k, n } = sizes;
    let rows = |batch: usize, channels: usize| Spatial {
        batch,
        channels,
        size: [1; 3],
    };
    let (role, [x, w, y]) = match op.transpose_b {
        true => (Role::Forward, [rows(m, k), rows(n, k), rows(m, n)]),
        false => (Role::InputGradient, [rows(m, n), rows(k, n), rows(m, k)]),
    };
    let convolution = Convolution {
        role,
        shape: Shape::new([m, n, 1, 1]),
        stride: [1; 3],
        padding: [0; 3],
        dilation: [1; 3],
        groups: 1,
    };
    let whole = batch == 1 && m * n > 0 && k > 0 && k.is_multiple_of(CHANNELS);
    (whole && !op.transpose_a && n <= MOST * NARROW).then_some((convolution, Volumes { x, w, y }))
}

/// The kernel of a convolution of one group and two axes, or of its input gradient, between values whose channels are in blocks, and the
/// layout in which it reads the weight. Input channels may make no blocks; then they are as they are, and an input gradient is folded. Stages
/// finish it; with `signs`, it writes the signs of what it finishes, behind all other results.
pub(in super::super) fn blocked(
    op: &Convolution,
    volumes: Volumes,
    then: Then<'_>,
    request: Request<'_>,
) -> (Draft, Layout) {
    let Request {
        label,
        operands,
        stages,
        signs,
        precision,
    } = request;
    let mut code = Code::default();
    let [x, w] = [&operands[0], &operands[1]].map(|operand| code.access(operand, false).at("0"));
    let own = matches!(then, Then::Nothing | Then::Fold { .. });
    let stages = finish(&mut code, stages, &operands, own);
    let mut convolution = Directed::new(op, volumes);
    let backward = convolution.direction == Direction::Backward;
    let stem = !convolution.from.channels.is_multiple_of(CHANNELS);
    // The channels of an image, which are in no blocks, and the columns of a tile that stay together: all taps that lead to a channel.
    let (image, together) = match then {
        Then::Fold { .. } => (convolution.to.channels, convolution.kernels.taps),
        _ if stem => (convolution.from.channels, 1),
        _ => (0, 1),
    };
    if let Then::Fold { .. } = then {
        convolution = convolution.unfolded();
    }
    let patches = match then {
        Then::Nothing => None,
        Then::Fold { patches } => Some(patches),
        Then::Pool { patches, .. } | Then::Scatter { patches, .. } => patches,
    };
    let kind = match (&then, backward) {
        (Then::Pool { .. }, _) if patches.is_some() => "WINDOWS",
        (Then::Pool { .. }, _) => "POOLED",
        (Then::Scatter { .. }, _) if patches.is_some() => "SCATTERED",
        (Then::Fold { .. }, _) => "FOLDED",
        (_, true) if convolution.classes() == [1; 2] => "BACKWARD",
        (_, true) => "STEPPED",
        (_, false) => "FORWARD",
    };
    let mut results = 1;
    let mut windows = patches.map_or_else(String::new, |patches| format!(", Windows{patches}"));
    let write = match then {
        Then::Nothing | Then::Fold { .. } => "  float* write = y0;\n".to_owned(),
        Then::Pool {
            winners,
            plain,
            operands,
            stages,
            ..
        } => {
            results += usize::from(winners);
            let stages = finish(&mut code, stages, operands, plain.is_none());
            let winner = if winners { "y1[i] = (float)tap; " } else { "" };
            let to = plain.map_or("i".to_owned(), to_blocks);
            format!(
                "  auto write = [=](float v, int tap, unsigned i) {{ {winner}{stages}y0[{to}] = v; }};\n"
            )
        }
        Then::Scatter {
            window,
            shape,
            operands,
            stages,
            ..
        } => {
            let winner = code.access(&operands[1], false).at("i");
            let stages = finish(&mut code, stages, operands, false);
            let put = format!("[=](float v, unsigned i) {{ {stages}y0[i] = v; }}");
            let winner = format!("[=](unsigned i) -> int {{ return (int){winner}; }}");
            match patches {
                Some(_) => {
                    windows += ", winner";
                    format!("  auto write = {put};\n  auto winner = {winner};\n")
                }
                None => {
                    let windows = Windows::new(window, shape);
                    format!(
                        "  auto put = {put};\n  auto winner = {winner};\n  \
                         auto write = [=](float v, unsigned i) {{ const int won = winner(i); {}\
                         for (int t = 0; t < {}; ++t) put(t == won ? v : 0.f, {}); }};\n",
                        windows.start(),
                        window.taps(),
                        windows.position("t"),
                    )
                }
            }
        }
    };
    let patched = patches.map(|patches| patches.count());
    let tiles = Tiles::of(&convolution, together, patched, precision);
    let columns = tiles.columns;
    let fetched = if stem { "Plain" } else { "Blocks" };
    let lie = match convolution.to.channels.is_multiple_of(CHANNELS) {
        true => "WHOLE",
        false => "SIDE_BY_SIDE",
    };
    let sizes = convolution.sizes(tiles.splits, image);
    let words = match signs {
        true => format!("reinterpret_cast<unsigned*>(y{results})"),
        false => "nullptr".to_owned(),
    };
    let scratch = match tiles.splits {
        1 => "nullptr, nullptr",
        _ => "scratch, counters",
    };
    let body = format!(
        "  auto finish = [=](float v, unsigned i) -> float {{ {stages}return v; }};\n{write}  \
         blocked<{}, {kind}, {columns}, {lie}, {fetched}>(&{x}, &{w}, sizes, finish, write, {words}, {scratch}{windows});\n",
        name(precision),
    );
    // Two numbers for each of a window; functions are shared, so that room does not depend on the window.
    let table = if stem { 2 * MOST_NUMBERS } else { 0 };
    let operands = STAGES * (ROWS + columns) * CHANNELS + table;
    let shared = match patches {
        Some(_) => operands.max(ROWS * (columns + 8)),
        None => operands,
    };
    let draft = Parts {
        label,
        kind: "blocked",
        results: results + usize::from(signs),
        code,
        body,
        grid: tiles.grid(),
        threads: THREADS,
        shared: (shared * size_of::<f32>()) as u32,
        shares: tiles.shares(),
        // Values have fewer than 2³¹ elements.
        sizes: Some(sizes.map(|size| size as i32)),
    };
    let layout = match precision {
        Precision::Tf32 => Layout::Tf32Taps,
        Precision::Strict | Precision::Bf16 => Layout::Taps,
    };
    // Parts of numbers take many registers.
    let blocks = if precision == Precision::Strict { 1 } else { 2 };
    let layout = layout(convolution.kernels, convolution.direction);
    (draft.draft_for(blocks), layout)
}

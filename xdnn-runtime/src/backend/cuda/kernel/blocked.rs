//! Convolutions of values whose channels are in blocks, and their input gradients.

use super::code::{Code, Tree};
use super::element::finish;
use super::product::name;
use super::{Draft, Parts};
use crate::Precision;
use crate::ops::{CHANNELS, Convolution, Direction, Layout, Role, Stage, Volumes};

/// Threads of a block, as in `blocked.cuh`.
const THREADS: u32 = 256;
/// Places and channels of a tile, as there.
const TILE: [usize; 2] = [128, 64];

/// The kernel of a convolution of one group and two axes, or of its input gradient, between values whose channels are in blocks, and the
/// layout in which it reads the weight. Stages finish it; with `signs`, it writes the signs of its results, too.
pub(in super::super) fn blocked(
    label: String,
    op: &Convolution,
    volumes: Volumes,
    operands: &[Tree<'_>],
    stages: impl IntoIterator<Item = (Stage, usize)>,
    signs: bool,
    precision: Precision,
) -> (Draft, Layout) {
    let mut code = Code::default();
    let [x, w] = [&operands[0], &operands[1]].map(|operand| code.access(operand, false).at("0"));
    let stages = finish(&mut code, stages, operands, true);
    let Volumes { x: input, w: kernel, y: output } = volumes;
    let (from, to, direction) = match op.role {
        Role::InputGradient => (output, input, Direction::Backward),
        _ => (input, output, Direction::Forward),
    };
    let backward = direction == Direction::Backward;
    let sizes = [
        to.batch,
        from.channels / CHANNELS,
        from.size[1],
        from.size[2],
        to.channels / CHANNELS,
        to.size[1],
        to.size[2],
        kernel.size[1],
        kernel.size[2],
        op.stride[1],
        op.stride[2],
        op.padding[1],
        op.padding[2],
        op.dilation[1],
        op.dilation[2],
        0,
    ];
    // Places that read the same taps are a class.
    let steps = if backward { [op.stride[1], op.stride[2]] } else { [1, 1] };
    let places = to.size[1].div_ceil(steps[0]) * to.size[2].div_ceil(steps[1]);
    let words = if signs { "reinterpret_cast<unsigned*>(y1)" } else { "nullptr" };
    let body = format!(
        "  auto finish = [=](float v, unsigned i) -> float {{ {stages}return v; }};\n  \
         blocked<{}, {backward}>(y0, {words}, &{x}, &{w}, sizes, finish);\n",
        name(precision),
    );
    let draft = Parts {
        label,
        kind: "blocked",
        results: 1 + usize::from(signs),
        code,
        body,
        grid: [
            (to.batch * places).div_ceil(TILE[0]) as u32,
            to.channels.div_ceil(TILE[1]) as u32,
            (steps[0] * steps[1]) as u32,
        ],
        threads: THREADS,
        // Values have fewer than 2³¹ elements.
        sizes: Some(sizes.map(|size| size as i32)),
    };
    (draft.draft(), Layout::Channels(volumes.kernels(), direction))
}

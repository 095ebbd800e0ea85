//! Products of matrices, and convolutions as such: what a convolution multiplies is read where it is.

use super::code::{Access, Code};
use super::element::finish;
use super::index::divided;
use super::{Draft, Parts, Request};
use crate::Precision;
use crate::ops::{CHANNELS, Convolution, MatMul, Role, Sizes, Spatial, Volumes};

/// Threads of a block, as in `product.cuh`.
const THREADS: u32 = 256;
/// Rows and columns of a tile, as there.
const TILE: usize = 64;
/// The most blocks along the axes that are not the first.
const BLOCKS: usize = 65_535;

/// Which index of a matrix lies side by side in memory.
#[derive(Clone, Copy)]
enum Along {
    First,
    Second,
}

/// Several products of matrices, numbered by `z`, as text.
struct Product {
    count: usize,
    /// Rows, columns, and what is summed up.
    sizes: [usize; 3],
    /// Element `(r, k)` of the left matrix: statements that return it.
    left: (Along, String),
    /// Element `(k, c)` of the right matrix.
    right: (Along, String),
    /// The sample `s` of row `r`, and the index of element `(r, c)` of the result.
    index: (String, String),
}

/// The kernel of a product of matrices, which stages finish. With `signs`, it writes the signs of its results, too, whose rows must be multiples
/// of 16.
pub(in super::super) fn matmul(op: MatMul, sizes: Sizes, request: Request<'_>) -> Draft {
    let mut code = Code::default();
    let [a, b] =
        [&request.operands[0], &request.operands[1]].map(|operand| code.access(operand, false));
    let Sizes { batch, m, k, n } = sizes;
    let left = match op.transpose_a {
        false => (Along::Second, a.at(&format!("(z * {m}u + r) * {k}u + k"))),
        true => (Along::First, a.at(&format!("(z * {k}u + k) * {m}u + r"))),
    };
    let right = match op.transpose_b {
        false => (Along::Second, b.at(&format!("(z * {k}u + k) * {n}u + c"))),
        true => (Along::First, b.at(&format!("(z * {n}u + c) * {k}u + k"))),
    };
    let product = Product {
        count: batch,
        sizes: [m, n, k],
        left: (left.0, format!("return {};", left.1)),
        right: (right.0, format!("return {};", right.1)),
        index: ("0u".to_owned(), format!("(z * {m}u + r) * {n}u + c")),
    };
    product.draft(code, request)
}

/// The kernel of a convolution in any of its roles, which stages finish. `blocks` tells whether the channels of its input and those of its
/// output are in blocks.
pub(in super::super) fn convolution(
    op: &Convolution,
    volumes: Volumes,
    blocks: [bool; 2],
    request: Request<'_>,
) -> Draft {
    let mut code = Code::default();
    let [a, b] =
        [&request.operands[0], &request.operands[1]].map(|operand| code.access(operand, false));
    let Volumes { x, w, y } = volumes;
    let (groups, samples) = (op.groups, x.batch);
    let (inputs, outputs) = (w.channels, y.channels / groups);
    let [taps, places, results] = [w, x, y].map(|volume| volume.plane());
    let [x_blocks, y_blocks] = blocks;
    // The place `at` of channel `channel` of the group, in sample `s`.
    let index = |volume: Spatial, blocks: bool, each: usize, channel: &str, at: &str| {
        let (channels, plane) = (volume.channels, volume.plane());
        let channel = format!("(z * {each}u + {channel})");
        match blocks {
            false => format!("(s * {channels}u + {channel}) * {plane}u + {at}"),
            true => format!(
                "((s * {}u + {channel} / {CHANNELS}u) * {plane}u + {at}) * {CHANNELS}u + {channel} % {CHANNELS}u",
                channels / CHANNELS
            ),
        }
    };
    let read =
        |access: &Access, volume: Spatial, blocks: bool, each: usize, channel: &str, at: &str| {
            let [depth, height, width] = volume.size;
            let inside = |name: &str, size: usize| format!("(unsigned){name}0 < {size}u");
            let inside =
                [("d", depth), ("h", height), ("w", width)].map(|(name, size)| inside(name, size));
            let place = format!("((d0 * {height}u + h0) * {width}u + w0)");
            let index = index(volume, blocks, each, channel, &place);
            format!(
                "{at}return {} ? {} : 0.f;",
                inside.join(" && "),
                access.at(&index)
            )
        };
    // Where in the input the tap `t` of the window at `q` is.
    let window = axes(y.size, w.size, |axis, at, tap| {
        let (stride, padding, dilation) = (op.stride[axis], op.padding[axis], op.dilation[axis]);
        format!("(int)({at}) * {stride} - {padding} + (int)({tap}) * {dilation}")
    });
    let product = match op.role {
        Role::Forward => Product {
            count: groups,
            sizes: [samples * results, outputs, inputs * taps],
            left: (
                Along::First,
                format!(
                    "const unsigned s = {}, q = r % {results}u, t = k % {taps}u; {}",
                    divided("r", results),
                    read(&a, x, x_blocks, inputs, &divided("k", taps), &window)
                ),
            ),
            right: (
                Along::First,
                format!(
                    "return {};",
                    b.at(&format!("(z * {outputs}u + c) * {}u + k", inputs * taps))
                ),
            ),
            index: (
                divided("r", results),
                index(y, y_blocks, outputs, "c", &format!("r % {results}u")),
            ),
        },
        Role::InputGradient => {
            // Which window has the place `q` as its tap `t`; where none has, one that is not there.
            let window = axes(x.size, w.size, |axis, at, tap| {
                let (stride, padding, dilation) =
                    (op.stride[axis], op.padding[axis], op.dilation[axis]);
                format!("window((int)({at}) + {padding} - (int)({tap}) * {dilation}, {stride})")
            });
            Product {
                count: groups,
                sizes: [samples * places, inputs, outputs * taps],
                left: (
                    Along::First,
                    format!(
                        "const unsigned s = {}, q = r % {places}u, t = k % {taps}u; {}",
                        divided("r", places),
                        read(&a, y, y_blocks, outputs, &divided("k", taps), &window)
                    ),
                ),
                right: (
                    Along::First,
                    format!(
                        "return {};",
                        b.at(&format!(
                            "((z * {outputs}u + {}) * {inputs}u + c) * {taps}u + k % {taps}u",
                            divided("k", taps)
                        ))
                    ),
                ),
                index: (
                    divided("r", places),
                    index(x, x_blocks, inputs, "c", &format!("r % {places}u")),
                ),
            }
        }
        Role::WeightGradient => Product {
            count: groups,
            sizes: [outputs, inputs * taps, samples * results],
            left: (
                Along::Second,
                format!(
                    "const unsigned s = {}; return {};",
                    divided("k", results),
                    b.at(&index(
                        y,
                        y_blocks,
                        outputs,
                        "r",
                        &format!("k % {results}u")
                    ))
                ),
            ),
            right: (
                Along::First,
                format!(
                    "const unsigned s = {}, q = k % {results}u, t = c % {taps}u; {}",
                    divided("k", results),
                    read(&a, x, x_blocks, inputs, &divided("c", taps), &window)
                ),
            ),
            index: (
                "0u".to_owned(),
                format!("(z * {outputs}u + r) * {}u + c", inputs * taps),
            ),
        },
    };
    product.draft(code, request)
}

/// Declares `d0`, `h0` and `w0`, each of the coordinates of place `q` of planes of one size and of tap `t` of kernels of another.
fn axes(
    plane: [usize; 3],
    kernel: [usize; 3],
    coordinate: impl Fn(usize, &str, &str) -> String,
) -> String {
    let parts = |name: &str, [depth, height, width]: [usize; 3]| {
        [
            format!("{} % {depth}u", divided(name, height * width)),
            format!("{} % {height}u", divided(name, width)),
            format!("{name} % {width}u"),
        ]
    };
    let coordinates = parts("q", plane).into_iter().zip(parts("t", kernel));
    let declared = coordinates.zip(["d0", "h0", "w0"]).enumerate();
    declared
        .map(|(axis, ((at, tap), name))| {
            format!("const int {name} = {}; ", coordinate(axis, &at, &tap))
        })
        .collect()
}

impl Product {
    fn draft(self, mut code: Code, request: Request<'_>) -> Draft {
        let Request {
            label,
            operands,
            stages,
            signs,
            precision,
        } = request;
        let stages = finish(&mut code, stages, &operands, true);
        let [m, n, k] = self.sizes;
        let along = |along: Along| match along {
            Along::First => "FIRST",
            Along::Second => "SECOND",
        };
        let precision = name(precision);
        let words = if signs {
            "reinterpret_cast<unsigned*>(y1)"
        } else {
            "nullptr"
        };
        let blocks = self.count.clamp(1, BLOCKS);
        let body = format!(
            "  for (unsigned z = blockIdx.z; z < {}u; z += {blocks}u) {{\n    \
             auto left = [=](unsigned r, unsigned k) -> float {{ {} }};\n    \
             auto right = [=](unsigned k, unsigned c) -> float {{ {} }};\n    \
             auto index = [=](unsigned r, unsigned c) -> unsigned {{ const unsigned s = {}; return {}; }};\n    \
             auto finish = [=](float v, unsigned i) -> float {{ {stages}return v; }};\n    \
             float* write = y0;\n    \
             product<{precision}, {}, {}>({m}u, {n}u, {k}u, left, right, index, finish, write, {words});\n  }}\n",
            self.count,
            self.left.1,
            self.right.1,
            self.index.0,
            self.index.1,
            along(self.left.0),
            along(self.right.0),
        );
        Parts {
            label,
            kind: "product",
            results: 1 + usize::from(signs),
            code,
            body,
            grid: [
                m.div_ceil(TILE).max(1) as u32,
                n.div_ceil(TILE).clamp(1, BLOCKS) as u32,
                blocks as u32,
            ],
            threads: THREADS,
            shared: 0,
            sizes: None,
            shares: None,
        }
        .draft_for(1)
    }
}

/// The name of a precision in `product.cuh`.
pub(super) fn name(precision: Precision) -> &'static str {
    match precision {
        Precision::Strict => "STRICT",
        Precision::Tf32 => "TF32",
        Precision::Bf16 => "BF16",
    }
}

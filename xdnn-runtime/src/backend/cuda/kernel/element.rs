//! Operators that compute each element of their result alone, as text.

use std::fmt::Write;

use xdnn_ir::Shape;

use super::code::{Access, Code, Tree, literal};
use super::index::{divided, offset};
use crate::ops::{AxisMap, CHANNELS, Map, Op, PoolWindow, Slopes, Spatial, Stage, Winner, around};

/// Whether an operator computes each element of its result alone.
pub(in super::super) fn is_element(op: &Op) -> bool {
    match op {
        Op::Fused(fused) => is_element(&fused.op),
        Op::Constant(_) | Op::Add(_) | Op::Mul(_) | Op::Map(_) | Op::Select(_) => true,
        Op::Broadcast(_) | Op::Permute(_) | Op::Concat(_) | Op::Slice(_) | Op::Place(_) => true,
        Op::ToBlocks(_) | Op::FromBlocks(_) | Op::AxisMap(_) => true,
        Op::PoolWinner(_) | Op::PoolGather(_) | Op::PoolScatter(_) => true,
        Op::OneHot(_) | Op::Largest(_) | Op::Rank(_) => true,
        _ => false,
    }
}

/// Whether an operator gives elements of one operand as they are, in another order.
pub(in super::super) fn is_movement(op: &Op) -> bool {
    matches!(
        op,
        Op::Broadcast(_) | Op::Permute(_) | Op::Slice(_) | Op::ToBlocks(_) | Op::FromBlocks(_)
    )
}

/// The body of a function that computes element `i` of the result of an operator, of [`is_element`]. `own` is whether each thread
/// reads nothing but the element of the result that it computes.
pub(super) fn element(
    code: &mut Code,
    op: &Op,
    operands: &[Tree<'_>],
    shape: Shape,
    own: bool,
) -> String {
    match op {
        Op::Fused(fused) => {
            let body = element(code, &fused.op, &operands[..fused.reads], shape, own);
            let first = code.function(&body);
            let stages = finish(code, fused.numbered(), operands, own);
            format!("float v = {first}(i); {stages}return v;")
        }
        Op::Add(_) | Op::Mul(_) | Op::Map(_) | Op::Select(_) => {
            let value = code.access(&operands[0], own).at("i");
            let stage = Stage::of(op, 0).map(|(stage, other)| (stage, other.unwrap_or(0)));
            let stages = finish(code, stage, operands, own);
            format!("float v = {value}; {stages}return v;")
        }
        Op::Constant(constant) => format!("return {};", literal(constant.value)),
        op => {
            let from = operands.iter().map(|operand| code.access(operand, false));
            let from: Vec<Access> = from.collect();
            let shapes: Vec<Shape> = operands.iter().map(|operand| operand.shape).collect();
            elsewhere(code, op, &from, &shapes, shape)
        }
    }
}

/// Statements that do to an element `v`, at index `i`, what stages do, each with the number of the operand that it reads.
pub(super) fn finish(
    code: &mut Code,
    stages: impl IntoIterator<Item = (Stage, usize)>,
    operands: &[Tree<'_>],
    own: bool,
) -> String {
    let mut text = String::new();
    for (stage, operand) in stages {
        let statement = match stage {
            Stage::Map(function) => format!("v = {}; ", map(function)),
            Stage::Add => format!("v = v + {}; ", code.access(&operands[operand], own).at("i")),
            Stage::Mul => format!("v = v * {}; ", code.access(&operands[operand], own).at("i")),
            Stage::Select(select) => {
                let words = code.access(&operands[operand], false).at("i / 32u");
                let [positive, other] = [select.positive, select.other].map(literal);
                format!(
                    "v = scaled(__float_as_uint({words}) >> i % 32u & 1u ? {positive} : {other}, v); "
                )
            }
        };
        text += &statement;
    }
    text
}

/// A function of `v`.
fn map(map: Map) -> String {
    let slopes = |name: &str, slopes: Slopes| {
        let [positive, zero, negative] =
            [slopes.positive, slopes.zero, slopes.negative].map(literal);
        format!("{name}(v, {positive}, {zero}, {negative})")
    };
    match map {
        Map::Scale(factor) => format!("{} * v", literal(factor)),
        Map::Slope(s) => slopes("slope", s),
        Map::PiecewiseLinear(s) => slopes("piecewise_linear", s),
        Map::Exp => "expf(v)".to_owned(),
        Map::Ln => "logf(v)".to_owned(),
        Map::Recip => "(v == 0.f ? 0.f : 1.f / v)".to_owned(),
        Map::Sqrt => "sqrtf(v)".to_owned(),
        Map::Power(exponent) => format!("(v > 0.f || v != v ? {} : 0.f)", power(exponent)),
        Map::ExpM1 => "expm1f(v)".to_owned(),
        Map::Sin => "sinf(v)".to_owned(),
        Map::Cos => "cosf(v)".to_owned(),
        Map::Sigmoid => "(1.f / (1.f + expf(-v)))".to_owned(),
        Map::Tanh => "tanhf(v)".to_owned(),
        Map::Erf => "erff(v)".to_owned(),
        Map::Softplus => "(fmaxf(v, 0.f) + log1pf(expf(-fabsf(v))))".to_owned(),
    }
}

/// `vᵖ` for positive `v`, as [`Map::Power`] computes it.
fn power(exponent: f64) -> String {
    match exponent {
        0.0 => "1.f".to_owned(),
        1.0 => "v".to_owned(),
        2.0 => "v * v".to_owned(),
        -1.0 => "1.f / v".to_owned(),
        0.5 => "sqrtf(v)".to_owned(),
        -0.5 => "1.f / sqrtf(v)".to_owned(),
        -1.5 => "1.f / (v * sqrtf(v))".to_owned(),
        exponent => format!("powf(v, {})", literal(exponent)),
    }
}

/// Element `i` of an operator that reads elements of other indices.
fn elsewhere(code: &mut Code, op: &Op, from: &[Access], shapes: &[Shape], shape: Shape) -> String {
    match op {
        Op::Broadcast(broadcast) => {
            let strides = broadcast.axes.strides_without(shape);
            format!("return {};", from[0].at(&offset(shape, &strides, "i")))
        }
        Op::Permute(permute) => {
            let strides = permute.strides(shapes[0]);
            format!("return {};", from[0].at(&offset(shape, &strides, "i")))
        }
        Op::Slice(slice) => {
            let (_, size, inner) = around(shapes[0], slice.axis);
            let [part, whole, start] = [slice.length, size, slice.start].map(|size| size * inner);
            let at = format!("{} * {whole}u + {start}u + i % {part}u", divided("i", part));
            format!("return {};", from[0].at(&at))
        }
        Op::Place(place) => {
            let (_, length, inner) = around(shapes[0], place.axis);
            let [part, whole, start] = [length, place.size, place.start].map(|size| size * inner);
            let at = format!("{} * {part}u + at", divided("i", whole));
            let read = from[0].at(&at);
            format!("unsigned at = i % {whole}u - {start}u; return at < {part}u ? {read} : 0.f;")
        }
        Op::Concat(concat) => {
            let (_, _, inner) = around(shape, concat.axis);
            let whole = shape.dim(concat.axis) * inner;
            let mut text = format!(
                "unsigned row = {}, at = i % {whole}u; ",
                divided("i", whole)
            );
            for (from, shape) in from.iter().zip(shapes) {
                let part = shape.dim(concat.axis) * inner;
                let read = from.at(&format!("row * {part}u + at"));
                // Writing to a string cannot fail.
                let _ = write!(text, "if (at < {part}u) return {read}; at -= {part}u; ");
            }
            text + "return 0.f;"
        }
        Op::ToBlocks(_) => {
            format!("return {};", from[0].at(&to_blocks(shapes[0])))
        }
        Op::FromBlocks(_) => {
            format!("return {};", from[0].at(&from_blocks(shape)))
        }
        Op::AxisMap(map) => axis_map(code, map, &from[0], shapes[0]),
        Op::PoolWinner(pool) => winner(
            pool.winner,
            &Windows::new(&pool.window, shapes[0]),
            &from[0],
        ),
        Op::PoolGather(pool) => {
            let windows = Windows::new(&pool.window, shapes[0]);
            format!(
                "int t = (int){}; if (t < 0) return 0.f; {}return {} ? {} : 0.f;",
                from[1].at("i"),
                windows.start(),
                windows.inside("t"),
                from[0].at(&windows.position("t"))
            )
        }
        Op::PoolScatter(pool) => scatter(&pool.window, from, shape),
        Op::OneHot(_) => {
            let classes = shape.dim(1);
            let row = divided("i", classes);
            let score = |at: &str| from[0].at(&format!("{row} * {classes}u + {at}"));
            format!(
                "float target = {}; unsigned best = 0u; \
                 if (target > -1.f && target < 4294967296.f) best = (unsigned)target; \
                 else for (unsigned j = 1u; j < {classes}u; ++j) if ({} > {}) best = j; \
                 return i % {classes}u == best ? 1.f : 0.f;",
                from[1].at(&row),
                score("j"),
                score("best"),
            )
        }
        Op::Largest(largest) => {
            let (other, size) = (row_element(&from[0], shape), last(shape));
            format!(
                "float x = {}; unsigned above = 0u; \
                 for (unsigned j = 0u; j < {size}u; ++j) {{ float y = {other}; above += beats(y, x) || (!beats(x, y) && j < i % {size}u); }} \
                 return above < {}u ? 1.f : 0.f;",
                from[0].at("i"),
                largest.count
            )
        }
        Op::Rank(_) => {
            let (other, size) = (row_element(&from[0], shape), last(shape));
            format!(
                "float x = {}; int rank = 0; \
                 for (unsigned j = 0u; j < {size}u; ++j) {{ float y = {other}; rank += (int)beats(x, y) - (int)beats(y, x); }} \
                 return (float)rank;",
                from[0].at("i"),
            )
        }
        // Not of `is_element`.
        _ => "return __uint_as_float(0x7fc00000u);".to_owned(),
    }
}

/// Where element `i` of a value whose channels are in blocks is while they are not.
pub(super) fn to_blocks(plain: Shape) -> String {
    let plane = plain.dim(2) * plain.dim(3);
    let block = plane * CHANNELS;
    format!(
        "(i / {block}u * {CHANNELS}u + i % {CHANNELS}u) * {plane}u + i / {CHANNELS}u % {plane}u"
    )
}

/// Where element `i` of a value is while its channels are in blocks.
pub(in super::super) fn from_blocks(plain: Shape) -> String {
    let plane = plain.dim(2) * plain.dim(3);
    let block = plane * CHANNELS;
    format!("(i / {block}u * {plane}u + i % {plane}u) * {CHANNELS}u + i / {plane}u % {CHANNELS}u")
}

/// The size of the last axis.
fn last(shape: Shape) -> usize {
    shape.dim(shape.rank().saturating_sub(1))
}

/// Element `j` of the row that element `i` is in.
fn row_element(from: &Access, shape: Shape) -> String {
    let size = last(shape);
    from.at(&format!("{} * {size}u + j", divided("i", size)))
}

/// A sparse matrix along an axis, whose rows are tables.
fn axis_map(code: &mut Code, op: &AxisMap, from: &Access, operand: Shape) -> String {
    let (_, inputs, inner) = around(operand, op.axis);
    let rows = op.map.rows();
    let mut starts = vec![0];
    for row in rows {
        starts.push(starts[starts.len() - 1] + row.len());
    }
    let entries = || rows.iter().flatten();
    let starts = code.table("unsigned", starts.iter().map(|start| format!("{start}u")));
    let columns = code.table("unsigned", entries().map(|(input, _)| format!("{input}u")));
    let factors = code.table("float", entries().map(|(_, factor)| literal(*factor)));
    let whole = rows.len() * inner;
    let read = from.at(&format!(
        "(block * {inputs}u + {columns}[e]) * {inner}u + i % {inner}u"
    ));
    format!(
        "unsigned block = {}, row = {} % {}u; float sum = 0.f; \
         for (unsigned e = {starts}[row]; e < {starts}[row + 1u]; ++e) sum += {factors}[e] * {read}; return sum;",
        divided("i", whole),
        divided("i", inner),
        rows.len(),
    )
}

/// The windows of a pool over planes of a size.
pub(super) struct Windows<'a> {
    window: &'a PoolWindow,
    size: [usize; 3],
}

impl<'a> Windows<'a> {
    pub(super) fn new(window: &'a PoolWindow, operand: Shape) -> Self {
        let spatial = Spatial::of(operand);
        Self {
            window,
            size: spatial.map_or([1; 3], |spatial| spatial.size),
        }
    }

    /// Declares the plane of window `i`, and where in it the window starts.
    pub(super) fn start(&self) -> String {
        let [depth, height, width] = self.window.output;
        let at = [
            format!("{} % {depth}u", divided("i", height * width)),
            format!("{} % {height}u", divided("i", width)),
            format!("i % {width}u"),
        ];
        let plane = divided("i", depth * height * width);
        let mut text = format!("unsigned plane = {plane}; ");
        for ((axis, at), (stride, padding)) in ["d0", "h0", "w0"]
            .iter()
            .zip(at)
            .zip(self.window.stride.iter().zip(self.window.padding))
        {
            let _ = write!(
                text,
                "const int {axis} = (int)({at}) * {stride} - {padding}; "
            );
        }
        text
    }

    /// The coordinates of an element of the window.
    fn coordinates(&self, tap: &str) -> [String; 3] {
        let [_, height, width] = self.window.kernel;
        let [depth_step, height_step, width_step] = self.window.dilation;
        [
            format!("(d0 + {tap} / {} * {depth_step})", height * width),
            format!("(h0 + {tap} / {width} % {height} * {height_step})"),
            format!("(w0 + {tap} % {width} * {width_step})"),
        ]
    }

    /// Whether an element of the window is not in the padding.
    fn inside(&self, tap: &str) -> String {
        let coordinates = self.coordinates(tap);
        let inside = coordinates.iter().zip(self.size);
        let inside: Vec<String> = inside
            .map(|(at, size)| format!("(unsigned){at} < {size}u"))
            .collect();
        inside.join(" && ")
    }

    /// The index of an element of the window.
    pub(super) fn position(&self, tap: &str) -> String {
        let [d, h, w] = self.coordinates(tap);
        let [depth, height, width] = self.size;
        format!("((plane * {depth}u + {d}) * {height}u + {h}) * {width}u + {w}")
    }
}

/// The winner of window `i`.
fn winner(winner: Winner, windows: &Windows<'_>, from: &Access) -> String {
    let start = windows.start();
    let taps = windows.window.taps();
    let each = |tap: &str| {
        format!(
            "for (int {tap} = 0; {tap} < {taps}; ++{tap}) if ({})",
            windows.inside(tap)
        )
    };
    let [x, y] = ["t", "s"].map(|tap| from.at(&windows.position(tap)));
    let better = match winner {
        Winner::Max => ">",
        Winner::Min => "<",
        Winner::Median | Winner::Rank(_) => {
            let rank = match winner {
                Winner::Rank(rank) => rank.to_string(),
                _ => "(count - 1) / 2".to_owned(),
            };
            return format!(
                "{start}int count = 0; {} {{ float x = {x}; if (x != x) return (float)t; ++count; }} \
                 const int rank = {rank}; if (rank >= count) return -1.f; \
                 {} {{ float x = {x}; int before = 0; {} {{ float y = {y}; before += y < x || (y == x && s < t); }} \
                 if (before == rank) return (float)t; }} return -1.f;",
                each("t"),
                each("t"),
                each("s"),
            );
        }
    };
    format!(
        "{start}int winner = -1; float best = 0.f; \
         {} {{ float x = {x}; if (winner < 0 || x {better} best || (x != x && best == best)) {{ best = x; winner = t; }} }} \
         return (float)winner;",
        each("t"),
    )
}

/// What the windows that an element won add up to.
fn scatter(window: &PoolWindow, from: &[Access], shape: Shape) -> String {
    let size = Spatial::of(shape).map_or([1; 3], |spatial| spatial.size);
    let [depth, height, width] = size;
    let mut text = format!(
        "unsigned plane = {}; const int at0 = (int)({} % {depth}u), at1 = (int)({} % {height}u), at2 = (int)(i % {width}u); float sum = 0.f; ",
        divided("i", depth * height * width),
        divided("i", height * width),
        divided("i", width),
    );
    for axis in 0..3 {
        let (kernel, stride, padding) = (
            window.kernel[axis],
            window.stride[axis],
            window.padding[axis],
        );
        let (dilation, output) = (window.dilation[axis], window.output[axis]);
        let _ = write!(
            text,
            "for (int t{axis} = {}; t{axis} >= 0; --t{axis}) {{ const int q{axis} = at{axis} + {padding} - t{axis} * {dilation}, o{axis} = q{axis} / {stride}; \
             if (q{axis} < 0 || q{axis} % {stride} || o{axis} >= {output}) continue; ",
            kernel - 1
        );
    }
    let [outputs, rows, columns] = window.output;
    let [_, kernel_height, kernel_width] = window.kernel;
    let _ = write!(
        text,
        "const unsigned o = ((plane * {outputs}u + o0) * {rows}u + o1) * {columns}u + o2; \
         if ((int){} == (t0 * {kernel_height} + t1) * {kernel_width} + t2) sum += {}; }} }} }} return sum;",
        from[1].at("o"),
        from[0].at("o"),
    );
    text
}

//! The derivatives of every operator, in both modes, by every operand that is real.
#![allow(clippy::unwrap_used, reason = "a failing helper is a failing test")]

mod common;

use std::sync::Arc;

use common::derivative::{check, trace};
use common::numbers::Numbers;
use common::run::run;
use xdnn_runtime::Graph;
use xdnn_runtime::autodiff::{jvp, vjp};
use xdnn_runtime::graph::Value;
use xdnn_runtime::ir::Shape;
use xdnn_runtime::ops::{
    Add, Axes, AxisMap, Broadcast, Concat, Convolution, Largest, Leaf, Map, MatMul, Mul, OneHot,
    Op, Permute, Place, PoolGather, PoolScatter, PoolWindow, PoolWinner, Rank, Reshape, Role,
    Slice, Slopes, SparseMap, Sum, Winner,
};

/// `name: [shape] [shape] => operator;`: its derivatives by each operand of these shapes are right. Operands are of both
/// signs, unless a domain is given: `in 0.5..2.0`.
macro_rules! derivatives {
    ($($name:ident: $([$($dim:expr),*])+ $(in $domain:expr)? => $op:expr;)*) => {$(
        #[test]
        fn $name() {
            let domain = Option::<std::ops::Range<f64>>::None$(.or(Some($domain)))?.unwrap_or(-2.0..2.0);
            let op = Op::from($op);
            check(&[$(Shape::new([$($dim),*])),+], &domain, |graph, x| Ok(vec![graph.apply(op.clone(), x)?]));
        }
    )*};
}

fn axes(axes: &[usize]) -> Axes {
    Axes::new(axes.iter().copied())
}

fn repeat<const N: usize>(along: &[usize], shape: [usize; N]) -> Broadcast {
    let (axes, shape) = (axes(along), Shape::new(shape));
    Broadcast { axes, shape }
}

fn matmul(transpose_a: bool, transpose_b: bool) -> MatMul {
    MatMul {
        transpose_a,
        transpose_b,
    }
}

fn along(axis: usize, inputs: usize, rows: &[&[(usize, f64)]]) -> AxisMap {
    let rows = rows.iter().map(|row| row.to_vec());
    let map = Arc::new(SparseMap::new(inputs, rows));
    AxisMap { axis, map }
}

derivatives! {
    add: [2, 3] [2, 3] => Add;
    add_scalars: [] [] => Add;
    mul: [2, 3] [2, 3] => Mul;
    mul_volumes: [2, 1, 2, 3, 2] [2, 1, 2, 3, 2] => Mul;

    scale: [7] => Map::Scale(-2.5);
    relu: [4, 5] => Map::PiecewiseLinear(Slopes::RELU);
    absolute: [4, 5] => Map::PiecewiseLinear(Slopes::ABS);
    leaky: [4, 5] => Map::PiecewiseLinear(Slopes::leaky(0.1));
    leaky_negative: [9] => Map::PiecewiseLinear(Slopes::leaky(-3.0));
    negative_part: [3, 3] => Map::PiecewiseLinear(Slopes::NEGATIVE_PART);
    exp: [3, 4] => Map::Exp;
    ln: [3, 4] in 0.5..2.0 => Map::Ln;
    recip: [3, 4] in 0.5..2.0 => Map::Recip;
    recip_negative: [8] in -2.0..-0.5 => Map::Recip;
    sqrt: [3, 4] in 0.5..2.0 => Map::Sqrt;
    power_three_halves: [3, 4] => Map::Power(1.5);
    power_minus_a_half: [3, 4] in 0.5..2.0 => Map::Power(-0.5);
    power_two: [3, 4] => Map::Power(2.0);
    power_minus_seven_thirds: [3, 4] in 0.5..2.0 => Map::Power(-7.0 / 3.0);
    exp_m1: [3, 4] => Map::ExpM1;
    sin: [3, 4] => Map::Sin;
    cos: [3, 4] => Map::Cos;
    sigmoid: [3, 4] => Map::Sigmoid;
    tanh: [3, 4] => Map::Tanh;
    erf: [3, 4] => Map::Erf;
    softplus: [3, 4] => Map::Softplus;

    sum_none: [2, 3] => Sum { axes: axes(&[]) };
    sum_first: [2, 3, 4] => Sum { axes: axes(&[0]) };
    sum_middle: [2, 3, 4] => Sum { axes: axes(&[1]) };
    sum_last: [2, 3, 4] => Sum { axes: axes(&[2]) };
    sum_outer: [2, 3, 4] => Sum { axes: axes(&[0, 2]) };
    sum_all: [2, 3, 4] => Sum { axes: axes(&[0, 1, 2]) };
    sum_of_six_axes: [2, 1, 2, 3, 2, 2] => Sum { axes: axes(&[1, 3, 5]) };
    broadcast_none: [2, 3] => repeat(&[], [2, 3]);
    broadcast_first: [3, 4] => repeat(&[0], [2, 3, 4]);
    broadcast_middle: [2, 4] => repeat(&[1], [2, 3, 4]);
    broadcast_last: [2, 3] => repeat(&[2], [2, 3, 4]);
    broadcast_outer: [3] => repeat(&[0, 2], [2, 3, 4]);
    broadcast_scalar: [] => repeat(&[0, 1], [2, 3]);
    broadcast_to_six_axes: [2, 2, 2] => repeat(&[1, 3, 5], [2, 1, 2, 3, 2, 2]);

    reshape: [2, 6] => Reshape { shape: Shape::new([3, 1, 4]) };
    reshape_to_scalar: [1, 1] => Reshape { shape: Shape::new([]) };
    permute: [2, 3, 4] => Permute { axes: vec![2, 0, 1] };
    permute_of_six_axes: [2, 1, 3, 2, 1, 2] => Permute { axes: vec![5, 3, 0, 1, 4, 2] };

    concat_first: [2, 3] [1, 3] => Concat { axis: 0 };
    concat_middle: [2, 1, 3] [2, 4, 3] [2, 2, 3] => Concat { axis: 1 };
    concat_last: [2, 3] [2, 1] => Concat { axis: 1 };
    concat_of_one: [2, 3] => Concat { axis: 1 };
    slice_first: [5, 2] => Slice { axis: 0, start: 1, length: 3 };
    slice_middle: [2, 5, 3] => Slice { axis: 1, start: 0, length: 2 };
    slice_last: [2, 5] => Slice { axis: 1, start: 4, length: 1 };
    place_first: [3, 2] => Place { axis: 0, start: 1, size: 5 };
    place_middle: [2, 2, 3] => Place { axis: 1, start: 0, size: 5 };
    place_last: [2, 1] => Place { axis: 1, start: 4, size: 5 };

    axis_map: [2, 3, 2] => along(1, 3, &[&[(0, 0.5), (2, -1.0)], &[], &[(1, 2.0)], &[(2, 0.25), (2, 0.5)]]);
    axis_map_first: [3, 2] => along(0, 3, &[&[(0, 1.0), (1, 1.0), (2, 1.0)]]);
    axis_map_last: [2, 4] => along(1, 4, &[&[(3, 1.5)], &[(0, -0.5), (1, 0.5)]]);

    matmul_plain: [2, 3] [3, 4] => matmul(false, false);
    matmul_right_transposed: [2, 3] [4, 3] => matmul(false, true);
    matmul_left_transposed: [3, 2] [3, 4] => matmul(true, false);
    matmul_both_transposed: [3, 2] [4, 3] => matmul(true, true);
    matmul_of_vectors: [1, 5] [5, 1] => matmul(false, false);
    batched_plain: [2, 2, 3] [2, 3, 4] => matmul(false, false);
    batched_right_transposed: [2, 2, 3] [2, 4, 3] => matmul(false, true);
    batched_left_transposed: [2, 3, 2] [2, 3, 4] => matmul(true, false);
    batched_both_transposed: [2, 1, 3, 2] [2, 1, 4, 3] => matmul(true, true);
}

/// `name: x, w => stride, padding, dilation, groups;`: the derivatives of a convolution and of its two transposes.
macro_rules! convolutions {
    ($($name:ident: [$($x:expr),*] [$($w:expr),*] => $stride:expr, $padding:expr, $dilation:expr, $groups:expr;)*) => {$(
        #[test]
        fn $name() {
            let (x, w) = (Shape::new([$($x),*]), Shape::new([$($w),*]));
            check_convolution(x, w, $stride, $padding, $dilation, $groups);
        }
    )*};
}

convolutions! {
    convolution_1d: [2, 2, 7] [3, 2, 3] => [1, 1, 1], [0, 0, 0], [1, 1, 1], 1;
    convolution_1d_strided: [2, 4, 9] [6, 2, 3] => [1, 1, 2], [0, 0, 1], [1, 1, 2], 2;
    convolution_1d_leaving_a_rest: [1, 1, 8] [1, 1, 2] => [1, 1, 3], [0, 0, 0], [1, 1, 1], 1;
    convolution_2d: [2, 2, 4, 5] [3, 2, 2, 3] => [1, 1, 1], [0, 0, 0], [1, 1, 1], 1;
    convolution_2d_padded: [1, 2, 3, 4] [2, 2, 3, 3] => [1, 1, 1], [0, 2, 1], [1, 1, 1], 1;
    convolution_2d_strided: [2, 2, 6, 7] [3, 2, 3, 2] => [1, 2, 3], [0, 1, 0], [1, 1, 1], 1;
    convolution_2d_dilated: [1, 2, 6, 7] [2, 2, 2, 3] => [1, 1, 2], [0, 1, 2], [1, 3, 2], 1;
    convolution_2d_grouped: [2, 4, 4, 4] [6, 2, 3, 3] => [1, 1, 2], [0, 1, 1], [1, 1, 1], 2;
    convolution_2d_depthwise: [1, 3, 5, 4] [3, 1, 3, 3] => [1, 2, 1], [0, 1, 1], [1, 1, 1], 3;
    convolution_2d_of_one_tap: [2, 3, 2, 2] [2, 3, 1, 1] => [1, 1, 1], [0, 0, 0], [1, 1, 1], 1;
    convolution_2d_mostly_of_padding: [1, 1, 2, 2] [1, 1, 2, 2] => [1, 1, 1], [0, 1, 1], [1, 2, 2], 1;
    convolution_3d: [1, 2, 3, 4, 3] [2, 2, 2, 2, 3] => [1, 1, 1], [0, 0, 0], [1, 1, 1], 1;
    convolution_3d_everything: [2, 2, 4, 5, 3] [4, 1, 2, 3, 2] => [2, 1, 2], [1, 2, 0], [2, 1, 1], 2;
}

fn check_convolution(
    x: Shape,
    w: Shape,
    stride: [usize; 3],
    padding: [usize; 3],
    dilation: [usize; 3],
    groups: usize,
) {
    let mut y = x.with_dim(1, w.dim(0));
    for axis in 2..x.rank() {
        let i = axis + 3 - x.rank();
        let extent = (w.dim(axis) - 1) * dilation[i] + 1;
        y = y.with_dim(
            axis,
            (x.dim(axis) + 2 * padding[i] - extent) / stride[i] + 1,
        );
    }
    let roles = [
        (Role::Forward, y, [x, w]),
        (Role::InputGradient, x, [y, w]),
        (Role::WeightGradient, w, [x, y]),
    ];
    for (role, shape, operands) in roles {
        let op = Convolution {
            role,
            shape,
            stride,
            padding,
            dilation,
            groups,
        };
        check(&operands, &(-2.0..2.0), |graph, x| {
            Ok(vec![graph.apply(op, x)?])
        });
    }
}

/// `name: shape => kernel, stride, padding, dilation, output;`: the derivatives of gathering winners and of scattering
/// to where they came from, for the largest, the smallest and the median of each window.
macro_rules! pools {
    ($($name:ident: [$($dim:expr),*] => $kernel:expr, $stride:expr, $padding:expr, $dilation:expr, $output:expr;)*) => {$(
        #[test]
        fn $name() {
            let window = PoolWindow {
                kernel: $kernel, stride: $stride, padding: $padding, dilation: $dilation, output: $output
            };
            check_pool(Shape::new([$($dim),*]), window);
        }
    )*};
}

pools! {
    pool_1d: [2, 2, 6] => [1, 1, 2], [1, 1, 2], [0, 0, 0], [1, 1, 1], [1, 1, 3];
    pool_1d_overlapping: [1, 2, 7] => [1, 1, 3], [1, 1, 1], [0, 0, 1], [1, 1, 1], [1, 1, 7];
    pool_2d: [2, 2, 4, 6] => [1, 2, 3], [1, 2, 3], [0, 0, 0], [1, 1, 1], [1, 2, 2];
    pool_2d_overlapping: [1, 2, 5, 5] => [1, 3, 3], [1, 2, 2], [0, 1, 1], [1, 1, 1], [1, 3, 3];
    pool_2d_dilated: [1, 2, 6, 5] => [1, 3, 2], [1, 1, 2], [0, 1, 1], [1, 2, 2], [1, 4, 3];
    pool_2d_with_gaps: [1, 1, 7, 7] => [1, 2, 1], [1, 3, 2], [0, 0, 0], [1, 1, 1], [1, 2, 4];
    pool_2d_past_the_edge: [1, 2, 5, 4] => [1, 2, 3], [1, 2, 2], [0, 0, 0], [1, 1, 1], [1, 3, 2];
    pool_3d: [2, 1, 3, 4, 4] => [2, 2, 3], [1, 2, 1], [1, 0, 1], [1, 2, 1], [4, 1, 4];
}

fn check_pool(shape: Shape, window: PoolWindow) {
    for winner in [Winner::Max, Winner::Min, Winner::Median, Winner::Rank(1)] {
        let pool = PoolWinner { window, winner };
        check(&[shape], &(-2.0..2.0), |graph, x| {
            let winners = graph.apply(pool, x)?;
            Ok(vec![graph.apply(PoolGather { window }, &[x[0], winners])?])
        });
        let pooled = pooled(shape, window);
        check(&[pooled], &(-2.0..2.0), |graph, x| {
            let image = graph.leaf(Leaf::Input(0), shape)?;
            let winners = graph.apply(pool, &[image])?;
            Ok(vec![
                graph.apply(PoolScatter { window, shape }, &[x[0], winners])?,
            ])
        });
    }
}

fn pooled(shape: Shape, window: PoolWindow) -> Shape {
    (2..shape.rank()).fold(shape, |pooled, axis| {
        pooled.with_dim(axis, window.output[axis + 3 - shape.rank()])
    })
}

/// The operators that are constant between kinks have the derivative 0, in both modes.
#[test]
fn choices_have_no_derivative() {
    let window = PoolWindow::global([1, 1, 3]);
    let winner = Winner::Max;
    let slope: Op = Map::Slope(Slopes::ABS).into();
    let (pool, one_hot): (Op, Op) = (PoolWinner { window, winner }.into(), OneHot.into());
    let largest: Op = Largest { count: 2 }.into();
    for (op, shape) in [
        (largest, Shape::new([2, 4])),
        (Rank.into(), Shape::new([2, 4])),
        (slope, Shape::new([4])),
        (pool, Shape::new([2, 1, 3])),
        (one_hot, Shape::new([2, 3])),
    ] {
        let function = |graph: &mut Graph, x: &[Value]| {
            let mut operands = x.to_vec();
            if op == Op::from(OneHot) {
                operands.push(graph.leaf(Leaf::Target, Shape::new([2]))?);
            }
            let y = graph.apply(op.clone(), &operands)?;
            let seeds = [
                graph.leaf(Leaf::Seed(0), shape)?,
                graph.leaf(Leaf::Seed(1), y.shape())?,
            ];
            let tangent = jvp(graph, &[(x[0], seeds[0])], &[y])?;
            let cotangent = vjp(graph, &[(y, seeds[1])], x)?;
            Ok([vec![y], tangent, cotangent].concat())
        };
        let mut traced = trace(&[shape], &function);
        traced.graph.set_outputs(traced.results);
        let leaves = common::derivative::values(&traced.graph, &(-2.0..2.0), 3);
        let outputs = run(&mut traced.graph, &leaves);
        assert!(outputs[0].iter().any(|y| *y != 0.0), "{op:?}");
        assert!(outputs[1..].iter().flatten().all(|d| *d == 0.0), "{op:?}");
    }
}

/// One operand in both places: both paths count.
#[test]
fn an_operand_may_be_read_twice() {
    let shape = [Shape::new([2, 2])];
    for op in [
        Op::from(Mul),
        Add.into(),
        matmul(false, true).into(),
        matmul(true, true).into(),
        Concat { axis: 1 }.into(),
    ] {
        check(&shape, &(-2.0..2.0), |graph, x| {
            Ok(vec![graph.apply(op.clone(), &[x[0], x[0]])?])
        });
    }
}

/// Volumes against loops over each index.
#[test]
fn volumes() {
    const X: [usize; 3] = [4, 5, 3];
    const K: [usize; 3] = [2, 3, 2];
    const Y: [usize; 3] = [2, 3, 2];
    let (stride, padding, dilation) = ([2, 2, 1], [1, 1, 0], [2, 1, 1]);
    let position = |axis: usize, o: usize, k: usize| {
        let padded = o * stride[axis] + k * dilation[axis];
        padded.checked_sub(padding[axis]).filter(|i| *i < X[axis])
    };
    let index = |plane: usize, [d, h, w]: [usize; 3], size: [usize; 3]| {
        ((plane * size[0] + d) * size[1] + h) * size[2] + w
    };
    let each = |size: [usize; 3]| {
        let rows = move |d| (0..size[1]).map(move |h| [d, h]);
        let all = (0..size[0]).flat_map(rows);
        all.flat_map(move |[d, h]| (0..size[2]).map(move |w| [d, h, w]))
    };
    let taps = |o: [usize; 3]| {
        each(K).filter_map(move |k| {
            let x = [
                position(0, o[0], k[0])?,
                position(1, o[1], k[1])?,
                position(2, o[2], k[2])?,
            ];
            Some((k, x))
        })
    };

    let shape = |planes: [usize; 2], size: [usize; 3]| {
        Shape::new([planes[0], planes[1], size[0], size[1], size[2]])
    };
    let mut graph = Graph::new();
    let image = graph.leaf(Leaf::Input(0), shape([2, 4], X)).unwrap();
    let kernel = graph.leaf(Leaf::Weight(0), shape([6, 2], K)).unwrap();
    let convolution = Convolution {
        role: Role::Forward,
        shape: shape([2, 6], Y),
        stride,
        padding,
        dilation,
        groups: 2,
    };
    let window = PoolWindow {
        kernel: K,
        stride,
        padding,
        dilation,
        output: Y,
    };
    let winner = Winner::Max;
    let convolved = graph.apply(convolution, &[image, kernel]).unwrap();
    let winners = graph
        .apply(PoolWinner { window, winner }, &[image])
        .unwrap();
    let pooled = graph
        .apply(PoolGather { window }, &[image, winners])
        .unwrap();
    graph.set_outputs(vec![convolved, pooled]);
    let mut numbers = Numbers::new(5);
    let x = numbers.integers(image.shape().elements(), 9);
    let w = numbers.integers(kernel.shape().elements(), 9);
    let leaves = [(Leaf::Input(0), x.clone()), (Leaf::Weight(0), w.clone())];
    let results = run(&mut graph, &leaves.into());

    for (n, o, y) in (0..2).flat_map(|n| (0..6).flat_map(move |o| each(Y).map(move |y| (n, o, y))))
    {
        let product = |c: usize| -> f64 {
            let planes = [n * 4 + o / 3 * 2 + c, o * 2 + c];
            taps(y)
                .map(|(k, i)| x[index(planes[0], i, X)] * w[index(planes[1], k, K)])
                .sum()
        };
        assert_eq!(results[0][index(n * 6 + o, y, Y)], product(0) + product(1));
    }
    for (plane, y) in (0..8).flat_map(|plane| each(Y).map(move |y| (plane, y))) {
        let largest = taps(y)
            .map(|(_, i)| x[index(plane, i, X)])
            .fold(f64::MIN, f64::max);
        assert_eq!(results[1][index(plane, y, Y)], largest);
    }
}

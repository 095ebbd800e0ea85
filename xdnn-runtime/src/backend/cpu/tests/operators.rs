//! Every operator, with random arguments.

use std::sync::Arc;

use proptest::prelude::*;
use xdnn_ir::Shape;

use super::{assert_agrees, numbers};
use crate::backend::testing::strategies::{
    coarse, convolution, map, pooled, random, shape, window, winner,
};
use crate::ops::{
    Add, Axes, AxisMap, Broadcast, Concat, Convolution, Largest, MatMul, Mul, OneHot, Permute,
    Place, PoolGather, PoolScatter, PoolWinner, Role, Slice, SparseMap, Sum,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn convolutions((op, shapes) in convolution(7, 5, 3), seed: u64) {
        assert_agrees(op, &shapes, &random(&shapes, seed));
    }

    #[test]
    fn maps(map in map(), shape in shape(0..=4, 6), seed: u64) {
        let mut x = numbers(shape.elements(), seed);
        let kinks = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
        x.iter_mut().zip(kinks).for_each(|(x, kink)| *x = kink);
        assert_agrees(map, &[shape], &[x]);
    }

    #[test]
    fn additions_and_products(shape in shape(0..=4, 6), seed: u64) {
        let leaves = random(&[shape, shape], seed);
        assert_agrees(Add, &[shape, shape], &leaves);
        assert_agrees(Mul, &[shape, shape], &leaves);
    }

    #[test]
    fn sums_and_broadcasts(shape in shape(0..=6, 5), mask: u8, seed: u64) {
        let axes = Axes::new((0..shape.rank()).filter(|axis| mask >> axis & 1 == 1));
        assert_agrees(Sum { axes }, &[shape], &random(&[shape], seed));
        let kept = axes.remove_from(shape);
        assert_agrees(Broadcast { axes, shape }, &[kept], &random(&[kept], seed));
    }

    #[test]
    fn permutations((dims, axes) in proptest::collection::vec(1_usize..6, 1..=6).prop_flat_map(|dims| {
        let order: Vec<usize> = (0..dims.len()).collect();
        (Just(dims), Just(order).prop_shuffle())
    }), seed: u64) {
        let shape = Shape::from_slice(&dims).unwrap();
        assert_agrees(Permute { axes }, &[shape], &random(&[shape], seed));
    }

    #[test]
    fn concatenations(shape in shape(1..=5, 5), axis: prop::sample::Index, sizes in proptest::collection::vec(1_usize..5, 1..5), seed: u64) {
        let axis = axis.index(shape.rank());
        let parts: Vec<Shape> = sizes.iter().map(|size| shape.with_dim(axis, *size)).collect();
        assert_agrees(Concat { axis }, &parts, &random(&parts, seed));
    }

    #[test]
    fn slices_and_their_places(shape in shape(1..=5, 6), axis: prop::sample::Index, [a, b]: [prop::sample::Index; 2], seed: u64) {
        let axis = axis.index(shape.rank());
        let size = shape.dim(axis);
        let start = a.index(size);
        let length = b.index(size - start) + 1;
        assert_agrees(Slice { axis, start, length }, &[shape], &random(&[shape], seed));
        let part = shape.with_dim(axis, length);
        assert_agrees(Place { axis, start, size }, &[part], &random(&[part], seed));
    }

    #[test]
    fn axis_maps(shape in shape(1..=4, 6), axis: prop::sample::Index, outputs in 1_usize..6, density in 0_usize..4, seed: u64) {
        let axis = axis.index(shape.rank());
        let inputs = shape.dim(axis);
        let choose = numbers(outputs * density, seed);
        let entry = |x: &f32| ((x.abs() * inputs as f32) as usize % inputs, f64::from(x.abs()));
        let rows = (0..outputs).map(|o| choose[o * density..][..density].iter().map(entry).collect());
        let op = AxisMap { axis, map: Arc::new(SparseMap::new(inputs, rows)) };
        assert_agrees(op, &[shape], &random(&[shape], seed));
    }

    #[test]
    fn products_of_matrices(batch in shape(0..=2, 3), [m, k, n] in [1_usize..20, 1_usize..20, 1_usize..20], [transpose_a, transpose_b]: [bool; 2], seed: u64) {
        let with = |rows: usize, columns: usize, transpose: bool| {
            let (rows, columns) = if transpose { (columns, rows) } else { (rows, columns) };
            Shape::from_slice(&[batch.dims(), &[rows, columns]].concat()).unwrap()
        };
        let shapes = [with(m, k, transpose_a), with(k, n, transpose_b)];
        assert_agrees(MatMul { transpose_a, transpose_b }, &shapes, &random(&shapes, seed));
    }

    #[test]
    fn pools((window, x) in window(), winner in winner(), seed: u64) {
        let mut data = coarse(x, seed);
        if seed.is_multiple_of(4) {
            let last = data.len() - 1;
            data[seed as usize % (last + 1)] = f32::NAN;
        }
        let op = PoolWinner { window, winner };
        let mut graph = super::single(op, &[x]);
        let winners = super::run(&super::compile(&graph).unwrap(), &[data.clone()]).remove(0);
        let expected: Vec<f32> = super::exact(&mut graph, &[data.clone()])[0].iter().map(|x| *x as f32).collect();
        prop_assert_eq!(&winners, &expected);
        let y = pooled(window, x);
        assert_agrees(PoolGather { window }, &[x, y], &[data, winners.clone()]);
        let g = numbers(y.elements(), seed);
        let mut graph = super::single(PoolScatter { window, shape: x }, &[y, y]);
        let found = super::run(&super::compile(&graph).unwrap(), &[g.clone(), winners.clone()]).remove(0);
        let expected = super::exact(&mut graph, &[g.clone(), winners.clone()]).remove(0);
        let absolute = g.iter().map(|g| g.abs()).collect();
        let magnitude = super::exact(&mut graph, &[absolute, winners]).remove(0);
        super::assert_near(&found, &expected, &magnitude, "scatter");
    }

    #[test]
    fn largest_elements(shape in shape(1..=3, 9), count: prop::sample::Index, seed: u64) {
        let count = count.index(shape.dim(shape.rank() - 1) + 1);
        let mut data = coarse(shape, seed);
        if seed.is_multiple_of(4) {
            data[seed as usize % shape.elements()] = f32::NAN;
        }
        let mut graph = super::single(Largest { count }, &[shape]);
        let found = super::run(&super::compile(&graph).unwrap(), &[data.clone()]).remove(0);
        let expected: Vec<f32> = super::exact(&mut graph, &[data])[0].iter().map(|x| *x as f32).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn targets([samples, classes] in [1_usize..5, 1_usize..6], choice in proptest::collection::vec(-1_i32..6, 5), seed: u64) {
        let shapes = [Shape::new([samples, classes]), Shape::new([samples])];
        let target: Vec<f32> = choice[..samples].iter().map(|class| *class as f32).collect();
        let mut graph = super::single(OneHot, &shapes);
        let leaves = [coarse(shapes[0], seed), target];
        let found = super::run(&super::compile(&graph).unwrap(), &leaves).remove(0);
        let expected: Vec<f32> = super::exact(&mut graph, &leaves)[0].iter().map(|x| *x as f32).collect();
        prop_assert_eq!(found, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Large enough for several tiles, several blocks of rows and several threads.
    #[test]
    fn larger_convolutions((op, shapes) in convolution(16, 24, 12), seed: u64) {
        assert_agrees(op, &shapes, &random(&shapes, seed));
    }

    #[test]
    fn longer_sums(dims in [1_usize..40, 1_usize..40, 1_usize..90], mask: u8, seed: u64) {
        let shape = Shape::new(dims);
        let axes = Axes::new((0..3).filter(|axis| mask >> axis & 1 == 1));
        assert_agrees(Sum { axes }, &[shape], &random(&[shape], seed));
    }
}

/// `(N, C, H, W)`, output channels, kernel, stride, padding, groups: each takes another way through the kernels.
#[test]
fn convolutions_of_every_shape_of_tile() {
    let cases: [([usize; 4], usize, usize, usize, usize, usize); 9] = [
        ([2, 8, 40, 40], 16, 3, 1, 1, 1),
        ([5, 64, 7, 7], 32, 3, 1, 1, 1),
        ([5, 64, 7, 7], 32, 1, 1, 0, 1),
        ([1, 16, 24, 24], 8, 1, 1, 0, 1),
        ([3, 12, 9, 9], 12, 3, 2, 1, 12),
        ([3, 12, 9, 9], 12, 5, 1, 2, 3),
        ([1, 200, 5, 5], 8, 5, 1, 0, 1),
        ([4, 3, 33, 33], 8, 7, 4, 3, 1),
        ([1, 8, 30, 30], 6, 3, 1, 1, 2),
    ];
    for (i, (x, o, kernel, stride, padding, groups)) in cases.into_iter().enumerate() {
        let [n, c, h, w] = x;
        let size = |size: usize| (size + 2 * padding - kernel) / stride + 1;
        let y = Shape::new([n, o, size(h), size(w)]);
        let (x, w) = (Shape::new(x), Shape::new([o, c / groups, kernel, kernel]));
        for role in [Role::Forward, Role::InputGradient, Role::WeightGradient] {
            let (operands, shape) = match role {
                Role::Forward => ([x, w], y),
                Role::InputGradient => ([y, w], x),
                Role::WeightGradient => ([x, y], w),
            };
            let op = Convolution {
                role,
                shape,
                stride: [1, stride, stride],
                padding: [0, padding, padding],
                dilation: [1; 3],
                groups,
            };
            assert_agrees(op, &operands, &random(&operands, i as u64));
        }
    }
}

#[test]
fn few_rows_meet_many_columns() {
    for (batch, m) in [(1, 1), (1, 3), (2, 3), (1, 16), (3, 1), (1, 17)] {
        for (transpose_a, transpose_b) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            let with = |rows: usize, columns: usize, transpose: bool| {
                let (rows, columns) = if transpose {
                    (columns, rows)
                } else {
                    (rows, columns)
                };
                Shape::new([batch, rows, columns])
            };
            let shapes = [with(m, 100, transpose_a), with(100, 1500, transpose_b)];
            let op = MatMul {
                transpose_a,
                transpose_b,
            };
            let mut data = random(&shapes, 5);
            assert_agrees(op, &shapes, &data);
            // As a ReLU leaves them, and as the choice of one output does.
            for every in [2, 100] {
                let zeros = data[0].iter_mut().enumerate();
                let zeros = zeros.filter(|(i, _)| i % every != every / 2);
                zeros.for_each(|(_, a)| *a = 0.0);
                assert_agrees(op, &shapes, &data);
            }
        }
    }
}

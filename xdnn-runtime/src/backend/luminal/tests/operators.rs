//! Every operator, with random arguments.

use std::sync::Arc;

use proptest::prelude::*;
use xdnn_ir::Shape;

use super::{assert_agrees, assert_equals};
use crate::backend::testing::strategies::{
    coarse, convolution, map, pooled, random, shape, window, winner,
};
use crate::backend::testing::{exact, numbers, single};
use crate::ops::{
    Add, Axes, AxisMap, Broadcast, Concat, Constant, Largest, MatMul, Mul, OneHot, Permute, Place,
    PoolGather, PoolScatter, PoolWinner, Rank, Reshape, Slice, SparseMap, Sum,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn convolutions((op, shapes) in convolution(5, 3, 2), seed: u64) {
        assert_agrees(op, &shapes, &random(&shapes, seed));
    }

    #[test]
    fn maps(map in map(), shape in shape(0..=4, 6), seed: u64) {
        let mut x = numbers(shape.elements(), seed);
        let special = [0.0, -0.0, 1e-6, -1e-6, 3e-4, 5.0, -5.0, 20.0, -20.0];
        x.iter_mut().zip(special).for_each(|(x, special)| *x = special);
        assert_agrees(map, &[shape], &[x]);
    }

    #[test]
    fn additions_and_products(shape in shape(0..=4, 6), seed: u64) {
        let leaves = random(&[shape, shape], seed);
        assert_agrees(Add, &[shape, shape], &leaves);
        assert_agrees(Mul, &[shape, shape], &leaves);
    }

    #[test]
    fn sums_and_broadcasts(shape in shape(0..=6, 4), mask: u8, seed: u64) {
        let axes = Axes::new((0..shape.rank()).filter(|axis| mask >> axis & 1 == 1));
        assert_agrees(Sum { axes }, &[shape], &random(&[shape], seed));
        let kept = axes.remove_from(shape);
        assert_equals(Broadcast { axes, shape }, &[kept], &random(&[kept], seed));
    }

    #[test]
    fn permutations((dims, axes) in proptest::collection::vec(1_usize..5, 1..=6).prop_flat_map(|dims| {
        let order: Vec<usize> = (0..dims.len()).collect();
        (Just(dims), Just(order).prop_shuffle())
    }), seed: u64) {
        let shape = Shape::from_slice(&dims).unwrap();
        assert_equals(Permute { axes }, &[shape], &random(&[shape], seed));
        let flat = Shape::new([shape.elements()]);
        assert_equals(Reshape { shape: flat }, &[shape], &random(&[shape], seed));
        assert_equals(Constant { value: 0.7, shape }, &[], &[]);
    }

    #[test]
    fn concatenations(shape in shape(1..=5, 4), axis: prop::sample::Index, sizes in proptest::collection::vec(1_usize..5, 1..5), seed: u64) {
        let axis = axis.index(shape.rank());
        let parts: Vec<Shape> = sizes.iter().map(|size| shape.with_dim(axis, *size)).collect();
        assert_equals(Concat { axis }, &parts, &random(&parts, seed));
    }

    #[test]
    fn slices_and_their_places(shape in shape(1..=5, 5), axis: prop::sample::Index, [a, b]: [prop::sample::Index; 2], seed: u64) {
        let axis = axis.index(shape.rank());
        let size = shape.dim(axis);
        let start = a.index(size);
        let length = b.index(size - start) + 1;
        assert_equals(Slice { axis, start, length }, &[shape], &random(&[shape], seed));
        let part = shape.with_dim(axis, length);
        assert_equals(Place { axis, start, size }, &[part], &random(&[part], seed));
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
    fn products_of_matrices(batch in shape(0..=2, 3), [m, k, n] in [1_usize..7, 1_usize..7, 1_usize..7], [transpose_a, transpose_b]: [bool; 2], seed: u64) {
        let with = |rows: usize, columns: usize, transpose: bool| {
            let (rows, columns) = if transpose { (columns, rows) } else { (rows, columns) };
            Shape::from_slice(&[batch.dims(), &[rows, columns]].concat()).unwrap()
        };
        let shapes = [with(m, k, transpose_a), with(k, n, transpose_b)];
        assert_agrees(MatMul { transpose_a, transpose_b }, &shapes, &random(&shapes, seed));
    }

    #[test]
    fn pools((window, x) in window(), winner in winner(), seed: u64) {
        // Pairs of all elements of larger windows take the interpreter long.
        prop_assume!(window.taps() <= 64);
        let data = coarse(x, seed);
        let op = PoolWinner { window, winner };
        assert_equals(op, &[x], std::slice::from_ref(&data));
        let winners = exact(&mut single(op, &[x]), std::slice::from_ref(&data)).remove(0);
        let winners: Vec<f32> = winners.into_iter().map(|x| x as f32).collect();
        let y = pooled(window, x);
        assert_equals(PoolGather { window }, &[x, y], &[data, winners.clone()]);
        let g = coarse(y, seed);
        assert_equals(PoolScatter { window, shape: x }, &[y, y], &[g, winners]);
    }

    #[test]
    fn ranks_and_largest_elements(shape in shape(1..=3, 9), count: prop::sample::Index, seed: u64) {
        let count = count.index(shape.dim(shape.rank() - 1) + 1);
        let data = [coarse(shape, seed)];
        assert_equals(Largest { count }, &[shape], &data);
        assert_equals(Rank, &[shape], &data);
    }

    #[test]
    fn targets([samples, classes] in [1_usize..5, 1_usize..6], choice in proptest::collection::vec(-1_i32..6, 5), seed: u64) {
        let shapes = [Shape::new([samples, classes]), Shape::new([samples])];
        let target: Vec<f32> = choice[..samples].iter().map(|class| *class as f32).collect();
        assert_equals(OneHot, &shapes, &[coarse(shapes[0], seed), target]);
    }
}

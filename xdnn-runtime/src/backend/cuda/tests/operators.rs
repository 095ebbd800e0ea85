//! Every operator, with random arguments.

use std::sync::Arc;

use proptest::prelude::*;
use xdnn_ir::Shape;

use super::networks::assert_computes;
use super::{Many, draw};
use crate::Precision;
use crate::backend::Weights;
use crate::backend::testing::strategies::{
    axis, coarse, convolution, map, pooled, random, shape, window, winner,
};
use crate::backend::testing::{exact, numbers, single};
use crate::graph::Graph;
use crate::ops::{
    Add, Axes, AxisMap, Broadcast, Concat, Convolution, FromBlocks, Fused, Largest, Leaf, Map,
    MatMul, Mul, OneHot, Permute, Place, PoolGather, PoolScatter, PoolWinner, Rank, Role, Select,
    Signs, Slice, Slopes, SparseMap, Stage, Sum, ToBlocks,
};

#[test]
fn elementwise() {
    let mut many = Many::default();
    for ((map, shape), seed) in draw((map(), shape(0..=4, 6)), 40) {
        let mut x = numbers(shape.elements(), seed);
        let kinks = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
        x.iter_mut().zip(kinks).for_each(|(x, kink)| *x = kink);
        many.add(map, &[shape], vec![x], false);
    }
    for (shape, seed) in draw(shape(0..=4, 6), 4) {
        many.add(Add, &[shape, shape], random(&[shape, shape], seed), false);
        many.add(Mul, &[shape, shape], random(&[shape, shape], seed), false);
    }
    many.assert_agrees();
}

#[test]
fn sums_and_broadcasts() {
    let mut many = Many::default();
    for ((shape, mask), seed) in draw((shape(0..=6, 5), any::<u8>()), 24) {
        let axes = Axes::new((0..shape.rank()).filter(|axis| mask >> axis & 1 == 1));
        many.add(Sum { axes }, &[shape], random(&[shape], seed), false);
        let kept = axes.remove_from(shape);
        many.add(
            Broadcast { axes, shape },
            &[kept],
            random(&[kept], seed),
            true,
        );
    }
    let long = [1_usize..40, 1_usize..40, 1_usize..90];
    for ((dims, mask), seed) in draw((long, any::<u8>()), 6) {
        let shape = Shape::new(dims);
        let axes = Axes::new((0..3).filter(|axis| mask >> axis & 1 == 1));
        many.add(Sum { axes }, &[shape], random(&[shape], seed), false);
    }
    many.assert_agrees();
}

#[test]
fn movements() {
    let mut many = Many::default();
    let orders = proptest::collection::vec(1_usize..6, 1..=6).prop_flat_map(|dims| {
        let order: Vec<usize> = (0..dims.len()).collect();
        (Just(dims), Just(order).prop_shuffle())
    });
    for ((dims, axes), seed) in draw(orders, 12) {
        let shape = Shape::from_slice(&dims).unwrap();
        many.add(Permute { axes }, &[shape], random(&[shape], seed), true);
    }
    let at = any::<prop::sample::Index>;
    let parts = proptest::collection::vec(1_usize..5, 1..5);
    for ((shape, axis, sizes), seed) in draw((shape(1..=5, 5), at(), parts), 8) {
        let axis = axis.index(shape.rank());
        let parts: Vec<Shape> = sizes
            .iter()
            .map(|size| shape.with_dim(axis, *size))
            .collect();
        many.add(Concat { axis }, &parts, random(&parts, seed), true);
    }
    for ((shape, [axis, a, b]), seed) in draw((shape(1..=5, 6), [at(), at(), at()]), 12) {
        let axis = axis.index(shape.rank());
        let size = shape.dim(axis);
        let start = a.index(size);
        let length = b.index(size - start) + 1;
        let slice = Slice {
            axis,
            start,
            length,
        };
        many.add(slice, &[shape], random(&[shape], seed), true);
        let part = shape.with_dim(axis, length);
        many.add(
            Place { axis, start, size },
            &[part],
            random(&[part], seed),
            true,
        );
    }
    for ([n, blocks, h, w], seed) in draw([1_usize..3, 1_usize..4, 1_usize..5, 1_usize..5], 6) {
        let [plain, blocked] = [
            Shape::new([n, 16 * blocks, h, w]),
            Shape::new([n, blocks, h, w, 16]),
        ];
        many.add(ToBlocks, &[plain], random(&[plain], seed), true);
        many.add(FromBlocks, &[blocked], random(&[blocked], seed), true);
    }
    many.assert_agrees();
}

#[test]
fn axis_maps() {
    let mut many = Many::default();
    let at = any::<prop::sample::Index>();
    let maps = (shape(1..=4, 6), at, 1_usize..6, 0_usize..4);
    for ((shape, axis, outputs, density), seed) in draw(maps, 16) {
        let axis = axis.index(shape.rank());
        let inputs = shape.dim(axis);
        let choose = numbers(outputs * density, seed);
        let entry = |x: &f32| {
            (
                (x.abs() * inputs as f32) as usize % inputs,
                f64::from(x.abs()),
            )
        };
        let rows =
            (0..outputs).map(|o| choose[o * density..][..density].iter().map(entry).collect());
        let map = Arc::new(SparseMap::new(inputs, rows));
        many.add(
            AxisMap { axis, map },
            &[shape],
            random(&[shape], seed),
            false,
        );
    }
    many.assert_agrees();
}

#[test]
fn products_of_matrices() {
    let mut many = Many::default();
    let sizes = (
        shape(0..=2, 3),
        [1_usize..90, 1_usize..40, 1_usize..90],
        any::<[bool; 2]>(),
    );
    for ((batch, [m, k, n], [transpose_a, transpose_b]), seed) in draw(sizes, 12) {
        let with = |rows: usize, columns: usize, transpose: bool| {
            let (rows, columns) = if transpose {
                (columns, rows)
            } else {
                (rows, columns)
            };
            Shape::from_slice(&[batch.dims(), &[rows, columns]].concat()).unwrap()
        };
        let shapes = [with(m, k, transpose_a), with(k, n, transpose_b)];
        let op = MatMul {
            transpose_a,
            transpose_b,
        };
        many.add(op, &shapes, random(&shapes, seed), false);
    }
    many.assert_agrees();
}

/// Many rows times constant matrices.
#[test]
fn dense_layers() {
    for (precision, tolerance) in [(Precision::Strict, 1e-5), (Precision::Tf32, 5e-3)] {
        let mut graph = Graph::new();
        let mut outputs = Vec::new();
        let sizes = ([5_usize..150, 1_usize..20, 1_usize..100], any::<bool>());
        for (i, (([m, blocks, n], transpose_b), _)) in draw(sizes, 12).into_iter().enumerate() {
            let k = 16 * blocks;
            let [rows, columns] = if transpose_b { [n, k] } else { [k, n] };
            let a = graph.leaf(Leaf::Input(i), Shape::new([m, k])).unwrap();
            let b = graph.leaf(Leaf::Weight(i), Shape::new([rows, columns]));
            let op = MatMul {
                transpose_a: false,
                transpose_b,
            };
            let y = graph.apply(op, &[a, b.unwrap()]).unwrap();
            outputs.push(graph.map(Map::PiecewiseLinear(Slopes::RELU), y).unwrap());
        }
        graph.set_outputs(outputs);
        let listing = assert_computes(graph, Weights::Constant, precision, tolerance);
        assert_eq!(listing.matches("Taps(").count(), 12, "{listing}");
        assert!(listing.contains(" with @"), "no shared sums\n{listing}");
    }
}

#[test]
fn convolutions() {
    let mut many = Many::default();
    for ((op, shapes), seed) in draw(convolution(7, 5, 3), 32) {
        many.add(op, &shapes, random(&shapes, seed), false);
    }
    for ((op, shapes), seed) in draw(convolution(12, 20, 3), 4) {
        many.add(op, &shapes, random(&shapes, seed), false);
    }
    many.assert_agrees();
}

/// Input gradients to few channels, whose windows overlap or leave gaps.
#[test]
fn images() {
    for (precision, tolerance) in [(Precision::Strict, 1e-5), (Precision::Tf32, 5e-3)] {
        let listing = assert_computes(image_gradients(), Weights::Constant, precision, tolerance);
        let folded = listing.matches("taps: 1 }, Backward").count();
        assert!(folded > 12, "{listing}");
    }
}

fn image_gradients() -> Graph {
    let mut graph = Graph::new();
    let mut outputs = Vec::new();
    let sizes = ([axis(14), axis(14)], [1_usize..4, 1_usize..16, 1_usize..4]);
    for (i, ((axes, [samples, channels, blocks]), _)) in draw(sizes, 24).into_iter().enumerate() {
        let axes = axes.map(|[input, output, kernel, stride, padding, dilation]| {
            // Kernels with gaps are not folded.
            match i % 4 {
                0 => [input, output, kernel, stride, padding, dilation],
                _ => {
                    let output = (input + 2 * padding - kernel) / stride + 1;
                    [input, output, kernel, stride, padding, 1]
                }
            }
        });
        let [input, output, kernel, stride, padding, dilation] =
            [0, 1, 2, 3, 4, 5].map(|i| axes.map(|axis| axis[i]));
        let volume = |a, b, [h, w]: [usize; 2]| Shape::new([a, b, h, w]);
        let image = volume(samples, channels, input);
        let y = graph.leaf(Leaf::Input(2 * i), volume(samples, 16 * blocks, output));
        let w = graph.leaf(Leaf::Weight(i), volume(16 * blocks, channels, kernel));
        let x = graph.leaf(Leaf::Input(2 * i + 1), image);
        let op = Convolution {
            role: Role::InputGradient,
            shape: image,
            stride: [1, stride[0], stride[1]],
            padding: [0, padding[0], padding[1]],
            dilation: [1, dilation[0], dilation[1]],
            groups: 1,
        };
        let gradient = graph.apply(op, &[y.unwrap(), w.unwrap()]).unwrap();
        outputs.push(graph.apply(Mul, &[gradient, x.unwrap()]).unwrap());
    }
    graph.set_outputs(outputs);
    graph
}

/// Convolutions from channels that make no blocks to channels in blocks.
#[test]
fn stems() {
    let mut graph = Graph::new();
    let mut outputs = Vec::new();
    let sizes = ([axis(12), axis(12)], [1_usize..4, 1_usize..24, 1_usize..6]);
    for (i, ((axes, [samples, channels, blocks]), _)) in draw(sizes, 24).into_iter().enumerate() {
        let [input, output, kernel, stride, padding, dilation] =
            [0, 1, 2, 3, 4, 5].map(|i| axes.map(|axis| axis[i]));
        // Few places of several samples stay as they are.
        let samples = if output[0] * output[1] < 16 {
            1
        } else {
            samples
        };
        let volume = |a, b, [h, w]: [usize; 2]| Shape::new([a, b, h, w]);
        let x = volume(samples, channels, input);
        let w = volume(16 * blocks, channels, kernel);
        let x = graph.leaf(Leaf::Input(i), x).unwrap();
        let w = graph.leaf(Leaf::Weight(i), w).unwrap();
        let op = Convolution {
            role: Role::Forward,
            shape: volume(samples, 16 * blocks, output),
            stride: [1, stride[0], stride[1]],
            padding: [0, padding[0], padding[1]],
            dilation: [1, dilation[0], dilation[1]],
            groups: 1,
        };
        let y = graph.apply(op, &[x, w]).unwrap();
        outputs.push(graph.map(Map::PiecewiseLinear(Slopes::RELU), y).unwrap());
    }
    graph.set_outputs(outputs);
    let listing = assert_computes(graph, Weights::Constant, Precision::Strict, 1e-5);
    assert_eq!(listing.matches("= blocked convolution").count(), 24);
    let laid_out = listing.matches(" Taps(").count();
    // One has 17 taps along an axis: it is a general product.
    assert_eq!(laid_out, 23, "{listing}");
    assert!(listing.contains("Weight(17) [48, 11, 17, 3]"), "{listing}");
    assert!(listing.contains(" with @"), "no shared sums\n{listing}");
}

#[test]
fn pools() {
    let mut many = Many::default();
    for (((window, x), winner), seed) in draw((window(), winner()), 16) {
        let mut data = coarse(x, seed);
        if seed.is_multiple_of(4) {
            let last = data.len() - 1;
            data[seed as usize % (last + 1)] = f32::NAN;
        }
        let op = PoolWinner { window, winner };
        many.add(op, &[x], vec![data.clone()], true);
        let y = pooled(window, x);
        let winners = exact(&mut single(op, &[x]), std::slice::from_ref(&data)).remove(0);
        let winners: Vec<f32> = winners.iter().map(|winner| *winner as f32).collect();
        many.add(
            PoolGather { window },
            &[x, y],
            vec![data, winners.clone()],
            true,
        );
        let whole: Vec<f32> = coarse(y, seed + 1);
        many.add(
            PoolScatter { window, shape: x },
            &[y, y],
            vec![whole, winners],
            true,
        );
    }
    many.assert_agrees();
}

#[test]
fn rows() {
    let mut many = Many::default();
    let at = any::<prop::sample::Index>();
    for ((shape, count), seed) in draw((shape(1..=3, 9), at), 16) {
        let count = count.index(shape.dim(shape.rank() - 1) + 1);
        let mut data = coarse(shape, seed);
        if seed.is_multiple_of(4) {
            data[seed as usize % shape.elements()] = f32::NAN;
        }
        many.add(Largest { count }, &[shape], vec![data.clone()], true);
        many.add(Rank, &[shape], vec![data], true);
    }
    let choice = proptest::collection::vec(-1_i32..6, 5);
    for (([samples, classes], choice), seed) in draw(([1_usize..5, 1_usize..6], choice), 12) {
        let shapes = [Shape::new([samples, classes]), Shape::new([samples])];
        let target: Vec<f32> = choice[..samples]
            .iter()
            .map(|class| *class as f32)
            .collect();
        many.add(OneHot, &shapes, vec![coarse(shapes[0], seed), target], true);
    }
    many.assert_agrees();
}

/// Of leaves, and of what the same kernel computes.
#[test]
fn signs() {
    let mut many = Many::default();
    for (shape, seed) in draw(shape(0..=4, 9), 8) {
        let [x, g] = many.leaves(
            [shape, shape],
            vec![coarse(shape, seed), numbers(shape.elements(), seed)],
        );
        let relu = many
            .graph
            .map(Map::PiecewiseLinear(Slopes::RELU), x)
            .unwrap();
        for of in [x, relu] {
            let signs = many.graph.apply(Signs, &[of]).unwrap();
            let select = Select {
                positive: 0.5,
                other: 0.0,
            };
            let selected = many.graph.apply(select, &[g, signs]).unwrap();
            many.output(selected, true);
        }
        many.output(relu, true);
    }
    many.assert_agrees();
}

#[test]
fn few_rows() {
    let mut many = Many::default();
    for (([m, k, n], transpose_b), seed) in
        draw(([1_usize..5, 1_usize..300, 1_usize..70], any::<bool>()), 12)
    {
        let b = if transpose_b { [n, k] } else { [k, n] };
        let shapes = [Shape::new([m, k]), Shape::new(b)];
        let op = MatMul {
            transpose_a: false,
            transpose_b,
        };
        let mut data = random(&shapes, seed);
        // As a ReLU leaves them.
        data[0].iter_mut().step_by(2).for_each(|a| *a = 0.0);
        many.add(op, &shapes, data, false);
    }
    // A block has 8, 16 or 32 columns, and their signs.
    for (n, seed) in [(96, 1), (4128, 2), (8224, 3)] {
        let shapes = [Shape::new([2, 5]), Shape::new([5, n]), Shape::new([2, n])];
        let data = shapes
            .iter()
            .zip(seed..)
            .map(|(shape, seed)| coarse(*shape, seed));
        let [a, b, g] = many.leaves(shapes, data.collect());
        let op = MatMul {
            transpose_a: false,
            transpose_b: false,
        };
        let y = many.graph.apply(op, &[a, b]).unwrap();
        let signs = many.graph.apply(Signs, &[y]).unwrap();
        let select = Select {
            positive: 0.5,
            other: 0.0,
        };
        let selected = many.graph.apply(select, &[g, signs]).unwrap();
        many.output(selected, true);
        many.output(y, true);
    }
    many.assert_agrees();
}

/// Rows of a matrix that targets choose, in a kernel of their own or where few of them are multiplied.
#[test]
fn heads() {
    let mut many = Many::default();
    let choice = proptest::collection::vec(-1_i32..8, 5);
    let sizes = [1_usize..6, 1_usize..6, 1_usize..70, 1_usize..40];
    for ((([samples, classes, k, n], choice), transpose_b), seed) in
        draw(((sizes, choice), any::<bool>()), 24)
    {
        let last = if transpose_b { [n, k] } else { [k, n] };
        let shapes = [
            Shape::new([samples, classes]),
            Shape::new([classes, k]),
            Shape::new([samples, k]),
            Shape::new(last),
        ];
        let mut data: Vec<Vec<f32>> = (0..4).map(|i| coarse(shapes[i], seed + i as u64)).collect();
        if seed.is_multiple_of(3) {
            data[0][seed as usize % (samples * classes)] = f32::NAN;
        }
        let target = choice[..samples].iter().map(|class| *class as f32);
        let [target] = many.leaves([Shape::new([samples])], vec![target.collect()]);
        let [scores, w, mask, matrix] = many.leaves(shapes, data);
        let chosen = many.graph.apply(OneHot, &[scores, target]).unwrap();
        let signs = many.graph.apply(Signs, &[mask]).unwrap();
        let select = Select {
            positive: 1.0,
            other: 0.0,
        };
        let product = |transpose_b| MatMul {
            transpose_a: false,
            transpose_b,
        };
        let head = Fused {
            op: Box::new(product(false).into()),
            reads: 2,
            stages: vec![Stage::Select(select)],
        };
        let head = many.graph.apply(head, &[chosen, w, signs]).unwrap();
        let product = many
            .graph
            .apply(product(transpose_b), &[head, matrix])
            .unwrap();
        // Sums of small integers.
        many.output(product, true);
    }
    let listing = many.assert_agrees();
    for kernel in [
        "A·B of [A·B",
        "A·Bᵀ of [A·B",
        "= A·B → select 1 or 0 of [OneHot](",
    ] {
        assert!(listing.contains(kernel), "no {kernel} in\n{listing}");
    }
}

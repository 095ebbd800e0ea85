//! Pools and scatters in the kernels of convolutions. Numbers are small integers, so that ties are common and all results exact.

use proptest::prelude::*;
use xdnn_ir::Shape;

use super::{Weights, draw, ready};
use crate::Precision;
use crate::backend::testing::strategies::coarse;
use crate::backend::testing::{exact, laid_out, numbers, run};
use crate::graph::{Graph, Value};
use crate::ops::{
    Blocked, Convolution, FromBlocks, Fused, Leaf, Map, Op, PoolGather, PoolScatter, PoolWindow,
    PoolWinner, Role, Select, Signs, Slopes, Stage, Winner, plain,
};

/// A graph with what its leaves hold, the outputs among them.
#[derive(Default)]
struct Case {
    graph: Graph,
    leaves: Vec<(Leaf, Vec<f32>)>,
    outputs: Vec<Value>,
}

/// A pool of what a convolution computes.
#[derive(Clone, Copy, Debug)]
struct Pool {
    samples: usize,
    /// Blocks of channels before and after the convolution.
    blocks: [usize; 2],
    /// The plane that is pooled.
    size: [usize; 2],
    /// The side of the convolution's kernels, and its steps.
    side: usize,
    step: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: usize,
}

/// A 3×3 pool with steps of 2, as AlexNet has them.
const POOL: Pool = Pool {
    samples: 1,
    blocks: [2, 5],
    size: [27; 2],
    side: 3,
    step: 1,
    kernel: [3; 2],
    stride: [2; 2],
    padding: [0; 2],
    dilation: 1,
};

impl Pool {
    fn shape(&self, blocks: usize, [height, width]: [usize; 2]) -> Shape {
        Shape::new([self.samples, blocks, height, width, 16])
    }

    fn window(&self) -> PoolWindow {
        let along = |[height, width]: [usize; 2], last| [height, width, last];
        let output: [usize; 2] = std::array::from_fn(|i| {
            let extent = (self.kernel[i] - 1) * self.dilation + 1;
            (self.size[i] + 2 * self.padding[i] - extent) / self.stride[i] + 1
        });
        PoolWindow {
            kernel: along(self.kernel, 1),
            stride: along(self.stride, 1),
            padding: along(self.padding, 0),
            dilation: along([self.dilation; 2], 1),
            output: along(output, 16),
        }
    }
}

fn fused(op: impl Into<Op>, reads: usize, stage: Stage) -> Fused {
    Fused {
        op: Box::new(op.into()),
        reads,
        stages: vec![stage],
    }
}

impl Case {
    fn leaf(&mut self, leaf: Leaf, shape: Shape, data: Vec<f32>) -> Value {
        self.leaves.push((leaf, data));
        self.graph.leaf(leaf, shape).unwrap()
    }

    fn seed(&mut self, shape: Shape, data: Vec<f32>) -> Value {
        self.leaf(Leaf::Seed(self.leaves.len()), shape, data)
    }

    /// Numbers of which most are 0.
    fn few(&self, shape: Shape) -> Vec<f32> {
        let numbers = numbers(shape.elements(), self.leaves.len() as u64 + 1);
        numbers.into_iter().map(|x| (0.7 * x).round()).collect()
    }

    fn convolution(&mut self, x: Value, role: Role, pool: &Pool, shape: Shape) -> (Op, [Value; 2]) {
        let [before, after] = pool.blocks.map(|blocks| blocks * 16);
        let weight = Shape::new([after, before, pool.side, pool.side]);
        let data = self.few(weight);
        let weight = self.leaf(Leaf::Weight(self.leaves.len()), weight, data);
        let padding = pool.side / 2;
        let op = Convolution {
            role,
            shape: plain(shape).unwrap(),
            stride: [1, pool.step, pool.step],
            padding: [0, padding, padding],
            dilation: [1; 3],
            groups: 1,
        };
        (Blocked::Convolution(op).into(), [x, weight])
    }

    /// The pooled value, in blocks or not, the winners and the signs of what is pooled.
    fn add_pool(&mut self, pool: &Pool, in_blocks: bool, nan: bool) {
        let [before, after] = pool.blocks;
        let to = pool.shape(after, pool.size);
        let from = pool.shape(before, pool.size.map(|size| (size - 1) * pool.step + 1));
        let mut data = self.few(from);
        if nan {
            let middle = data.len() / 2;
            data[middle] = f32::NAN;
        }
        let x = self.seed(from, data);
        let (convolution, operands) = self.convolution(x, Role::Forward, pool, to);
        let relu = Stage::Map(Map::PiecewiseLinear(Slopes::RELU));
        let y = self
            .graph
            .apply(fused(convolution, 2, relu), &operands)
            .unwrap();
        let signs = self.graph.apply(Signs, &[y]).unwrap();
        let window = pool.window();
        let winner = PoolWinner {
            window,
            winner: Winner::Max,
        };
        let winner = self.graph.apply(winner, &[y]).unwrap();
        let gather = fused(PoolGather { window }, 2, Stage::Map(Map::Scale(0.5)));
        let mut pooled = self.graph.apply(gather, &[y, winner]).unwrap();
        if !in_blocks {
            pooled = self.graph.apply(FromBlocks, &[pooled]).unwrap();
        }
        let ones = self.seed(to, vec![1.0; to.elements()]);
        let step = Select {
            positive: 1.0,
            other: 0.0,
        };
        let signs = self.graph.apply(step, &[ones, signs]).unwrap();
        self.outputs.extend([pooled, winner, signs]);
    }

    /// What windows scatter of an input gradient, where signs let it through.
    fn add_scatter(&mut self, pool: &Pool) {
        let [before, after] = pool.blocks;
        let window = pool.window();
        let [down, across, _] = window.output;
        let to = pool.shape(before, pool.size);
        let pooled = pool.shape(before, [down, across]);
        let from = pool.shape(after, [down, across].map(|size| (size - 1) / pool.step + 1));
        let data = self.few(from);
        let y = self.seed(from, data);
        let (convolution, operands) = self.convolution(y, Role::InputGradient, pool, pooled);
        let gradient = self.graph.apply(convolution, &operands).unwrap();
        let taps = pool.kernel.iter().product::<usize>() as f32;
        let winners = numbers(pooled.elements(), self.leaves.len() as u64);
        let winners = winners
            .iter()
            .map(|x| (x.abs() * (taps + 0.5) - 0.5).floor());
        let winners = self.seed(pooled, winners.collect());
        let z = self.seed(to, coarse(to, 3));
        let signs = self.graph.apply(Signs, &[z]).unwrap();
        let select = Stage::Select(Select {
            positive: 1.0,
            other: 0.5,
        });
        let scatter = fused(PoolScatter { window, shape: to }, 2, select);
        let scattered = self
            .graph
            .apply(scatter, &[gradient, winners, signs])
            .unwrap();
        self.outputs.push(scattered);
    }

    /// The kernels, once what they compute is what the reference does, to the bit.
    fn assert_agrees(mut self, precision: Precision) -> String {
        ready();
        self.graph.set_outputs(self.outputs);
        let known = self.graph.leaves();
        let values = known.iter().map(|(leaf, _)| {
            let drawn = self.leaves.iter().find(|(other, _)| other == leaf);
            drawn.unwrap().1.clone()
        });
        let values: Vec<Vec<f32>> = values.collect();
        let expected = exact(&mut self.graph, &values);
        let program =
            crate::backend::cuda::compile(&self.graph, Weights::Constant, 0, precision).unwrap();
        let given = laid_out(&program, &known, &values);
        let listing = program.to_string();
        for (i, (found, expected)) in run(&program, &given).iter().zip(&expected).enumerate() {
            for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
                let same = f64::from(*found) == *expected || found.is_nan() && expected.is_nan();
                assert!(
                    same,
                    "element {at} of output {i} is {found}, not {expected}, in\n{listing}"
                );
            }
        }
        listing
    }
}

fn pools() -> impl Strategy<Value = Pool> {
    let axis = (1_usize..5, 1_usize..4, 4_usize..40).prop_flat_map(|(kernel, stride, size)| {
        (0..=kernel / 2).prop_map(move |padding| [size, kernel, stride, padding])
    });
    let sides = prop_oneof![Just(1_usize), Just(3)];
    let sizes = (1_usize..4, [1_usize..4, 1_usize..6], sides, 1_usize..3);
    (sizes, [axis.clone(), axis]).prop_map(|((samples, blocks, side, step), axes)| {
        let [size, kernel, stride, padding] = std::array::from_fn(|i| axes.map(|axis| axis[i]));
        Pool {
            samples,
            blocks,
            size,
            side,
            step,
            kernel,
            stride,
            padding,
            dilation: 1,
        }
    })
}

#[test]
fn random_windows() {
    for precision in [Precision::Strict, Precision::Tf32] {
        let mut case = Case::default();
        for (pool, seed) in draw(pools(), 16) {
            case.add_pool(&pool, seed.is_multiple_of(2), seed.is_multiple_of(3));
            case.add_scatter(&pool);
        }
        let listing = case.assert_agrees(precision);
        for absorbed in ["→ gather", "→ FromBlocks of [gather", "→ scatter"] {
            assert!(listing.matches(absorbed).count() >= 4, "{listing}");
        }
        assert!(listing.contains(" with @"), "{listing}");
    }
}

#[test]
fn what_convolutions_absorb() {
    let absorbed = |pool: Pool| {
        let mut case = Case::default();
        case.add_pool(&pool, false, false);
        case.add_scatter(&pool);
        let listing = case.assert_agrees(Precision::Tf32);
        ["→ FromBlocks of [gather", "→ scatter"].map(|end| listing.contains(end))
    };
    assert_eq!(absorbed(POOL), [true; 2]);
    let (samples, size) = (2, [13; 2]);
    assert_eq!(
        absorbed(Pool {
            samples,
            size,
            ..POOL
        }),
        [true; 2]
    );
    let padding = [1; 2];
    assert_eq!(absorbed(Pool { padding, ..POOL }), [true; 2]);
    let (kernel, size) = ([2; 2], [28; 2]);
    assert_eq!(
        absorbed(Pool {
            kernel,
            size,
            ..POOL
        }),
        [true; 2]
    );
    // An input gradient with steps computes several classes of places.
    assert_eq!(absorbed(Pool { step: 2, ..POOL }), [true, false]);
    // Patches would be more than 128 places, or more than twice as many as tiles of rows.
    let kernel = [12; 2];
    assert_eq!(absorbed(Pool { kernel, ..POOL }), [false, true]);
    let (kernel, stride, size) = ([5; 2], [1; 2], [40; 2]);
    assert_eq!(
        absorbed(Pool {
            kernel,
            stride,
            size,
            ..POOL
        }),
        [false; 2]
    );
    let dilation = 2;
    assert_eq!(absorbed(Pool { dilation, ..POOL }), [false; 2]);
}

/// So many places that tiles are wide.
#[test]
fn large_images() {
    let mut case = Case::default();
    let (samples, blocks, size) = (2, [1, 8], [120; 2]);
    let pool = Pool {
        samples,
        blocks,
        size,
        side: 1,
        ..POOL
    };
    case.add_pool(&pool, true, false);
    let listing = case.assert_agrees(Precision::Tf32);
    assert!(listing.contains("288×1×1 blocks"), "{listing}");
}

//! Graphs of one operator, and data for them. `cargo xtask bench-instructions` runs them, too.

use xdnn_runtime::backend::Program;
use xdnn_runtime::backend::Weights;
use xdnn_runtime::backend::cpu::{self, CpuProgram};
use xdnn_runtime::ir::Shape;
use xdnn_runtime::ops::{
    Add, Blocked, Convolution, Fused, Kernels, Layout, Leaf, Map, MatMul, Op, PoolGather,
    PoolScatter, PoolWindow, PoolWinner, Role, Select, Signs, Slopes, Stage, Winner, Winograd,
};
use xdnn_runtime::{Graph, Result};

/// An operator and what it reads.
pub struct Case {
    pub kernel: &'static str,
    pub name: String,
    /// Multiplications and additions, those of the plain sum whatever the algorithm; none where only bytes count.
    pub flop: Option<usize>,
    op: Op,
    operands: Vec<(Leaf, Shape, Data)>,
}

/// What an operand holds.
#[derive(Clone, Copy)]
enum Data {
    Numbers,
    /// What a ReLU leaves of them.
    Rectified,
    /// Positions in windows of so many elements.
    Taps(usize),
    Bits,
}

/// How a convolution is computed.
#[derive(Clone, Copy)]
enum Algorithm {
    Blocks,
    WinogradInBlocks,
    /// Channels in planes, as where they make no whole blocks.
    Plain,
}

pub fn cases() -> Vec<Case> {
    use Algorithm::{Blocks, Plain, WinogradInBlocks};
    let mut cases = Vec::new();
    for role in [Role::Forward, Role::InputGradient] {
        cases.extend([
            convolution(Blocks, [256, 64], 28, 1, 1, role),
            convolution(Blocks, [128, 128], 14, 3, 1, role),
            convolution(Blocks, [64, 128], 28, 3, 2, role),
            convolution(WinogradInBlocks, [128, 128], 14, 3, 1, role),
            convolution(WinogradInBlocks, [64, 128], 13, 5, 1, role),
            convolution(Blocks, [3, 64], 112, 7, 2, role),
            convolution(Plain, [24, 40], 28, 3, 1, role),
        ]);
    }
    for transposed in [false, true] {
        cases.extend([
            product("one row", [1, 1024, 1024], transposed, Data::Numbers),
            product("half a row", [1, 1024, 1024], transposed, Data::Rectified),
            product("few rows", [8, 1024, 512], transposed, Data::Numbers),
            product("large", [256, 256, 256], transposed, Data::Numbers),
        ]);
    }
    cases.extend(pool(64, 55, 3, 2));
    cases.extend(elementwise(Shape::new([1, 4, 56, 56, 16])));
    cases
}

/// A convolution of square images, or the way back.
fn convolution(
    algorithm: Algorithm,
    channels: [usize; 2],
    side: usize,
    size: usize,
    stride: usize,
    role: Role,
) -> Case {
    let [from, to] = channels;
    let (padding, forward) = (size / 2, role == Role::Forward);
    let outputs = (side + 2 * padding - size) / stride + 1;
    let image = |channels, side| Shape::new([1, channels, side, side]);
    let (read, written) = match forward {
        true => ((from, side), (to, outputs)),
        false => ((to, outputs), (from, side)),
    };
    let weight = Shape::new([to, from, size, size]);
    let plain = Convolution {
        role,
        shape: image(written.0, written.1),
        stride: [1, stride, stride],
        padding: [0, padding, padding],
        dilation: [1; 3],
        groups: 1,
    };
    let winograd = Winograd {
        padding: [padding; 2],
        transposed: !forward,
        kernels: Kernels::of(weight),
    };
    let blocks = match read.0.is_multiple_of(16) {
        true => in_blocks(read.0, read.1),
        false => image(read.0, read.1),
    };
    let (kernel, op, read, leaf, weights): (_, Op, _, _, _) = match algorithm {
        Algorithm::Blocks => {
            let op = Blocked::Convolution(plain).into();
            ("convolution-in-blocks", op, blocks, Leaf::Weight(0), weight)
        }
        Algorithm::WinogradInBlocks => {
            let (op, transformed) = (Blocked::Winograd(winograd).into(), winograd.kernels.shape());
            let leaf = Leaf::LaidOut(0, Layout::Winograd(winograd.kernels));
            ("winograd-in-blocks", op, blocks, leaf, transformed)
        }
        Algorithm::Plain => {
            let x = image(read.0, read.1);
            ("convolution", plain.into(), x, Leaf::Weight(0), weight)
        }
    };
    let direction = if forward { "forward" } else { "input-gradient" };
    Case {
        kernel,
        name: format!("{from}-to-{to}-at-{side}-kernel-{size}-stride-{stride}-{direction}"),
        flop: Some(2 * weight.elements() * outputs * outputs),
        op,
        operands: vec![
            (Leaf::Input(0), read, Data::Numbers),
            (leaf, weights, Data::Numbers),
        ],
    }
}

/// `m×k` times a weight `k×n`, or the transpose of a weight `n×k`.
fn product(rows: &str, [m, k, n]: [usize; 3], transposed: bool, data: Data) -> Case {
    let (weight, suffix) = match transposed {
        true => ([n, k], "-transposed"),
        false => ([k, n], ""),
    };
    let op = MatMul {
        transpose_a: false,
        transpose_b: transposed,
    };
    Case {
        kernel: "matmul",
        name: format!("{}-{m}x{k}x{n}{suffix}", rows.replace(' ', "-")),
        flop: Some(2 * m * k * n),
        op: op.into(),
        operands: vec![
            (Leaf::Input(0), Shape::new([m, k]), data),
            (Leaf::Weight(0), Shape::new(weight), Data::Numbers),
        ],
    }
}

/// The largest elements of square windows: where they are, what they are, and the way back.
fn pool(channels: usize, side: usize, size: usize, stride: usize) -> [Case; 3] {
    let outputs = (side - size) / stride + 1;
    let [x, y] = [side, outputs].map(|side| in_blocks(channels, side));
    let window = PoolWindow {
        kernel: [size, size, 1],
        stride: [stride, stride, 1],
        padding: [0; 3],
        dilation: [1; 3],
        output: [outputs, outputs, 16],
    };
    let winner = Winner::Max;
    let taps = (y, Data::Taps(size * size));
    let case = |step: &str, op: Op, operands: &[_]| {
        let name = format!("{step}-{channels}-at-{side}-kernel-{size}-stride-{stride}");
        of_bytes("pool-in-blocks", name, op, operands)
    };
    [
        case(
            "winner",
            PoolWinner { window, winner }.into(),
            &[(x, Data::Numbers)],
        ),
        case(
            "gather",
            PoolGather { window }.into(),
            &[(x, Data::Numbers), taps],
        ),
        case(
            "scatter",
            PoolScatter { window, shape: x }.into(),
            &[(y, Data::Numbers), taps],
        ),
    ]
}

/// The signs of a value, and a sum that is rectified, multiplied and cut off by signs.
fn elementwise(x: Shape) -> [Case; 2] {
    let chain = Fused {
        op: Box::new(Add.into()),
        reads: 2,
        stages: vec![
            Stage::Map(Map::PiecewiseLinear(Slopes::RELU)),
            Stage::Mul,
            Stage::Select(Select {
                positive: 1.0,
                other: 0.0,
            }),
        ],
    };
    let numbers = (x, Data::Numbers);
    let bits = (Shape::new([x.elements().div_ceil(32)]), Data::Bits);
    let case = |name: &str, op, operands: &[_]| {
        let name = format!("{name}-{}", x.elements());
        of_bytes("elementwise", name, op, operands)
    };
    [
        case("signs", Signs.into(), &[numbers]),
        case("fused", chain.into(), &[numbers, numbers, numbers, bits]),
    ]
}

fn of_bytes(kernel: &'static str, name: String, op: Op, operands: &[(Shape, Data)]) -> Case {
    let inputs = operands.iter().enumerate();
    Case {
        kernel,
        name,
        flop: None,
        op,
        operands: inputs
            .map(|(i, (shape, data))| (Leaf::Input(i), *shape, *data))
            .collect(),
    }
}

fn in_blocks(channels: usize, side: usize) -> Shape {
    Shape::new([1, channels / 16, side, side, 16])
}

/// A case that is ready to run.
pub struct Prepared {
    program: CpuProgram,
    leaves: Vec<Vec<f32>>,
    output: Vec<f32>,
}

impl Case {
    pub fn prepare(&self) -> Result<Prepared> {
        let mut graph = Graph::new();
        let operands: Result<Vec<_>> = (self.operands.iter())
            .map(|(leaf, shape, _)| graph.leaf(*leaf, *shape))
            .collect();
        let output = graph.apply(self.op.clone(), &operands?)?;
        graph.set_outputs(vec![output]);
        let program = cpu::compile(&graph, Weights::Constant)?;
        let data = |leaf| {
            let operand = self.operands.iter().find(|(of, ..)| *of == leaf);
            operand.map_or(Data::Numbers, |(.., data)| *data) // a weight in another layout
        };
        let leaves = program.leaves().iter();
        let leaves = leaves.map(|(leaf, shape)| data(*leaf).fill(shape.elements()));
        Ok(Prepared {
            leaves: leaves.collect(),
            output: vec![0.0; output.shape().elements()],
            program,
        })
    }
}

impl Prepared {
    pub fn run(&mut self) -> Result<()> {
        let leaves: Vec<&[f32]> = self.leaves.iter().map(Vec::as_slice).collect();
        self.program.run(&leaves, &mut [&mut self.output])
    }

    /// What is read and written.
    pub fn bytes(&self) -> usize {
        let read: usize = self.leaves.iter().map(Vec::len).sum();
        (read + self.output.len()) * size_of::<f32>()
    }
}

impl Data {
    fn fill(self, length: usize) -> Vec<f32> {
        (0..length).map(|i| self.element(i)).collect()
    }

    fn element(self, i: usize) -> f32 {
        match self {
            Self::Numbers => number(i),
            Self::Rectified => number(i).max(0.0),
            Self::Taps(count) => (i % count) as f32,
            Self::Bits => f32::from_bits(scattered(i)),
        }
    }
}

/// Numbers from -1/2 to 1/2, without a pattern.
fn number(i: usize) -> f32 {
    (scattered(i) >> 8) as f32 / (1 << 24) as f32 - 0.5
}

/// The finaliser of MurmurHash3.
fn scattered(i: usize) -> u32 {
    let mixed = (i as u32 ^ i as u32 >> 16).wrapping_mul(0x85EB_CA6B);
    (mixed ^ mixed >> 13).wrapping_mul(0xC2B2_AE35)
}

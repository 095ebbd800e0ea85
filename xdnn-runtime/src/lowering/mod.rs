//! luminal's primitives, as lowerings write them.
//!
//! luminal 0.2 goes wrong where it unrolls, reduces or maps views that are padded, sliced or permuted, where a tensor has
//! more than six dimensions, and where its own patterns recognise a [`Constant`](luminal::op::Constant) ±1: its product
//! with a transposed or broadcast operand, or a difference whose subtrahend has another reader. So
//!
//! - every result here is [`Dense`]: a view is copied at once, and only elementwise primitives read broadcast operands;
//! - numbers are leaves that hold data, and no `Constant`;
//! - axes that do not matter are merged.
//!
//! What is computed with masks, 0 or 1, is exact; but 0 times an infinity is NaN. Lowered graphs are for finite numbers.

mod windows;

use std::collections::HashMap;

use luminal::op::{
    Add, Contiguous, Exp2, Function, LessThan, Log2, MaxReduce, Mul, Operator, Recip, Sin, Sqrt,
    SumReduce,
};
use luminal::prelude::{NodeIndex, ShapeTracker, Tensor};
use xdnn_ir::Shape;

use crate::error::{Error, Result, invalid};
use crate::graph::tracker;
use crate::ops::around;

/// The result of a primitive: its elements in row-major order, with nothing between them.
#[derive(Clone, Copy, Debug)]
pub struct Dense {
    node: NodeIndex,
    shape: Shape,
}

impl Dense {
    /// What a node of luminal's graph computes, if that is dense.
    pub(crate) fn new(node: NodeIndex, shape: Shape) -> Self {
        Self { node, shape }
    }

    /// The node of luminal's graph that computes it.
    pub fn node(&self) -> NodeIndex {
        self.node
    }

    /// The dimensions.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The same elements under other dimensions.
    pub fn reshaped<const RANK: usize>(self, dims: [usize; RANK]) -> Self {
        self.with_shape(Shape::new(dims))
    }

    /// The same elements under other dimensions.
    pub fn with_shape(self, shape: Shape) -> Self {
        debug_assert_eq!(self.shape.elements(), shape.elements());
        Self { shape, ..self }
    }
}

/// Writes primitives into a graph.
pub struct Primitives<'a> {
    graph: &'a mut luminal::prelude::Graph,
    added: Vec<NodeIndex>,
    /// The leaves that hold the same numbers, bit for bit.
    data: HashMap<Vec<u32>, NodeIndex>,
    fault: Option<Error>,
}

impl<'a> Primitives<'a> {
    pub(crate) fn new(graph: &'a mut luminal::prelude::Graph) -> Self {
        Self {
            graph,
            added: Vec::new(),
            data: HashMap::new(),
            fault: None,
        }
    }

    /// The graph; and the nodes that were added, unless one of them holds what luminal cannot count or has no elements.
    pub(crate) fn finish(self) -> (&'a mut luminal::prelude::Graph, Vec<NodeIndex>, Result<()>) {
        let result = self.fault.map_or(Ok(()), Err);
        (self.graph, self.added, result)
    }

    /// The graph that is written to.
    pub fn graph(&self) -> &luminal::prelude::Graph {
        self.graph
    }

    /// The same value, computed by a node of its own.
    pub(crate) fn copy(&mut self, x: Dense) -> Dense {
        self.map(Contiguous, x)
    }

    /// A leaf of numbers, one for each element. The same numbers are the same leaf. More than luminal can count are not asked
    /// for: the lowering fails in the end.
    pub fn data<const RANK: usize>(
        &mut self,
        dims: [usize; RANK],
        numbers: impl FnOnce() -> Vec<f32>,
    ) -> Dense {
        let shape = Shape::new(dims);
        let numbers = match self.count(shape) {
            true => numbers(),
            false => Vec::new(),
        };
        debug_assert!(self.fault.is_some() || shape.elements() == numbers.len());
        let bits = numbers.iter().map(|x| x.to_bits()).collect();
        if let Some(node) = self.data.get(&bits) {
            return Dense::new(*node, shape);
        }
        // luminal takes functions of one name for the same.
        let name = format!("constant {}", self.data.len());
        let load = Function(name, Box::new(move |_| vec![Tensor::new(numbers.clone())]));
        let leaf = self.node(load, &[], shape);
        self.data.insert(bits, leaf.node);
        leaf
    }

    fn number(&mut self, value: f64) -> Dense {
        self.data([], || vec![value as f32])
    }

    /// The same number everywhere.
    pub fn fill(&mut self, value: f64, shape: Shape) -> Dense {
        let number = self.number(value);
        self.node(Contiguous, &[(number, everywhere(shape))], shape)
    }

    /// `log₂ x`.
    pub fn log2(&mut self, x: Dense) -> Dense {
        self.map(Log2, x)
    }

    /// `2ˣ`.
    pub fn exp2(&mut self, x: Dense) -> Dense {
        self.map(Exp2, x)
    }

    /// `sin x`.
    pub fn sin(&mut self, x: Dense) -> Dense {
        self.map(Sin, x)
    }

    /// `1/x`.
    pub fn recip(&mut self, x: Dense) -> Dense {
        self.map(Recip, x)
    }

    /// `√x`.
    pub fn sqrt(&mut self, x: Dense) -> Dense {
        self.map(Sqrt, x)
    }

    /// `a + b`. An axis of one element is repeated along that of the other operand, here and in all that follows.
    pub fn add(&mut self, a: Dense, b: Dense) -> Dense {
        self.join(Add, a, b)
    }

    /// `a · b`.
    pub fn mul(&mut self, a: Dense, b: Dense) -> Dense {
        self.join(Mul, a, b)
    }

    /// 1 where `a < b`, 0 elsewhere.
    pub fn less_than(&mut self, a: Dense, b: Dense) -> Dense {
        self.join(LessThan, a, b)
    }

    /// 1 where `a = b`, 0 elsewhere.
    pub fn equal(&mut self, a: Dense, b: Dense) -> Dense {
        let (less, more) = (self.less_than(a, b), self.less_than(b, a));
        let differ = self.add(less, more);
        self.not(differ)
    }

    /// 1 where a mask is 0, and 0 where it is 1.
    pub fn not(&mut self, mask: Dense) -> Dense {
        self.below(mask, 0.5)
    }

    /// `a` where a mask is 1, `b` where it is 0.
    pub fn select(&mut self, mask: Dense, a: Dense, b: Dense) -> Dense {
        let other = self.not(mask);
        let (a, b) = (self.mul(mask, a), self.mul(other, b));
        self.add(a, b)
    }

    /// 1 where `x < c`, 0 elsewhere.
    pub fn below(&mut self, x: Dense, c: f64) -> Dense {
        let number = self.number(c);
        self.with_number(LessThan, x, number, false)
    }

    /// 1 where `x > c`, 0 elsewhere.
    pub fn above(&mut self, x: Dense, c: f64) -> Dense {
        let number = self.number(c);
        self.with_number(LessThan, x, number, true)
    }

    /// `c·x`.
    pub fn scale(&mut self, x: Dense, c: f64) -> Dense {
        let number = self.number(c);
        self.with_number(Mul, x, number, false)
    }

    /// `x + c`.
    pub fn shift(&mut self, x: Dense, c: f64) -> Dense {
        let number = self.number(c);
        self.with_number(Add, x, number, false)
    }

    /// The sum along an axis, which disappears.
    pub fn sum(&mut self, x: Dense, axis: usize) -> Dense {
        self.reduce(SumReduce(1), x, axis)
    }

    /// The maximum along an axis, which disappears.
    pub fn max(&mut self, x: Dense, axis: usize) -> Dense {
        self.reduce(MaxReduce(1), x, axis)
    }

    /// Repetition along axes of one element.
    pub fn spread(&mut self, x: Dense, shape: Shape) -> Dense {
        if x.shape == shape {
            return x;
        }
        self.node(Contiguous, &[(x, spread(x.shape, shape))], shape)
    }

    /// Axes in another order: axis `i` of the result is axis `axes[i]` of the operand.
    pub fn permute(&mut self, x: Dense, axes: &[usize]) -> Dense {
        let mut shape = x.shape;
        for (i, axis) in axes.iter().enumerate() {
            shape = shape.with_dim(i, x.shape.dim(*axis));
        }
        let moving = axes.iter().filter(|axis| x.shape.dim(**axis) > 1);
        if moving.is_sorted() {
            return x.with_shape(shape);
        }
        let mut view = tracker(x.shape);
        view.permute(axes);
        self.node(Contiguous, &[(x, view)], shape)
    }

    /// Elements `start..start + length` along an axis.
    pub fn slice(&mut self, x: Dense, axis: usize, start: usize, length: usize) -> Dense {
        let (outer, size, inner) = around(x.shape, axis);
        let shape = x.shape.with_dim(axis, length);
        if length == size {
            return x;
        }
        let mut view = tracker(Shape::new([outer, size, inner]));
        view.slices[1] = (start.into(), (start + length).into());
        self.node(Contiguous, &[(x, view)], shape)
    }

    /// The operand from `start` on along an axis of `size` elements, zeros elsewhere.
    pub fn place(&mut self, x: Dense, axis: usize, start: usize, size: usize) -> Dense {
        let (outer, length, inner) = around(x.shape, axis);
        let shape = x.shape.with_dim(axis, size);
        if length == size {
            return x;
        }
        let mut view = tracker(Shape::new([outer, length, inner]));
        let behind = size.saturating_sub(start + length);
        view.padding[1] = (start.into(), behind.into());
        self.node(Contiguous, &[(x, view)], shape)
    }

    /// `op(A)·op(B)` for `batch` products of `m×k` and `k×n`, where `op` transposes what is stored as `k×m` or `n×k`.
    ///
    /// A single product has the form in which luminal's compilers find a matrix product: `Mul` of `[m, (n), k]` and
    /// `[(m), n, k]`, repeated along the axes in parentheses, then `SumReduce` of the last axis.
    pub(crate) fn product(
        &mut self,
        a: (Dense, bool),
        b: (Dense, bool),
        crate::ops::Sizes { batch, m, k, n }: crate::ops::Sizes,
    ) -> Dense {
        // The axes as they are stored, and where those of the product, `batch m n k`, are among them.
        let (dims_a, axes_a) = match a.1 {
            false => ([batch, m, n, k], [0, 1, 2, 3]),
            true => ([batch, k, n, m], [0, 3, 2, 1]),
        };
        let (dims_b, axes_b) = match b.1 {
            false => ([batch, m, k, n], [0, 1, 3, 2]),
            true => ([batch, m, n, k], [0, 1, 2, 3]),
        };
        let view = |dims: [usize; 4], axes: [usize; 4], repeated: usize| {
            let mut view = tracker(Shape::new(dims));
            view.fake[repeated] = true;
            view.permute(&axes);
            if batch == 1 {
                view.remove_dim(0);
            }
            view
        };
        let operands = [
            (a.0, view(dims_a, axes_a, 2)),
            (b.0, view(dims_b, axes_b, 1)),
        ];
        let products = self.node(Mul, &operands, Shape::new([batch, m, n, k]));
        let (products, axis) = match batch {
            1 => (products.reshaped([m, n, k]), 2),
            _ => (products, 3),
        };
        let sums = self.node(
            SumReduce(axis),
            &[(products, tracker(products.shape))],
            Shape::new([batch * m, n]),
        );
        sums.reshaped([batch, m, n])
    }

    /// `y[…, o, …] = Σᵢ M[o, i] · x[…, i, …]` along an axis, for a matrix of `outputs` rows.
    pub fn along(
        &mut self,
        x: Dense,
        axis: usize,
        outputs: usize,
        matrix: impl FnOnce() -> Vec<f32>,
    ) -> Dense {
        let (outer, inputs, inner) = around(x.shape, axis);
        let shape = x.shape.with_dim(axis, outputs);
        let matrix = self.data([outputs, inputs], matrix);
        let rows = self.permute(x.reshaped([outer, inputs, inner]), &[0, 2, 1]);
        let sizes = crate::ops::Sizes {
            batch: 1,
            m: outer * inner,
            k: inputs,
            n: outputs,
        };
        let y = self.product((rows, false), (matrix, true), sizes);
        let y = self.permute(y.reshaped([outer, inner, outputs]), &[0, 2, 1]);
        y.with_shape(shape)
    }

    /// 1 at the first element along the last axis for which a mask is 1, 0 elsewhere.
    pub fn first(&mut self, mask: Dense) -> Dense {
        let Some(axis) = mask.shape.rank().checked_sub(1) else {
            return mask;
        };
        let (rows, size, _) = around(mask.shape, axis);
        let marks = mask.reshaped([rows, size]);
        // What comes first weighs most.
        let weights = self.data([1, size], || (1..=size).rev().map(|i| i as f32).collect());
        let weighted = self.mul(marks, weights);
        let most = self.max(weighted, 1).reshaped([rows, 1]);
        let others = self.less_than(weighted, most);
        let first = self.not(others);
        self.mul(first, marks).with_shape(mask.shape)
    }

    /// For rows `(N, M)` a mask `(N, M, M)`: 1 at `[n, i, j]` where element `j` comes before element `i` in a stable sort of
    /// row `n`.
    pub fn before(&mut self, rows: Dense) -> Dense {
        let (n, m) = (rows.shape.dim(0), rows.shape.dim(1));
        let (i, j) = (rows.reshaped([n, m, 1]), rows.reshaped([n, 1, m]));
        let (less, more) = (self.less_than(j, i), self.less_than(i, j));
        let differ = self.add(less, more);
        let tie = self.not(differ);
        let earlier = self.data([1, m, m], || {
            let earlier = (0..m * m).map(|at| f32::from(u8::from(at % m < at / m)));
            earlier.collect()
        });
        let tie = self.mul(tie, earlier);
        self.add(less, tie)
    }

    fn map(&mut self, op: impl Operator + 'static, x: Dense) -> Dense {
        let elements = Shape::new([x.shape.elements()]);
        self.node(op, &[(x, tracker(elements))], x.shape)
    }

    /// An elementwise primitive of `x` and of the same number everywhere, which comes first or last.
    fn with_number(
        &mut self,
        op: impl Operator + 'static,
        x: Dense,
        number: Dense,
        first: bool,
    ) -> Dense {
        let elements = Shape::new([x.shape.elements()]);
        let mut operands = [(x, tracker(elements)), (number, everywhere(elements))];
        if first {
            operands.reverse();
        }
        self.node(op, &operands, x.shape)
    }

    fn join(&mut self, op: impl Operator + 'static, a: Dense, b: Dense) -> Dense {
        let mut shape = a.shape;
        for axis in 0..shape.rank() {
            shape = shape.with_dim(axis, a.shape.dim(axis).max(b.shape.dim(axis)));
        }
        debug_assert_eq!(a.shape.rank(), b.shape.rank());
        let operands = if a.shape == b.shape {
            let elements = tracker(Shape::new([shape.elements()]));
            [(a, elements), (b, elements)]
        } else {
            [(a, spread(a.shape, shape)), (b, spread(b.shape, shape))]
        };
        self.node(op, &operands, shape)
    }

    fn reduce(&mut self, op: impl Operator + 'static, x: Dense, axis: usize) -> Dense {
        let (outer, size, inner) = around(x.shape, axis);
        let kept = (0..x.shape.rank()).filter(|other| *other != axis);
        let kept: Vec<usize> = kept.map(|other| x.shape.dim(other)).collect();
        let shape = Shape::from_slice(&kept).unwrap_or(x.shape);
        let view = tracker(Shape::new([outer, size, inner]));
        self.node(op, &[(x, view)], shape)
    }

    /// Whether luminal can count the elements of a tensor; if not, the lowering fails in the end.
    fn count(&mut self, shape: Shape) -> bool {
        let elements = shape.elements();
        let fault = match i32::try_from(elements) {
            Ok(1..) => return true,
            Ok(_) => invalid(format!("luminal has no tensor without elements: {shape}")),
            Err(_) => Error::OutOfMemory {
                what: format!("a tensor {shape}, which luminal cannot count,").into(),
                bytes: elements.saturating_mul(size_of::<f32>()),
            },
        };
        self.fault.get_or_insert(fault);
        false
    }

    fn node(
        &mut self,
        op: impl Operator + 'static,
        operands: &[(Dense, ShapeTracker)],
        shape: Shape,
    ) -> Dense {
        self.count(shape);
        let mut node = self.graph.add_op(op);
        for (operand, view) in operands {
            node = node.input(operand.node, 0, *view);
        }
        let node = node.finish();
        self.added.push(node);
        Dense { node, shape }
    }
}

/// A tensor with axes of one element as it is repeated along those of `shape`.
fn spread(dims: Shape, shape: Shape) -> ShapeTracker {
    let mut view = tracker(shape);
    for axis in (0..shape.rank()).filter(|axis| dims.dim(*axis) != shape.dim(*axis)) {
        view.fake[axis] = true;
    }
    view
}

/// A single number as it is repeated along all axes.
fn everywhere(shape: Shape) -> ShapeTracker {
    let mut view = tracker(shape);
    view.fake.iter_mut().for_each(|fake| *fake = true);
    view
}

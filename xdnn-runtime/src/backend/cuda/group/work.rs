//! The kernels of groups: what is asked of `kernel`.

use super::{Absorbed, Groups, of_blocks, stem};
use crate::Precision;
use crate::backend::cuda::kernel::{
    Draft, Kernel, Pointwise, Request, Source, Then, Tree, blocked, convolution, few_rows,
    from_blocks, head, is_element, label, matmul, sum,
};
use crate::backend::plan::Work;
use crate::error::{Result, invalid};
use crate::graph::{Node, Value};
use crate::ops::{Blocked, Layout, Op, Role, Stage, plain};
use xdnn_ir::Shape;

impl<'a> Groups<'a> {
    /// The kernel that computes a value, and what it reads and writes.
    pub(super) fn work(&self, node: &'a Node<'a>, precision: Precision) -> Result<Work<Kernel>> {
        let shape = node.value.shape();
        let absorbed = self
            .absorbed
            .get(&node.value)
            .map(|absorbed| absorbed.convolution.value.shape());
        let sizes = node.operands.iter().map(Value::shape);
        let sizes = sizes.chain([shape]).chain(absorbed);
        if sizes
            .into_iter()
            .any(|shape| i32::try_from(shape.elements()).is_err())
        {
            return Err(invalid(
                "a value has 2³¹ elements or more; use smaller batches",
            ));
        }
        if let Some(absorbed) = self.absorbed.get(&node.value) {
            return self.absorbing(node, absorbed, precision);
        }
        let (op, stages): (&Op, Vec<(Stage, usize)>) = match node.op {
            Op::Fused(fused) if !is_element(node.op) => (&fused.op, fused.numbered().collect()),
            op => (op, Vec::new()),
        };
        let shapes: Vec<Shape> = node.operands.iter().map(Value::shape).collect();
        let signs = self.seconds.contains_key(&node.value);
        let request = Request {
            label: self.label(node),
            operands: self.trees(node),
            stages,
            signs,
            precision,
        };
        let mut layout = None;
        let draft = match op {
            Op::Sum(op) => sum(op.axes, request),
            Op::MatMul(_) if self.chosen(node).is_some() => {
                let chosen = self.chosen(node).unwrap_or(node);
                let [scores, target] = [0, 1].map(|at| self.tree(&chosen.operands[at]));
                head(&[scores, target], request)
            }
            Op::MatMul(op) => {
                let sizes = op.sizes(shapes[0], shapes[1]);
                let sizes =
                    sizes.ok_or_else(|| invalid("a product has operands that do not fit"))?;
                if self.is_few(node) {
                    let constant = self.can_lay_out(node);
                    let (draft, laid_out) = few_rows(*op, sizes, constant, request);
                    return Ok(self.finished(node, draft, laid_out));
                }
                if let Some((op, volumes)) = self.dense(node) {
                    let (draft, laid_out) = blocked(&op, volumes, Then::Nothing, request);
                    return Ok(self.finished(node, draft, Some(laid_out)));
                }
                matmul(*op, sizes, request)
            }
            Op::Convolution(op) => {
                let volumes = op.volumes(&shapes[..2]);
                let volumes =
                    volumes.ok_or_else(|| invalid("a convolution has operands that do not fit"))?;
                convolution(op, volumes, [false; 2], request)
            }
            Op::Blocked(Blocked::Convolution(op)) => {
                let [read_blocks, written_blocks] =
                    [shapes[0], shape].map(|shape| plain(shape).is_some());
                let (op, volumes) = of_blocks(op, shapes[0], shapes[1], shape)?;
                let op = &op;
                if self.is_blocked(node) {
                    let patches = self.folds(node);
                    let then = patches.map_or(Then::Nothing, |patches| Then::Fold { patches });
                    let (draft, laid_out) = blocked(op, volumes, then, request);
                    layout = Some(laid_out);
                    draft
                } else {
                    let blocks = match op.role {
                        Role::InputGradient => [written_blocks, read_blocks],
                        _ => [read_blocks, written_blocks],
                    };
                    convolution(op, volumes, blocks, request)
                }
            }
            Op::Signs(_) => Pointwise {
                value: request.operands[0].clone(),
                before: None,
                stored: false,
                signs: true,
            }
            .draft(request.label),
            op if is_element(op) => self.pointwise(node, request.operands).draft(request.label),
            op => {
                return Err(invalid(format!(
                    "there is no CUDA kernel for `{}`",
                    op.name()
                )));
            }
        };
        Ok(self.finished(node, draft, layout))
    }

    /// The kernel of an operator with what it writes.
    fn finished(&self, node: &Node<'_>, draft: Draft, layout: Option<Layout>) -> Work<Kernel> {
        let seconds = self.seconds.get(&node.value);
        let scratch = draft.kernel.scratch();
        let layout = layout.map(|layout| (self.root(&node.operands[1]), layout));
        Work {
            kernel: draft.kernel,
            operands: draft.operands,
            layout,
            results: [node.value].into_iter().chain(seconds.copied()).collect(),
            over: draft.over,
            scratch,
        }
    }

    /// A convolution and the pool or the scatter that reads its result.
    fn absorbing(
        &self,
        node: &'a Node<'a>,
        absorbed: &Absorbed<'a>,
        precision: Precision,
    ) -> Result<Work<Kernel>> {
        let Absorbed {
            convolution,
            patches,
        } = *absorbed;
        let numbered = |op: &Op| match op {
            Op::Fused(fused) => fused.numbered().collect(),
            _ => Vec::new(),
        };
        let Op::Blocked(Blocked::Convolution(op)) = stem(convolution.op) else {
            return Err(invalid(
                "something else than a convolution is pooled where it is computed",
            ));
        };
        let [x, w] = [0, 1].map(|at| convolution.operands[at].shape());
        let (op, volumes) = of_blocks(op, x, w, convolution.value.shape())?;
        let pool = self.gather(node).unwrap_or(node);
        let outer = self.trees(pool);
        let label = format!("{} → {}", self.label(convolution), self.label(node));
        let signs = self.seconds.get(&convolution.value);
        let winner = self.seconds.get(&node.value);
        let then = match stem(node.op) {
            Op::PoolScatter(scatter) => Then::Scatter {
                patches,
                window: &scatter.window,
                shape: node.value.shape(),
                operands: &outer,
                stages: numbered(node.op),
            },
            _ => Then::Pool {
                patches,
                winners: winner.is_some(),
                plain: matches!(node.op, Op::FromBlocks(_)).then(|| node.value.shape()),
                operands: &outer,
                stages: numbered(pool.op),
            },
        };
        let request = Request {
            label,
            operands: self.trees(convolution),
            stages: numbered(convolution.op),
            signs: signs.is_some(),
            precision,
        };
        let (draft, layout) = blocked(&op, volumes, then, request);
        let seconds = [winner, signs].into_iter().flatten().copied();
        let scratch = draft.kernel.scratch();
        Ok(Work {
            kernel: draft.kernel,
            operands: draft.operands,
            layout: Some((self.root(&convolution.operands[1]), layout)),
            results: [node.value].into_iter().chain(seconds).collect(),
            over: draft.over,
            scratch,
        })
    }

    /// What the kernel of an operator that computes each element alone writes.
    fn pointwise(&self, node: &'a Node<'a>, mut trees: Vec<Tree<'a>>) -> Pointwise<'a> {
        let second = self
            .seconds
            .get(&node.value)
            .and_then(|second| self.nodes.get(second));
        let mut before = None;
        if let Some(winner) = second.filter(|second| matches!(second.op, Op::PoolWinner(_))) {
            let tree = Tree {
                shape: winner.value.shape(),
                source: self.source(winner),
            };
            let (pool, index) = match (node.op, &mut trees[0].source) {
                (Op::FromBlocks(_), Source::Operator(_, _, inner)) => {
                    (inner, from_blocks(node.value.shape()))
                }
                _ => (&mut trees, "i".to_owned()),
            };
            if let Some(winner) = pool.get_mut(1) {
                winner.source = Source::Result(1);
            }
            before = Some((tree, index));
        }
        let value = Tree {
            shape: node.value.shape(),
            source: Source::Operator(node.op, node.value.shape(), trees),
        };
        let signs = second.is_some_and(|second| matches!(second.op, Op::Signs(_)));
        Pointwise {
            value,
            before,
            stored: true,
            signs,
        }
    }

    /// The operators that a kernel computes.
    fn label(&self, node: &Node<'_>) -> String {
        let mut text = label(node.op);
        let inlined = node.operands.iter().map(|operand| self.root(operand));
        let inlined = inlined.filter_map(|root| self.nodes.get(&root));
        let inlined = inlined.filter(|inner| self.inlined.contains_key(&inner.value));
        let inner: Vec<String> = inlined.map(|inner| self.label(inner)).collect();
        if !inner.is_empty() {
            text = format!("{text} of [{}]", inner.join(", "));
        }
        if let Some(second) = self
            .seconds
            .get(&node.value)
            .and_then(|second| self.nodes.get(second))
        {
            text = format!("{text} + {}", label(second.op));
        }
        text
    }
    /// How a value is read.
    fn tree(&self, value: &Value) -> Tree<'a> {
        let root = self.root(value);
        let source = match self.nodes.get(&root) {
            Some(node) if self.inlined.contains_key(&root) => self.source(node),
            _ => Source::Memory(root),
        };
        Tree {
            shape: value.shape(),
            source,
        }
    }

    /// How the result of an operator is computed where it is read.
    fn source(&self, node: &'a Node<'a>) -> Source<'a> {
        match node.op {
            Op::Constant(constant) => Source::Constant(constant.value),
            op => Source::Operator(op, node.value.shape(), self.trees(node)),
        }
    }

    fn trees(&self, node: &Node<'_>) -> Vec<Tree<'a>> {
        node.operands
            .iter()
            .map(|operand| self.tree(operand))
            .collect()
    }
}

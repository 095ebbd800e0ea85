//! Residual branches, found in a network's spec, and the factors that Fixup puts on their weights.
//!
//! The rules are stated at [`initial`](super::initial).

use xdnn_ir::{Combine, Degree, Layer, NetworkSpec, Node, Operand, Operation};

/// A residual branch: the nodes that lead to one operand of a `sum` and to none of the others.
struct Branch {
    /// In order of evaluation, without those of branches inside of this one.
    nodes: Vec<usize>,
    /// The operand of the `sum`.
    end: usize,
}

/// A factor for each node, to multiply the deviation of its weights by.
pub(super) fn factors(spec: &NetworkSpec) -> Vec<f64> {
    let nodes = spec.nodes();
    let branches = branches(nodes);
    let count = branches.len() as f64;
    let mut factors = vec![1.0; nodes.len()];
    for branch in branches {
        let depth = depth(nodes, &branch) as f64;
        let (last, learns_from_zero) = last_layers(nodes, &branch);
        for node in branch.nodes.into_iter().filter(|&n| has_matrix(&nodes[n])) {
            factors[node] = match learns_from_zero {
                true if last[node] => 0.0,
                true => count.powf(-1.0 / (2.0 * depth - 2.0)),
                false => count.powf(-1.0 / (2.0 * depth)),
            };
        }
    }
    factors
}

/// The residual branches, inner ones before those that hold them.
fn branches(nodes: &[Node]) -> Vec<Branch> {
    let mut branches = Vec::new();
    let mut taken = vec![false; nodes.len()];
    for node in nodes {
        if node.operation != Operation::Combine(Combine::Sum) {
            continue;
        }
        let origins: Vec<Origins> = node
            .operands
            .iter()
            .map(|&end| Origins::of(nodes, end))
            .collect();
        let sides: Vec<Vec<usize>> = (0..origins.len())
            .map(|side| exclusive(&origins, side))
            .collect();
        let weighted = |side: usize| {
            sides[side]
                .iter()
                .filter(|&&n| has_matrix(&nodes[n]))
                .count()
        };
        let active = |side: usize| sides[side].iter().any(|&n| is_activation(&nodes[n]));
        let candidates = (0..sides.len()).filter(|&side| !active(side));
        let Some(shortcut) = candidates.min_by_key(|&side| weighted(side)) else {
            continue;
        };
        for (side, &end) in node.operands.iter().enumerate() {
            let learns = weighted(side) > 0 && (active(side) || weighted(shortcut) == 0);
            if let Operand::Node(end) = end
                && end < nodes.len()
                && side != shortcut
                && learns
                && origins[side].meet(&origins[shortcut])
            {
                let free = sides[side].iter().copied().filter(|&n| !taken[n]);
                branches.push(Branch {
                    nodes: free.collect(),
                    end,
                });
            }
        }
        for &n in branches.iter().flat_map(|branch| &branch.nodes) {
            taken[n] = true;
        }
    }
    branches
}

/// The inputs and nodes that a value is computed from, itself included.
struct Origins {
    inputs: Vec<usize>,
    nodes: Vec<bool>,
}

impl Origins {
    fn of(nodes: &[Node], value: Operand) -> Self {
        let mut origins = Self {
            inputs: Vec::new(),
            nodes: vec![false; nodes.len()],
        };
        let mut open = vec![value];
        while let Some(value) = open.pop() {
            match value {
                Operand::Input(input) => origins.inputs.push(input),
                Operand::Node(node) => {
                    if let Some(seen @ false) = origins.nodes.get_mut(node) {
                        *seen = true;
                        open.extend(nodes[node].operands.iter());
                    }
                }
            }
        }
        origins
    }

    fn meet(&self, other: &Self) -> bool {
        self.inputs.iter().any(|input| other.inputs.contains(input))
    }
}

/// The nodes that only one of several values is computed from, in order of evaluation.
fn exclusive(origins: &[Origins], side: usize) -> Vec<usize> {
    let others = |node: usize| {
        let mut others = origins
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != side);
        others.any(|(_, origins)| origins.nodes[node])
    };
    let nodes = origins[side].nodes.iter().enumerate();
    nodes
        .filter(|&(node, &of)| of && !others(node))
        .map(|(node, _)| node)
        .collect()
}

/// The largest number of weight matrices on a way through the branch, those of inner branches left out.
fn depth(nodes: &[Node], branch: &Branch) -> usize {
    let mut depths: Vec<usize> = Vec::with_capacity(branch.end + 1);
    for (index, node) in nodes.iter().enumerate().take(branch.end + 1) {
        let before = node.operands.iter().map(|operand| match operand {
            Operand::Node(operand) => depths.get(*operand).copied().unwrap_or(0),
            Operand::Input(_) => 0,
        });
        let own = has_matrix(node) && branch.nodes.contains(&index);
        depths.push(before.max().unwrap_or(0) + usize::from(own));
    }
    depths.last().copied().unwrap_or(0)
}

/// The weight matrices that no other follows in the branch, and whether gradients reach them when they are 0.
fn last_layers(nodes: &[Node], branch: &Branch) -> (Vec<bool>, bool) {
    let mut last = vec![false; nodes.len()];
    let mut passes = true;
    let mut open = vec![branch.end];
    while let Some(node) = open.pop() {
        if !branch.nodes.contains(&node) || last[node] {
            continue;
        }
        if has_matrix(&nodes[node]) {
            last[node] = true;
            continue;
        }
        passes &= !blocks_at_zero(&nodes[node]);
        open.extend(
            nodes[node]
                .operands
                .iter()
                .filter_map(|operand| match operand {
                    Operand::Node(operand) => Some(*operand),
                    Operand::Input(_) => None,
                }),
        );
    }
    (last, passes)
}

/// Whether the node multiplies by a matrix of weights.
fn has_matrix(node: &Node) -> bool {
    use Layer::{
        Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d, Linear,
        MultiheadAttention,
    };
    let Operation::Layer(layer) = node.operation else {
        return false;
    };
    let convolution = matches!(layer, Conv1d(_) | Conv2d(_) | Conv3d(_));
    let transposed = matches!(
        layer,
        ConvTranspose1d(_) | ConvTranspose2d(_) | ConvTranspose3d(_)
    );
    convolution || transposed || matches!(layer, Linear(_) | MultiheadAttention(_))
}

/// Whether the layer is a power, a norm, or a function without a degree.
fn changes_degree(layer: &Layer) -> bool {
    layer.degree(Degree::ONE) != Ok(Degree::ONE)
}

/// Whether the node is not linear, pooling aside.
fn is_activation(node: &Node) -> bool {
    match node.operation {
        Operation::Layer(layer) => {
            changes_degree(&layer)
                || matches!(
                    layer,
                    Layer::Relu(_)
                        | Layer::LeakyRelu(_)
                        | Layer::PRelu(_)
                        | Layer::Abs(_)
                        | Layer::CRelu(_)
                        | Layer::Maxout(_)
                        | Layer::GroupSort(_)
                        | Layer::MultiheadAttention(_)
                        | Layer::Rnn(_)
                )
        }
        Operation::Combine(combine) => !matches!(
            combine,
            Combine::Sum | Combine::Difference | Combine::Concat | Combine::Unpool
        ),
        Operation::Function(_) | Operation::Custom(_) => true,
    }
}

/// Whether the node passes no gradient where its operands are 0.
fn blocks_at_zero(node: &Node) -> bool {
    match node.operation {
        Operation::Layer(Layer::Relu(_) | Layer::Abs(_) | Layer::CRelu(_) | Layer::Rnn(_)) => true,
        Operation::Layer(Layer::LpPool1d(_) | Layer::LpPool2d(_) | Layer::GeM(_)) => true,
        Operation::Layer(Layer::LeakyRelu(layer)) => layer.negative_slope == 0.0,
        Operation::Layer(layer) => changes_degree(&layer),
        Operation::Custom(_) => true,
        Operation::Combine(combine) => matches!(
            combine,
            Combine::Product | Combine::Quotient | Combine::MatMul
        ),
        Operation::Function(ref function) => {
            function.degree != Degree::ONE || function.at_zero == 0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use xdnn_ir::layer::{Conv2d, LeakyRelu, Linear, Relu};
    use xdnn_ir::{Combine, Operand};

    use super::factors;
    use crate::sketch::Sketch;

    const X: Operand = Operand::Input(0);
    const LINEAR: Linear = Linear {
        out_features: 8,
        bias: false,
    };
    const LEAKY: LeakyRelu = LeakyRelu {
        negative_slope: 0.1,
    };

    fn sketch() -> Sketch {
        Sketch::new(&[("x", &[8])])
    }

    /// The factors of the layers that have weights.
    fn of(sketch: &Sketch, output: Operand) -> Vec<f64> {
        let spec = sketch.finish(output);
        let factors = factors(&spec).into_iter().zip(spec.nodes());
        let weighted = factors.filter(|(_, node)| !node.weights.is_empty());
        weighted.map(|(factor, _)| factor).collect()
    }

    /// `linear -> relu -> linear`, beside the value it starts from.
    fn residual(sketch: &mut Sketch, x: Operand) -> Operand {
        let a = sketch.layer("a", LINEAR, x);
        let a = sketch.layer("", Relu {}, a);
        let b = sketch.layer("b", LINEAR, a);
        sketch.combine(Combine::Sum, &[b, x])
    }

    #[test]
    fn a_chain_has_no_branches() {
        let mut s = sketch();
        let y = s.layer("a", LINEAR, X);
        let y = s.layer("", Relu {}, y);
        let y = s.layer("b", LINEAR, y);
        assert_eq!(of(&s, y), [1.0, 1.0]);
    }

    #[test]
    fn each_branch_is_scaled_by_their_number_and_ends_in_zero() {
        let mut s = sketch();
        let mut y = s.layer("stem", LINEAR, X);
        for _ in 0..4 {
            y = residual(&mut s, y);
            y = s.layer("", Relu {}, y);
        }
        let y = s.layer("head", LINEAR, y);
        assert_eq!(
            of(&s, y),
            [1.0, 0.5, 0.0, 0.5, 0.0, 0.5, 0.0, 0.5, 0.0, 1.0]
        );
    }

    #[test]
    fn a_bottleneck_of_three_layers_takes_the_fourth_root() {
        let mut s = sketch();
        let mut y = X;
        for _ in 0..16 {
            let mut z = y;
            for _ in 0..2 {
                z = s.layer("a", LINEAR, z);
                z = s.layer("", Relu {}, z);
            }
            z = s.layer("b", LINEAR, z);
            y = s.combine(Combine::Sum, &[z, y]);
        }
        assert_eq!(of(&s, y)[..3], [0.5, 0.5, 0.0]);
    }

    #[test]
    fn a_projection_is_a_shortcut_whichever_operand_it_is() {
        for flipped in [false, true] {
            let mut s = sketch();
            let a = s.layer("a", LINEAR, X);
            let a = s.layer("", Relu {}, a);
            let b = s.layer("b", LINEAR, a);
            let skip = s.layer("skip", LINEAR, X);
            let operands = if flipped { [skip, b] } else { [b, skip] };
            let y = s.combine(Combine::Sum, &operands);
            assert_eq!(of(&s, y), [1.0, 0.0, 1.0]);
        }
    }

    #[test]
    fn a_branch_of_one_layer_starts_at_zero() {
        let mut s = sketch();
        let a = s.layer("a", LINEAR, X);
        let y = s.combine(Combine::Sum, &[X, a]);
        assert_eq!(of(&s, y), [0.0]);
    }

    #[test]
    fn an_inner_branch_keeps_its_layers_and_the_outer_one_the_others() {
        let mut s = sketch();
        let y = s.layer("a", LINEAR, X);
        let y = s.layer("", Relu {}, y);
        let y = residual(&mut s, y);
        let y = s.layer("b", LINEAR, y);
        let y = s.combine(Combine::Sum, &[X, y]);
        let half = 0.5_f64.sqrt();
        assert_eq!(of(&s, y), [half, half, 0.0, 0.0]);
    }

    #[test]
    fn what_could_not_learn_from_zero_is_scaled_instead() {
        let mut s = sketch();
        let mut y = X;
        for _ in 0..4 {
            let a = s.layer("a", LINEAR, y);
            let a = s.layer("", Relu {}, a);
            let b = s.layer("b", LINEAR, a);
            let b = s.layer("", Relu {}, b);
            y = s.combine(Combine::Sum, &[y, b]);
        }
        let root = 4.0_f64.powf(-0.25);
        assert_eq!(of(&s, y), [root; 8]);

        let mut s = sketch();
        let a = s.layer("a", LINEAR, X);
        let b = s.layer("b", LINEAR, X);
        let gate = s.combine(Combine::Product, &[a, b]);
        let skip = s.combine(Combine::Product, &[X, X]);
        let y = s.combine(Combine::Sum, &[skip, gate]);
        assert_eq!(of(&s, y), [1.0, 1.0]);
    }

    #[test]
    fn a_leaky_end_learns_from_zero() {
        let mut s = sketch();
        let a = s.layer("a", LINEAR, X);
        let a = s.layer("", LEAKY, a);
        let y = s.combine(Combine::Sum, &[X, a]);
        assert_eq!(of(&s, y), [0.0]);
    }

    #[test]
    fn parallel_ends_all_start_at_zero() {
        let mut s = sketch();
        let stem = s.layer("stem", LINEAR, X);
        let stem = s.layer("", Relu {}, stem);
        let half = Linear {
            out_features: 4,
            bias: false,
        };
        let a = s.layer("a", half, stem);
        let b = s.layer("b", half, stem);
        let b = s.layer("", LEAKY, b);
        let ends = s.combine(Combine::Concat, &[a, b]);
        let y = s.combine(Combine::Sum, &[X, ends]);
        assert_eq!(of(&s, y), [1.0, 0.0, 0.0]);
    }

    #[test]
    fn sums_of_equals_and_of_different_inputs_are_not_residual() {
        let mut s = sketch();
        let a = s.layer("a", LINEAR, X);
        let a = s.layer("", Relu {}, a);
        let b = s.layer("b", LINEAR, X);
        let b = s.layer("", Relu {}, b);
        let y = s.combine(Combine::Sum, &[a, b]);
        assert_eq!(of(&s, y), [1.0, 1.0]);

        let mut s = Sketch::new(&[("x", &[8]), ("y", &[8])]);
        let b = s.layer("b", LINEAR, Operand::Input(1));
        let y = s.combine(Combine::Sum, &[X, b]);
        assert_eq!(of(&s, y), [1.0]);
    }

    #[test]
    fn a_resnet_50_has_sixteen_branches() {
        let spec = xdnn_syntax::check_str(
            "pub struct XResNet50(image: [3, 224, 224]) -> [1000] {
                block bottleneck(width, stride = 1) {
                    conv1: Conv2d(width, kernel = 1) -> Relu;
                    conv2: Conv2d(width, kernel = 3, stride = stride, padding = 1) -> Relu;
                    conv3: Conv2d(4 * width, kernel = 1);
                }
                block stage(n, width, stride = 2) {
                    down: residual { bottleneck(width, stride = stride) }
                          skip { downsample: Conv2d(4 * width, kernel = 1, stride = stride) } -> Relu;
                    rest: repeat n - 1 { residual { bottleneck(width) } -> Relu; }
                }
                conv1: Conv2d(64, kernel = 7, stride = 2, padding = 3) -> Relu -> MaxPool2d(3, stride = 2, padding = 1);
                layer1: stage(3, 64, stride = 1);
                layer2: stage(4, 128);
                layer3: stage(6, 256);
                layer4: stage(3, 512);
                GlobalAvgPool -> Flatten;
                fc: Linear(1000);
            }",
        )
        .unwrap();
        for (factor, node) in factors(&spec).into_iter().zip(spec.nodes()) {
            let expected = match node.path.rsplit('.').next() {
                Some("conv1" | "conv2") if node.path.contains("layer") => 0.5,
                Some("conv3") => 0.0,
                _ => 1.0,
            };
            assert_eq!(factor, expected, "{}", node.path);
        }
    }

    #[test]
    fn an_unfitting_spec_does_not_panic() {
        let mut s = Sketch::new(&[("x", &[2, 4, 4])]);
        let conv = Conv2d {
            out_channels: 2,
            kernel: [1, 1],
            stride: [1, 1],
            padding: [0, 0],
            dilation: [1, 1],
            groups: 1,
            bias: false,
        };
        let a = s.layer("a", conv, X);
        let y = s.combine(Combine::Sum, &[X, a]);
        let mut spec = s.finish(y);
        spec.nodes.to_mut()[0].operands = vec![Operand::Node(7), Operand::Node(1)].into();
        spec.nodes.to_mut()[1].operands = vec![Operand::Node(9), Operand::Node(0)].into();
        factors(&spec);
    }
}

//! Residual branches, found in a network's spec, and the factors that Fixup puts on their weights.
//!
//! The rules are stated at [`initial`](super::initial).

use xdnn_ir::{Combine, Layer, NetworkSpec, Node, Operand, Operation};

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
        for node in branch.nodes {
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
    let mut depths = vec![0; nodes.len()];
    for node in 0..=branch.end {
        let operands = nodes[node].operands.iter();
        let before = operands.map(|operand| match operand {
            Operand::Node(operand) => depths[*operand],
            Operand::Input(_) => 0,
        });
        let own = has_matrix(&nodes[node]) && branch.nodes.contains(&node);
        depths[node] = before.max().unwrap_or(0) + usize::from(own);
    }
    depths[branch.end]
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
    use Layer::{Conv1d, Conv2d, Linear};
    matches!(
        node.operation,
        Operation::Layer(Linear(_) | Conv1d(_) | Conv2d(_))
    )
}

/// Whether the node is not linear, pooling aside.
fn is_activation(node: &Node) -> bool {
    match node.operation {
        Operation::Layer(layer) => {
            matches!(
                layer,
                Layer::Relu(_) | Layer::LeakyRelu(_) | Layer::PRelu(_) | Layer::Abs(_)
            )
        }
        Operation::Combine(combine) => !matches!(combine, Combine::Sum | Combine::Concat),
    }
}

/// Whether the node passes no gradient where its operands are 0.
fn blocks_at_zero(node: &Node) -> bool {
    match node.operation {
        Operation::Layer(Layer::Relu(_) | Layer::Abs(_)) => true,
        Operation::Layer(Layer::LeakyRelu(layer)) => layer.negative_slope == 0.0,
        Operation::Layer(_) => false,
        Operation::Combine(combine) => combine == Combine::Product,
    }
}

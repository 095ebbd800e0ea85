//! Networks as the text that declares them.

use std::collections::BTreeSet;
use std::fmt::Write;

use xdnn_ir::{NetworkSpec, Operand, Operation};

/// The text of a declaration that [`check_str`](crate::check_str) reads as this network.
///
/// Weights are named after the positions of their nodes, `n3.weight`, and what does not contribute to the output is left out; `None`
/// where an input is among that, which the language refuses. Functions and layers of the user's own are written by their names, and a
/// network that is not homogeneous without its `#[regular]`.
pub fn source(spec: &NetworkSpec) -> Option<String> {
    let mut used = BTreeSet::new();
    let mut open = vec![spec.output];
    while let Some(operand) = open.pop() {
        if let (true, Operand::Node(i)) = (used.insert(key(operand)), operand) {
            open.extend(spec.nodes()[i].operands.iter().copied());
        }
    }
    if (0..spec.inputs().len()).any(|i| !used.contains(&key(Operand::Input(i)))) {
        return None;
    }
    let name = |operand: Operand| match operand {
        Operand::Input(i) => spec.inputs()[i].name.to_string(),
        Operand::Node(i) => format!("v{i}"),
    };
    let mut text = String::new();
    let inputs = spec
        .inputs()
        .iter()
        .map(|input| format!("{}: {}", input.name, input.shape));
    let inputs = inputs.collect::<Vec<_>>().join(", ");
    writeln!(
        text,
        "struct {}({inputs}) -> {} {{",
        spec.name,
        spec.output_shape()
    )
    .ok()?;
    for (i, node) in spec
        .nodes()
        .iter()
        .enumerate()
        .filter(|(i, _)| used.contains(&key(Operand::Node(*i))))
    {
        let operands: Vec<_> = node.operands.iter().map(|operand| name(*operand)).collect();
        let step = match &node.operation {
            Operation::Layer(layer) if node.weights.is_empty() => {
                format!("{} -> {layer}", operands[0])
            }
            Operation::Layer(layer) => format!("{} -> n{i}: {layer}", operands[0]),
            Operation::Function(function) => format!("{} -> {}", operands[0], function.name),
            Operation::Custom(custom) => format!("{} -> {custom}", operands[0]),
            // One operand is no combination: the language wants two.
            Operation::Combine(_) if operands.len() == 1 => operands[0].clone(),
            Operation::Combine(rule) => format!("{}({})", rule.name(), operands.join(", ")),
        };
        writeln!(text, "    let v{i} = {step};").ok()?;
    }
    writeln!(text, "    {};\n}}", name(spec.output)).ok()?;
    Some(text)
}

fn key(operand: Operand) -> (bool, usize) {
    match operand {
        Operand::Input(i) => (false, i),
        Operand::Node(i) => (true, i),
    }
}

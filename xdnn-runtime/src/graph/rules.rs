//! The rules of the language, for networks that no macro has checked.

use xdnn_ir::{Degree, Fault, NetworkSpec, Node, Operand, Operation, Shape};

use crate::error::invalid;
use crate::{Error, Result};

/// Checks that the recorded shapes, degrees and weights are those that the rules find, and that nodes read only what
/// comes before them.
pub(crate) fn check(spec: &NetworkSpec) -> Result<()> {
    for input in spec.inputs() {
        if input.shape.elements() == 0 || !input.shape.is_computable() {
            let text = format!(
                "input `{}` has the shape {}, which holds nothing or too much",
                input.name, input.shape
            );
            return Err(invalid(text));
        }
    }
    for (i, node) in spec.nodes().iter().enumerate() {
        let known = |operand: &Operand| match *operand {
            Operand::Input(j) => j < spec.inputs().len(),
            Operand::Node(j) => j < i,
        };
        if !node.operands.iter().all(known) {
            return Err(inconsistent(node, "it reads what does not come before it"));
        }
        let shapes: Vec<Shape> = node
            .operands
            .iter()
            .map(|operand| spec.shape_of(*operand))
            .collect();
        let degrees: Vec<Option<Degree>> = node
            .operands
            .iter()
            .map(|operand| spec.degree_of(*operand))
            .collect();
        let refused = |fault: Fault| Error::Rule {
            node: name(node).into(),
            fault: Box::new(fault),
        };
        // What only its crate knows of a layer of another crate shows when the graph is built.
        let custom = matches!(node.operation, Operation::Custom(_));
        if !custom && node.operation.output(&shapes).map_err(refused)? != node.shape {
            return Err(inconsistent(
                node,
                "its recorded shape is not that of its rule",
            ));
        }
        let degree = match node.operation.degree_if_known(&degrees) {
            Err(_) if node.degree.is_none() => None,
            degree => degree.map_err(refused)?,
        };
        if degree != node.degree {
            return Err(inconsistent(
                node,
                "its recorded degree is not that of its rule",
            ));
        }
        let recorded = spec
            .weights()
            .get(node.weights.clone())
            .unwrap_or_default()
            .iter()
            .map(|weight| weight.shape);
        let fits = match (&node.operation, shapes.first()) {
            (Operation::Layer(layer), Some(input)) => layer
                .weights(*input)
                .as_slice()
                .iter()
                .map(|(_, shape)| *shape)
                .eq(recorded),
            _ => custom || node.weights.is_empty(),
        };
        if !fits {
            return Err(inconsistent(
                node,
                "its recorded weights are not those of its rule",
            ));
        }
    }
    let output = match spec.output {
        Operand::Input(i) => i < spec.inputs().len(),
        Operand::Node(i) => i < spec.nodes().len(),
    };
    if output {
        Ok(())
    } else {
        Err(invalid("the output of the network is none of its values"))
    }
}

/// The degree above 0 that attribution in closed form divides by.
pub(crate) fn attributable_degree(spec: &NetworkSpec) -> Result<Degree> {
    match spec.degree() {
        Some(degree) if degree.is_positive() => Ok(degree),
        Some(degree) => Err(Error::Degree { degree }),
        None => Err(match spec.first_inhomogeneous() {
            Some((node, fault)) => Error::NotHomogeneous {
                node: name(node).into(),
                operation: node.operation.name(),
                fault: Box::new(fault),
            },
            None => invalid("the network has no degree, though each of its nodes has"),
        }),
    }
}

fn name(node: &Node) -> String {
    if node.path.is_empty() {
        node.operation.name().to_owned()
    } else {
        node.path.to_string()
    }
}

fn inconsistent(node: &Node, why: &str) -> Error {
    invalid(format!("node `{}` is inconsistent: {why}", name(node)))
}

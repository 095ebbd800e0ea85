//! Tests of several operators that amount to one of them.

use std::collections::BTreeMap;

use ndarray::IxDyn;

use crate::onnx::{Attribute, Case, Node, Tensor};

/// The test with its constants, and transpositions of known values, computed; and with what remains as one operator,
/// where it is known to be one:
///
/// - `Unsqueeze → AveragePool → Squeeze` is a 1-d average pool that an old exporter wrote as a 2-d one;
/// - `Reshape → Transpose → Reshape` is `DepthToSpace`, if they cut, order and join the axes as it does.
pub fn simplified(mut case: Case) -> Case {
    if case.nodes.len() < 2 {
        return case;
    }
    let mut rest = Vec::new();
    for node in std::mem::take(&mut case.nodes) {
        match (known(&case, &node), node.outputs.first()) {
            (Some(value), Some(name)) => {
                case.values.insert(name.clone(), value);
            }
            _ => rest.push(node),
        }
    }
    let types: Vec<&str> = rest.iter().map(|node| node.op_type.as_str()).collect();
    let joined = match types[..] {
        ["Unsqueeze", "AveragePool", "Squeeze"] => average_pool(&case, &rest),
        ["Reshape", "Transpose", "Reshape"] => depth_to_space(&case, &rest),
        _ => None,
    };
    case.nodes = joined.map_or(rest, |node| vec![node]);
    case
}

fn known(case: &Case, node: &Node) -> Option<Tensor> {
    match node.op_type.as_str() {
        "Constant" => match node.attributes.get("value")? {
            Attribute::Tensor(value) => Some(value.clone()),
            _ => None,
        },
        "Transpose" => {
            let Tensor::F32(x) = case.values.get(node.inputs.first()?)? else {
                return None;
            };
            let axes: Vec<usize> = match ints(node, "perm") {
                Some(perm) => perm
                    .iter()
                    .map(|axis| usize::try_from(*axis).ok())
                    .collect::<Option<_>>()?,
                None => (0..x.ndim()).rev().collect(),
            };
            let mut sorted = axes.clone();
            sorted.sort_unstable();
            let permutes = sorted.iter().copied().eq(0..x.ndim());
            permutes.then(|| {
                let moved = x.view().permuted_axes(IxDyn(&axes));
                Tensor::F32(moved.as_standard_layout().into_owned())
            })
        }
        _ => None,
    }
}

fn average_pool(case: &Case, nodes: &[Node]) -> Option<Node> {
    let [unsqueeze, pool, squeeze] = nodes else {
        return None;
    };
    let x = unsqueeze.inputs.first()?;
    let appended = [case.values.get(x)?.shape().len() as i64];
    let chained = unsqueeze.outputs.first() == pool.inputs.first()
        && pool.outputs.first() == squeeze.inputs.first()
        && [unsqueeze, squeeze]
            .iter()
            .all(|node| ints(node, "axes") == Some(&appended));
    let mut attributes = pool.attributes.clone();
    for (name, value) in &mut attributes {
        match (name.as_str(), value) {
            ("kernel_shape" | "strides", Attribute::Ints(sizes)) if sizes.get(1) == Some(&1) => {
                sizes.truncate(1);
            }
            ("pads", Attribute::Ints(pads)) if pads.len() == 4 && pads[1] == 0 && pads[3] == 0 => {
                *pads = vec![pads[0], pads[2]];
            }
            _ => return None,
        }
    }
    chained.then(|| Node {
        op_type: pool.op_type.clone(),
        inputs: vec![x.clone()],
        outputs: squeeze.outputs.clone(),
        attributes,
    })
}

fn depth_to_space(case: &Case, nodes: &[Node]) -> Option<Node> {
    let [cut, order, join] = nodes else {
        return None;
    };
    let x = cut.inputs.first()?;
    let &[n, channels, height, width] = case.values.get(x)?.shape() else {
        return None;
    };
    let target = |node: &Node| match case.values.get(node.inputs.get(1)?)? {
        Tensor::I64(dims) => Some(dims.iter().copied().collect::<Vec<i64>>()),
        _ => None,
    };
    let cut_into = target(cut)?;
    let r = usize::try_from(*cut_into.get(2)?).ok().filter(|r| *r > 0)?;
    let outer = channels / (r * r);
    let dims = |dims: &[usize]| dims.iter().map(|dim| *dim as i64).collect::<Vec<_>>();
    let chained = cut.outputs.first() == order.inputs.first()
        && order.outputs.first() == join.inputs.first()
        && cut_into == dims(&[n, outer, r, r, height, width])
        && ints(order, "perm") == Some(&[0, 1, 4, 2, 5, 3])
        && target(join)? == dims(&[n, outer, height * r, width * r]);
    chained.then(|| Node {
        op_type: "DepthToSpace".to_owned(),
        inputs: vec![x.clone()],
        outputs: join.outputs.clone(),
        attributes: BTreeMap::from([
            ("blocksize".to_owned(), Attribute::Int(r as i64)),
            ("mode".to_owned(), Attribute::Text("CRD".to_owned())),
        ]),
    })
}

fn ints<'a>(node: &'a Node, name: &str) -> Option<&'a [i64]> {
    match node.attributes.get(name)? {
        Attribute::Ints(values) => Some(values),
        _ => None,
    }
}

//! A network in files that every framework reads: its nodes, its weights, inputs and targets.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use xdnn::ir::{Literal, NetworkSpec, Node, Operand, Operation};
use xdnn::prelude::*;
use xdnn::zoo::{XAlexNet, XResNet50, XVgg16};

network! {
    /// Hesse et al. (2021) train it on 79 features of people in the NHANES I survey, as Erion et al. (2021) did before.
    pub struct NhanesMlp(features: [79]) -> [1] {
        fc1: Linear(512) -> Relu;
        fc2: Linear(128) -> Relu;
        fc3: Linear(32) -> Relu;
        fc4: Linear(1);
    }
}

/// A network's description.
pub fn spec(name: &str) -> Result<&'static NetworkSpec> {
    Ok(match name {
        "XAlexNet" => XAlexNet::SPEC,
        "XVgg16" => XVgg16::SPEC,
        "XResNet50" => XResNet50::SPEC,
        "NhanesMlp" => NhanesMlp::SPEC,
        other => bail!("no network `{other}`"),
    })
}

/// Writes `network.json`, `weights.safetensors`, and with so many samples `input.f32` and `target.f32`, to a folder.
pub fn write(folder: &Path, name: &str, samples: usize) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let spec = spec(name)?;
    let weights = folder.join("weights.safetensors");
    match name {
        "XAlexNet" => drawn(XAlexNet::init(Seed(1))).save(weights)?,
        "XVgg16" => drawn(XVgg16::init(Seed(1))).save(weights)?,
        "XResNet50" => drawn(XResNet50::init(Seed(1))).save(weights)?,
        _ => drawn(NhanesMlp::init(Seed(1))).save(weights)?,
    }
    let [input] = spec.inputs() else {
        bail!("`{name}` has several inputs")
    };
    let nodes: Option<Vec<Value>> = spec.nodes().iter().map(|of| node(spec, of)).collect();
    let description = json!({
        "input": input.shape.dims(),
        "nodes": nodes.context("a network without layers of its own")?,
    });
    fs::write(folder.join("network.json"), description.to_string())?;
    let mut numbers = Numbers(1);
    let deviation = 12.0_f32.sqrt().recip(); // of such a number
    let inputs = (0..samples * input.shape.elements()).map(|_| numbers.next() / deviation);
    put(&folder.join("input.f32"), inputs)?;
    let targets = (0..samples).map(|_| f32::from(numbers.next() > 0.0));
    put(&folder.join("target.f32"), targets)
}

/// Writes numbers to a file.
pub fn put(path: &Path, numbers: impl IntoIterator<Item = f32>) -> Result<()> {
    let bytes: Vec<u8> = numbers.into_iter().flat_map(f32::to_le_bytes).collect();
    fs::write(path, bytes).with_context(|| path.display().to_string())
}

/// Numbers that a framework has written.
pub fn read(path: &Path) -> Result<Vec<f32>> {
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    ensure!(bytes.len() % 4 == 0, "{} is cut off", path.display());
    let numbers = bytes.as_chunks().0.iter().copied();
    Ok(numbers.map(f32::from_le_bytes).collect())
}

/// The network with weights of variance `2 / fan-in` everywhere: Fixup's would be 0 where residual branches end, and half of
/// the work would be done on zeros.
pub fn drawn<N: Network>(mut network: N) -> N {
    let mut numbers = Numbers(2);
    network.visit_mut(&mut |weight| {
        let fan_in: usize = weight.array.shape().iter().skip(1).product();
        let bound = (6.0 / fan_in as f32).sqrt();
        let mut array = weight.array;
        array.mapv_inplace(|_| 2.0 * bound * numbers.next());
    });
    network
}

/// Numbers from -1/2 to 1/2, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        // Knuth's linear congruential generator.
        let [multiplier, increment] = [6_364_136_223_846_793_005, 1_442_695_040_888_963_407];
        self.0 = self.0.wrapping_mul(multiplier).wrapping_add(increment);
        (self.0 >> 40) as f32 / (1 << 24) as f32 - 0.5
    }
}

fn node(spec: &NetworkSpec, node: &Node) -> Option<Value> {
    let fields = match &node.operation {
        Operation::Layer(layer) => layer.fields(),
        Operation::Combine(_) => Vec::new(),
        _ => return None,
    };
    let fields = fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), literal(&value)));
    let operands = node.operands.iter().map(|operand| match operand {
        Operand::Input(i) => json!(["input", i]),
        Operand::Node(i) => json!(["node", i]),
    });
    let weights = spec.weights().get(node.weights.clone())?;
    Some(json!({
        "op": node.operation.name(),
        "fields": fields.collect::<serde_json::Map<_, _>>(),
        "operands": operands.collect::<Vec<_>>(),
        "weights": weights.iter().map(|weight| &*weight.name).collect::<Vec<_>>(),
    }))
}

fn literal(value: &Literal) -> Value {
    match value {
        Literal::Int(value) => json!(value),
        Literal::Float(value) => json!(value),
        Literal::Bool(value) => json!(value),
        Literal::Ints(values) => json!(values),
        Literal::Shape(shape) => json!(shape.dims()),
        Literal::Variant { variant, .. } => json!(variant),
        Literal::Option(value) => value.as_deref().map_or(Value::Null, literal),
    }
}

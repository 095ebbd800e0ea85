//! The operator tests that the `onnx` wheel carries: `onnx/backend/test/data/<suite>/<test>/`, each a small model with
//! its inputs and outputs.

mod proto;
mod tensor;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{Read, Seek};

use prost::Message;
use thiserror::Error;
use zip::ZipArchive;
use zip::result::{ZipError, ZipResult};

pub use tensor::Tensor;

const ROOT: &str = "onnx/backend/test/data/";

/// `node` has most operators; what PyTorch exported has the convolutions.
const SUITES: [&str; 3] = ["node/", "pytorch-converted/", "pytorch-operator/"];

/// One test.
pub struct Case {
    /// Suite and directory, as in `node/test_relu`.
    pub path: String,
    pub opset: i64,
    pub nodes: Vec<Node>,
    /// Inputs and initializers by name: what the nodes' inputs name, apart from the results of other nodes.
    pub values: BTreeMap<String, Tensor>,
    /// The expected outputs, in the order of the graph.
    pub outputs: Vec<Tensor>,
}

pub struct Node {
    pub op_type: String,
    /// Names; that of an optional input left out is empty.
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub attributes: BTreeMap<String, Attribute>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    Int(i64),
    Float(f32),
    Text(String),
    Ints(Vec<i64>),
    Floats(Vec<f32>),
    Tensor(Tensor),
}

/// Why a test is of no use here.
#[derive(Debug, Error, PartialEq)]
pub enum Unreadable {
    #[error("not a valid message")]
    Malformed(#[from] prost::DecodeError),
    #[error("no graph")]
    NoGraph,
    #[error("a sequence or an optional value")]
    NotATensor,
    #[error("elements of {}", proto::element_type(*.0))]
    ElementType(i32),
    #[error("the dimensions and the data of a tensor disagree")]
    Length,
    #[error("a subgraph, or another attribute without a value")]
    AttributeType,
    #[error("no data set")]
    NoData,
}

/// Whether a file of the wheel belongs to one of the tests.
pub fn is_of_a_test(name: &str) -> bool {
    let path = name.strip_prefix(ROOT);
    path.is_some_and(|path| SUITES.iter().any(|suite| path.starts_with(suite)))
}

/// The wheel.
pub struct Archive<R> {
    zip: ZipArchive<R>,
}

impl<R: Read + Seek> Archive<R> {
    pub fn open(file: R) -> ZipResult<Self> {
        Ok(Self {
            zip: ZipArchive::new(file)?,
        })
    }

    /// The paths of all tests, in order.
    pub fn cases(&self) -> ZipResult<BTreeSet<String>> {
        let mut cases = BTreeSet::new();
        for name in self.zip.file_names() {
            let name = name?;
            let path = name
                .strip_prefix(ROOT)
                .and_then(|path| path.strip_suffix("/model.onnx"));
            cases.extend(
                path.filter(|path| SUITES.iter().any(|suite| path.starts_with(suite)))
                    .map(str::to_owned),
            );
        }
        Ok(cases)
    }

    /// One test. The outer error is the archive's.
    pub fn case(&mut self, path: &str) -> ZipResult<Result<Case, Unreadable>> {
        let model = self
            .file(&format!("{path}/model.onnx"))?
            .ok_or(ZipError::FileNotFound)?;
        let inputs = self.data(path, "input")?;
        let outputs = self.data(path, "output")?;
        Ok(Case::decode(path, &model, &inputs, &outputs))
    }

    /// The files `<role>_0.pb`, `<role>_1.pb` … of the one data set that every test has.
    fn data(&mut self, path: &str, role: &str) -> ZipResult<Vec<Vec<u8>>> {
        let mut files = Vec::new();
        while let Some(file) =
            self.file(&format!("{path}/test_data_set_0/{role}_{}.pb", files.len()))?
        {
            files.push(file);
        }
        Ok(files)
    }

    fn file(&mut self, path: &str) -> ZipResult<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        match self.zip.by_name(&format!("{ROOT}{path}")) {
            Ok(mut file) => file.read_to_end(&mut bytes)?,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(bytes))
    }
}

impl Case {
    fn decode(
        path: &str,
        model: &[u8],
        inputs: &[Vec<u8>],
        outputs: &[Vec<u8>],
    ) -> Result<Self, Unreadable> {
        let model = proto::Model::decode(model)?;
        let graph = model.graph.ok_or(Unreadable::NoGraph)?;
        let initializers = graph
            .initializer
            .into_iter()
            .map(|t| Ok((t.name.clone(), Tensor::try_from(t)?)));
        let mut values = initializers.collect::<Result<BTreeMap<_, _>, Unreadable>>()?;
        // The old exporter lists the initializers among the inputs too, but the files leave them out.
        let fed: Vec<_> = graph
            .input
            .into_iter()
            .filter(|input| !values.contains_key(&input.name))
            .collect();
        let names = fed.iter().map(|input| input.name.clone());
        values.extend(names.zip(tensors(&fed, inputs)?));
        Ok(Self {
            path: path.to_owned(),
            opset: model
                .opset_import
                .iter()
                .find(|set| set.domain.is_empty())
                .map_or(0, |set| set.version),
            nodes: graph
                .node
                .into_iter()
                .map(Node::try_from)
                .collect::<Result<_, _>>()?,
            values,
            outputs: tensors(&graph.output, outputs)?,
        })
    }
}

/// What the files of a data set hold for the inputs or outputs of a graph.
fn tensors(declared: &[proto::ValueInfo], files: &[Vec<u8>]) -> Result<Vec<Tensor>, Unreadable> {
    if declared.iter().any(|value| !value.is_tensor()) {
        return Err(Unreadable::NotATensor);
    }
    if declared.len() != files.len() {
        return Err(Unreadable::NoData);
    }
    files
        .iter()
        .map(|file| proto::Tensor::decode(file.as_slice())?.try_into())
        .collect()
}

impl TryFrom<proto::Node> for Node {
    type Error = Unreadable;

    fn try_from(node: proto::Node) -> Result<Self, Unreadable> {
        let attributes = node
            .attribute
            .into_iter()
            .map(|a| Ok((a.name.clone(), a.try_into()?)));
        Ok(Self {
            attributes: attributes.collect::<Result<_, Unreadable>>()?,
            op_type: node.op_type,
            inputs: node.input,
            outputs: node.output,
        })
    }
}

impl TryFrom<proto::Attribute> for Attribute {
    type Error = Unreadable;

    fn try_from(attribute: proto::Attribute) -> Result<Self, Unreadable> {
        Ok(match attribute.r#type {
            proto::Attribute::FLOAT => Self::Float(attribute.f),
            proto::Attribute::INT => Self::Int(attribute.i),
            proto::Attribute::STRING => {
                Self::Text(String::from_utf8_lossy(&attribute.s).into_owned())
            }
            proto::Attribute::TENSOR => {
                Self::Tensor(attribute.t.ok_or(Unreadable::AttributeType)?.try_into()?)
            }
            proto::Attribute::FLOATS => Self::Floats(attribute.floats),
            proto::Attribute::INTS => Self::Ints(attribute.ints),
            _ => return Err(Unreadable::AttributeType),
        })
    }
}

/// `node/test_maxpool_2d_default: MaxPool(x: f32[1, 3, 32, 32]; kernel_shape = [2, 2]) -> f32[1, 3, 31, 31]  (opset 22)`
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        for (i, node) in self.nodes.iter().enumerate() {
            if i > 0 {
                f.write_str(" -> ")?;
            }
            let operands = node.inputs.iter().map(|name| match self.values.get(name) {
                Some(value) => format!("{name}: {value}"),
                None if name.is_empty() => "_".to_owned(),
                None => name.clone(),
            });
            write!(
                f,
                "{}({}",
                node.op_type,
                operands.collect::<Vec<_>>().join(", ")
            )?;
            for (i, (name, attribute)) in node.attributes.iter().enumerate() {
                write!(f, "{} {name} = {attribute}", if i == 0 { ";" } else { "," })?;
            }
            f.write_str(")")?;
        }
        let outputs: Vec<_> = self.outputs.iter().map(Tensor::to_string).collect();
        write!(f, " -> {}  (opset {})", outputs.join(", "), self.opset)
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
            Self::Ints(values) => write!(f, "{values:?}"),
            Self::Floats(values) => write!(f, "{values:?}"),
            Self::Tensor(value) => write!(f, "{value}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use ndarray::arr1;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn value(name: &str) -> proto::ValueInfo {
        let tensor_type = Some(proto::TensorType {});
        proto::ValueInfo {
            name: name.to_owned(),
            r#type: Some(proto::Type { tensor_type }),
        }
    }

    fn floats(name: &str, values: &[f32]) -> proto::Tensor {
        proto::Tensor {
            dims: vec![values.len() as i64],
            data_type: proto::FLOAT,
            float_data: values.to_vec(),
            name: name.to_owned(),
            ..Default::default()
        }
    }

    /// y = Gadget(x, _, w; axis = -1), the weight an initializer that is listed as an input too.
    fn model() -> proto::Model {
        let axis = proto::Attribute {
            name: "axis".to_owned(),
            r#type: proto::Attribute::INT,
            i: -1,
            ..Default::default()
        };
        let node = proto::Node {
            op_type: "Gadget".to_owned(),
            input: vec!["x".to_owned(), String::new(), "w".to_owned()],
            output: vec!["y".to_owned()],
            attribute: vec![axis],
        };
        let graph = proto::Graph {
            node: vec![node],
            initializer: vec![floats("w", &[3.0])],
            input: vec![value("x"), value("w")],
            output: vec![value("y")],
        };
        let opset = proto::OperatorSet {
            domain: String::new(),
            version: 6,
        };
        proto::Model {
            graph: Some(graph),
            opset_import: vec![opset],
        }
    }

    fn archive(files: &[(&str, Vec<u8>)]) -> Archive<Cursor<Vec<u8>>> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            zip.start_file(format!("{ROOT}{name}"), SimpleFileOptions::default())
                .unwrap();
            zip.write_all(bytes).unwrap();
        }
        Archive::open(zip.finish().unwrap()).unwrap()
    }

    fn read(model: &proto::Model) -> Result<Case, Unreadable> {
        let files = [
            (
                "node/test_input_output_0.pb/model.onnx",
                model.encode_to_vec(),
            ),
            (
                "node/test_input_output_0.pb/test_data_set_0/input_0.pb",
                floats("", &[1.0, 2.0]).encode_to_vec(),
            ),
            (
                "node/test_input_output_0.pb/test_data_set_0/output_0.pb",
                floats("", &[7.0]).encode_to_vec(),
            ),
            ("simple/test_other/model.onnx", Vec::new()),
        ];
        let mut archive = archive(&files);
        let paths: Vec<_> = archive.cases().unwrap().into_iter().collect();
        assert_eq!(paths, ["node/test_input_output_0.pb"]);
        archive.case(&paths[0]).unwrap()
    }

    #[test]
    fn a_case_knows_its_values_by_name() {
        let case = read(&model()).unwrap();
        assert_eq!(case.values["x"], Tensor::F32(arr1(&[1.0, 2.0]).into_dyn()));
        assert_eq!(case.values["w"], Tensor::F32(arr1(&[3.0]).into_dyn()));
        assert_eq!(case.outputs, [Tensor::F32(arr1(&[7.0]).into_dyn())]);
        assert_eq!(case.nodes[0].attributes["axis"], Attribute::Int(-1));
        let text = "node/test_input_output_0.pb: Gadget(x: f32[2], _, w: f32[1]; axis = -1) -> f32[1]  (opset 6)";
        assert_eq!(case.to_string(), text);
    }

    #[test]
    fn a_sequence_is_no_tensor() {
        let mut model = model();
        model.graph.as_mut().unwrap().input[0].r#type = Some(proto::Type { tensor_type: None });
        assert_eq!(read(&model).err(), Some(Unreadable::NotATensor));
    }

    #[test]
    fn every_input_needs_a_file() {
        let mut model = model();
        model.graph.as_mut().unwrap().input.push(value("z"));
        assert_eq!(read(&model).err(), Some(Unreadable::NoData));
    }

    #[test]
    fn an_archive_without_the_test_says_so() {
        assert!(matches!(
            archive(&[]).case("node/test_none"),
            Err(ZipError::FileNotFound)
        ));
    }
}

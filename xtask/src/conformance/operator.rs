//! A node of a test with its operands and attributes at hand.

use ndarray::{ArrayD, IxDyn};

use super::skip::Skip;
use crate::onnx::{Attribute, Case, Node, Tensor};

/// One operator of a test, whose operands are all known.
#[derive(Clone, Copy)]
pub struct Operator<'a> {
    pub case: &'a Case,
    pub node: &'a Node,
}

impl<'a> Operator<'a> {
    pub fn name(&self) -> &'a str {
        &self.node.op_type
    }

    /// Refuses attributes that a mapping does not know: they might change what the operator computes.
    pub fn knows(&self, attributes: &[&str]) -> Result<(), Skip> {
        match self
            .node
            .attributes
            .keys()
            .find(|name| !attributes.contains(&name.as_str()))
        {
            Some(unknown) => Err(Skip::new("an attribute without a counterpart")
                .detail(format!("`{unknown}` of `{}`", self.name()))),
            None => Ok(()),
        }
    }

    pub fn int(&self, name: &str, default: i64) -> Result<i64, Skip> {
        match self.node.attributes.get(name) {
            Some(Attribute::Int(value)) => Ok(*value),
            None => Ok(default),
            Some(_) => Err(self.wrong(name)),
        }
    }

    pub fn flag(&self, name: &str) -> Result<bool, Skip> {
        Ok(self.int(name, 0)? != 0)
    }

    pub fn float(&self, name: &str, default: f32) -> Result<f32, Skip> {
        match self.node.attributes.get(name) {
            Some(Attribute::Float(value)) => Ok(*value),
            None => Ok(default),
            Some(_) => Err(self.wrong(name)),
        }
    }

    pub fn text(&self, name: &str, default: &'a str) -> Result<&'a str, Skip> {
        match self.node.attributes.get(name) {
            Some(Attribute::Text(value)) => Ok(value),
            None => Ok(default),
            Some(_) => Err(self.wrong(name)),
        }
    }

    pub fn ints(&self, name: &str) -> Result<Option<Vec<i64>>, Skip> {
        match self.node.attributes.get(name) {
            Some(Attribute::Ints(values)) => Ok(Some(values.clone())),
            None => Ok(None),
            Some(_) => Err(self.wrong(name)),
        }
    }

    /// Sizes along each of `axes` spatial axes; `default` along each where they are not given.
    pub fn sizes(&self, name: &str, axes: usize, default: usize) -> Result<Vec<usize>, Skip> {
        let Some(values) = self.ints(name)? else {
            return Ok(vec![default; axes]);
        };
        let sizes: Option<Vec<usize>> = values.iter().map(|v| usize::try_from(*v).ok()).collect();
        sizes
            .filter(|sizes| sizes.len() == axes)
            .ok_or_else(|| self.wrong(name))
    }

    pub fn operands(&self) -> usize {
        self.node.inputs.len()
    }

    /// Operand `i`, where it is given.
    pub fn optional(&self, i: usize) -> Result<Option<&'a Tensor>, Skip> {
        let given = self.node.inputs.get(i).filter(|name| !name.is_empty());
        let Some(name) = given else {
            return Ok(None);
        };
        let known = self.case.values.get(name);
        known.map(Some).ok_or_else(|| {
            Skip::new("an operand that another operator computes").detail(self.name())
        })
    }

    /// Operand `i` as numbers to compute with.
    pub fn floats(&self, i: usize) -> Result<ArrayD<f32>, Skip> {
        self.optional_floats(i)?
            .ok_or_else(|| Skip::new("an operand is missing").detail(self.name()))
    }

    pub fn optional_floats(&self, i: usize) -> Result<Option<ArrayD<f32>>, Skip> {
        self.optional(i)?.map(floats).transpose()
    }

    /// Operand `i` as a list of integers, where it is given: shapes, axes, sizes.
    pub fn optional_ints(&self, i: usize) -> Result<Option<Vec<i64>>, Skip> {
        match self.optional(i)? {
            None => Ok(None),
            Some(Tensor::I64(values)) => Ok(Some(values.iter().copied().collect())),
            Some(_) => Err(self.wrong("operand of integers")),
        }
    }

    /// The first expected output. Others are indices or masks.
    pub fn expected(&self) -> Result<ArrayD<f64>, Skip> {
        let output = self
            .case
            .outputs
            .first()
            .ok_or_else(|| Skip::new("no expected output"))?;
        Ok(floats(output)?.mapv(f64::from))
    }

    /// An axis that may be counted from the end.
    pub fn axis(&self, axis: i64, rank: usize) -> Result<usize, Skip> {
        let counted = if axis < 0 { axis + rank as i64 } else { axis };
        usize::try_from(counted)
            .ok()
            .filter(|axis| *axis <= rank)
            .ok_or_else(|| self.wrong("axis"))
    }

    fn wrong(&self, name: &str) -> Skip {
        Skip::new("not as the standard has it").detail(format!("`{name}` of `{}`", self.name()))
    }
}

fn floats(tensor: &Tensor) -> Result<ArrayD<f32>, Skip> {
    let element = match tensor {
        Tensor::F32(values) if values.is_empty() => {
            return Err(Skip::new("a tensor without elements"));
        }
        Tensor::F32(values) => return Ok(values.clone()),
        Tensor::I64(_) => "int64",
        Tensor::Bool(_) => "bool",
    };
    Err(Skip::new(format!("elements of {element}")))
}

/// The same numbers in row-major order under other dimensions.
pub fn reshaped<T: Clone>(array: &ArrayD<T>, dims: &[usize]) -> Result<ArrayD<T>, Skip> {
    ArrayD::from_shape_vec(IxDyn(dims), array.iter().cloned().collect())
        .map_err(|_| Skip::new("dimensions that do not fit the data"))
}

/// The axes before `axis` as one batch axis, which has one sample where there are none.
pub fn batched<T: Clone>(array: &ArrayD<T>, axis: usize) -> Result<ArrayD<T>, Skip> {
    let (batch, sample) = array.shape().split_at(axis.min(array.ndim()));
    let dims: Vec<usize> = std::iter::once(batch.iter().product())
        .chain(sample.iter().copied())
        .collect();
    reshaped(array, &dims)
}

/// The first axis as the batch; a vector or a scalar is one sample.
pub fn first_axis_batched<T: Clone>(array: &ArrayD<T>) -> Result<ArrayD<T>, Skip> {
    match array.ndim() {
        0 => reshaped(array, &[1, 1]),
        1 => batched(array, 0),
        _ => Ok(array.clone()),
    }
}

pub fn transposed(array: &ArrayD<f32>) -> ArrayD<f32> {
    array.t().as_standard_layout().into_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn case(attributes: &[(&str, Attribute)]) -> Case {
        let attributes = attributes
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        Case {
            path: "node/test_gadget".to_owned(),
            opset: 22,
            nodes: vec![Node {
                op_type: "Gadget".to_owned(),
                inputs: vec!["x".to_owned(), String::new()],
                outputs: vec!["y".to_owned()],
                attributes: attributes.collect(),
            }],
            values: BTreeMap::from([("x".to_owned(), Tensor::F32(ArrayD::zeros(IxDyn(&[2, 3]))))]),
            outputs: Vec::new(),
        }
    }

    fn operator(case: &Case) -> Operator<'_> {
        Operator {
            case,
            node: &case.nodes[0],
        }
    }

    #[test]
    fn attributes_that_are_not_given_have_their_defaults() {
        let case = case(&[]);
        let op = operator(&case);
        assert_eq!(op.int("group", 1), Ok(1));
        assert_eq!(op.flag("ceil_mode"), Ok(false));
        assert_eq!(op.float("alpha", 0.01), Ok(0.01));
        assert_eq!(op.text("auto_pad", "NOTSET"), Ok("NOTSET"));
        assert_eq!(op.ints("axes"), Ok(None));
        assert_eq!(op.sizes("strides", 2, 1), Ok(vec![1, 1]));
    }

    #[test]
    fn attributes_that_are_given_count() {
        let case = case(&[
            ("group", Attribute::Int(4)),
            ("alpha", Attribute::Float(0.5)),
            ("auto_pad", Attribute::Text("VALID".to_owned())),
            ("strides", Attribute::Ints(vec![2, 3])),
        ]);
        let op = operator(&case);
        assert_eq!(op.int("group", 1), Ok(4));
        assert_eq!(op.float("alpha", 0.01), Ok(0.5));
        assert_eq!(op.text("auto_pad", "NOTSET"), Ok("VALID"));
        assert_eq!(op.sizes("strides", 2, 1), Ok(vec![2, 3]));
    }

    #[test]
    fn an_attribute_of_another_type_or_length_is_refused() {
        let case = case(&[("strides", Attribute::Ints(vec![2, 3]))]);
        let op = operator(&case);
        assert!(op.int("strides", 1).is_err());
        assert!(op.sizes("strides", 3, 1).is_err());
    }

    #[test]
    fn an_attribute_that_no_mapping_knows_is_refused() {
        let case = case(&[("mystery", Attribute::Int(1))]);
        assert!(operator(&case).knows(&["axis"]).is_err());
        assert_eq!(operator(&case).knows(&["axis", "mystery"]), Ok(()));
    }

    #[test]
    fn an_operand_left_out_is_none() {
        let case = case(&[]);
        let op = operator(&case);
        assert!(op.floats(0).is_ok());
        assert_eq!(op.optional_floats(1), Ok(None));
        assert_eq!(op.optional_floats(2), Ok(None));
    }

    #[test]
    fn axes_count_from_either_end() {
        let case = case(&[]);
        let op = operator(&case);
        assert_eq!((op.axis(1, 4), op.axis(-1, 4)), (Ok(1), Ok(3)));
        assert!(op.axis(-5, 4).is_err());
    }

    #[test]
    fn leading_axes_become_the_batch() {
        let x = ArrayD::<f32>::zeros(IxDyn(&[2, 3, 4]));
        assert_eq!(batched(&x, 0).unwrap().shape(), [1, 2, 3, 4]);
        assert_eq!(batched(&x, 1).unwrap().shape(), [2, 3, 4]);
        assert_eq!(batched(&x, 2).unwrap().shape(), [6, 4]);
        assert_eq!(batched(&x, 3).unwrap().shape(), [24]);
    }
}

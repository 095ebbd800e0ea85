//! The [safetensors](https://github.com/huggingface/safetensors) format: names, shapes and bytes, nothing to execute.
//!
//! Written as `f32`, with the metadata `format = pt` (the layout is PyTorch's), tensors sorted by name, so that equal
//! weights make equal files. Read as `f32`; `f16` and `bf16` are widened, which is exact, and `f64` is rounded to the
//! nearest `f32`, ties to even.
//!
//! A file is checked as a whole: its header against its size, then every name, shape, type and number against the
//! network. Whatever is wrong comes back in one error.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use ndarray::ArrayD;
use safetensors::tensor::{TensorView, View};
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use xdnn_ir::NetworkSpec;

use super::offer::{Numbers, Offer, accept};
use super::{WeightView, file};
use crate::finite::{first_non_finite, unravel};
use crate::{Error, Parameters, Result};

/// The weights of a file, one array for each weight of `spec` and in that order.
///
/// # Errors
///
/// [`Error::File`], [`Error::Format`] or, with every fault, [`Error::Weights`].
pub fn load(spec: &NetworkSpec, path: &Path) -> Result<Vec<ArrayD<f32>>> {
    let bytes = file::read(path)?;
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| Error::Format {
        path: path.to_owned(),
        cause: cause(&bytes, error),
    })?;
    let offers = tensors
        .iter()
        .map(|(name, tensor)| offer(name, &tensor))
        .collect();
    accept(spec, format!("`{}`", path.display()), offers)
}

/// Writes the weights of `parameters` to a file, which appears complete or not at all.
///
/// # Errors
///
/// [`Error::NonFiniteWeight`] or [`Error::File`].
pub fn save<P: Parameters>(parameters: &P, path: &Path) -> Result<()> {
    let mut weights = Vec::new();
    let mut fault = None;
    parameters.visit(&mut |weight| {
        if let (None, Some(position)) = (&fault, first_non_finite(weight.as_slice())) {
            fault = Some(Error::NonFiniteWeight {
                name: weight.name.to_owned().into(),
                index: unravel(position, weight.array.shape()),
                value: f64::from(weight.as_slice()[position]),
            });
        }
        weights.push(weight);
    });
    if let Some(fault) = fault {
        return Err(fault);
    }
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let tensors = weights.iter().map(|weight| (weight.name, Stored(weight)));
    let bytes = safetensors::serialize(tensors, Some(metadata)).map_err(|error| Error::Format {
        path: path.to_owned(),
        cause: error.to_string().into(),
    })?;
    file::replace(path, &bytes)
}

/// A tensor as the format stores it.
struct Stored<'a>(&'a WeightView<'a>);

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.0.array.shape()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.0
            .as_slice()
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    }

    fn data_len(&self) -> usize {
        size_of_val(self.0.as_slice())
    }
}

fn offer<'a>(name: &str, tensor: &TensorView<'a>) -> Offer<'a> {
    let bytes = Cow::Borrowed(tensor.data());
    Offer {
        name: name.to_owned(),
        shape: tensor.shape().to_vec(),
        numbers: match tensor.dtype() {
            Dtype::F32 => Numbers::F32(bytes),
            Dtype::F64 => Numbers::F64(bytes),
            Dtype::F16 => Numbers::F16(bytes),
            Dtype::BF16 => Numbers::Bf16(bytes),
            other => Numbers::Other(other.to_string().to_lowercase()),
        },
    }
}

/// What is wrong with a file, and what to do.
fn cause(bytes: &[u8], error: SafeTensorError) -> Cow<'static, str> {
    use SafeTensorError::{HeaderTooSmall, InvalidHeaderLength, MetadataIncompleteBuffer};
    match (bytes, error) {
        ([b'P', b'K', 3, 4, ..] | [0x80, 2..=5, ..], _) => {
            "it looks like a PyTorch checkpoint, expected safetensors; convert it with `safetensors.torch.save_file`"
                .into()
        }
        ([], _) => "it is empty; save or download it again".into(),
        (_, HeaderTooSmall | InvalidHeaderLength | MetadataIncompleteBuffer) => {
            "it is truncated, or longer than its header says; save or download it again".into()
        }
        (_, error) => format!("{error}; save or download it again").into(),
    }
}

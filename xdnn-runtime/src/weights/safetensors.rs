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
use std::fs::File;
use std::io::Read;
use std::path::Path;

use ndarray::ArrayD;
use safetensors::tensor::{Metadata, TensorInfo, View};
use safetensors::{Dtype, SafeTensorError};
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
    let (mut file, size) = file::open(path)?;
    let mut start = Vec::new();
    let header = header(&mut file, size, &mut start).map_err(|error| match error {
        SafeTensorError::IoError(cause) => file::unread(path, cause),
        error => Error::Format {
            path: path.to_owned(),
            cause: cause(&start, error),
        },
    })?;
    let begin = size - header.data_len() as u64;
    let tensors = header.tensors();
    let offers = tensors.into_iter();
    let offers = offers.map(|(name, tensor)| offer(name, tensor, begin));
    accept(spec, path, offers.collect(), &mut file)
}

/// The longest header that the crate `safetensors` reads, in bytes.
const LONGEST_HEADER: u64 = 100_000_000;

/// The header of a file of `size` bytes, the first of which go to `start`. It is checked against that size; none of the numbers
/// behind it is read.
fn header(file: &mut File, size: u64, start: &mut Vec<u8>) -> Result<Metadata, SafeTensorError> {
    file.take(8).read_to_end(start)?;
    let length = <[u8; 8]>::try_from(start.as_slice());
    let length = length.map_err(|_| SafeTensorError::HeaderTooSmall)?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER {
        return Err(SafeTensorError::HeaderTooLarge);
    }
    let begin = length + 8;
    if begin > size {
        return Err(SafeTensorError::InvalidHeaderLength);
    }
    let mut text = Vec::new();
    file.take(length).read_to_end(&mut text)?;
    let header: Metadata =
        serde_json::from_slice(&text).map_err(SafeTensorError::InvalidHeaderDeserialization)?;
    match begin.checked_add(header.data_len() as u64) == Some(size) {
        true => Ok(header),
        false => Err(SafeTensorError::MetadataIncompleteBuffer),
    }
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

/// A tensor of a file whose numbers begin at `begin`.
fn offer(name: String, tensor: &TensorInfo, begin: u64) -> Offer {
    let (start, end) = tensor.data_offsets;
    Offer {
        name,
        shape: tensor.shape.clone(),
        numbers: match tensor.dtype {
            Dtype::F32 => Numbers::F32,
            Dtype::F64 => Numbers::F64,
            Dtype::F16 => Numbers::F16,
            Dtype::BF16 => Numbers::Bf16,
            other => Numbers::Other(other.to_string().to_lowercase()),
        },
        bytes: begin + start as u64..begin + end as u64,
    }
}

/// What is wrong with a file that starts with these bytes, and what to do.
fn cause(start: &[u8], error: SafeTensorError) -> Cow<'static, str> {
    use SafeTensorError::{HeaderTooSmall, InvalidHeaderLength, MetadataIncompleteBuffer};
    match (start, error) {
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use half::{bf16, f16};
    use proptest::prelude::*;
    use xdnn_ir::layer::{Linear, Scale};
    use xdnn_ir::{NetworkSpec, Operand};

    use super::{load, save};
    use crate::sketch::Sketch;
    use crate::weights::WeightFault;
    use crate::{Error, Parameters, Result, Weight, WeightReader, WeightView, WeightViewMut};

    /// `a.weight` of shape `(3, 2)` and `b.weight` of shape `(1,)`.
    fn spec() -> NetworkSpec {
        let mut s = Sketch::new(&[("x", &[2])]);
        let a = s.layer(
            "a",
            Linear {
                out_features: 3,
                bias: false,
            },
            Operand::Input(0),
        );
        let b = s.layer("b", Scale { num_parameters: 1 }, a);
        s.finish(b)
    }

    struct Both(Weight<ndarray::Ix2>, Weight<ndarray::Ix1>);

    impl Parameters for Both {
        fn read(reader: &mut WeightReader) -> Self {
            Self(reader.weight(), reader.weight())
        }

        fn visit<'a>(&'a self, visitor: &mut dyn FnMut(WeightView<'a>)) {
            self.0.visit(visitor);
            self.1.visit(visitor);
        }

        fn visit_mut<'a>(&'a mut self, visitor: &mut dyn FnMut(WeightViewMut<'a>)) {
            self.0.visit_mut(visitor);
            self.1.visit_mut(visitor);
        }
    }

    fn both(values: [f32; 7]) -> Both {
        let (a, b) = (&values[..6], &values[6..]);
        let a = ndarray::ArrayView2::from_shape((3, 2), a).unwrap();
        let arrays = vec![a.to_owned().into_dyn(), ndarray::arr1(b).into_dyn()];
        let reader = WeightReader::new(&spec(), arrays).unwrap();
        reader.into_parameters().unwrap()
    }

    fn loaded(bytes: &[u8]) -> Result<Vec<Vec<f32>>> {
        let (_folder, path) = file();
        fs::write(&path, bytes).unwrap();
        let arrays = load(&spec(), &path)?;
        Ok(arrays
            .iter()
            .map(|array| array.iter().copied().collect())
            .collect())
    }

    fn file() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        (folder, path)
    }

    fn saved(network: &Both) -> Vec<u8> {
        let (_folder, path) = file();
        save(network, &path).unwrap();
        fs::read(path).unwrap()
    }

    /// A file by the letter of the format: `(name, type, shape, bytes)` for each tensor.
    fn written(tensors: &[(&str, &str, &str, Vec<u8>)]) -> Vec<u8> {
        let (mut header, mut data) = (Vec::new(), Vec::new());
        for (name, dtype, shape, bytes) in tensors {
            let (start, end) = (data.len(), data.len() + bytes.len());
            header.push(format!(
                r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{start},{end}]}}"#
            ));
            data.extend(bytes);
        }
        let header = format!("{{{}}}", header.join(","));
        [
            &(header.len() as u64).to_le_bytes(),
            header.as_bytes(),
            &data,
        ]
        .concat()
    }

    fn bytes<const SIZE: usize>(values: impl IntoIterator<Item = [u8; SIZE]>) -> Vec<u8> {
        values.into_iter().flatten().collect()
    }

    fn faults(error: Error) -> Vec<WeightFault> {
        match error {
            Error::Weights { faults, .. } => faults,
            error => panic!("{error}"),
        }
    }

    const VALUES: [f32; 7] = [1.0, -0.0, f32::MIN_POSITIVE, 1e-45, f32::MAX, -3.25, 0.1];

    proptest! {
        #[test]
        fn saved_weights_load_bit_for_bit(bits in any::<[u32; 7]>()) {
            let values = bits.map(f32::from_bits).map(|x| if x.is_finite() { x } else { 0.5 });
            let loaded = loaded(&saved(&both(values))).unwrap().concat();
            let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&loaded), bits(&values));
        }

        #[test]
        fn damaged_bytes_load_or_give_an_error(position in 0_usize..200, byte in any::<u8>()) {
            let mut file = saved(&both(VALUES));
            let position = position % file.len();
            file[position] = byte;
            let _ = loaded(&file);
        }

        #[test]
        fn noise_gives_an_error(noise in prop::collection::vec(any::<u8>(), 0..64)) {
            let error = loaded(&noise).unwrap_err();
            assert!(matches!(error, Error::Format { .. }), "{error}");
        }
    }

    #[test]
    fn a_file_cut_anywhere_gives_an_error() {
        let file = saved(&both(VALUES));
        for len in 0..file.len() {
            let error = loaded(&file[..len]).unwrap_err();
            assert!(matches!(error, Error::Format { .. }), "{len}: {error}");
        }
        assert!(loaded(&[file, vec![0]].concat()).is_err());
    }

    #[test]
    fn equal_weights_make_equal_files() {
        assert_eq!(saved(&both(VALUES)), saved(&both(VALUES)));
    }

    #[test]
    fn sizes_in_a_header_are_not_believed() {
        for size in [u64::MAX, 1 << 40, 99_999_999, 8] {
            let error = loaded(&[&size.to_le_bytes()[..], b"{}"].concat()).unwrap_err();
            assert!(matches!(error, Error::Format { .. }), "{error}");
        }
        let huge = written(&[("a.weight", "F32", "[4294967296,4294967296]", vec![0; 24])]);
        assert!(matches!(loaded(&huge), Err(Error::Format { .. })));
    }

    #[test]
    fn every_fault_is_named_in_one_error() {
        let file = written(&[
            ("module.a.weight", "F32", "[3,2]", vec![0; 24]),
            ("a.bias", "F32", "[3]", vec![0; 12]),
            ("b.weight", "F32", "[2]", vec![0; 8]),
        ]);
        let error = loaded(&file).unwrap_err();
        let text = error.to_string();
        let (_, list) = text.split_once("does not fit the network: ").unwrap();
        assert_eq!(
            list,
            "4 faults\n  \
             `a.weight` of shape `(3, 2)` is missing\n  \
             `b.weight` must have the shape `(1,)`, found `(2,)`\n  \
             `a.bias` of shape `(3,)` is not a weight of the network; the network has no bias there\n  \
             `module.a.weight` of shape `(3, 2)` is not a weight of the network; did you mean `a.weight`?"
        );
        assert_eq!(faults(error).len(), 4);
    }

    #[test]
    fn numbers_that_are_not_finite_are_named_with_their_index() {
        let mut values = VALUES;
        values[3] = f32::NAN;
        let a = bytes(values[..6].iter().map(|x| x.to_le_bytes()));
        let b = bytes([1e300_f64.to_le_bytes()]);
        let found = faults(
            loaded(&written(&[
                ("a.weight", "F32", "[3,2]", a),
                ("b.weight", "F64", "[1]", b),
            ]))
            .unwrap_err(),
        );
        assert!(matches!(&found[0], WeightFault::NonFinite { index, .. } if index == &[1, 1]));
        assert!(
            matches!(&found[1], WeightFault::TooLarge { index, value, .. } if index == &[0] && *value == 1e300)
        );
    }

    #[test]
    fn narrow_types_are_widened_and_wide_ones_rounded() {
        let values = [1.0_f32, -2.5, 0.125, 65504.0, -0.0, 6.1e-5];
        let b = ("b.weight", "F64", "[1]", bytes([0.1_f64.to_le_bytes()]));
        let half = bytes(values.map(|x| f16::from_f32(x).to_le_bytes()));
        let found = loaded(&written(&[("a.weight", "F16", "[3,2]", half), b.clone()])).unwrap();
        assert_eq!(found[0], values.map(|x| f16::from_f32(x).to_f32()));
        assert_eq!(found[1], [0.1_f32]);
        let brain = bytes(values.map(|x| bf16::from_f32(x).to_le_bytes()));
        let found = loaded(&written(&[("a.weight", "BF16", "[3,2]", brain), b])).unwrap();
        assert_eq!(found[0], values.map(|x| bf16::from_f32(x).to_f32()));
    }

    #[test]
    fn other_types_are_refused_by_name() {
        let a = ("a.weight", "I64", "[3,2]", vec![0; 48]);
        let b = ("b.weight", "F32", "[1]", vec![0; 4]);
        let found = faults(loaded(&written(&[a, b])).unwrap_err());
        assert_eq!(
            found.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["`a.weight` must be of type f32, f64, f16 or bf16, found i64"]
        );
    }

    #[test]
    fn a_network_that_could_not_be_loaded_is_not_saved() {
        let (folder, path) = file();
        let mut network = both(VALUES);
        network.0.view_mut()[[2, 1]] = f32::INFINITY;
        let error = save(&network, &path).unwrap_err();
        assert_eq!(
            error.to_string(),
            "weight `a.weight` is inf at index `(2, 1)`; weights must be finite"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn other_formats_are_refused_with_advice() {
        for start in [&b"PK\x03\x04rest"[..], b"\x80\x02\x8a\x0al\xfc\x9c"] {
            let error = loaded(start).unwrap_err().to_string();
            assert!(error.contains("PyTorch"), "{error}");
        }
        assert!(loaded(b"").unwrap_err().to_string().contains("it is empty"));
    }
}

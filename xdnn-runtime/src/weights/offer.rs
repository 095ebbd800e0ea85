//! Tensors that a file offers, matched against what a network wants.

use std::borrow::Cow;
use std::collections::BTreeMap;

use half::{bf16, f16};
use ndarray::{ArrayD, IxDyn};
use strsim::levenshtein;
use xdnn_ir::NetworkSpec;

use super::WeightFault;
use crate::finite::{first_non_finite, unravel};
use crate::{Error, Result};

/// A tensor of a file.
pub(crate) struct Offer<'a> {
    pub name: String,
    pub shape: Vec<usize>,
    pub numbers: Numbers<'a>,
}

/// The numbers of a tensor: little-endian bytes, row-major.
pub(crate) enum Numbers<'a> {
    F32(Cow<'a, [u8]>),
    F64(Cow<'a, [u8]>),
    F16(Cow<'a, [u8]>),
    Bf16(Cow<'a, [u8]>),
    /// A type that is not read, by its name.
    Other(String),
}

/// One array for each weight of `spec` and in that order, or every fault of what `source_name` offers.
pub(crate) fn accept(
    spec: &NetworkSpec,
    source_name: String,
    offers: Vec<Offer<'_>>,
) -> Result<Vec<ArrayD<f32>>> {
    let mut offers: BTreeMap<String, Offer<'_>> = offers
        .into_iter()
        .map(|offer| (offer.name.clone(), offer))
        .collect();
    let (mut arrays, mut faults) = (Vec::new(), Vec::new());
    for weight in spec.weights() {
        let (name, shape) = (weight.name.clone(), weight.shape.dims());
        let found = match offers.remove(weight.name.as_ref()) {
            Some(offer) => convert(name, shape, offer),
            None => Err(WeightFault::Missing {
                name,
                shape: shape.to_vec(),
            }),
        };
        match found {
            Ok(array) => arrays.push(array),
            Err(fault) => faults.push(fault),
        }
    }
    for (name, offer) in offers {
        let meant = meant(&name, &offer.shape, &faults);
        faults.push(WeightFault::Extra {
            name,
            shape: offer.shape,
            meant,
        });
    }
    if faults.is_empty() {
        return Ok(arrays);
    }
    Err(Error::Weights {
        source_name,
        faults,
    })
}

fn convert(
    name: Cow<'static, str>,
    expected: &[usize],
    offer: Offer<'_>,
) -> Result<ArrayD<f32>, WeightFault> {
    if offer.shape != expected {
        return Err(WeightFault::Shape {
            name,
            expected: expected.to_vec(),
            found: offer.shape,
        });
    }
    let values: Vec<f32> = match offer.numbers {
        Numbers::F32(bytes) => numbers(&bytes, f32::from_le_bytes),
        Numbers::F16(bytes) => numbers(&bytes, |bytes| f16::from_le_bytes(bytes).to_f32()),
        Numbers::Bf16(bytes) => numbers(&bytes, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        Numbers::F64(bytes) => {
            let wide = numbers(&bytes, f64::from_le_bytes);
            let too_large = |value: &f64| value.is_finite() && !(*value as f32).is_finite();
            if let Some((position, &value)) =
                wide.iter().enumerate().find(|(_, value)| too_large(value))
            {
                return Err(WeightFault::TooLarge {
                    name,
                    index: unravel(position, expected),
                    value,
                });
            }
            wide.into_iter().map(|value| value as f32).collect()
        }
        Numbers::Other(found) => return Err(WeightFault::Dtype { name, found }),
    };
    if let Some(position) = first_non_finite(&values) {
        return Err(WeightFault::NonFinite {
            name,
            index: unravel(position, expected),
            value: values.get(position).copied().unwrap_or(f32::NAN),
        });
    }
    let found = values.len();
    ArrayD::from_shape_vec(IxDyn(expected), values).map_err(|_| WeightFault::Shape {
        name,
        expected: expected.to_vec(),
        found: vec![found],
    })
}

fn numbers<T, const SIZE: usize>(bytes: &[u8], number: impl Fn([u8; SIZE]) -> T) -> Vec<T> {
    bytes
        .as_chunks()
        .0
        .iter()
        .map(|&bytes| number(bytes))
        .collect()
}

/// The missing weight that an extra one of the same shape is probably meant to be: its name differs by a prefix, such
/// as the `module.` of parallel training, or by a few letters.
fn meant(name: &str, shape: &[usize], faults: &[WeightFault]) -> Option<Cow<'static, str>> {
    let missing = faults.iter().filter_map(|fault| match fault {
        WeightFault::Missing {
            name,
            shape: missing,
        } if missing == shape => Some(name),
        _ => None,
    });
    let near = missing.map(|missing| {
        let prefixed = name
            .strip_suffix(missing.as_ref())
            .is_some_and(|prefix| prefix.ends_with('.'));
        let letters = if prefixed {
            0
        } else {
            levenshtein(name, missing)
        };
        (letters, missing)
    });
    let (letters, nearest) = near.min_by_key(|(letters, _)| *letters)?;
    (letters <= name.chars().count() / 4).then(|| nearest.clone())
}

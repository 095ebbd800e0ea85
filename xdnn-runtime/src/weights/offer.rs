//! Tensors that a file offers, matched against what a network wants.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use half::{bf16, f16};
use ndarray::{ArrayD, IxDyn};
use strsim::levenshtein;
use xdnn_ir::NetworkSpec;

use super::WeightFault;
use super::file::unread;
use crate::finite::{first_non_finite, unravel};
use crate::{Error, Result};

/// A tensor of a file.
pub(crate) struct Offer {
    pub name: String,
    pub shape: Vec<usize>,
    pub numbers: Numbers,
    /// Where its bytes are.
    pub bytes: Range<u64>,
}

/// The numbers of a tensor: little-endian, row-major.
pub(crate) enum Numbers {
    F32,
    F64,
    F16,
    Bf16,
    /// A type that is not read, by its name.
    Other(String),
}

/// How many bytes are read at a time.
const PIECE: usize = 1 << 18;

/// One array for each weight of `spec` and in that order, or every fault of what a file offers.
pub(crate) fn accept(
    spec: &NetworkSpec,
    path: &Path,
    offers: Vec<Offer>,
    file: &mut (impl Read + Seek),
) -> Result<Vec<ArrayD<f32>>> {
    let mut offers: BTreeMap<String, Offer> = offers
        .into_iter()
        .map(|offer| (offer.name.clone(), offer))
        .collect();
    let (mut arrays, mut faults) = (Vec::new(), Vec::new());
    for weight in spec.weights() {
        let (name, shape) = (weight.name.clone(), weight.shape.dims());
        let found = match offers.remove(weight.name.as_ref()) {
            Some(offer) => {
                let bytes = offer.bytes.end - offer.bytes.start;
                let failed = |cause: io::Error| match cause.kind() {
                    io::ErrorKind::OutOfMemory => Error::OutOfMemory {
                        what: format!("`{}` of `{}`", weight.name, path.display()).into(),
                        bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
                    },
                    _ => unread(path, cause),
                };
                convert(name, shape, offer, file).map_err(failed)?
            }
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
        source_name: format!("`{}`", path.display()),
        faults,
    })
}

fn convert(
    name: Cow<'static, str>,
    expected: &[usize],
    offer: Offer,
    file: &mut (impl Read + Seek),
) -> io::Result<Result<ArrayD<f32>, WeightFault>> {
    if offer.shape != expected {
        return Ok(Err(WeightFault::Shape {
            name,
            expected: expected.to_vec(),
            found: offer.shape,
        }));
    }
    let bytes = offer.bytes;
    let values: Vec<f32> = match offer.numbers {
        Numbers::F32 => numbers(file, bytes, f32::from_le_bytes)?,
        Numbers::F16 => numbers(file, bytes, |bytes| f16::from_le_bytes(bytes).to_f32())?,
        Numbers::Bf16 => numbers(file, bytes, |bytes| bf16::from_le_bytes(bytes).to_f32())?,
        Numbers::F64 => {
            let (mut position, mut too_large) = (0, None);
            let values = numbers(file, bytes, |bytes| {
                let value = f64::from_le_bytes(bytes);
                if value.is_finite() && !(value as f32).is_finite() {
                    too_large.get_or_insert((position, value));
                }
                position += 1;
                value as f32
            })?;
            if let Some((position, value)) = too_large {
                return Ok(Err(WeightFault::TooLarge {
                    name,
                    index: unravel(position, expected),
                    value,
                }));
            }
            values
        }
        Numbers::Other(found) => return Ok(Err(WeightFault::Dtype { name, found })),
    };
    if let Some(position) = first_non_finite(&values) {
        return Ok(Err(WeightFault::NonFinite {
            name,
            index: unravel(position, expected),
            value: values.get(position).copied().unwrap_or(f32::NAN),
        }));
    }
    let found = values.len();
    let array = ArrayD::from_shape_vec(IxDyn(expected), values);
    Ok(array.map_err(|_| WeightFault::Shape {
        name,
        expected: expected.to_vec(),
        found: vec![found],
    }))
}

/// The numbers of some bytes of a file. Only a piece of these is in memory at a time.
fn numbers<T, const SIZE: usize>(
    file: &mut (impl Read + Seek),
    bytes: Range<u64>,
    mut number: impl FnMut([u8; SIZE]) -> T,
) -> io::Result<Vec<T>> {
    file.seek(SeekFrom::Start(bytes.start))?;
    let mut left = usize::try_from(bytes.end - bytes.start).unwrap_or(usize::MAX);
    let mut numbers = Vec::new();
    let memory = |_| io::Error::from(io::ErrorKind::OutOfMemory);
    numbers.try_reserve_exact(left / SIZE).map_err(memory)?;
    let mut piece = vec![0; PIECE.min(left)];
    while left > 0 {
        let piece = &mut piece[..PIECE.min(left)];
        file.read_exact(piece)?;
        numbers.extend(piece.as_chunks().0.iter().map(|&bytes| number(bytes)));
        left -= piece.len();
    }
    Ok(numbers)
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

use std::fmt;

use ndarray::{ArrayD, IxDyn};

use super::{Unreadable, proto};

/// A tensor of one of the element types that our layers or their arguments can have.
#[derive(Clone, Debug, PartialEq)]
pub enum Tensor {
    F32(ArrayD<f32>),
    I64(ArrayD<i64>),
    Bool(ArrayD<bool>),
}

impl Tensor {
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::F32(values) => values.shape(),
            Self::I64(values) => values.shape(),
            Self::Bool(values) => values.shape(),
        }
    }
}

impl TryFrom<proto::Tensor> for Tensor {
    type Error = Unreadable;

    fn try_from(tensor: proto::Tensor) -> Result<Self, Unreadable> {
        let dims = tensor
            .dims
            .iter()
            .map(|&dim| usize::try_from(dim))
            .collect::<Result<Vec<_>, _>>();
        let dims = dims.map_err(|_| Unreadable::Length)?;
        let raw = &tensor.raw_data;
        match tensor.data_type {
            proto::FLOAT => {
                array(&dims, elements(raw, f32::from_le_bytes)?, tensor.float_data).map(Self::F32)
            }
            proto::INT64 => {
                array(&dims, elements(raw, i64::from_le_bytes)?, tensor.int64_data).map(Self::I64)
            }
            proto::BOOL => {
                let typed = tensor.int32_data.iter().map(|&value| value != 0).collect();
                array(&dims, elements(raw, |[byte]| byte != 0)?, typed).map(Self::Bool)
            }
            other => Err(Unreadable::ElementType(other)),
        }
    }
}

fn elements<T, const N: usize>(raw: &[u8], decode: fn([u8; N]) -> T) -> Result<Vec<T>, Unreadable> {
    let (chunks, rest) = raw.as_chunks::<N>();
    if rest.is_empty() {
        Ok(chunks.iter().copied().map(decode).collect())
    } else {
        Err(Unreadable::Length)
    }
}

fn array<T>(dims: &[usize], raw: Vec<T>, typed: Vec<T>) -> Result<ArrayD<T>, Unreadable> {
    let values = if raw.is_empty() { typed } else { raw };
    ArrayD::from_shape_vec(IxDyn(dims), values).map_err(|_| Unreadable::Length)
}

/// `f32[1, 3, 32, 32]`
impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let element = match self {
            Self::F32(_) => "f32",
            Self::I64(_) => "i64",
            Self::Bool(_) => "bool",
        };
        write!(f, "{element}{:?}", self.shape())
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{arr0, arr2};
    use prost::Message;

    use super::*;

    fn decode(bytes: &[u8]) -> Result<Tensor, Unreadable> {
        proto::Tensor::decode(bytes)?.try_into()
    }

    #[test]
    fn raw_data_are_little_endian() {
        let dims_one_by_one = [0x08, 1, 0x08, 2];
        let float = [0x10, 1];
        let one_and_minus_two = [0x4a, 8, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0];
        let bytes = [&dims_one_by_one[..], &float, &one_and_minus_two].concat();
        assert_eq!(
            decode(&bytes),
            Ok(Tensor::F32(arr2(&[[1.0, -2.0]]).into_dyn()))
        );
    }

    #[test]
    fn typed_data_are_varints() {
        let packed_dims = [0x0a, 2, 2, 1];
        let int64 = [0x10, 7];
        let packed_3_and_minus_1 = [
            0x3a, 11, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
        ];
        let bytes = [&packed_dims[..], &int64, &packed_3_and_minus_1].concat();
        assert_eq!(
            decode(&bytes),
            Ok(Tensor::I64(arr2(&[[3], [-1]]).into_dyn()))
        );
    }

    #[test]
    fn a_scalar_has_no_dimensions() {
        assert_eq!(
            decode(&[0x10, 9, 0x4a, 1, 1]),
            Ok(Tensor::Bool(arr0(true).into_dyn()))
        );
    }

    #[test]
    fn dimensions_must_fit_the_data() {
        assert_eq!(
            decode(&[0x08, 2, 0x10, 1, 0x4a, 4, 0, 0, 0, 0]),
            Err(Unreadable::Length)
        );
        assert_eq!(
            decode(&[0x08, 1, 0x10, 1, 0x4a, 3, 0, 0, 0]),
            Err(Unreadable::Length)
        );
    }

    #[test]
    fn element_types_that_no_layer_has_are_named() {
        assert_eq!(
            decode(&[0x10, 11]).unwrap_err().to_string(),
            "elements of double"
        );
    }
}

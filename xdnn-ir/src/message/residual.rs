//! What is said about the two paths of a `residual`.

use super::Explanation;
use super::text::Part::{Degree, Number, Shape, Str};
use super::text::{Text, text};
use crate::Fault;

/// The message about the sum of the two paths. `has_skip` says whether the second one is written out.
pub const fn explain(fault: &Fault, has_skip: bool) -> Explanation {
    let explanation = fault.explain("sum");
    match *fault {
        Fault::DegreesDiffer { first, other, .. } => Explanation {
            headline: text(
                "the two paths of this `residual` have different degrees: {} and {}",
                &[Degree(first), Degree(other)],
            ),
            help: Some(text(
                "a `residual` adds its paths: give both the same degree, or multiply them with `product`",
                &[],
            )),
            ..explanation
        },
        Fault::ShapesDiffer { first, other, .. } => Explanation {
            headline: text(
                "the two paths of this `residual` have different shapes: {} and {}",
                &[Shape(first), Shape(other)],
            ),
            help: Some(match projection(first, other) {
                Some(projection) if has_skip => text(
                    "make the skip path end like `{}`",
                    &[Str(projection.as_str())],
                ),
                Some(projection) => text(
                    "give it a skip path that projects: `residual { … } skip { {} }`",
                    &[Str(projection.as_str())],
                ),
                None => text("make both paths end with the same shape", &[]),
            }),
            ..explanation
        },
        _ => explanation,
    }
}

/// The layer that brings the skipped value to the shape of the other path.
const fn projection(through: crate::Shape, around: crate::Shape) -> Option<Text> {
    match (through.dims(), around.dims()) {
        ([features], [_]) => Some(text("project: Linear({})", &[Number(*features)])),
        ([channels, height, width], [_, h, w]) => {
            let Some(stride) = h.checked_div(*height) else {
                return None;
            };
            if stride == 0 || h.div_ceil(stride) != *height || w.div_ceil(stride) != *width {
                return None;
            }
            let channels = Number(*channels);
            Some(if stride == 1 {
                text("project: Conv2d({}, kernel = 1)", &[channels])
            } else {
                text(
                    "project: Conv2d({}, kernel = 1, stride = {})",
                    &[channels, Number(stride)],
                )
            })
        }
        _ => None,
    }
}

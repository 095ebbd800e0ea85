//! Index arithmetic as text.

use xdnn_ir::{MAX_RANK, Shape};

/// The dot product of the index that counts elements of `shape` in row-major order and strides, as text. Axes that lie one within the other are one.
pub(super) fn offset(shape: Shape, strides: &[usize; MAX_RANK], index: &str) -> String {
    let mut axes: Vec<(usize, usize)> = Vec::new();
    for (dim, stride) in shape.dims().iter().zip(strides) {
        match axes.last_mut() {
            _ if *dim == 1 => {}
            Some((size, outer)) if *outer == stride * dim => {
                (*size, *outer) = (*size * dim, *stride)
            }
            _ => axes.push((*dim, *stride)),
        }
    }
    let mut inner = 1;
    let mut terms = Vec::new();
    for (i, (dim, stride)) in axes.iter().enumerate().rev() {
        if *stride > 0 {
            let mut term = divided(index, inner);
            if i > 0 {
                term = format!("{term} % {dim}u");
            }
            terms.push(times(&term, *stride));
        }
        inner *= dim;
    }
    match terms.is_empty() {
        true => "0u".to_owned(),
        false => terms.join(" + "),
    }
}

/// `index / divisor`
pub(super) fn divided(index: &str, divisor: usize) -> String {
    match divisor {
        1 => index.to_owned(),
        divisor => format!("{index} / {divisor}u"),
    }
}

/// `term · factor`
fn times(term: &str, factor: usize) -> String {
    match factor {
        1 => term.to_owned(),
        factor => format!("({term}) * {factor}u"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_merged() {
        let strides = |strides: &[usize]| {
            let mut all = [0; MAX_RANK];
            all[..strides.len()].copy_from_slice(strides);
            all
        };
        let shape = Shape::new([2, 3, 4]);
        assert_eq!(offset(shape, &strides(&[12, 4, 1]), "i"), "i");
        assert_eq!(offset(shape, &strides(&[0, 4, 1]), "i"), "i % 12u");
        assert_eq!(offset(shape, &strides(&[1, 0, 0]), "i"), "i / 12u");
        assert_eq!(
            offset(shape, &strides(&[1, 8, 2]), "i"),
            "(i % 12u) * 2u + i / 12u"
        );
        assert_eq!(offset(shape, &strides(&[0, 0, 0]), "i"), "0u");
    }
}

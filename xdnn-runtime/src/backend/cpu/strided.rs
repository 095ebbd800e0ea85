//! Loops over every `step`-th element, written so that the common steps vectorise.

/// The elements from the first on, `step` apart, of which there are to be `count`.
fn reach(count: usize, step: usize) -> usize {
    count.saturating_sub(1) * step + count.min(1)
}

/// Calls `f(y, x)` for each element of `y`, and as many of `x`, which are `step` apart.
#[inline(always)]
pub(super) fn read(y: &mut [f32], x: &[f32], step: usize, f: impl Fn(&mut f32, f32)) {
    let x = &x[..reach(y.len(), step)];
    match step {
        1 => y.iter_mut().zip(x).for_each(|(y, x)| f(y, *x)),
        2 => {
            let (pairs, last) = x.as_chunks::<2>();
            let (most, rest) = y.split_at_mut(pairs.len());
            most.iter_mut().zip(pairs).for_each(|(y, x)| f(y, x[0]));
            rest.iter_mut().zip(last).for_each(|(y, x)| f(y, *x));
        }
        _ => {
            for (i, y) in y.iter_mut().enumerate() {
                f(y, x[i * step]);
            }
        }
    }
}

/// Calls `f(x, y)` for each element of `y`, and as many of `x`, which are `step` apart.
#[inline(always)]
pub(super) fn write(x: &mut [f32], step: usize, y: &[f32], f: impl Fn(&mut f32, f32)) {
    let x = &mut x[..reach(y.len(), step)];
    match step {
        1 => x.iter_mut().zip(y).for_each(|(x, y)| f(x, *y)),
        _ => {
            for (i, y) in y.iter().enumerate() {
                f(&mut x[i * step], *y);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_reads_and_writes_what_it_should() {
        let x: Vec<f32> = (0..40).map(|i| i as f32).collect();
        for step in 1..5 {
            for count in 0..8 {
                let expected: Vec<f32> = (0..count).map(|i| (i * step) as f32).collect();
                let mut y = vec![0.0; count];
                read(&mut y, &x, step, |y, x| *y += x);
                assert_eq!(y, expected);
                let mut back = vec![0.0; 40];
                write(&mut back, step, &y, |x, y| *x += y);
                assert_eq!(back.iter().sum::<f32>(), expected.iter().sum::<f32>());
                assert!(y.iter().enumerate().all(|(i, y)| back[i * step] == *y));
            }
        }
    }
}

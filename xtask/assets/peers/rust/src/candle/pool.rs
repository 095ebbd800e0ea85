//! The largest value of each window, with the gradient that candle has for no windows but disjoint ones.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

pub struct MaxPool {
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
}

impl MaxPool {
    fn size(&self, size: usize) -> usize {
        (size + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// For each window where its largest value is, the first of several.
    fn winners(&self, x: &[f32], (planes, height, width): (usize, usize, usize)) -> Vec<usize> {
        let inside = |i: usize, size: usize| {
            let start = i * self.stride;
            start.saturating_sub(self.padding)..(start + self.kernel - self.padding).min(size)
        };
        let mut winners = Vec::with_capacity(planes * self.size(height) * self.size(width));
        for plane in 0..planes {
            for i in 0..self.size(height) {
                for j in 0..self.size(width) {
                    let (mut winner, mut most) = (0, f32::NEG_INFINITY);
                    for row in inside(i, height) {
                        for column in inside(j, width) {
                            let at = (plane * height + row) * width + column;
                            if x[at] > most {
                                (winner, most) = (at, x[at]);
                            }
                        }
                    }
                    winners.push(winner);
                }
            }
        }
        winners
    }
}

impl CustomOp1 for MaxPool {
    fn name(&self) -> &'static str {
        "max-pool"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("not contiguous")
        };
        let (n, c, height, width) = layout.shape().dims4()?;
        let x = &storage.as_slice::<f32>()?[start..end];
        let winners = self.winners(x, (n * c, height, width));
        let y = winners.into_iter().map(|winner| x[winner]).collect();
        Ok((
            CpuStorage::F32(y),
            (n, c, self.size(height), self.size(width)).into(),
        ))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (n, c, height, width) = x.dims4()?;
        let values = x.flatten_all()?.to_vec1()?;
        let winners = self.winners(&values, (n * c, height, width));
        let mut result = vec![0.0; values.len()];
        for (winner, gradient) in winners
            .into_iter()
            .zip(gradient.flatten_all()?.to_vec1::<f32>()?)
        {
            result[winner] += gradient;
        }
        Ok(Some(Tensor::from_vec(result, x.shape(), x.device())?))
    }
}

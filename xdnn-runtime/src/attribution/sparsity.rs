//! How few elements an attribution rests on.

use ndarray::Axis;

use super::Attribution;
use crate::backend::Element;

impl<T: Element> Attribution<T> {
    /// How sparse the attributions are: the Gini coefficient of `v`, the mean of `|A|` over the samples, with the `n`
    /// elements of all inputs together. From 0, where all are attributed alike, to `1 − 1/n`, where one takes all; 0 where
    /// nothing is attributed.
    ///
    /// `Gini(v) = Σᵢⱼ |vᵢ − vⱼ| / (2n · Σᵢ vᵢ)`: what [`Prior::Gini`](crate::training::Prior::Gini) trains for.
    pub fn gini(&self) -> f64 {
        let mut sizes: Vec<f64> = Vec::new();
        for values in &self.values {
            let size = |value: &T| value.to_f64().map_or(f64::NAN, f64::abs);
            sizes.extend(values.map(size).sum_axis(Axis(0)));
        }
        sizes.sort_unstable_by(f64::total_cmp);
        let (n, total) = (sizes.len() as f64, sizes.iter().sum::<f64>());
        if total == 0.0 {
            return 0.0;
        }
        let ranked = sizes.iter().enumerate();
        let differences: f64 = ranked.map(|(i, v)| (2.0 * i as f64 + 1.0 - n) * v).sum();
        differences / (n * total)
    }
}

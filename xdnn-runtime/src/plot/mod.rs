//! Pictures of attributions: each image beside the map that explains it.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use ndarray::Array2;
//! use xdnn_runtime::plot::Figure;
//!
//! let image = Array2::from_shape_fn((8, 8), |(y, x)| (x + y) as f32 / 14.0);
//! let attribution = Array2::from_shape_fn((8, 8), |(y, x)| x as f32 - y as f32);
//!
//! let mut figure = Figure::new("X-Gradient on handwritten digits").columns(4);
//! figure.pair(&image, &attribution, "5 · logit 8.31")?;
//! # let path = std::env::temp_dir().join(format!("xdnn-plot-{}.png", std::process::id()));
//! figure.save(&path)?;
//! # std::fs::remove_file(&path)?;
//! # Ok(())
//! # }
//! ```
//!
//! An attribution `a` of shape `(C, H, W)` becomes the map `m[y, x] = Σ_c a[c, y, x]`, drawn as
//! [`diverging`]`(m / s)`, where `s = max |m|` of that map, or a percentile of `|m|` set by
//! [`Figure::percentile`]. Zero is always the neutral colour. Maps of one figure therefore compare in
//! pattern, not in magnitude.
//!
//! Text is set in [Inter](https://github.com/rsms/inter) (SIL Open Font License 1.1), which the crate
//! carries: no font of the system is read.

mod canvas;
mod colour;
mod error;
mod figure;
mod layout;
mod legend;
mod resample;
mod save;
mod tensor;
mod text;
mod theme;

pub use colour::diverging;
pub use error::PlotError;
pub use figure::Figure;

use std::path::Path;

use ndarray::{Array2, Array3, ArrayRef, Dimension};

use super::{PlotError, save, tensor};

/// A grid of pairs "image | attribution map", with captions, a title and a colour bar.
///
/// Settings take and return the figure; [`pair`](Self::pair) adds to it in place, row by row.
#[derive(Clone, Debug)]
pub struct Figure {
    pub(super) title: String,
    pub(super) columns: usize,
    pub(super) tile: usize,
    pub(super) percentile: f64,
    pub(super) against: String,
    pub(super) in_favour: String,
    pub(super) pairs: Vec<Pair>,
}

#[derive(Clone, Debug)]
pub(super) struct Pair {
    /// `(3, H, W)`, in `[0, 1]`.
    pub(super) image: Array3<f64>,
    /// `(H, W)`, finite.
    pub(super) map: Array2<f64>,
    pub(super) caption: String,
}

impl Figure {
    /// An empty figure of four columns under `title`, which may be empty.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            columns: 4,
            tile: 168,
            percentile: 100.0,
            against: "against the class".to_owned(),
            in_favour: "for the class".to_owned(),
            pairs: Vec::new(),
        }
    }

    /// How many pairs stand side by side; 0 counts as 1.
    #[must_use]
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = columns.max(1);
        self
    }

    /// The side of the square that each image and each map has to fit into, in pixels: 168 unless told, at
    /// least 16 and at most 4096.
    ///
    /// Smaller images are enlarged by the largest whole number that fits, larger ones reduced by means over
    /// areas. A map is reduced before it is scaled and coloured.
    #[must_use]
    pub fn tile(mut self, pixels: usize) -> Self {
        self.tile = pixels.clamp(16, 4096);
        self
    }

    /// Which percentile of `|map|`, in `(0, 100]`, takes the full colour; values beyond it are clipped.
    ///
    /// 100, the maximum, unless told; 99 or so shows the rest of a map that has a few extreme pixels. Where
    /// the percentile of a map is 0, its maximum takes its place.
    #[must_use]
    pub fn percentile(mut self, percentile: f64) -> Self {
        self.percentile = percentile;
        self
    }

    /// What negative and positive values mean, written at the ends of the colour bar:
    /// "against the class" and "for the class" unless told.
    #[must_use]
    pub fn legend(mut self, negative: impl Into<String>, positive: impl Into<String>) -> Self {
        self.against = negative.into();
        self.in_favour = positive.into();
        self
    }

    /// Adds an image, its attribution and a caption, which wraps to the width of the pair.
    ///
    /// - `image`: `(H, W)`, `(1, H, W)` or `(3, H, W)`. Values within `[0, 1]` run from black to white (or
    ///   are red, green, blue); an image with others is stretched from its minimum to its maximum.
    /// - `attribution`: `(H, W)` or `(C, H, W)` with the same `H` and `W`, summed over its channels.
    ///
    /// # Errors
    ///
    /// [`PlotError::Shape`], [`PlotError::Mismatch`] and [`PlotError::NonFinite`]; the figure is unchanged.
    pub fn pair<A, B, D, E>(
        &mut self,
        image: &ArrayRef<A, D>,
        attribution: &ArrayRef<B, E>,
        caption: impl Into<String>,
    ) -> Result<&mut Self, PlotError>
    where
        A: Copy + Into<f64>,
        B: Copy + Into<f64>,
        D: Dimension,
        E: Dimension,
    {
        let image = tensor::picture(image)?;
        let map = tensor::map(attribution)?;
        let (_, height, width) = image.dim();
        if (height, width) != map.dim() {
            return Err(PlotError::Mismatch {
                image: (height, width),
                attribution: map.dim(),
            });
        }
        let caption = caption.into();
        self.pairs.push(Pair {
            image,
            map,
            caption,
        });
        Ok(self)
    }

    /// Draws the figure as the bytes of a PNG file.
    ///
    /// # Errors
    ///
    /// Those of [`render`](Self::render), and [`PlotError::Encode`].
    pub fn png(&self) -> Result<Vec<u8>, PlotError> {
        save::encode(&self.render()?)
    }

    /// Draws the figure into a PNG file, which is written whole or not at all.
    ///
    /// # Errors
    ///
    /// Those of [`png`](Self::png), and [`PlotError::Write`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), PlotError> {
        save::write_atomically(path.as_ref(), &self.png()?)
    }
}

#[cfg(test)]
mod tests {
    use std::{env, fs, io, path::PathBuf, process};

    use ndarray::{Array4, Axis, array};

    use super::*;

    /// A folder that is removed when the test ends.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = env::temp_dir().join(format!("xdnn-plot-{name}-{}", process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn files(&self) -> usize {
            fs::read_dir(&self.0).unwrap().count()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    fn digits(count: usize, caption: &str) -> Figure {
        let images = Array4::from_shape_fn((count, 1, 8, 8), |(n, _, y, x)| {
            ((n + 3 * y + 5 * x) % 7) as f32 / 6.0
        });
        let attributions = images.mapv(|value| f64::from(value) - 0.5);
        let mut figure = Figure::new("digits").columns(3);
        for (image, attribution) in images.outer_iter().zip(attributions.outer_iter()) {
            figure.pair(&image, &attribution, caption).unwrap();
        }
        figure
    }

    #[test]
    fn captions_and_titles_are_drawn() {
        let picture = digits(1, "5 · logit 8.31").render().unwrap();
        assert_ne!(picture, digits(1, "6 · logit 8.31").render().unwrap());
        let mut retitled = digits(1, "5 · logit 8.31");
        retitled.title = "digitS".to_owned();
        assert_ne!(picture, retitled.render().unwrap());
    }

    #[test]
    fn an_attribution_of_zeros_is_a_neutral_map() {
        let mut figure = Figure::new("");
        let zeros = Array2::<f32>::zeros((8, 8));
        figure.pair(&zeros, &zeros, "").unwrap();
        let picture = figure.render().unwrap();
        let neutral = picture
            .lanes(Axis(2))
            .into_iter()
            .filter(|pixel| pixel.iter().all(|&byte| byte == 0xf7))
            .count();
        assert!(neutral >= 168 * 168);
    }

    #[test]
    fn a_pair_that_is_refused_changes_nothing() {
        let mut figure = digits(1, "");
        let before = figure.render().unwrap();
        assert!(matches!(
            figure.pair(&array![[1.0]], &array![[f64::NAN]], ""),
            Err(PlotError::NonFinite { .. })
        ));
        assert!(matches!(
            figure.pair(&array![[1.0]], &array![[1.0, 2.0]], ""),
            Err(PlotError::Mismatch { .. })
        ));
        assert_eq!(before, figure.render().unwrap());
    }

    #[test]
    fn figures_that_cannot_be_drawn_say_why() {
        assert!(matches!(Figure::new("").render(), Err(PlotError::Empty)));
        for percentile in [0.0, -1.0, 100.1, f64::NAN] {
            let figure = digits(1, "").percentile(percentile);
            assert!(matches!(figure.render(), Err(PlotError::Percentile(_))));
        }
        let wide = digits(9, "").columns(usize::MAX).tile(usize::MAX);
        assert!(matches!(wide.render(), Err(PlotError::TooLarge { .. })));
    }

    #[test]
    fn a_file_holds_the_picture() {
        let folder = Folder::new("file");
        let (figure, path) = (digits(5, "5"), folder.0.join("digits.png"));
        fs::write(&path, "older").unwrap();
        figure.save(&path).unwrap();

        let decoder = png::Decoder::new(io::Cursor::new(fs::read(&path).unwrap()));
        let mut reader = decoder.read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        let picture = figure.render().unwrap();
        let (height, width) = (info.height as usize, info.width as usize);
        assert_eq!(picture.dim(), (height, width, 3));
        assert!(picture.iter().eq(&bytes));
        assert_eq!(folder.files(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_written_leaves_nothing_behind() {
        let folder = Folder::new("refused");
        let missing = folder.0.join("missing").join("digits.png");
        assert!(matches!(
            digits(1, "").save(&missing),
            Err(PlotError::Write { path, .. }) if path == missing
        ));
        let taken = folder.0.join("taken.png");
        fs::create_dir(&taken).unwrap();
        assert!(matches!(
            digits(1, "").save(&taken),
            Err(PlotError::Write { .. })
        ));
        assert_eq!(folder.files(), 1);
        assert!(digits(1, "").save("").is_err());
    }
}

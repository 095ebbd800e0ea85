use ab_glyph::{Font, FontRef, Glyph, PxScale, ScaleFont, point};

use super::{
    PlotError,
    canvas::Canvas,
    colour::{Rgb, mix},
};

const REGULAR: &[u8] = include_bytes!("../../assets/inter/Inter-Regular.ttf");
const SEMI_BOLD: &[u8] = include_bytes!("../../assets/inter/Inter-SemiBold.ttf");

#[derive(Clone, Copy)]
pub(super) enum Weight {
    Regular,
    SemiBold,
}

/// How text is set: font, pixels per em, colour.
pub(super) struct Face {
    font: FontRef<'static>,
    size: f32,
    colour: Rgb,
}

impl Face {
    pub(super) fn new(weight: Weight, size: f32, colour: Rgb) -> Result<Self, PlotError> {
        let bytes = match weight {
            Weight::Regular => REGULAR,
            Weight::SemiBold => SEMI_BOLD,
        };
        let font = FontRef::try_from_slice(bytes).map_err(|_| PlotError::Font)?;
        Ok(Self { font, size, colour })
    }

    /// From one baseline to the next, in pixels.
    pub(super) fn line_height(&self) -> usize {
        (self.size * 1.35).round() as usize
    }

    /// From the upper edge of a capital to the baseline, in pixels; Inter's capitals are 0.727 em high.
    pub(super) fn cap_height(&self) -> usize {
        (self.size * 0.727).round() as usize
    }

    pub(super) fn width(&self, text: &str) -> usize {
        self.set(text).1.ceil() as usize
    }

    /// Draws one line with its left end at `x` and the upper edge of its capitals at `y`.
    pub(super) fn draw(&self, canvas: &mut Canvas, x: usize, y: usize, text: &str) {
        let baseline = (y + self.cap_height()) as f32;
        for mut glyph in self.set(text).0 {
            glyph.position += point(x as f32, baseline);
            let Some(outline) = self.font.outline_glyph(glyph) else {
                continue;
            };
            let bounds = outline.px_bounds();
            outline.draw(|dx, dy, coverage| {
                let (x, y) = (bounds.min.x + dx as f32, bounds.min.y + dy as f32);
                if x < 0.0 || y < 0.0 {
                    return;
                }
                let (x, y) = (x as usize, y as usize);
                if let Some(below) = canvas.get(x, y) {
                    let coverage = f64::from(coverage.clamp(0.0, 1.0));
                    canvas.set(x, y, mix(below, self.colour, coverage));
                }
            });
        }
    }

    /// Breaks text into lines of at most `width` pixels, at line feeds and between words; a word that is
    /// itself too long ends in `…`.
    pub(super) fn wrap(&self, text: &str, width: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for paragraph in text.lines() {
            let mut line = String::new();
            for word in paragraph.split_whitespace() {
                let longer = match line.as_str() {
                    "" => word.to_owned(),
                    _ => format!("{line} {word}"),
                };
                if line.is_empty() || self.width(&longer) <= width {
                    line = longer;
                } else {
                    lines.push(std::mem::replace(&mut line, word.to_owned()));
                }
            }
            lines.push(line);
        }
        lines
            .into_iter()
            .map(|line| self.shorten(line, width))
            .collect()
    }

    fn shorten(&self, mut line: String, width: usize) -> String {
        if self.width(&line) <= width {
            return line;
        }
        while line.pop().is_some() && self.width(&format!("{line}…")) > width {}
        line.push('…');
        line
    }

    /// The glyphs of one line, from `(0, 0)` to the right, and where the next would begin.
    fn set(&self, text: &str) -> (Vec<Glyph>, f32) {
        let scale = self.font.units_per_em().map_or(self.size, |units| {
            // `PxScale` is the height of ascent and descent together, sizes of type are those of the em.
            self.size * self.font.height_unscaled() / units
        });
        let scaled = self.font.as_scaled(PxScale::from(scale));
        let mut end = 0.0;
        let glyphs = text
            .chars()
            .filter(|character| !character.is_control())
            .map(|character| {
                let id = scaled.glyph_id(character);
                let glyph = id.with_scale_and_position(scale, point(end, 0.0));
                end += scaled.h_advance(id);
                glyph
            })
            .collect();
        (glyphs, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face() -> Face {
        Face::new(Weight::Regular, 20.0, [0, 0, 0]).unwrap()
    }

    #[test]
    fn the_font_has_what_captions_need() {
        let text = "5 · logit −8.31 ± 0.02 → Σ ∂F/∂x ≈ 0, naïve Škoda “α” … ×";
        let missing: String = text
            .chars()
            .filter(|&character| face().font.glyph_id(character).0 == 0)
            .collect();
        assert_eq!(missing, "");
    }

    #[test]
    fn capitals_are_as_high_as_stated() {
        let face = Face::new(Weight::SemiBold, 200.0, [0, 0, 0]).unwrap();
        let glyph = face.set("H").0.remove(0);
        let bounds = face.font.outline_glyph(glyph).unwrap().px_bounds();
        assert!((bounds.height() - face.cap_height() as f32).abs() <= 1.0);
    }

    #[test]
    fn lines_break_between_words() {
        let width = face().width("predicted 5,");
        assert_eq!(
            face().wrap("predicted 5, logit 8.31\ntrue 3", width),
            ["predicted 5,", "logit 8.31", "true 3"]
        );
    }

    #[test]
    fn long_words_are_cut() {
        let lines = face().wrap("incomprehensibilities", 80);
        assert!(lines[0].ends_with('…') && face().width(&lines[0]) <= 80);
        assert_eq!(face().wrap("abc", 0), ["…"]);
        assert!(face().wrap("", 80).is_empty());
    }
}

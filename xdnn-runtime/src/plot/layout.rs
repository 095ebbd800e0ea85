use ndarray::{Array3, Axis};

use super::{
    Figure, PlotError,
    canvas::{Area, Canvas},
    colour,
    figure::Pair,
    legend::Legend,
    resample::{resample, shown_size},
    text::{Face, Weight},
    theme::{HAIRLINE, INK, SOFT_INK},
};

const MARGIN: usize = 48;
const BELOW_TITLE: usize = 40;
const BELOW_CAPTION: usize = 14;
const INSIDE_PAIR: usize = 8;
const BETWEEN_PAIRS: usize = 40;
const BETWEEN_ROWS: usize = 36;
const ABOVE_LEGEND: usize = 44;

impl Figure {
    /// Draws the figure as an sRGB picture of shape `(H, W, 3)`.
    ///
    /// # Errors
    ///
    /// [`PlotError::Empty`], [`PlotError::Percentile`] and [`PlotError::TooLarge`].
    pub fn render(&self) -> Result<Array3<u8>, PlotError> {
        draw(self)
    }
}

/// Draws the figure: title, rows of pairs with their captions above them, colour bar.
fn draw(figure: &Figure) -> Result<Array3<u8>, PlotError> {
    if figure.pairs.is_empty() {
        return Err(PlotError::Empty);
    }
    let title_face = Face::new(Weight::SemiBold, 34.0, INK)?;
    let caption_face = Face::new(Weight::Regular, 21.0, SOFT_INK)?;
    let legend = Legend::new(figure)?;

    let cell = cell_size(figure);
    let pair_width = 2 * cell.1 + INSIDE_PAIR;
    let columns = figure.columns.min(figure.pairs.len());
    let grid_width = columns * pair_width + (columns - 1) * BETWEEN_PAIRS;
    let width = grid_width.max(legend.width());

    let title = title_face.wrap(&figure.title, width);
    let captions: Vec<Vec<String>> = figure
        .pairs
        .iter()
        .map(|pair| caption_face.wrap(&pair.caption, pair_width))
        .collect();
    let row_captions: Vec<usize> = captions
        .chunks(columns)
        .map(|row| block_height(&caption_face, row.iter().map(Vec::len).max(), BELOW_CAPTION))
        .collect();

    let title_height = block_height(&title_face, Some(title.len()), BELOW_TITLE);
    let rows = row_captions.len();
    let grid_height =
        row_captions.iter().sum::<usize>() + rows * cell.0 + (rows - 1) * BETWEEN_ROWS;
    let height = title_height + grid_height + ABOVE_LEGEND + legend.height();
    let mut canvas = Canvas::new(width + 2 * MARGIN, height + 2 * MARGIN)?;

    let mut y = MARGIN;
    draw_lines(&mut canvas, &title_face, &title, MARGIN, y);
    y += title_height;
    for ((pairs, captions), caption_height) in figure
        .pairs
        .chunks(columns)
        .zip(captions.chunks(columns))
        .zip(row_captions)
    {
        for (column, (pair, caption)) in pairs.iter().zip(captions).enumerate() {
            let x = MARGIN + column * (pair_width + BETWEEN_PAIRS);
            let top = y + caption_height;
            let own_height = block_height(&caption_face, Some(caption.len()), BELOW_CAPTION);
            draw_lines(&mut canvas, &caption_face, caption, x, top - own_height);
            draw_pair(&mut canvas, figure, pair, (x, top))?;
        }
        y += caption_height + cell.0 + BETWEEN_ROWS;
    }
    legend.draw(&mut canvas, MARGIN, y - BETWEEN_ROWS + ABOVE_LEGEND);
    Ok(canvas.into_pixels())
}

/// Height and width that hold every image as it is shown.
fn cell_size(figure: &Figure) -> (usize, usize) {
    figure
        .pairs
        .iter()
        .map(|pair| shown_size(pair.map.dim(), figure.tile))
        .fold((0, 0), |(height, width), (shown_height, shown_width)| {
            (height.max(shown_height), width.max(shown_width))
        })
}

/// The height of that many lines and of the gap below them; nothing for no line.
fn block_height(face: &Face, lines: Option<usize>, gap: usize) -> usize {
    match lines {
        None | Some(0) => 0,
        Some(lines) => (lines - 1) * face.line_height() + face.cap_height() + gap,
    }
}

fn draw_lines(canvas: &mut Canvas, face: &Face, lines: &[String], x: usize, y: usize) {
    for (index, line) in lines.iter().enumerate() {
        face.draw(canvas, x, y + index * face.line_height(), line);
    }
}

/// Draws image and map side by side.
fn draw_pair(
    canvas: &mut Canvas,
    figure: &Figure,
    pair: &Pair,
    (x, y): (usize, usize),
) -> Result<(), PlotError> {
    let (height, width) = shown_size(pair.map.dim(), figure.tile);
    let left = Area {
        x,
        y,
        width,
        height,
    };
    let right = Area {
        x: x + width + INSIDE_PAIR,
        ..left
    };

    let shown = |channel| resample(pair.image.index_axis(Axis(0), channel), (height, width));
    let image = [shown(0), shown(1), shown(2)];
    canvas.paint(left, |x, y| {
        std::array::from_fn(|channel| (image[channel][[y, x]] * 255.0).round() as u8)
    });

    let map = resample(pair.map.view(), (height, width));
    let scale = colour::scale(map.view(), figure.percentile)?;
    canvas.paint(right, |x, y| colour::on_scale(map[[y, x]], scale));

    canvas.frame(left, 1, HAIRLINE);
    canvas.frame(right, 1, HAIRLINE);
    Ok(())
}

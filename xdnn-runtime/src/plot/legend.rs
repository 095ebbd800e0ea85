use super::{
    Figure, PlotError,
    canvas::{Area, Canvas},
    colour,
    text::{Face, Weight},
    theme::{FAINT_INK, HAIRLINE, SOFT_INK},
};

/// Odd, so that 0 has a column of its own in the middle.
const BAR_WIDTH: usize = 321;
const BAR_HEIGHT: usize = 18;
const BESIDE_BAR: usize = 16;
const TICK: usize = 7;
const ABOVE_NOTE: usize = 18;

/// The colour bar: what its ends mean on both sides, its numbers and their scale below.
pub(super) struct Legend<'a> {
    against: &'a str,
    in_favour: &'a str,
    /// What the value at the end of the bar is called.
    end: String,
    note: String,
    meaning: Face,
    small: Face,
}

impl<'a> Legend<'a> {
    pub(super) fn new(figure: &'a Figure) -> Result<Self, PlotError> {
        let percentile = figure.percentile;
        let (end, note) = if percentile == 100.0 {
            let note = "Each map has its own scale: max is its largest absolute value.";
            ("max".to_owned(), note.to_owned())
        } else {
            let note = "Each map has its own scale:";
            let what = format!("is percentile {percentile} of its absolute values.");
            (
                format!("p{percentile}"),
                format!("{note} p{percentile} {what}"),
            )
        };
        Ok(Self {
            against: &figure.against,
            in_favour: &figure.in_favour,
            end,
            note,
            meaning: Face::new(Weight::Regular, 19.0, SOFT_INK)?,
            small: Face::new(Weight::Regular, 16.0, FAINT_INK)?,
        })
    }

    pub(super) fn width(&self) -> usize {
        let meanings = self.meaning.width(self.against) + self.meaning.width(self.in_favour);
        let bar = meanings + 2 * BESIDE_BAR + BAR_WIDTH;
        bar.max(self.small.width(&self.note))
    }

    pub(super) fn height(&self) -> usize {
        BAR_HEIGHT + 2 * TICK + ABOVE_NOTE + 2 * self.small.cap_height()
    }

    pub(super) fn draw(&self, canvas: &mut Canvas, x: usize, y: usize) {
        let bar = Area {
            x: x + self.meaning.width(self.against) + BESIDE_BAR,
            y,
            width: BAR_WIDTH,
            height: BAR_HEIGHT,
        };
        let half = (BAR_WIDTH / 2) as f64;
        canvas.paint(bar, |x, _| colour::diverging((x as f64 - half) / half));
        canvas.frame(bar, 1, HAIRLINE);

        let beside = y + (BAR_HEIGHT - self.meaning.cap_height()) / 2;
        self.meaning.draw(canvas, x, beside, self.against);
        let right = bar.x + BAR_WIDTH + BESIDE_BAR;
        self.meaning.draw(canvas, right, beside, self.in_favour);

        let below = y + BAR_HEIGHT + 2 * TICK;
        let (negative, positive) = (format!("−{}", self.end), format!("+{}", self.end));
        for (label, place) in [
            (negative.as_str(), 0),
            ("0", BAR_WIDTH / 2),
            (positive.as_str(), BAR_WIDTH - 1),
        ] {
            let tick = Area {
                x: bar.x + place,
                y: y + BAR_HEIGHT + 1,
                width: 1,
                height: TICK,
            };
            canvas.paint(tick, |_, _| FAINT_INK);
            let left = (tick.x + 1).saturating_sub(self.small.width(label) / 2);
            self.small.draw(canvas, left, below, label);
        }
        let note = below + self.small.cap_height() + ABOVE_NOTE;
        self.small.draw(canvas, x, note, &self.note);
    }
}

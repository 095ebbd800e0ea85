//! What was measured, as lines of tables.

use std::fmt::Write as _;

use super::peers::{BURN, CANDLE, CHANNELS_LAST, COMPILE, JAX, ONNX_RUNTIME, OURS, PYTORCH};
use super::work::Work;

/// The columns of the first table.
const COLUMNS: [&str; 8] = [
    OURS,
    PYTORCH,
    CHANNELS_LAST,
    COMPILE,
    JAX,
    ONNX_RUNTIME,
    CANDLE,
    BURN,
];

pub struct Row {
    pub name: String,
    pub work: &'static Work,
    pub threads: usize,
    pub unit: Unit,
    /// Ours and each peer's that can do the work.
    pub values: Vec<(&'static str, f64)>,
    /// The middle half of our times, as a part of their median.
    pub spread: Option<f64>,
    pub goal: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Milliseconds,
    Bytes,
}

impl Row {
    pub fn new(
        work: &'static Work,
        threads: usize,
        unit: Unit,
        values: Vec<(&'static str, f64)>,
    ) -> Self {
        Self {
            name: work.name(),
            work,
            threads,
            unit,
            values,
            spread: None,
            goal: Some(work.goal),
        }
    }

    pub fn value(&self, name: &str) -> Option<f64> {
        let found = self.values.iter().find(|value| value.0 == name);
        found.map(|value| value.1)
    }

    /// The best peer and its value.
    pub fn best(&self) -> Option<(&'static str, f64)> {
        let peers = self.values.iter().filter(|value| value.0 != OURS);
        peers.copied().min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The value of the best peer by ours.
    pub fn ratio(&self) -> Option<f64> {
        Some(self.best()?.1 / self.value(OURS)?)
    }

    pub fn is_met(&self) -> bool {
        let met = |goal| self.ratio().is_some_and(|ratio| ratio >= goal);
        self.goal.is_none_or(met)
    }

    /// For whoever waits.
    pub fn report(&self) -> String {
        let mut text = format!("{}, {}:", self.name, threads(self.threads));
        for &(name, value) in &self.values {
            let _ = write!(text, " {name} {},", self.unit.figure(value));
        }
        let _ = write!(text, " ratio {}", ratio(self.ratio()));
        text
    }

    fn cells(&self) -> String {
        let mut line = format!("| {} | {} |", self.name, self.threads);
        for name in COLUMNS {
            let value = self.value(name).map(number).unwrap_or_default();
            let _ = write!(line, " {value} |");
        }
        let spread = 100.0 * self.spread.unwrap_or_default();
        let _ = write!(
            line,
            " {spread:.0} % | {} | {} |",
            ratio(self.ratio()),
            goal(self.goal)
        );
        line
    }

    fn short_cells(&self) -> String {
        let figure = |value: Option<f64>| value.map(|value| self.unit.figure(value));
        let best = self.best();
        format!(
            "| {} | {} | {} | {} | {} | {} | {} |",
            self.name,
            self.threads,
            figure(self.value(OURS)).unwrap_or_default(),
            figure(best.map(|best| best.1)).unwrap_or_default(),
            best.map(|best| best.0).unwrap_or_default(),
            ratio(self.ratio()),
            goal(self.goal),
        )
    }
}

impl Unit {
    /// The value with its unit.
    pub fn figure(self, value: f64) -> String {
        match self {
            Self::Milliseconds if value < 1e3 => format!("{} ms", number(value)),
            Self::Milliseconds => format!("{} s", number(1e-3 * value)),
            Self::Bytes => format!("{:.0} MiB", value / f64::from(1 << 20)),
        }
    }
}

pub fn threads(count: usize) -> String {
    format!("{count} thread{}", if count == 1 { "" } else { "s" })
}

/// Three figures or more.
fn number(value: f64) -> String {
    match value {
        ..1.0 => format!("{value:.3}"),
        ..10.0 => format!("{value:.2}"),
        _ => format!("{value:.1}"),
    }
}

fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"))
}

fn goal(goal: Option<f64>) -> String {
    goal.map_or_else(String::new, |goal| goal.to_string())
}

/// The works that are the same on both sides.
pub fn table(rows: &[Row]) -> String {
    let mut table = String::from("Medians in milliseconds.\n\n| work | threads |");
    for name in COLUMNS {
        let _ = write!(table, " {name} |");
    }
    table += " spread | ratio | goal |\n|---|--:|";
    table += &"--:|".repeat(COLUMNS.len() + 3);
    for row in rows.iter().filter(|row| row.work.is_alike()) {
        let _ = write!(table, "\n{}", row.cells());
    }
    table
}

/// The others.
pub fn short_table(rows: &[Row]) -> String {
    let mut table = String::from(
        "| measure | threads | xdnn | best peer | which | ratio | goal |\n|---|--:|--:|--:|---|--:|--:|",
    );
    for row in rows.iter().filter(|row| !row.work.is_alike()) {
        let _ = write!(table, "\n{}", row.short_cells());
    }
    table
}

/// The least and the geometric mean of the ratios; of works that are the same on both sides, where there are any.
pub fn summary(rows: &[Row]) -> (f64, f64) {
    let alike = rows.iter().any(|row| row.work.is_alike());
    let rows = rows.iter().filter(|row| row.work.is_alike() == alike);
    let rows = rows.filter(|row| row.goal.is_some());
    let ratios: Vec<f64> = rows.filter_map(Row::ratio).collect();
    let worst = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let mean = ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len().max(1) as f64;
    (worst, mean.exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench_peers::work::WORKS;

    fn row(work: usize, ours: f64, theirs: &[(&'static str, f64)]) -> Row {
        let values = [(OURS, ours)].iter().chain(theirs).copied().collect();
        Row::new(&WORKS[work], 1, Unit::Milliseconds, values)
    }

    #[test]
    fn the_best_peer_counts() {
        let row = row(0, 2.0, &[(JAX, 10.0), (PYTORCH, 6.0)]);
        assert_eq!(row.best(), Some((PYTORCH, 6.0)));
        assert_eq!(row.ratio(), Some(3.0));
        assert!(row.is_met());
    }

    #[test]
    fn without_a_peer_nothing_is_met() {
        assert!(!row(0, 2.0, &[]).is_met());
    }

    #[test]
    fn the_summary_is_of_works_that_are_alike() {
        let integrated = WORKS.iter().position(|work| !work.is_alike()).unwrap();
        let rows = [
            row(0, 1.0, &[(PYTORCH, 2.0)]),
            row(1, 1.0, &[(PYTORCH, 8.0)]),
            row(integrated, 1.0, &[(PYTORCH, 100.0)]),
        ];
        let (worst, mean) = summary(&rows);
        assert_eq!(worst, 2.0);
        assert!((mean - 4.0).abs() < 1e-12);
        assert_eq!(summary(&rows[2..]).0, 100.0);
    }
}

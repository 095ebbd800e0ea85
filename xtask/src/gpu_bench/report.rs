//! What was measured, as text.

use std::fmt::Write as _;

use serde_json::Value;

use super::work::{COLUMNS, EAGER, EAGER_LAST};
use crate::bench_peers::peers::OURS;
use crate::bench_peers::work::title;

/// The text of a section of the document.
pub fn markdown(results: &Value) -> String {
    let rows = Rows(
        results["rows"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default(),
    );
    let parts = [
        head(results),
        goals(rows),
        times(rows),
        limits(rows),
        notes(results, rows),
    ];
    parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("\n\n")
}

#[derive(Clone, Copy)]
struct Rows<'a>(&'a [Value]);

impl<'a> Rows<'a> {
    fn find(self, task: &str, network: &str, batch: u64) -> Option<&'a Value> {
        self.0
            .iter()
            .find(|row| row["task"] == task && row["network"] == network && row["batch"] == batch)
    }
}

fn milliseconds(row: &Value, name: &str) -> Option<f64> {
    row["milliseconds"][name].as_f64()
}

/// The least of what others have.
fn best<'a>(values: &Value, names: impl Iterator<Item = &'a str>) -> Option<f64> {
    names
        .filter_map(|name| values[name].as_f64())
        .min_by(f64::total_cmp)
}

fn best_time(row: &Value) -> Option<f64> {
    let others = COLUMNS
        .iter()
        .map(|column| column.0)
        .filter(|name| *name != OURS);
    best(&row["milliseconds"], others)
}

/// How many times as fast as the best of PyTorch.
fn ratio(row: &Value) -> Option<f64> {
    Some(best_time(row)? / milliseconds(row, OURS)?)
}

fn against_eager(row: &Value) -> Option<f64> {
    let eager = [EAGER, EAGER_LAST].into_iter();
    Some(best(&row["milliseconds"], eager)? / milliseconds(row, OURS)?)
}

/// How much of the memory of eager PyTorch.
fn memory(row: &Value) -> Option<f64> {
    let bytes = &row["memory"];
    Some(bytes[OURS].as_f64()? / best(bytes, [EAGER, EAGER_LAST].into_iter())?)
}

/// How many times as long as the roofline says.
fn above_floor(row: &Value) -> Option<f64> {
    Some(milliseconds(row, OURS)? / row["floor"].as_f64()?)
}

fn head(results: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let mut head = format!(
        "Measured on {} on {}, by `run.sh` of a bundle of commit {}{}, in {} s.",
        text(&results["date"]),
        text(&results["gpu"]),
        text(&results["commit"]),
        if results["quick"] == true {
            ", `--quick`"
        } else {
            ""
        },
        results["seconds"].as_u64().unwrap_or_default(),
    );
    let list = |value: &Value| {
        let items = value.as_array().into_iter().flatten();
        items.map(text).collect::<Vec<_>>()
    };
    let versions = list(&results["versions"]);
    if !versions.is_empty() {
        let _ = write!(head, " Versions: {}.", versions.join(", "));
    }
    let tests = list(&results["tests"]);
    if !tests.is_empty() {
        let _ = write!(head, " Tests on the device: {}.", tests.join("; "));
    }
    head
}

/// What X-Gradients of a batch should reach.
struct Goal {
    batch: u64,
    bound: Bound,
    of_what: &'static str,
    networks: &'static [&'static str],
    measure: fn(&Value) -> Option<f64>,
}

enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

const GOALS: [Goal; 5] = [
    Goal {
        batch: 1,
        bound: Bound::AtLeast(2.0),
        of_what: "times as fast as the best of PyTorch",
        networks: &["XAlexNet", "XVgg16", "XResNet50"],
        measure: ratio,
    },
    Goal {
        batch: 1,
        bound: Bound::AtLeast(5.0),
        of_what: "times as fast as eager PyTorch",
        networks: &["XResNet50"],
        measure: against_eager,
    },
    Goal {
        batch: 256,
        bound: Bound::AtLeast(1.2),
        of_what: "times as fast as the best of PyTorch",
        networks: &["XAlexNet", "XVgg16", "XResNet50"],
        measure: ratio,
    },
    Goal {
        batch: 256,
        bound: Bound::AtMost(0.4),
        of_what: "of the memory of eager PyTorch",
        networks: &["XAlexNet", "XVgg16", "XResNet50"],
        measure: memory,
    },
    Goal {
        batch: 256,
        bound: Bound::AtMost(2.0),
        of_what: "times the roofline floor",
        networks: &["XAlexNet", "XVgg16", "XResNet50"],
        measure: above_floor,
    },
];

/// Each goal for each network.
fn goals(rows: Rows<'_>) -> String {
    let mut table =
        String::from("| X-Gradient | batch | goal | measured | met |\n|---|--:|---|--:|---|");
    for goal in &GOALS {
        let (sign, limit) = match goal.bound {
            Bound::AtLeast(limit) => ("≥", limit),
            Bound::AtMost(limit) => ("≤", limit),
        };
        for network in goal.networks {
            let row = rows.find("attribute", network, goal.batch);
            let found = row.and_then(goal.measure);
            let met = found.map(|found| match goal.bound {
                Bound::AtLeast(limit) => found >= limit,
                Bound::AtMost(limit) => found <= limit,
            });
            let _ = write!(
                table,
                "\n| {} | {} | {sign} {limit} {} | {}{} | {} |",
                title(network),
                goal.batch,
                goal.of_what,
                found.map_or("not measured".to_owned(), |found| format!("{found:.2}")),
                row.map(missing).unwrap_or_default(),
                met.map_or("", |met| if met { "yes" } else { "no" }),
            );
        }
    }
    table
}

/// Who could have been better, but was not measured.
fn missing(row: &Value) -> String {
    let skipped = row["skipped"].as_object().into_iter().flatten();
    let missing = skipped.map(|(name, _)| format!(", without {name}"));
    missing.collect()
}

fn times(rows: Rows<'_>) -> String {
    let mut table = String::from("Medians in milliseconds.\n\n| work |");
    for (_, title) in COLUMNS {
        let _ = write!(table, " {title} |");
    }
    table += " spread | ratio |\n|---|";
    table += &"--:|".repeat(COLUMNS.len() + 2);
    for row in rows.0 {
        let _ = write!(table, "\n| {} |", row["name"].as_str().unwrap_or_default());
        for (name, _) in COLUMNS {
            let value = milliseconds(row, name).map(number).unwrap_or_default();
            let _ = write!(table, " {value} |");
        }
        let spread = row["spread"][OURS]
            .as_f64()
            .map(|spread| format!("{:.0} %", 100.0 * spread));
        let ratio = ratio(row).map(|ratio| format!("{ratio:.2}"));
        let [spread, ratio] = [spread, ratio].map(Option::unwrap_or_default);
        let _ = write!(table, " {spread} | {ratio} |");
    }
    table
}

/// Memory and the roofline.
fn limits(rows: Rows<'_>) -> String {
    let mut table =
        String::from("| work | GFLOP | MB | floor (ms) | measured / floor | xdnn (MiB) |");
    table += " eager (MiB) | eager, channels last (MiB) | memory |\n|---|";
    table += &"--:|".repeat(8);
    for row in rows.0.iter().filter(|row| row["memory"][OURS].is_number()) {
        let figure = |value: &Value| value.as_f64().map(number).unwrap_or_default();
        let mebibytes = |name: &str| {
            let bytes = row["memory"][name].as_f64();
            bytes
                .map(|bytes| format!("{:.1}", bytes / f64::from(1 << 20)))
                .unwrap_or_default()
        };
        let two = |value: Option<f64>| value.map(|value| format!("{value:.2}"));
        let _ = write!(
            table,
            "\n| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            row["name"].as_str().unwrap_or_default(),
            figure(&row["gflop"]),
            figure(&row["megabytes"]),
            figure(&row["floor"]),
            two(above_floor(row)).unwrap_or_default(),
            mebibytes(OURS),
            mebibytes(EAGER),
            mebibytes(EAGER_LAST),
            two(memory(row)).unwrap_or_default(),
        );
    }
    table
}

/// The peaks, whether both sides agree, and what was not measured.
fn notes(results: &Value, rows: Rows<'_>) -> String {
    let peak = &results["peak"];
    let mut notes = vec![format!(
        "The floor is that of {} TFLOP/s and {} TB/s.",
        peak["tflops"], peak["terabytes"]
    )];
    for agreement in results["agreement"].as_array().into_iter().flatten() {
        let network = title(agreement["network"].as_str().unwrap_or_default());
        if agreement["agrees"] == true {
            let apart = agreement["apart"].as_f64().unwrap_or_default();
            notes.push(format!(
                "{network}: without TF32 both sides are {apart:.1e} apart."
            ));
        } else if let Some(error) = agreement["error"].as_str() {
            notes.push(format!(
                "{network}: both sides disagree without TF32: {error}."
            ));
        }
    }
    for row in rows.0 {
        let skipped = row["skipped"].as_object().into_iter().flatten();
        for (name, reason) in skipped {
            let (work, reason) = (&row["name"], reason.as_str().unwrap_or_default());
            let work = work.as_str().unwrap_or_default();
            notes.push(format!("{work}, not by {name}: {reason}."));
        }
    }
    format!("- {}", notes.join("\n- "))
}

/// Three figures or more.
fn number(value: f64) -> String {
    match value {
        ..1.0 => format!("{value:.3}"),
        ..10.0 => format!("{value:.2}"),
        _ => format!("{value:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn results() -> Value {
        json!({
            "date": "2030-01-01", "gpu": "a GPU", "seconds": 1, "peak": { "tflops": 1.0, "terabytes": 1.0 },
            "rows": [{
                "name": "X-Gradient, X-ResNet-50, batch 1",
                "task": "attribute", "network": "XResNet50", "batch": 1, "floor": 0.5,
                "milliseconds": { "xdnn": 1.0, "cuda-eager": 6.0, "cuda-graph": 3.0 },
                "skipped": { "cuda-compile": "it was not compiled in time" },
                "memory": { "xdnn": 1 << 20, "cuda-eager": 4 << 20 },
            }],
        })
    }

    #[test]
    fn goals_are_met_by_figures_alone() {
        let text = markdown(&results());
        for line in [
            "| X-ResNet-50 | 1 | ≥ 2 times as fast as the best of PyTorch | 3.00, without cuda-compile | yes |",
            "| X-ResNet-50 | 1 | ≥ 5 times as fast as eager PyTorch | 6.00, without cuda-compile | yes |",
            "| X-VGG16 | 1 | ≥ 2 times as fast as the best of PyTorch | not measured |  |",
            "| X-ResNet-50 | 256 | ≤ 0.4 of the memory of eager PyTorch | not measured |  |",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn what_was_not_measured_is_told() {
        let text = markdown(&results());
        assert!(
            text.contains("not by cuda-compile: it was not compiled in time"),
            "{text}"
        );
    }
}

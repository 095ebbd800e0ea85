//! "Did you mean …?"

/// The candidate that is closest to `name`, where one is close enough to be meant. Case decides between equals.
pub(crate) fn closest<'c>(
    name: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let folded = name.to_lowercase();
    let limit = (folded.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            let distance_but_for_case = distance(&folded, &candidate.to_lowercase());
            (distance_but_for_case, distance(name, candidate), candidate)
        })
        .filter(|(distance, _, candidate)| {
            *distance <= limit && *distance < candidate.chars().count()
        })
        .min_by_key(|(distance, with_case, _)| (*distance, *with_case))
        .map(|(_, _, candidate)| candidate)
}

/// The number of insertions, deletions, replacements and swaps of neighbours that lead from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<_>, Vec<_>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replaced = above[j] + usize::from(x != y);
            let mut least = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        (before, above) = (above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{closest, distance};

    #[test]
    fn distances() {
        assert_eq!(distance("kernel", "kernel"), 0);
        assert_eq!(distance("kernal", "kernel"), 1);
        assert_eq!(distance("krenel", "kernel"), 1);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn only_what_is_close_is_suggested() {
        let names = ["Conv2d", "Conv1d", "Linear", "Relu", "Abs"];
        assert_eq!(closest("Convd2", names), Some("Conv2d"));
        assert_eq!(closest("Liner", names), Some("Linear"));
        assert_eq!(closest("widht", ["WIDTH", "width"]), Some("width"));
        assert_eq!(closest("x", names), None);
        assert_eq!(closest("Frobnicate", names), None);
        assert_eq!(closest("", names), None);
    }
}

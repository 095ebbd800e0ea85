//! "Did you mean …?"

use strsim::osa_distance;

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
            let distance_but_for_case = osa_distance(&folded, &candidate.to_lowercase());
            (
                distance_but_for_case,
                osa_distance(name, candidate),
                candidate,
            )
        })
        .filter(|(distance, _, candidate)| {
            *distance <= limit && *distance < candidate.chars().count()
        })
        .min_by_key(|(distance, with_case, _)| (*distance, *with_case))
        .map(|(_, _, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

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

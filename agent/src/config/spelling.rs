//! Did you mean…?

/// The candidate closest to `word`, if any is close enough to have been meant.
pub(super) fn closest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    // A third of the letters wrong is still a slip; more is another word.
    let slips = (word.chars().count() / 3).max(1);
    let measured = candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate));
    measured
        .filter(|(distance, _)| *distance <= slips)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
}

/// A hint that names the closest candidate, or all of them if none is close and they are few.
pub(super) fn hint(word: &str, candidates: &[&str]) -> Option<String> {
    if let Some(meant) = closest(word, candidates.iter().copied()) {
        return Some(format!("did you mean `{meant}`?"));
    }
    let all = candidates
        .iter()
        .map(|candidate| format!("`{candidate}`"))
        .collect::<Vec<_>>()
        .join(", ");
    (!all.is_empty()).then(|| format!("possible here: {all}"))
}

/// Edit distance that counts a swap of two neighbours as one slip (optimal string alignment).
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) =
        (from.chars().take(64).collect(), to.chars().collect());
    let mut before = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (row, &a) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, &b) in to.iter().enumerate() {
            let replaced = above[column] + usize::from(a != b);
            let mut best = replaced.min(above[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && a == to[column - 1] && from[row - 1] == b {
                let swapped: usize = before[column - 1];
                best = best.min(swapped + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (from, to, slips) in [
            ("", "", 0),
            ("", "ab", 2),
            ("zone", "zone", 0),
            ("zoen", "zone", 1),
            ("time_out", "timeout", 1),
        ] {
            assert_eq!(distance(from, to), slips, "{from} {to}");
        }
    }

    #[test]
    fn only_a_near_word_is_suggested() {
        let keys = ["idle_timeout", "max_timeout", "resource"];
        assert_eq!(closest("idle_timout", keys), Some("idle_timeout"));
        assert_eq!(closest("resouce", keys), Some("resource"));
        assert_eq!(closest("colour", keys), None);
    }
}

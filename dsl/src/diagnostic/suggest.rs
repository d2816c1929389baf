//! `did you mean`.

use crate::limits;

/// The candidate that the name was probably meant to be.
pub fn suggest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > limits::SUGGESTION_BYTES {
        return None;
    }
    let name = name.to_lowercase();
    // One slip in a short name, one more for every three letters.
    let allowed = 1 + name.chars().count() / 4;
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= limits::SUGGESTION_BYTES)
        .take(limits::SUGGESTIONS)
        .filter_map(|candidate| {
            let other = candidate.to_lowercase();
            if other.len().abs_diff(name.len()) > 4 * allowed {
                return None;
            }
            let distance = strsim::damerau_levenshtein(&name, &other);
            // A name of one or two letters is near to everything.
            (distance <= allowed && distance < name.chars().count().max(1)).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::suggest;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let names = ["build", "deploy", "timeout", "when"];
        assert_eq!(suggest("biuld", names), Some("build"));
        assert_eq!(suggest("Deploy", names), Some("deploy"));
        assert_eq!(suggest("time_out", names), Some("timeout"));
        assert_eq!(suggest("wehn", names), Some("when"));
        assert_eq!(suggest("x", names), None);
        assert_eq!(suggest("restart", names), None);
        assert_eq!(suggest("", names), None);
    }
}

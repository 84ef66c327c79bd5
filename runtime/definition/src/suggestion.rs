/// Names for a message: all of them where they are few.
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 30;
    let names: Vec<&str> = names.into_iter().collect();
    match names.len() {
        0 => "none".to_owned(),
        n if n <= SHOWN => names.join(", "),
        n => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
    }
}

/// The one of `names` that `name` may have been meant for.
pub fn similar<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = name.trim().to_lowercase();
    let bound = match wanted.chars().count() {
        0..3 => 0,
        3..5 => 1,
        _ => 2,
    };
    names
        .into_iter()
        .map(|candidate| (distance(&wanted, &candidate.trim().to_lowercase(), bound), candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What to do about a name that is not among `names`: the one that was meant,
/// or all of them.
pub fn meant<'a>(name: &str, names: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match similar(name, names.clone()) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None => format!("there are: {}", listed(names)),
    }
}

/// The edit distance (Levenshtein) of two texts, or anything above `bound`.
fn distance(a: &str, b: &str, bound: usize) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > bound {
        return bound + 1;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let names = ["source", "entities", "ttl"];
        assert_eq!(similar("sorce", names), Some("source"));
        assert_eq!(similar("Entites", names), Some("entities"));
        assert_eq!(similar("tl", names), None);
        assert_eq!(meant("xyz", names), "there are: source, entities, ttl");
        assert_eq!(meant("sources", names), "did you mean \"source\"?");
    }
}

use std::collections::BTreeSet;

/// Things by number, each behind those that it needs, in the order of their
/// numbers where nothing else decides; and each cycle as its path, beginning
/// with its least number. What is on a cycle or needs it is left out.
pub(super) fn in_order(needs: &[Vec<usize>]) -> (Vec<usize>, Vec<Vec<usize>>) {
    let mut order = Vec::new();
    let mut done = vec![false; needs.len()];
    let ready = |done: &[bool]| {
        (0..needs.len())
            .find(|node| !done[*node] && needs[*node].iter().all(|needed| done[*needed]))
    };
    while let Some(node) = ready(&done) {
        done[node] = true;
        order.push(node);
    }
    let mut cycles: BTreeSet<Vec<usize>> = BTreeSet::new();
    for start in (0..needs.len()).filter(|node| !done[*node]) {
        // Each of what is left needs another of it, so the walk comes back.
        let mut path = vec![start];
        let cycle = loop {
            let last = path[path.len() - 1];
            let Some(next) = needs[last].iter().copied().find(|needed| !done[*needed]) else {
                break Vec::new();
            };
            if let Some(at) = path.iter().position(|node| *node == next) {
                break path[at..].to_vec();
            }
            path.push(next);
        };
        if let Some(least) = (0..cycle.len()).min_by_key(|at| cycle[*at]) {
            let rotated: Vec<usize> =
                cycle[least..].iter().chain(&cycle[..least]).copied().collect();
            cycles.insert(rotated);
        }
    }
    (order, cycles.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_comes_first() {
        let needs = [vec![2], vec![], vec![1, 3], vec![]];
        assert_eq!(in_order(&needs), (vec![1, 3, 2, 0], vec![]));
    }

    #[test]
    fn cycles_are_found_once_and_in_full() {
        // 0 needs the cycle 3 -> 1 -> 2 -> 3; 4 needs itself; 5 stands alone.
        let needs = [vec![3], vec![2], vec![3], vec![1], vec![4], vec![]];
        assert_eq!(in_order(&needs), (vec![5], vec![vec![1, 2, 3], vec![4]]));
    }
}

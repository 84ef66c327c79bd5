//! What aggregates answer to requests.

mod bodies;

use std::collections::BTreeMap;

use bodies::{Columns, all};
use unskew::__private::Aggregate;
use unskew::{decode_state, encode_state};

/// Thousandths, so that sums are exact and their order is of no account.
#[derive(Clone, Debug, Default, PartialEq, unskew::State)]
struct WeightedMean {
    sum: i128,
    weight: i64,
}

/// Mean of `value` weighted by `weight`.
#[unskew::aggregate(output = "mean")]
impl WeightedMean {
    fn update(&mut self, value: f64, weight: Option<i32>) -> Result<(), String> {
        let weight = i64::from(weight.unwrap_or(1));
        // Changed before the check on purpose: a failed row must not count.
        self.weight += weight;
        if weight < 0 {
            return Err(format!("the weight {weight} is negative"));
        }
        self.sum += (value * 1000.0).round() as i128 * i128::from(weight);
        Ok(())
    }

    fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        self.weight += other.weight;
    }

    fn subtract(&mut self, other: &Self) {
        self.sum -= other.sum;
        self.weight -= other.weight;
    }

    fn finish(&self) -> Option<f64> {
        (self.weight != 0).then(|| self.sum as f64 / 1000.0 / self.weight as f64)
    }
}

#[derive(Default, unskew::State)]
struct LongestTag {
    tags: BTreeMap<String, u64>,
}

#[unskew::aggregate]
impl LongestTag {
    fn update(&mut self, tag: &str) {
        *self.tags.entry(tag.to_owned()).or_default() += 1;
    }

    fn merge(&mut self, other: Self) -> Result<(), &'static str> {
        for (tag, count) in other.tags {
            let sum = self.tags.entry(tag).or_default();
            *sum = sum.checked_add(count).ok_or("too many")?;
        }
        Ok(())
    }

    fn finish(self) -> Result<String, &'static str> {
        self.tags.into_keys().max_by_key(String::len).ok_or("no tags")
    }
}

unskew::module!(name = "tests", aggregates = [WeightedMean, LongestTag]);

fn state(sum: i128, weight: i64) -> Vec<u8> {
    encode_state(&WeightedMean { sum, weight })
}

#[test]
fn rows_are_folded_into_their_groups() {
    let request = Columns::new(5)
        .groups(4)
        .plain(&all(&[1.0, 2.0, 3.0, 4.0, 5.0]))
        .plain(&[Some(2_i32), None, Some(-1), Some(1), Some(3)])
        .plain(&all(&[0_u32, 2, 0, 0, 3]));
    let mut body = request.call(WeightedMean::call_partial);
    assert_eq!(body.rows, 4);
    let expected = [state(6000, 3), state(0, 0), state(2000, 1), state(15_000, 3)];
    assert_eq!(body.binary(), all(&expected));
    assert_eq!(body.errors(), [(2, "the weight -1 is negative".to_owned())]);
}

/// Whatever a failed update has done to its state, the rows before and after
/// it count as if it had never been.
#[test]
fn failed_rows_leave_no_trace() {
    let weights: Vec<Option<i32>> = (0..200).map(|i| Some(i % 7 - 2)).collect();
    let values: Vec<f64> = (0..200).map(f64::from).collect();
    let groups: Vec<u32> = (0..200).map(|i| i % 3).collect();
    let request = |keep: &dyn Fn(usize) -> bool| {
        let rows: Vec<usize> = (0..200).filter(|i| keep(*i)).collect();
        let mut body = Columns::new(rows.len())
            .groups(3)
            .plain(&rows.iter().map(|i| Some(values[*i])).collect::<Vec<_>>())
            .plain(&rows.iter().map(|i| weights[*i]).collect::<Vec<_>>())
            .plain(&rows.iter().map(|i| Some(groups[*i])).collect::<Vec<_>>())
            .call(WeightedMean::call_partial);
        (body.binary(), body.errors().len())
    };
    let (with_failures, failed) = request(&|_| true);
    let (without, none) = request(&|i| weights[i].is_none_or(|w| w >= 0));
    assert_eq!((failed, none), (58, 0));
    assert_eq!(with_failures, without);
}

#[test]
#[should_panic(expected = "group 2")]
fn a_group_that_is_not_there_panics() {
    let request =
        Columns::new(1).groups(2).plain(&all(&[1.0])).plain(&all(&[1_i32])).plain(&all(&[2_u32]));
    request.call(WeightedMean::call_partial);
}

#[test]
fn states_merge_subtract_and_finish() {
    let pairs = Columns::new(2)
        .binary(&all(&[state(10, 1), state(5, 5)]))
        .binary(&all(&[state(-3, 2), state(0, 0)]));
    let mut body = pairs.call(WeightedMean::call_merge);
    assert_eq!(body.binary(), all(&[state(7, 3), state(5, 5)]));
    assert!(body.errors().is_empty());
    let mut body = pairs.call(WeightedMean::call_subtract);
    assert_eq!(body.binary(), all(&[state(13, -1), state(5, 5)]));
    let states = Columns::new(3).binary(&all(&[state(3000, 2), state(0, 0), state(-500, 1)]));
    let mut body = states.call(WeightedMean::call_finish);
    assert_eq!(body.plain::<f64>(), [Some(1.5), None, Some(-0.5)]);
    assert!(body.errors().is_empty());
}

#[test]
fn bytes_that_are_no_state_are_errors_of_their_row() {
    let states = Columns::new(3).binary(&all(&[state(3000, 2), vec![1, 2], Vec::new()]));
    let mut body = states.call(WeightedMean::call_finish);
    assert_eq!(body.plain::<f64>()[0], Some(1.5));
    let errors = body.errors();
    assert_eq!(errors.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [1, 2]);
    assert!(errors[0].1.contains("not a state of this aggregate"), "{errors:?}");

    let good = state(1, 1);
    let pairs = Columns::new(2)
        .binary(&all(&[good.clone(), good.clone()]))
        .binary(&all(&[vec![0; 25], good]));
    let mut body = pairs.call(WeightedMean::call_merge);
    assert_eq!(body.binary()[1], Some(state(2, 2)));
    assert_eq!(body.errors()[0].0, 0);
}

#[test]
fn states_of_maps_are_ordered_and_errors_of_finish_are_told() {
    let request =
        Columns::new(3).groups(2).binary(&all(&["b", "aa", "b"])).plain(&all(&[1_u32, 1, 1]));
    let mut body = request.call(LongestTag::call_partial);
    let states: Vec<_> = body.binary().into_iter().map(Option::unwrap).collect();
    let counted: LongestTag = decode_state(&states[1]).unwrap();
    assert_eq!(counted.tags.into_iter().collect::<Vec<_>>(), [("aa".into(), 1), ("b".into(), 2)]);

    let mut body = Columns::new(2).binary(&all(&states)).call(LongestTag::call_finish);
    assert_eq!(body.texts(), [Some(String::new()), Some("aa".to_owned())]);
    assert_eq!(body.errors(), [(0, "no tags".to_owned())]);

    let merged = Columns::new(1).binary(&[Some(&states[1])]).binary(&[Some(&states[1])]);
    let mut body = merged.call(LongestTag::call_merge);
    let merged: LongestTag = decode_state(&body.binary()[0].take().unwrap()).unwrap();
    assert_eq!(merged.tags["b"], 4);
}

#[test]
fn the_manifest_names_what_update_takes() {
    let manifest = unskew_manifest();
    let aggregates = manifest.split_once(r#""aggregates":"#).unwrap().1;
    assert_eq!(
        aggregates,
        concat!(
            r#"[{"name":"weighted_mean","description":"Mean of `value` weighted by `weight`.","#,
            r#""inputs":[{"name":"value","type":"float64","nullable":false},"#,
            r#"{"name":"weight","type":"int32","nullable":true}],"#,
            r#""output":{"name":"mean","type":"float64","nullable":true},"subtract":true},"#,
            r#"{"name":"longest_tag","inputs":[{"name":"tag","type":"utf8","nullable":false}],"#,
            r#""output":{"name":"longest_tag","type":"utf8","nullable":false},"subtract":false}]}"#,
        )
    );
}

#[test]
fn an_aggregate_is_a_struct_with_methods() {
    let mut mean = WeightedMean::default();
    mean.update(1.5, None).unwrap();
    mean.merge(&WeightedMean { sum: 1500, weight: 1 });
    assert_eq!(mean.finish(), Some(1.5));
}

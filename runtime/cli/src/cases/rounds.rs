//! Runs the cases of a transform: alone in a fresh instance for the verdict,
//! then in other company, which must not change it.

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use unskew_host::CompiledModule;

use super::Sandboxes;
use super::report::{CaseReport, Kind};
use super::suite::{Case, TransformSuite};
use super::verdict::{Verdict, verdicts};

/// How the cases are run for their golden verdict.
const ALONE: &str = "alone in a fresh instance";

/// The verdicts of one way to run all cases.
struct Round {
    run: &'static str,
    /// For each case its verdict, and its row in the batch if it had company.
    verdicts: Vec<(Verdict, Option<usize>)>,
}

pub(super) fn run(
    suite: &TransformSuite<'_>,
    sandboxes: &Sandboxes,
) -> anyhow::Result<Vec<CaseReport>> {
    let outputs = &suite.signature.outputs;
    let golden = alone(suite, &sandboxes.fresh)?;
    let count = suite.cases.len();
    let in_order: Vec<usize> = (0..count).collect();
    let reversed: Vec<usize> = (0..count).rev().collect();
    let mut shuffled = in_order.clone();
    // A fixed seed, so that a failure comes again.
    shuffled.shuffle(&mut ChaCha8Rng::seed_from_u64(0));

    let used = &sandboxes.used;
    let rounds = [
        Round {
            run: "alone in a used instance",
            verdicts: alone(suite, used)?.into_iter().map(|verdict| (verdict, None)).collect(),
        },
        together("in one batch of all cases", suite, &in_order, used)?,
        together("in one batch of all cases, reversed", suite, &reversed, used)?,
        together("in one batch of all cases, shuffled", suite, &shuffled, used)?,
    ];
    let report = |(i, case): (usize, &Case)| {
        let mut differences = golden[i].against_case(case, outputs, ALONE);
        for Round { run, verdicts } in &rounds {
            let (verdict, row) = &verdicts[i];
            let run = format!("{run}, unlike {ALONE}");
            differences.extend(golden[i].differences(verdict, outputs, None, &run, *row));
        }
        CaseReport {
            kind: Kind::Transform,
            function: suite.signature.name.to_string(),
            case: i + 1,
            name: case.name.clone(),
            passed: differences.is_empty(),
            differences,
        }
    };
    Ok(suite.cases.iter().enumerate().map(report).collect())
}

/// Each case in a call of its own.
fn alone(suite: &TransformSuite<'_>, module: &CompiledModule) -> anyhow::Result<Vec<Verdict>> {
    let verdict_on = |case| {
        let row = suite.inputs.slice(case, 1);
        Ok(call(suite, module, &row)?.swap_remove(0))
    };
    (0..suite.cases.len()).map(verdict_on).collect()
}

/// All cases in one call, in the given order.
fn together(
    run: &'static str,
    suite: &TransformSuite<'_>,
    order: &[usize],
    module: &CompiledModule,
) -> anyhow::Result<Round> {
    let indices: UInt32Array = order.iter().map(|i| *i as u32).collect();
    let batch = take_record_batch(&suite.inputs, &indices)?;
    let mut verdicts: Vec<_> = order
        .iter()
        .zip(call(suite, module, &batch)?.into_iter().enumerate())
        .map(|(case, (row, verdict))| (*case, (verdict, Some(row))))
        .collect();
    verdicts.sort_by_key(|(case, _)| *case);
    Ok(Round { run, verdicts: verdicts.into_iter().map(|(_, verdict)| verdict).collect() })
}

fn call(
    suite: &TransformSuite<'_>,
    module: &CompiledModule,
    batch: &RecordBatch,
) -> anyhow::Result<Vec<Verdict>> {
    let outcome = module.transform(suite.index, batch, None);
    verdicts(outcome, batch.num_rows())
}

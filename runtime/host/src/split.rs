//! One evaluation over any number of rows: cut into calls, and when a call
//! fails cut again, down to the single row that a verdict is about.
//!
//! **Invariant**: a row gets a verdict only alone in a fresh instance, and a
//! reply counts only if its call used at most half of the fuel. So no row that
//! would run out of fuel alone ever passes in company.

use std::ops::Range;
use std::sync::atomic::Ordering;

use arrow::array::ArrayRef;
use unskew_definition::Field;

use crate::arguments::Arguments;
use crate::boundary::ReplyBytes;
use crate::config::{CallShape, Isolation};
use crate::decode::{Failing, Reply, decode};
use crate::encode::{Groups, Request, WriteClock};
use crate::error::{CallError, Fault};
use crate::instance::{Answer, Export, FailedCall};
use crate::limits::Limits;
use crate::log::cut;
use crate::metrics::CallMetrics;
use crate::module::{Inner, RowError, RowStatus};

/// What is asked, of which function, over which rows.
pub(crate) struct Evaluation<'a> {
    pub(crate) module: &'a Inner,
    pub(crate) export: Export,
    pub(crate) index: usize,
    pub(crate) inputs: &'a [Field],
    pub(crate) outputs: &'a [Field],
    pub(crate) arguments: &'a Arguments,
    /// The group of each row, for `partial`.
    pub(crate) groups: Option<&'a [u32]>,
    pub(crate) shape: CallShape,
    /// How many failed rows to bear before giving up.
    pub(crate) max_errors: Option<u64>,
}

/// Replies to parts of the rows, in their order, and the rows without one.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) parts: Vec<Part>,
    pub(crate) errors: Vec<RowError>,
    pub(crate) metrics: CallMetrics,
    /// Bytes of the replies and of the messages that are kept.
    pub(crate) bytes: usize,
}

/// One reply.
pub(crate) struct Part {
    pub(crate) rows: Range<usize>,
    pub(crate) columns: Vec<ArrayRef>,
    /// For `partial`: the group of each state in the reply.
    pub(crate) groups: Vec<u32>,
}

/// The groups of one call, numbered from 0 without gaps: that of each row, and
/// the caller's group that each number stands for.
#[derive(Clone)]
struct CallGroups {
    of_rows: Vec<u32>,
    of_states: Vec<u32>,
}

enum Attempt {
    Done {
        reply: Reply,
        groups: Vec<u32>,
        bytes: usize,
    },
    /// The call worked, but took more fuel than a reply may that is to count.
    Costly,
    Failed {
        fault: Fault,
        row: Option<u32>,
        fresh: bool,
    },
}

/// Rows whose calls together take this part of the fuel are handed over at once.
const FUEL_SHARE_OF_A_CALL: u64 = 4;
/// As much fuel burns in the time that a call takes beside its rows.
const FUEL_OF_A_CALL: u64 = 10_000;
/// A reply that took more than this part of the fuel does not count, unless
/// its row was alone in a fresh instance.
const FUEL_SHARE_THAT_COUNTS: u64 = 2;

/// Whether a reply that took so much fuel counts for rows in company, or for
/// one in an instance that was called before.
pub(crate) fn counts(fuel: u64, limits: &Limits) -> bool {
    fuel <= limits.fuel / FUEL_SHARE_THAT_COUNTS
}

/// The rows that a reply names as failed, whose first row is `start`.
pub(crate) fn failed_rows(
    start: usize,
    errors: Vec<(usize, String)>,
) -> impl Iterator<Item = RowError> {
    errors.into_iter().map(move |(row, message)| RowError {
        row: start + row,
        status: RowStatus::Failed,
        message,
    })
}

impl Evaluation<'_> {
    pub(crate) fn run(&self) -> Result<Parts, CallError> {
        let mut parts = Parts::default();
        let result = self.run_into(&mut parts);
        self.module.add_metrics(parts.metrics);
        result.map(|()| parts)
    }

    fn run_into(&self, parts: &mut Parts) -> Result<(), CallError> {
        let most = self.shape.rows_per_call.clamp(1, self.module.limits.rows_per_call.max(1));
        let mut step = most;
        let mut faults = 0;
        let mut locals = LocalGroups::default();
        // Ranges still to do, the next one last. Each fault adds at most two
        // and takes one away, and ranges only get shorter.
        let mut todo = Vec::with_capacity(8);
        todo.push(0..self.arguments.rows);
        // Rows before this one were said to be well. A module that says so and
        // then fails on them is not asked again: with its lies it could make
        // the host hand over every row as often as there are rows.
        let mut said_well = 0;
        let mut is_believed = true;
        while let Some(range) = todo.pop() {
            if range.is_empty() {
                continue;
            }
            let length = self.fitting(&range, step);
            let rest = range.start + length..range.end;
            let range = range.start..range.start + length;
            let single = length == 1;
            todo.push(rest);
            // After a fault one row at a time goes straight into a fresh
            // instance, for that is where its verdict is made.
            let careful = step < most;
            let groups = self.groups.map(|groups| match length == self.arguments.rows {
                true => locals.of_all(groups),
                false => locals.of(&groups[range.clone()]),
            });
            let metrics = &mut parts.metrics;
            let mut attempt = self.attempt(&range, single && careful, groups.clone(), metrics);
            if single && !attempt.is_verdict() {
                attempt = self.attempt(&range, true, groups, metrics);
            }
            match attempt {
                Attempt::Done { reply, groups, bytes } => {
                    parts.bytes = parts.bytes.saturating_add(bytes);
                    self.contain(parts.bytes)?;
                    if careful {
                        step = (step * 2).min(self.rows_that_waste_least(range.end, faults, most));
                    }
                    parts.errors.extend(failed_rows(range.start, reply.errors));
                    parts.parts.push(Part { rows: range, columns: reply.columns, groups });
                }
                Attempt::Failed { fault, .. } if single => {
                    let error = self.verdict(range.start, fault)?;
                    parts.bytes = parts.bytes.saturating_add(error.message.len());
                    self.contain(parts.bytes)?;
                    parts.errors.push(error);
                }
                Attempt::Failed { fault, row, .. } => {
                    self.host_trouble(&fault)?;
                    faults += 1;
                    let before = todo.len();
                    is_believed &= range.end > said_well;
                    match row.map(|row| row as usize).filter(|&row| row < length && is_believed) {
                        Some(row) => {
                            let row = range.start + row;
                            said_well = row;
                            todo.extend([row + 1..range.end, row..row + 1, range.start..row]);
                            let best = self.rows_that_waste_least(row, faults, most);
                            step = (2 * (row - range.start)).clamp(1, best);
                        }
                        None => {
                            let middle = range.start + length / 2;
                            todo.extend([middle..range.end, range.start..middle]);
                            step = length / 2;
                        }
                    }
                    debug_assert!(todo.len() <= before + 3);
                }
                Attempt::Costly => {
                    let middle = range.start + length / 2;
                    todo.extend([middle..range.end, range.start..middle]);
                }
            }
            let decided = todo.last().map_or(self.arguments.rows, |next| next.start);
            self.bear(parts, decided)?;
        }
        self.bear(parts, self.arguments.rows)
    }

    /// How many rows to hand over at once where `faults` calls have failed so
    /// far, up to row `decided`. A fault wastes half of its call's rows, and
    /// each call has its own cost: with m rows for each fault, c the cost of a
    /// call and r that of a row, the waste `s / 2 * r / m + c / s` for each row
    /// is least at `s = sqrt(2 m c / r)`.
    fn rows_that_waste_least(&self, decided: usize, faults: u64, most: usize) -> usize {
        if faults == 0 {
            return most;
        }
        let fuel_per_row = self.fuel_guess().load(Ordering::Relaxed).max(1);
        let rows_per_fault = decided as u64 / faults + 1;
        let best = (2 * rows_per_fault).saturating_mul(FUEL_OF_A_CALL / fuel_per_row + 1).isqrt();
        usize::try_from(best).unwrap_or(usize::MAX).clamp(1, most)
    }

    /// How many rows from the start of `range` go into one call.
    fn fitting(&self, range: &Range<usize>, step: usize) -> usize {
        let limits = &self.module.limits;
        let mut length = range.len().min(step).max(1);
        let fuel_per_row = self.fuel_guess().load(Ordering::Relaxed);
        if let Some(affordable) = (limits.fuel / FUEL_SHARE_OF_A_CALL).checked_div(fuel_per_row) {
            length = length.min(usize::try_from(affordable).unwrap_or(usize::MAX)).max(1);
        }
        let bytes = |length| {
            let rows = range.start..range.start + length;
            Request::new(self.inputs, &self.arguments.columns, rows, None).len()
        };
        while length > 1 && bytes(length) > limits.request_bytes {
            length /= 2;
        }
        length
    }

    fn fuel_guess(&self) -> &std::sync::atomic::AtomicU64 {
        self.module.fuel_guess(self.export, self.index)
    }

    fn attempt(
        &self,
        range: &Range<usize>,
        alone: bool,
        groups: Option<CallGroups>,
        metrics: &mut CallMetrics,
    ) -> Attempt {
        let module = self.module;
        let index = u32::try_from(self.index).expect("a manifest has few functions");
        let failed = |FailedCall { fault, row }: FailedCall, fresh, metrics: &mut CallMetrics| {
            metrics.faults += 1;
            Attempt::Failed { fault, row, fresh }
        };
        let fresh = alone || self.shape.isolation == Isolation::Fresh;
        let acquired = module.acquire(
            self.export,
            index,
            self.inputs,
            &self.arguments.columns,
            fresh,
            metrics,
        );
        let (mut instance, fresh) = match acquired {
            Ok(acquired) => acquired,
            Err(failure) => return failed(failure, true, metrics),
        };

        let clock = WriteClock::start();
        let of_rows = groups.as_ref().map(|CallGroups { of_rows, of_states }| Groups {
            of_rows,
            count: of_states.len() as u32,
        });
        let request = Request::new(self.inputs, &self.arguments.columns, range.clone(), of_rows)
            .timed(&clock);
        metrics.calls += 1;
        metrics.rows += range.len() as u64;
        metrics.bytes_in += request.len() as u64;
        let answer = instance.call(self.export, index, request);
        metrics.write += clock.written() - clock.started();
        let Answer { reply: ReplyBytes { bytes, returned, memory: _ }, fuel } = match answer {
            Ok(answer) => answer,
            Err(failure) => {
                metrics.run += clock.written().elapsed();
                module.maker.pools.discard(instance);
                return failed(failure, fresh, metrics);
            }
        };
        metrics.run += returned.saturating_duration_since(clock.written());
        metrics.fuel += fuel;
        metrics.bytes_out += bytes.len() as u64;
        self.fuel_guess().store(fuel / range.len().max(1) as u64, Ordering::Relaxed);
        if !(counts(fuel, &module.limits) || range.len() <= 1 && fresh) {
            module.release(instance, self.shape.isolation, (self.export, index, self.inputs));
            return Attempt::Costly;
        }

        let of_states = groups.map(|groups| groups.of_states);
        let (rows, failing) = match &of_states {
            Some(of_states) => (of_states.len(), Failing::OfBatch(range.len())),
            None => (range.len(), Failing::Rows),
        };
        let reply_bytes = bytes.len();
        let reply = decode(bytes, self.outputs, rows, failing, module.limits.message_bytes);
        metrics.read += returned.elapsed();
        match reply {
            Ok(reply) => {
                module.release(instance, self.shape.isolation, (self.export, index, self.inputs));
                let groups = of_states.unwrap_or_default();
                Attempt::Done { reply, groups, bytes: reply_bytes }
            }
            Err(reason) => {
                module.maker.pools.discard(instance);
                let fault = Fault::InvalidReply(reason);
                failed(FailedCall { fault, row: None }, fresh, metrics)
            }
        }
    }

    /// The state of a group without rows, by a `partial` of one group; the
    /// inner error is the module's failure to give one.
    pub(crate) fn empty_state(
        &self,
        metrics: &mut CallMetrics,
    ) -> Result<Result<ArrayRef, RowError>, CallError> {
        let groups = || Some(CallGroups { of_rows: Vec::new(), of_states: vec![0] });
        let mut attempt = self.attempt(&(0..0), false, groups(), metrics);
        if !attempt.is_verdict() {
            attempt = self.attempt(&(0..0), true, groups(), metrics);
        }
        match attempt {
            Attempt::Done { reply, .. } => Ok(Ok(reply.columns[0].clone())),
            Attempt::Failed { fault, .. } => self.verdict(0, fault).map(Err),
            Attempt::Costly => {
                let fault = Fault::OutOfFuel { limit: self.module.limits.fuel };
                self.verdict(0, fault).map(Err)
            }
        }
    }

    fn verdict(&self, row: usize, fault: Fault) -> Result<RowError, CallError> {
        self.host_trouble(&fault)?;
        let status = match fault {
            Fault::OutOfFuel { .. } => RowStatus::OutOfFuel,
            Fault::OutOfMemory { .. } => RowStatus::OutOfMemory,
            Fault::StackOverflow => RowStatus::StackOverflow,
            Fault::InvalidReply(_) => RowStatus::InvalidReply,
            Fault::Trapped(_) | Fault::Deadline(_) | Fault::Host(_) => RowStatus::Trapped,
        };
        let message = cut(fault.to_string(), self.module.limits.message_bytes);
        Ok(RowError { row, status, message })
    }

    /// Faults that never decide a value end the evaluation.
    fn host_trouble(&self, fault: &Fault) -> Result<(), CallError> {
        match fault {
            Fault::Deadline(deadline) => {
                Err(CallError::DeadlineExceeded { function: self.function(), deadline: *deadline })
            }
            Fault::Host(reason) => {
                Err(CallError::Host { function: self.function(), reason: reason.clone() })
            }
            _ => Ok(()),
        }
    }

    fn contain(&self, bytes: usize) -> Result<(), CallError> {
        contain(self.module, self.export, self.index, bytes)
    }

    /// Gives up when too many of the rows before `decided` have failed. Rows
    /// are decided in their order, so the list is the same however they were
    /// cut into calls.
    fn bear(&self, parts: &Parts, decided: usize) -> Result<(), CallError> {
        let Some(limit) = self.max_errors else { return Ok(()) };
        let refused = self.arguments.refused_before(decided);
        if ((parts.errors.len() + refused.len()) as u64) <= limit {
            return Ok(());
        }
        let mut errors = self.arguments.all_errors(refused, parts.errors.clone());
        errors.truncate(usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1));
        Err(CallError::TooManyErrors { function: self.function(), limit, errors })
    }

    pub(crate) fn function(&self) -> String {
        function_name(self.module, self.export, self.index)
    }
}

/// Gives up when what is kept of the replies grows too large for the host.
pub(crate) fn contain(
    module: &Inner,
    export: Export,
    index: usize,
    bytes: usize,
) -> Result<(), CallError> {
    let limit = module.limits.outcome_bytes;
    if bytes <= limit {
        return Ok(());
    }
    Err(CallError::OutcomeTooLarge { function: function_name(module, export, index), limit })
}

/// How messages name a function: `transform rate`, `aggregate mean (merge)`.
pub(crate) fn function_name(module: &Inner, export: Export, index: usize) -> String {
    match export {
        Export::Transform => format!("transform {}", module.manifest.transforms[index].name),
        _ => format!("aggregate {} ({})", module.manifest.aggregates[index].name, export.name()),
    }
}

impl Attempt {
    /// Whether it settles a row that was alone.
    fn is_verdict(&self) -> bool {
        match self {
            Self::Done { .. } => true,
            Self::Costly => false,
            Self::Failed { fresh, .. } => *fresh,
        }
    }
}

/// Numbers the groups of a call anew, so that one over few of very many groups
/// yields few states.
#[derive(Default)]
struct LocalGroups {
    local_of: Vec<u32>,
}

const NOT_SEEN: u32 = u32::MAX;

impl LocalGroups {
    /// Of all rows at once: where most groups have rows, they keep their
    /// numbers, so that the states come back in their places. Then there is a
    /// state for groups without rows, too.
    fn of_all(&mut self, groups: &[u32]) -> CallGroups {
        let count = groups.iter().max().map_or(0, |greatest| *greatest as usize + 1);
        if count > groups.len() {
            return self.of(groups);
        }
        CallGroups { of_rows: groups.to_vec(), of_states: (0..count as u32).collect() }
    }

    fn of(&mut self, groups: &[u32]) -> CallGroups {
        let mut of_states = Vec::new();
        let of_rows = groups
            .iter()
            .map(|&group| {
                let at = group as usize;
                if at >= self.local_of.len() {
                    self.local_of.resize(at + 1, NOT_SEEN);
                }
                if self.local_of[at] == NOT_SEEN {
                    self.local_of[at] = of_states.len() as u32;
                    of_states.push(group);
                }
                self.local_of[at]
            })
            .collect();
        for &group in &of_states {
            self.local_of[group as usize] = NOT_SEEN;
        }
        CallGroups { of_rows, of_states }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_numbered_by_first_appearance() {
        let mut locals = LocalGroups::default();
        let mut of = |groups: &[u32]| {
            let CallGroups { of_rows, of_states } = locals.of(groups);
            (of_rows, of_states)
        };
        assert_eq!(of(&[7, 3, 7, 0]), (vec![0, 1, 0, 2], vec![7, 3, 0]));
        assert_eq!(of(&[3, 3]), (vec![0, 0], vec![3]));
        assert_eq!(of(&[]), (vec![], vec![]));
    }

    #[test]
    fn of_all_rows_groups_keep_their_numbers_unless_few_have_rows() {
        let mut locals = LocalGroups::default();
        let mut of_all = |groups: &[u32]| {
            let CallGroups { of_rows, of_states } = locals.of_all(groups);
            (of_rows, of_states)
        };
        assert_eq!(of_all(&[3, 0, 3, 1]), (vec![3, 0, 3, 1], vec![0, 1, 2, 3]));
        assert_eq!(of_all(&[4, 0, 4, 1]), (vec![0, 1, 0, 2], vec![4, 0, 1]));
        assert_eq!(of_all(&[]), (vec![], vec![]));
    }
}

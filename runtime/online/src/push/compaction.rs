//! Pushed rows of an entity folded into fewer parts, now and then, so that
//! reading it stays quick however many come.

use bytes::Bytes;
use unskew_executor::stored::{Compaction as Plan, FoundParts};
use unskew_store::{
    Compaction, Expectation, Found, Lookup, OnlineStore, Part, PartKind, PartVersion,
};

use crate::engine::ServedView;
use crate::error::OnlineError;

/// One of so many written records has its entity looked at.
pub(super) const EVERY: u64 = 64;
/// Fewer rows are not worth a write.
const AT_LEAST: usize = 128;

/// Compacts an entity's rows, if there are enough of them. Whoever writes to it
/// meanwhile wins: then nothing is done.
pub(super) async fn compact(
    store: &dyn OnlineStore,
    view: &ServedView,
    entity: &[u8],
    now: i64,
) -> Result<bool, OnlineError> {
    let needs = view.operator.needs_all(now);
    let lookup = Lookup {
        table: &view.table,
        entity,
        newest_row: false,
        rows_from: Some(needs.rows_from.as_deref().unwrap_or_default()),
        rows_below: None,
        tiles: &[],
    };
    let answer = store.read(&[lookup]).await?;
    let (Some(found), Some(state)) = (answer.found.first(), answer.state(&view.table)) else {
        return Ok(false);
    };
    if found.rows.len() < AT_LEAST {
        return Ok(false);
    }
    let parts = FoundParts {
        rows: found.rows.iter().map(|row| (&*row.name, &*row.value)).collect(),
        tiles: Vec::new(),
    };
    let Some(plan) = view.operator.compact(state.covered_until, &parts, AT_LEAST)? else {
        return Ok(false);
    };
    let compaction = compaction_of(plan, found);
    Ok(store.compact(&view.table, state.generation, entity, &compaction).await?)
}

fn compaction_of(plan: Plan, found: &Found) -> Compaction {
    let Plan { expected, remove, put } = plan;
    let version_of =
        |name: &[u8]| found.rows.iter().find(|row| *row.name == *name).map(|row| row.version);
    let expected = expected.into_iter().map(|expected| Expectation {
        kind: PartKind::Row,
        version: if expected.is_there { version_of(&expected.name) } else { None },
        name: expected.name.into(),
    });
    let put = put.into_iter().map(|part| Part {
        kind: PartKind::Row,
        name: part.name.into(),
        version: PartVersion {
            event_timestamp: part.version.event_timestamp,
            created_timestamp: part.version.created_timestamp,
            revision: part.version.revision,
        },
        value: part.value.into(),
    });
    Compaction {
        expected: expected.collect(),
        remove: remove.into_iter().map(|name| (PartKind::Row, Bytes::from(name))).collect(),
        put: put.collect(),
    }
}

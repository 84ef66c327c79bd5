//! From a view's table to records, and from records to rows that answer.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, RecordBatch, StringArray, UInt32Array,
    UInt64Array,
};
use arrow::datatypes::{ArrowPrimitiveType, TimestampMicrosecondType, UInt32Type, UInt64Type};
use unskew_column::row::RowEncoder;

use crate::evaluation_error::EvaluationError;
use crate::point_in_time::EventIndex;
use crate::row_order::{RowOrder, RowTie};
use crate::rows::{AcceptedRows, CanonicalBytes, Entities};
use crate::service::{Instants, ViewOperator, ViewRows};
use crate::stored::emitted::emitted_parts;
use crate::stored::entity_rows::ReadRows;
use crate::stored::error::StoredError;
use crate::stored::latest::{latest_parts, row_parts};
use crate::stored::layout::{StoredContents, StoredLayout};
use crate::stored::needs::{AskedEntities, FoundParts, Needs};
use crate::stored::part::{EntityRecord, Origin};
use crate::stored::row_keys::without_nulls;
use crate::stored::trailing::trailing_parts;
use crate::window::NO_ENTITY;

/// Which rows of a table become records. Times in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSlice {
    /// Of a trailing view: the table holds all rows from here on up to `until`,
    /// and this is where a tile of the coarsest length begins.
    pub from: i64,
    /// Rows from here on are left out. Of a trailing view, where it is not
    /// where a coarsest tile ends, the next slice begins where that tile does.
    pub until: i64,
    /// What files are covered until once all slices are written; not before
    /// `until`.
    pub covered_until: i64,
}

/// What matters of a trailing view's rows once files are covered until a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TileSpan {
    /// No question that has an exact answer needs a row before this; a coarsest
    /// tile begins there. In microseconds.
    pub from: i64,
    /// The length of the coarsest tiles, in microseconds.
    pub coarsest_us: i64,
}

/// A view's table, by columns.
pub(crate) struct TableRows<'a> {
    pub(crate) events: &'a [i64],
    /// Where rows have such times.
    pub(crate) created: Option<&'a [i64]>,
    pub(crate) order_keys: Option<&'a BinaryArray>,
    pub(crate) errors: Option<&'a StringArray>,
    pub(crate) tombstones: Option<&'a BooleanArray>,
    pub(crate) windows: Option<WindowColumns<'a>>,
    pub(crate) keys: &'a [ArrayRef],
    pub(crate) values: &'a [ArrayRef],
    pub(crate) encoder: RowEncoder<'a>,
}

pub(crate) struct WindowColumns<'a> {
    pub(crate) starts: &'a [i64],
    pub(crate) revisions: &'a UInt64Array,
    pub(crate) sequences: &'a UInt32Array,
}

impl<'a> TableRows<'a> {
    /// The columns of a table, which must be exactly those of the layout.
    pub(crate) fn new(
        operator: &ViewOperator,
        layout: &StoredLayout,
        table: &'a RecordBatch,
    ) -> Result<Self, EvaluationError> {
        let view = &operator.view().id;
        let wrong = |reason: String| StoredError::WrongTable { view: view.clone(), reason };
        let fields = layout.schema.fields();
        if table.num_columns() != fields.len() {
            let reason = format!("have {} columns, not {}", table.num_columns(), fields.len());
            return Err(wrong(reason).into());
        }
        for (wanted, found) in fields.iter().zip(table.schema_ref().fields()) {
            if wanted.name() != found.name() || wanted.data_type() != found.data_type() {
                let type_of = |field: &arrow::datatypes::Field| {
                    format!("{} {}", field.name(), crate::arrow_name(field.data_type()))
                };
                let reason = format!("have {} in the place of {}", type_of(found), type_of(wanted));
                return Err(wrong(reason).into());
            }
        }
        let columns = table.columns();
        for (field, column) in fields.iter().zip(columns) {
            let must = !field.is_nullable()
                || (layout.has_created && field.name() == fields[layout.keys + 1].name());
            if must && column.null_count() > 0 {
                return Err(wrong(format!("have a null in {}", field.name())).into());
            }
        }
        let system = &columns[layout.keys..layout.first_value()];
        let values = &columns[layout.first_value()..];
        let times = |at: usize| numbers::<TimestampMicrosecondType>(&system[at]);
        let is_emitted = matches!(layout.contents, StoredContents::Emitted);
        let encoder = layout
            .codec
            .encoder(values)
            .map_err(|source| StoredError::Unwritable { view: view.clone(), source })?;
        Ok(Self {
            events: times(0),
            created: (layout.has_created || is_emitted).then(|| times(1)),
            order_keys: (!is_emitted).then(|| system[2].as_binary()),
            errors: match layout.contents {
                StoredContents::Latest { .. } => Some(system[3].as_string()),
                StoredContents::Trailing(_) => None,
                StoredContents::Emitted => Some(system[6].as_string()),
            },
            tombstones: is_emitted.then(|| system[5].as_boolean()),
            windows: is_emitted.then(|| WindowColumns {
                starts: times(2),
                revisions: system[3].as_primitive::<UInt64Type>(),
                sequences: system[4].as_primitive::<UInt32Type>(),
            }),
            keys: &columns[..layout.keys],
            values,
            encoder,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// From when on a row may be seen.
    pub(crate) fn visible(&self, row: u32) -> i64 {
        let row = row as usize;
        self.created.map_or(self.events[row], |created| created[row].max(self.events[row]))
    }

    /// The keys that order rows.
    pub(crate) fn order(&self) -> RowOrder {
        let tie = match self.order_keys {
            Some(keys) => RowTie::Bytes(without_nulls(keys)),
            None => RowTie::Position { positions: (0..self.len() as u32).collect() },
        };
        RowOrder::new(
            self.events.to_vec().into(),
            self.created.map(|created| created.to_vec().into()),
            tie,
        )
    }

    /// The entities, the number of each row's, and their rows in order.
    pub(crate) fn entities(&self) -> (Entities, Vec<u32>) {
        let keys = CanonicalBytes::new(self.keys.to_vec());
        let mut entities = Entities::default();
        let numbers = entities.number(&keys, self.len());
        (entities, numbers.into_iter().map(|number| number.unwrap_or(NO_ENTITY)).collect())
    }
}

fn numbers<T: ArrowPrimitiveType>(column: &ArrayRef) -> &[T::Native] {
    column.as_primitive::<T>().values()
}

impl ViewOperator {
    /// What an online store keeps of the rows of a table.
    pub fn records(
        &self,
        table: &RecordBatch,
        slice: &RecordSlice,
    ) -> Result<Vec<EntityRecord>, EvaluationError> {
        self.records_of(table, Origin::Materialized, slice)
    }

    /// Whether rows that are pushed reach the view's online answers at once.
    /// Where windows emit they do not: they are archived, and materialized
    /// with the files.
    pub fn takes_pushed_rows(&self) -> bool {
        !self.view().window.emits()
    }

    /// What an online store keeps of rows that were pushed: all of them. To
    /// write the same rows again changes nothing.
    pub fn pushed_records(
        &self,
        source: &AcceptedRows,
    ) -> Result<Vec<EntityRecord>, EvaluationError> {
        if !self.takes_pushed_rows() {
            return Ok(Vec::new());
        }
        let table = self.prepare(source)?.table_with_ties(source, true)?;
        let all = RecordSlice { from: i64::MIN, until: i64::MAX, covered_until: i64::MIN };
        self.records_of(&table, Origin::Pushed, &all)
    }

    fn records_of(
        &self,
        table: &RecordBatch,
        origin: Origin,
        slice: &RecordSlice,
    ) -> Result<Vec<EntityRecord>, EvaluationError> {
        let layout = self.stored();
        let rows = TableRows::new(self, layout, table)?;
        let (entities, numbers) = rows.entities();
        let order = rows.order();
        let index = EventIndex::new(&numbers, &order, entities.len());
        let keys = CanonicalBytes::new(rows.keys.to_vec());
        let mut records: Vec<EntityRecord> = entities
            .first_rows()
            .iter()
            .map(|row| EntityRecord {
                entity: keys.of(*row as usize),
                parts: Vec::new(),
                drop_rows_below: None,
            })
            .collect();
        let mut places = Vec::new();
        for (entity, record) in (0..).zip(&mut records) {
            places.clear();
            let of_entity = index.places(entity).map(|place| index.row(place));
            let is_in = |event: i64| match &layout.contents {
                // A window belongs to the time before its end.
                StoredContents::Emitted => event <= slice.until,
                _ => event < slice.until,
            };
            places.extend(of_entity.filter(|row| is_in(rows.events[*row as usize])));
            (record.parts, record.drop_rows_below) = match &layout.contents {
                StoredContents::Latest { .. } => latest_parts(&rows, &places, origin, slice.until),
                StoredContents::Emitted => emitted_parts(&rows, &places, slice.until),
                StoredContents::Trailing(trailing) => {
                    let until = trailing.tiled_until(slice.covered_until);
                    let in_no_tile = |row: &&u32| {
                        let event = rows.events[**row as usize];
                        let is_tiled = origin == Origin::Materialized
                            && event < until
                            && trailing.is_on_time(event, rows.visible(**row));
                        !is_tiled && event >= slice.from
                    };
                    let parts = places.iter().filter(in_no_tile).copied();
                    (row_parts(&rows, parts, origin, false), None)
                }
            };
        }
        if let (StoredContents::Trailing(trailing), Origin::Materialized) =
            (&layout.contents, origin)
        {
            trailing_parts(self, trailing, &rows, &numbers, order, slice, &mut records)?;
        }
        records.retain(|record| !record.parts.is_empty());
        Ok(records)
    }

    /// What of a trailing view's rows matters once files are covered until
    /// `covered_until`; none of other views, of which all rows do.
    pub fn tile_span(&self, covered_until: i64) -> Option<TileSpan> {
        let trailing = self.stored().trailing()?;
        let exact_since = self.exact_since(covered_until);
        let tails = self.trailing_windows.iter().map(|window| window.tail(exact_since));
        let coarsest = trailing.resolutions.lengths_us().len() - 1;
        let from = trailing.resolutions.start(coarsest, tails.min().unwrap_or(exact_since));
        Some(TileSpan { from, coarsest_us: trailing.resolutions.lengths_us()[coarsest] })
    }

    /// Before this time, in microseconds, rows on time are in tiles where files
    /// are covered until `covered_until`: a later run begins here.
    pub fn tiled_until(&self, covered_until: i64) -> Option<i64> {
        Some(self.stored().trailing()?.tiled_until(covered_until))
    }

    /// Rows that answer questions at the time of `needs`, from what was read
    /// for them of each of the `asked` entities. `covered_until` is what the
    /// store says of its table, in microseconds.
    pub fn restore_records(
        &self,
        needs: &Needs,
        covered_until: Option<i64>,
        found: &[FoundParts<'_>],
        asked: &AskedEntities,
    ) -> Result<ViewRows<'_>, EvaluationError> {
        let restored = match &self.stored().contents {
            StoredContents::Latest { .. } => self.restore_latest(needs, found)?,
            StoredContents::Emitted => self.restore_emitted(needs, found)?,
            StoredContents::Trailing(_) => self.restore_trailing(needs, covered_until, found)?,
        };
        let entity = |entity: &Option<u32>| {
            entity.filter(|entity| (*entity as usize) < found.len()).unwrap_or(NO_ENTITY)
        };
        let read = ReadRows {
            time: needs.time,
            asked: asked.of_questions.iter().map(entity).collect(),
            inexact: restored.inexact,
            incomplete: restored.incomplete,
        };
        Ok(ViewRows {
            operator: self,
            entities: Entities::default(),
            keys: Vec::new(),
            contents: restored.contents,
            dead_letters: Vec::new(),
            warnings: Vec::new(),
            instants: Instants::Known,
            rows: Vec::new(),
            read: Some(read),
        })
    }

    /// The stored form of the view.
    pub(crate) fn stored(&self) -> &StoredLayout {
        &self.stored
    }

    /// The distinct folds of a trailing view.
    pub(crate) fn tile_kernels(&self, kernels: &[usize]) -> Vec<Arc<dyn crate::AggregateKernel>> {
        kernels.iter().map(|at| Arc::clone(&self.kernels[*at])).collect()
    }
}

impl ViewRows<'_> {
    /// The entities, by their number among those that were asked for, whose
    /// parts must be read again by
    /// [`needs_all`](ViewOperator::needs_all): the newest row is not visible
    /// yet at the time of asking, and an older one may be.
    pub fn incomplete(&self) -> &[u32] {
        self.read.as_ref().map_or(&[], |read| &read.incomplete)
    }
}

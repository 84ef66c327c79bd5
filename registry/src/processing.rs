//! How far a view is materialized, and from what.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::{Registry, RegistryError};

/// How far a view, at a version, is materialized.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessingState {
    /// The generation that the stores answer from.
    pub generation: u64,
    /// Where what is materialized begins; `None`: nothing is.
    pub covered_from: Option<i64>,
    /// Everything before it is materialized; the next increment begins here. `None`: nothing is.
    pub watermark: Option<i64>,
    /// Digest of the definition that it was materialized by.
    pub definition: String,
    /// When it last changed.
    pub updated_at: i64,
    /// The files that were read, by place.
    pub inputs: Vec<InputFile>,
    /// The slices of the current generation that are done, by start.
    pub slices: Vec<Slice>,
}

/// An input file as it was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// Path or URL.
    pub place: String,
    /// Its length.
    pub bytes: u64,
    /// What tells two contents of it apart: an `ETag`, or modification time and hash.
    pub mark: String,
    /// Rows that were accepted from it.
    pub rows: u64,
    /// The least event time in it; `None` where it has no rows.
    pub first_event: Option<i64>,
    /// The greatest event time in it.
    pub last_event: Option<i64>,
}

/// A slice of time that is done: in the offline store, and in the online store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Its first moment.
    pub start: i64,
    /// The moment after its last.
    pub end: i64,
    /// Digest of what was written.
    pub digest: String,
    /// Rows that were written.
    pub rows: u64,
}

impl Registry {
    /// How far a view (name, `@` and version) is; `None` where it never was materialized.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub async fn processing(&self, view: &str) -> Result<Option<ProcessingState>, RegistryError> {
        let failed = |error: sqlx::Error| self.error(&error);
        // One transaction, so that all of it is of one moment.
        let mut read = self.pool().begin().await.map_err(failed)?;
        let row = sqlx::query("SELECT * FROM processing WHERE view = ?")
            .bind(view)
            .fetch_optional(&mut *read)
            .await
            .map_err(failed)?;
        let Some(row) = row else { return Ok(None) };
        let generation: i64 = row.try_get("generation").map_err(failed)?;
        let inputs = sqlx::query("SELECT * FROM input_file WHERE view = ? ORDER BY place")
            .bind(view)
            .fetch_all(&mut *read)
            .await
            .map_err(failed)?;
        let slices =
            sqlx::query("SELECT * FROM slice WHERE view = ? AND generation = ? ORDER BY start")
                .bind(view)
                .bind(generation)
                .fetch_all(&mut *read)
                .await
                .map_err(failed)?;
        Ok(Some(ProcessingState {
            generation: self.count(generation)?,
            covered_from: row.try_get("covered_from").map_err(failed)?,
            watermark: row.try_get("watermark").map_err(failed)?,
            definition: row.try_get("definition").map_err(failed)?,
            updated_at: row.try_get("updated_at").map_err(failed)?,
            inputs: inputs.iter().map(|row| self.input(row)).collect::<Result<_, _>>()?,
            slices: slices.iter().map(|row| self.slice(row)).collect::<Result<_, _>>()?,
        }))
    }

    /// The views (name, `@` and version) that were materialized, in order.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub async fn processed_views(&self) -> Result<Vec<String>, RegistryError> {
        sqlx::query_scalar("SELECT view FROM processing ORDER BY view")
            .fetch_all(self.pool())
            .await
            .map_err(|error| self.error(&error))
    }

    /// The slices that a generation of a view has done, by start: also one that is being built.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub async fn slices(&self, view: &str, generation: u64) -> Result<Vec<Slice>, RegistryError> {
        let rows =
            sqlx::query("SELECT * FROM slice WHERE view = ? AND generation = ? ORDER BY start")
                .bind(view)
                .bind(generation.cast_signed())
                .fetch_all(self.pool())
                .await
                .map_err(|error| self.error(&error))?;
        rows.iter().map(|row| self.slice(row)).collect()
    }

    pub(crate) fn count(&self, number: i64) -> Result<u64, RegistryError> {
        u64::try_from(number).map_err(|_| self.corrupted(format!("it counts {number}")))
    }

    fn input(&self, row: &SqliteRow) -> Result<InputFile, RegistryError> {
        let failed = |error: sqlx::Error| self.error(&error);
        Ok(InputFile {
            place: row.try_get("place").map_err(failed)?,
            bytes: self.count(row.try_get("bytes").map_err(failed)?)?,
            mark: row.try_get("mark").map_err(failed)?,
            rows: self.count(row.try_get("rows").map_err(failed)?)?,
            first_event: row.try_get("first_event").map_err(failed)?,
            last_event: row.try_get("last_event").map_err(failed)?,
        })
    }

    fn slice(&self, row: &SqliteRow) -> Result<Slice, RegistryError> {
        let failed = |error: sqlx::Error| self.error(&error);
        Ok(Slice {
            start: row.try_get("start").map_err(failed)?,
            end: row.try_get("end").map_err(failed)?,
            digest: row.try_get("digest").map_err(failed)?,
            rows: self.count(row.try_get("rows").map_err(failed)?)?,
        })
    }
}

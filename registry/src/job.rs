//! What is being materialized, so that whoever comes after a crash goes on with it.

use std::path::Path;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, Transaction};

use crate::{InputFile, Registry, RegistryError, Slice};

/// Why a view is materialized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// A range of time, into a new generation.
    Backfill,
    /// From the watermark on, into the current generation.
    Incremental,
}

impl JobKind {
    fn word(self) -> &'static str {
        match self {
            Self::Backfill => "backfill",
            Self::Incremental => "incremental",
        }
    }
}

/// A job that is to be begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Name, `@` and version of the view.
    pub view: String,
    /// Why.
    pub kind: JobKind,
    /// The generation that it writes to.
    pub generation: u64,
    /// Its first moment.
    pub start: i64,
    /// The moment after its last.
    pub end: i64,
    /// Digest of the definition.
    pub definition: String,
    /// Whatever else is needed to go on, in the words of whoever does it.
    pub detail: String,
    /// When it begins.
    pub started_at: i64,
}

/// A job that is begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its number; no two have the same.
    pub id: i64,
    /// What it was begun as.
    pub begun: NewJob,
    /// The slice that it is at, by start.
    pub slice_start: Option<i64>,
    /// The last commit point that it passed within that slice, in the words of whoever does it.
    pub phase: Option<String>,
    /// The process that does it.
    pub process: u32,
}

impl Registry {
    /// The job of a view that is begun and not ended, whoever does it.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub async fn job(&self, view: &str) -> Result<Option<Job>, RegistryError> {
        let row = sqlx::query("SELECT * FROM job WHERE view = ?")
            .bind(view)
            .fetch_optional(self.pool())
            .await
            .map_err(|error| self.error(&error))?;
        row.map(|row| self.read_job(&row)).transpose()
    }

    /// Begins a job in this process. A job of the view that another one left open must be gone on with, or given up, first.
    ///
    /// # Errors
    ///
    /// If the view has a job, or the file cannot be written.
    pub async fn begin_job(&self, new: &NewJob) -> Result<Job, RegistryError> {
        let NewJob { view, kind, generation, start, end, definition, detail, started_at } = new;
        let mut change = self.begin().await?;
        if let Some(job) = self.job_within(&mut change, view).await? {
            return Err(RegistryError::Busy { view: view.clone(), process: job.process });
        }
        let process = std::process::id();
        let done = sqlx::query(
            "INSERT INTO job (view, kind, generation, start, end, definition, detail, process, started_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(view)
        .bind(kind.word())
        .bind(generation.cast_signed())
        .bind(start)
        .bind(end)
        .bind(definition)
        .bind(detail)
        .bind(process)
        .bind(started_at)
        .execute(&mut *change)
        .await
        .map_err(|error| self.error(&error))?;
        self.commit(change).await?;
        let id = done.last_insert_rowid();
        Ok(Job { id, begun: new.clone(), slice_start: None, phase: None, process })
    }

    /// Takes over a view's open job, where the process that did it is gone; `None` where there is no job.
    ///
    /// # Errors
    ///
    /// [`RegistryError::Busy`] if that process is at work; or if the file cannot be written.
    pub async fn resume_job(&self, view: &str) -> Result<Option<Job>, RegistryError> {
        let mut change = self.begin().await?;
        let Some(mut job) = self.job_within(&mut change, view).await? else { return Ok(None) };
        let this = std::process::id();
        if job.process != this && is_there(job.process) {
            return Err(RegistryError::Busy { view: view.into(), process: job.process });
        }
        sqlx::query("UPDATE job SET process = ? WHERE id = ?")
            .bind(this)
            .bind(job.id)
            .execute(&mut *change)
            .await
            .map_err(|error| self.error(&error))?;
        self.commit(change).await?;
        job.process = this;
        Ok(Some(job))
    }

    /// Notes that a job passed a commit point of a slice.
    ///
    /// # Errors
    ///
    /// If the job is no longer this process's, or the file cannot be written.
    pub async fn pass_phase(
        &self,
        job: &Job,
        slice_start: i64,
        phase: &str,
    ) -> Result<(), RegistryError> {
        let mut change = self.begin().await?;
        self.note_phase(&mut change, job, Some(slice_start), Some(phase)).await?;
        self.commit(change).await
    }

    /// Notes that a slice is done, in both stores, in one step with leaving its commit points.
    ///
    /// # Errors
    ///
    /// If the job is no longer this process's, or the file cannot be written.
    pub async fn finish_slice(&self, job: &Job, slice: &Slice) -> Result<(), RegistryError> {
        let Slice { start, end, digest, rows } = slice;
        let mut change = self.begin().await?;
        self.note_phase(&mut change, job, None, None).await?;
        sqlx::query(
            "INSERT OR REPLACE INTO slice (view, generation, start, end, digest, rows) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(&job.begun.view)
        .bind(job.begun.generation.cast_signed())
        .bind(start)
        .bind(end)
        .bind(digest)
        .bind(rows.cast_signed())
        .execute(&mut *change)
        .await
        .map_err(|error| self.error(&error))?;
        self.commit(change).await
    }

    /// Ends a job: its view is materialized to its end, by its generation, from these files. Slices of other generations are forgotten. In one step.
    ///
    /// # Errors
    ///
    /// If the job is no longer this process's, or the file cannot be written.
    pub async fn finish_job(
        &self,
        job: &Job,
        covered_from: Option<i64>,
        watermark: Option<i64>,
        inputs: &[InputFile],
        updated_at: i64,
    ) -> Result<(), RegistryError> {
        let failed = |error: sqlx::Error| self.error(&error);
        let view = &job.begun.view;
        let generation = job.begun.generation.cast_signed();
        let mut change = self.begin().await?;
        self.note_phase(&mut change, job, None, None).await?;
        sqlx::query(
            "INSERT OR REPLACE INTO processing (view, generation, covered_from, watermark, definition, updated_at)
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(view)
        .bind(generation)
        .bind(covered_from)
        .bind(watermark)
        .bind(&job.begun.definition)
        .bind(updated_at)
        .execute(&mut *change)
        .await
        .map_err(failed)?;
        sqlx::query("DELETE FROM input_file WHERE view = ?")
            .bind(view)
            .execute(&mut *change)
            .await
            .map_err(failed)?;
        for InputFile { place, bytes, mark, rows, first_event, last_event } in inputs {
            sqlx::query(
                "INSERT INTO input_file (view, place, bytes, mark, rows, first_event, last_event)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(view)
            .bind(place)
            .bind(bytes.cast_signed())
            .bind(mark)
            .bind(rows.cast_signed())
            .bind(first_event)
            .bind(last_event)
            .execute(&mut *change)
            .await
            .map_err(failed)?;
        }
        sqlx::query("DELETE FROM slice WHERE view = ? AND generation <> ?")
            .bind(view)
            .bind(generation)
            .execute(&mut *change)
            .await
            .map_err(failed)?;
        self.end_job(change, job).await
    }

    /// Gives a job up: what was is what is. Slices of its generation are forgotten, unless that is the current one.
    ///
    /// # Errors
    ///
    /// If the job is no longer this process's, or the file cannot be written.
    pub async fn abandon_job(&self, job: &Job) -> Result<(), RegistryError> {
        let failed = |error: sqlx::Error| self.error(&error);
        let mut change = self.begin().await?;
        self.note_phase(&mut change, job, None, None).await?;
        sqlx::query(
            "DELETE FROM slice WHERE view = ?1 AND generation = ?2
             AND NOT EXISTS (SELECT 1 FROM processing WHERE view = ?1 AND generation = ?2)",
        )
        .bind(&job.begun.view)
        .bind(job.begun.generation.cast_signed())
        .execute(&mut *change)
        .await
        .map_err(failed)?;
        self.end_job(change, job).await
    }

    /// Forgets that a job is open, and commits.
    async fn end_job(
        &self,
        mut change: Transaction<'_, Sqlite>,
        job: &Job,
    ) -> Result<(), RegistryError> {
        sqlx::query("DELETE FROM job WHERE id = ?")
            .bind(job.id)
            .execute(&mut *change)
            .await
            .map_err(|error| self.error(&error))?;
        self.commit(change).await
    }

    /// Sets where a job is; refuses where it is not this process's any more.
    async fn note_phase(
        &self,
        change: &mut Transaction<'_, Sqlite>,
        job: &Job,
        slice_start: Option<i64>,
        phase: Option<&str>,
    ) -> Result<(), RegistryError> {
        let done =
            sqlx::query("UPDATE job SET slice_start = ?, phase = ? WHERE id = ? AND process = ?")
                .bind(slice_start)
                .bind(phase)
                .bind(job.id)
                .bind(job.process)
                .execute(&mut **change)
                .await
                .map_err(|error| self.error(&error))?;
        match done.rows_affected() {
            1 => Ok(()),
            _ => Err(RegistryError::JobGone { job: job.id, view: job.begun.view.clone() }),
        }
    }

    async fn job_within(
        &self,
        change: &mut Transaction<'_, Sqlite>,
        view: &str,
    ) -> Result<Option<Job>, RegistryError> {
        let row = sqlx::query("SELECT * FROM job WHERE view = ?")
            .bind(view)
            .fetch_optional(&mut **change)
            .await
            .map_err(|error| self.error(&error))?;
        row.map(|row| self.read_job(&row)).transpose()
    }

    fn read_job(&self, row: &SqliteRow) -> Result<Job, RegistryError> {
        let failed = |error: sqlx::Error| self.error(&error);
        let kind: String = row.try_get("kind").map_err(failed)?;
        let kind = match kind.as_str() {
            "backfill" => JobKind::Backfill,
            "incremental" => JobKind::Incremental,
            other => return Err(self.corrupted(format!("a job of kind {other:?}"))),
        };
        Ok(Job {
            id: row.try_get("id").map_err(failed)?,
            begun: NewJob {
                view: row.try_get("view").map_err(failed)?,
                kind,
                generation: self.count(row.try_get("generation").map_err(failed)?)?,
                start: row.try_get("start").map_err(failed)?,
                end: row.try_get("end").map_err(failed)?,
                definition: row.try_get("definition").map_err(failed)?,
                detail: row.try_get("detail").map_err(failed)?,
                started_at: row.try_get("started_at").map_err(failed)?,
            },
            slice_start: row.try_get("slice_start").map_err(failed)?,
            phase: row.try_get("phase").map_err(failed)?,
            process: row.try_get("process").map_err(failed)?,
        })
    }
}

fn is_there(process: u32) -> bool {
    // Where there is no /proc, it is not known; then it is better left alone.
    !Path::new("/proc/self").exists() || Path::new(&format!("/proc/{process}")).exists()
}

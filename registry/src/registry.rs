//! The file, open.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Sqlite, SqlitePool, Transaction};

use crate::RegistryError;
use crate::migrations::MIGRATIONS;

/// How long a change waits for those of other processes.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECTIONS: u32 = 4;

/// The registry of a project.
#[derive(Clone, Debug)]
pub struct Registry {
    pool: SqlitePool,
    path: PathBuf,
}

impl Registry {
    /// Opens a registry, or makes it (with its folder), and brings its layout up to date.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or made, is no registry, or is of a newer version.
    pub async fn open(path: &Path) -> Result<Self, RegistryError> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| RegistryError::Open {
                path: path.to_owned(),
                why: error.to_string(),
            })?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A commit point that was reported stays, though the power fails.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(PATIENCE);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE * 2)
            .connect_with(options)
            .await
            .map_err(|error| RegistryError::of(path, &error))?;
        let registry = Self { pool, path: path.to_owned() };
        registry.migrate().await?;
        Ok(registry)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Ends all connections; what was committed stays.
    pub async fn close(self) {
        self.pool.close().await;
    }

    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    pub(crate) fn error(&self, error: &sqlx::Error) -> RegistryError {
        RegistryError::of(&self.path, error)
    }

    pub(crate) fn corrupted(&self, why: impl Into<String>) -> RegistryError {
        RegistryError::Corrupted { path: self.path.clone(), why: why.into() }
    }

    /// Begins a transaction that writes: it waits for others now, not in its middle.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Sqlite>, RegistryError> {
        self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|error| self.error(&error))
    }

    pub(crate) async fn commit(
        &self,
        change: Transaction<'_, Sqlite>,
    ) -> Result<(), RegistryError> {
        change.commit().await.map_err(|error| self.error(&error))
    }

    async fn migrate(&self) -> Result<(), RegistryError> {
        let failed = |error: sqlx::Error| self.error(&error);
        let mut change = self.begin().await?;
        let found: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&mut *change)
            .await
            .map_err(failed)?;
        let known = MIGRATIONS.len() as i64;
        if found > known {
            return Err(RegistryError::Newer { path: self.path.clone(), found, known });
        }
        let found = usize::try_from(found).map_err(|_| self.corrupted("its layout is negative"))?;
        for migration in &MIGRATIONS[found..] {
            sqlx::raw_sql(*migration).execute(&mut *change).await.map_err(failed)?;
        }
        if found < MIGRATIONS.len() {
            let version = format!("PRAGMA user_version = {known}");
            // A number of ours; a pragma takes no parameters.
            sqlx::raw_sql(sqlx::AssertSqlSafe(version))
                .execute(&mut *change)
                .await
                .map_err(failed)?;
        }
        self.commit(change).await
    }
}

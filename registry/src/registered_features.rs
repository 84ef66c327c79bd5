//! Features that are registered by REST and belong to no definition.

use std::path::Path;
use std::time::Duration;

use sqlx::Row as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
};

/// How long another process may hold the file.
const BUSY: Duration = Duration::from_secs(5);

const TABLE: &str = "
CREATE TABLE IF NOT EXISTS registered_features (
    entity TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    value_type TEXT NOT NULL,
    description TEXT NOT NULL,
    tags TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (entity, name, version)
) STRICT";

/// A feature that was registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredFeature {
    /// What it describes.
    pub entity: String,
    /// Its name.
    pub name: String,
    /// Its version, from 1.
    pub version: u32,
    /// The type of its values, as definitions write it.
    pub value_type: String,
    /// For people.
    pub description: String,
    /// Words to find it by, in order.
    pub tags: Vec<String>,
    /// Microseconds since the epoch, UTC.
    pub created_at: i64,
    /// The same.
    pub updated_at: i64,
}

/// Why the registry did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisteredFeaturesError {
    /// The file cannot be used.
    #[error(
        "the registry {path}: {reason}; check the file and its folder, or give another with registry.path"
    )]
    File {
        /// the file
        path: String,
        /// what is wrong
        reason: String,
    },
    /// The feature is there with values of another type.
    #[error(
        "{id} is registered with the type {there}; its type cannot become {asked}: register another version"
    )]
    OtherType {
        /// the feature
        id: String,
        /// its type
        there: String,
        /// the type that was asked for
        asked: String,
    },
}

/// The registered features of a project, in its SQLite file.
#[derive(Clone, Debug)]
pub struct RegisteredFeatures {
    pool: SqlitePool,
    path: String,
}

impl RegisteredFeatures {
    /// Opens the file, which is made if it is not there.
    pub async fn open(path: &Path) -> Result<Self, RegisteredFeaturesError> {
        let shown = path.display().to_string();
        let failed = |reason: String| RegisteredFeaturesError::File { path: shown.clone(), reason };
        if let Some(dir) = path.parent() {
            tokio::fs::create_dir_all(dir).await.map_err(|error| failed(error.to_string()))?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(BUSY);
        let pool = SqlitePoolOptions::new()
            .max_connections(2)
            .acquire_timeout(BUSY)
            .connect_with(options)
            .await
            .map_err(|error| failed(error.to_string()))?;
        sqlx::query(TABLE).execute(&pool).await.map_err(|error| failed(error.to_string()))?;
        Ok(Self { pool, path: shown })
    }

    /// Whether the file can be read.
    pub async fn check(&self) -> Result<(), RegisteredFeaturesError> {
        let read = sqlx::query("SELECT count(*) FROM registered_features").fetch_one(&self.pool);
        read.await.map(|_| ()).map_err(|error| self.failed(&error))
    }

    /// Registers a feature. One that is there gets the new description and
    /// tags, and keeps when it was made.
    pub async fn register(
        &self,
        feature: &RegisteredFeature,
    ) -> Result<RegisteredFeature, RegisteredFeaturesError> {
        let RegisteredFeature {
            entity,
            name,
            version,
            value_type,
            description,
            tags,
            created_at,
            updated_at,
        } = feature;
        let tags = serde_json::to_string(tags).unwrap_or_default();
        let row = sqlx::query(
            "INSERT INTO registered_features
                 (entity, name, version, value_type, description, tags, created_at, updated_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (entity, name, version) DO UPDATE SET
                 description = CASE WHEN value_type = excluded.value_type THEN excluded.description ELSE description END,
                 tags = CASE WHEN value_type = excluded.value_type THEN excluded.tags ELSE tags END,
                 updated_at = CASE WHEN value_type = excluded.value_type THEN excluded.updated_at ELSE updated_at END
             RETURNING *",
        )
        .bind(entity)
        .bind(name)
        .bind(i64::from(*version))
        .bind(value_type)
        .bind(description)
        .bind(tags)
        .bind(created_at)
        .bind(updated_at)
        .fetch_one(&self.pool)
        .await
        .map_err(|error| self.failed(&error))?;
        let there = feature_of(&row).map_err(|error| self.failed(&error))?;
        if there.value_type != *value_type {
            return Err(RegisteredFeaturesError::OtherType {
                id: format!("{entity}.{name}.v{version}"),
                there: there.value_type,
                asked: value_type.clone(),
            });
        }
        Ok(there)
    }

    /// All of them, by entity, name and version.
    pub async fn all(&self) -> Result<Vec<RegisteredFeature>, RegisteredFeaturesError> {
        let rows = sqlx::query("SELECT * FROM registered_features ORDER BY entity, name, version")
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.failed(&error))?;
        rows.iter().map(|row| feature_of(row).map_err(|error| self.failed(&error))).collect()
    }

    fn failed(&self, error: &sqlx::Error) -> RegisteredFeaturesError {
        RegisteredFeaturesError::File { path: self.path.clone(), reason: error.to_string() }
    }
}

fn feature_of(row: &SqliteRow) -> Result<RegisteredFeature, sqlx::Error> {
    let tags: String = row.try_get("tags")?;
    let version: i64 = row.try_get("version")?;
    Ok(RegisteredFeature {
        entity: row.try_get("entity")?,
        name: row.try_get("name")?,
        version: u32::try_from(version).unwrap_or(u32::MAX),
        value_type: row.try_get("value_type")?,
        description: row.try_get("description")?,
        tags: serde_json::from_str(&tags).map_err(|error| sqlx::Error::Decode(error.into()))?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn age(value_type: &str, now: i64) -> RegisteredFeature {
        RegisteredFeature {
            entity: "user".to_owned(),
            name: "age".to_owned(),
            version: 1,
            value_type: value_type.to_owned(),
            description: format!("at {now}"),
            tags: vec!["a, b".to_owned()],
            created_at: now,
            updated_at: now,
        }
    }

    #[tokio::test]
    async fn a_feature_keeps_its_type_and_its_birth() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/registry.sqlite");
        let registry = RegisteredFeatures::open(&path).await.unwrap();
        registry.check().await.unwrap();
        let first = registry.register(&age("int64", 1)).await.unwrap();
        assert_eq!(first, age("int64", 1));
        let other = registry.register(&age("utf8", 2)).await.unwrap_err().to_string();
        assert!(other.contains("user.age.v1") && other.contains("another version"), "{other}");
        let again = registry.register(&age("int64", 3)).await.unwrap();
        assert_eq!(
            (again.created_at, again.updated_at, again.description.as_str()),
            (1, 3, "at 3")
        );
        let second = RegisteredFeatures::open(&path).await.unwrap();
        assert_eq!(second.all().await.unwrap(), [again]);
    }

    #[tokio::test]
    async fn a_file_that_is_none_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sqlite");
        std::fs::write(&path, "this is no database, and is long enough to be seen as none")
            .unwrap();
        let error = RegisteredFeatures::open(&path).await.unwrap_err().to_string();
        assert!(error.contains("x.sqlite"), "{error}");
    }
}

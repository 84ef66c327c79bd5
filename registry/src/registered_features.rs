//! Features that are registered by REST and belong to no definition.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::{Registry, RegistryError};

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

impl Registry {
    /// Whether the file can be read.
    pub async fn check(&self) -> Result<(), RegistryError> {
        let read = sqlx::query("SELECT count(*) FROM registered_feature").fetch_one(self.pool());
        read.await.map(|_| ()).map_err(|error| self.error(&error))
    }

    /// Registers a feature. One that is there gets the new description and
    /// tags, and keeps when it was made.
    pub async fn register_feature(
        &self,
        feature: &RegisteredFeature,
    ) -> Result<RegisteredFeature, RegistryError> {
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
            "INSERT INTO registered_feature
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
        .fetch_one(self.pool())
        .await
        .map_err(|error| self.error(&error))?;
        let there = feature_of(&row).map_err(|error| self.error(&error))?;
        if there.value_type != *value_type {
            return Err(RegistryError::OtherType {
                id: format!("{entity}.{name}.v{version}"),
                there: there.value_type,
                asked: value_type.clone(),
            });
        }
        Ok(there)
    }

    /// All registered features, by entity, name and version.
    pub async fn registered_features(&self) -> Result<Vec<RegisteredFeature>, RegistryError> {
        let rows = sqlx::query("SELECT * FROM registered_feature ORDER BY entity, name, version")
            .fetch_all(self.pool())
            .await
            .map_err(|error| self.error(&error))?;
        rows.iter().map(|row| feature_of(row).map_err(|error| self.error(&error))).collect()
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
        let registry = Registry::open(&path).await.unwrap();
        registry.check().await.unwrap();
        let first = registry.register_feature(&age("int64", 1)).await.unwrap();
        assert_eq!(first, age("int64", 1));
        let other = registry.register_feature(&age("utf8", 2)).await.unwrap_err().to_string();
        assert!(other.contains("user.age.v1") && other.contains("another version"), "{other}");
        let again = registry.register_feature(&age("int64", 3)).await.unwrap();
        assert_eq!(
            (again.created_at, again.updated_at, again.description.as_str()),
            (1, 3, "at 3")
        );
        let second = Registry::open(&path).await.unwrap();
        assert_eq!(second.registered_features().await.unwrap(), [again]);
    }
}

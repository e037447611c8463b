//! The schema of the database, and the instance it belongs to.

use model::Partitions;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Error;

/// The migrations of this version.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations");

/// The identity of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instance {
    /// Random, drawn when the database was first migrated.
    pub id: Uuid,
    /// Grows when the database is restored elsewhere, from 1.
    pub generation: u32,
    /// The partitions it was created with.
    pub partitions: Partitions,
}

/// Brings the schema up to this version if `migrate` says so, and sets the number of
/// partitions of an instance that has no executions yet.
pub(crate) async fn prepare_schema(
    connection: &mut PgConnection,
    migrate: bool,
    partitions: Option<u16>,
) -> Result<(), Error> {
    if migrate {
        MIGRATOR.run(&mut *connection).await?;
    }
    if let Some(partitions) = partitions {
        let count = Partitions::new(partitions)
            .ok_or_else(|| Error::Schema(format!("{partitions} partitions: must be 1 to 4096")))?;
        sqlx::query!(
            "UPDATE instance SET partitions = $1 WHERE NOT EXISTS (SELECT FROM execution)",
            count.count() as i16
        )
        .execute(connection)
        .await?;
    }
    Ok(())
}

/// Reads the identity of the instance.
pub(crate) async fn read_instance(connection: &mut PgConnection) -> Result<Instance, Error> {
    let row = sqlx::query!("SELECT id, generation, partitions FROM instance")
        .fetch_one(connection)
        .await
        .map_err(|error| match error {
            sqlx::Error::Database(db) if db.code().as_deref() == Some("42P01") => {
                Error::Schema("it has none yet; run `flowhost migrate`".to_owned())
            }
            other => other.into(),
        })?;
    Ok(Instance {
        id: row.id,
        generation: u32::try_from(row.generation)
            .map_err(|error| Error::corrupt("instance", "generation", row.id, error))?,
        partitions: u16::try_from(row.partitions)
            .ok()
            .and_then(Partitions::new)
            .ok_or_else(|| Error::corrupt("instance", "partitions", row.id, row.partitions))?,
    })
}

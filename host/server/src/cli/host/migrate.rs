//! `flowhost migrate`: brings the schema of the database up to date.

use clap::Args;
use serde_json::json;

use super::ConfigArgs;
use crate::cli::io::{Context, Exit, Failure};
use crate::host::Database;
use crate::telemetry;

/// Arguments of `migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Partitions of the instance, 1 to 4096; refused once it has executions [default: one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=model::PARTITIONS_MAX as i64))]
    partitions: Option<u16>,
}

/// Runs the command.
pub async fn run(context: &Context, args: MigrateArgs) -> Result<Exit, Failure> {
    let mut config = args.config.load()?.config;
    config.database.migrate = true;
    if let Some(partitions) = args.partitions {
        config.database.partitions = partitions;
    }
    telemetry::install(&config.telemetry);
    let database = Database::open(&config).await?;
    let migrated = match database.engine(&config).await {
        Ok(engine) => {
            let instance = engine.instance();
            engine.close().await;
            Ok(instance)
        }
        Err(error) => Err(error),
    };
    database.close().await;
    let instance = migrated?;
    let count = instance.partitions.count();
    if let Some(wanted) = args.partitions.filter(|wanted| *wanted != count) {
        return Err(Failure::new(
            Exit::Conflict,
            format!(
                "the schema is up to date, but the instance has executions already and keeps its {count} partitions; {wanted} need a database of their own"
            ),
        ));
    }
    if context.json {
        let shown = json!({
            "instance_id": instance.id,
            "generation": instance.generation,
            "partitions": count,
        });
        context.terminal.json(&shown.to_string());
    } else {
        context.line(&format!(
            "the schema is up to date (instance {}, generation {}, {count} partitions)",
            instance.id, instance.generation,
        ));
    }
    Ok(Exit::Ok)
}

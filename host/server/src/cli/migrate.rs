//! `flowhost migrate`: brings the schema of the database up to date.

use clap::Args;
use serde_json::json;

use super::Context;
use super::exit::{Exit, Failure};
use super::host_args::ConfigArgs;
use crate::host::Database;
use crate::telemetry;

/// Arguments of `migrate`.
#[derive(Debug, Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the command.
pub async fn run(context: &Context, args: MigrateArgs) -> Result<Exit, Failure> {
    let mut config = args.config.load()?.config;
    config.database.migrate = true;
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
    if context.json {
        let shown = json!({
            "instance_id": instance.id,
            "generation": instance.generation,
            "partitions": instance.partitions.count(),
        });
        context.terminal.json(&shown.to_string());
    } else {
        context.terminal.line(&format!(
            "the schema is up to date (instance {}, generation {}, {} partitions)",
            instance.id,
            instance.generation,
            instance.partitions.count(),
        ));
    }
    Ok(Exit::Ok)
}

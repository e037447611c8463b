//! `flowhost profile`: keeps hosts, and the API keys to ask them with, in a file of the user.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Chosen;
use super::prompt::read_key;
use super::store::{Profile, Profiles, path};
use crate::cli::io::{ApiKey, Context, Exit, Failure, Paint, check_url, escape};

/// What is done to profiles.
#[derive(Debug, Subcommand)]
pub enum ProfileCommand {
    /// Add a profile, or replace it; reads its API key from a terminal without showing it, or
    /// from standard input
    #[command(after_help = "\
Examples:
  flowhost profile set prod --url https://flowhost.example.com --namespace billing
  flowhost token create ci --role submitter | flowhost profile set ci --url http://127.0.0.1:7070
  flowhost profile set local --url http://127.0.0.1:7070 --no-key")]
    Set(SetArgs),
    /// List the profiles
    List,
    /// Show a profile; never its key
    Show {
        /// Name of the profile [default: the one in use]
        name: Option<String>,
    },
    /// Use a profile where none is named
    Use {
        /// Name of the profile
        name: String,
    },
    /// Remove a profile with its key
    Remove {
        /// Name of the profile
        name: String,
    },
}

/// Arguments of `profile set`.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// Name of the profile
    name: String,
    /// Namespace of requests that name none
    #[arg(long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Ask the host without a key
    #[arg(long)]
    no_key: bool,
}

/// Runs the command. `chosen` has the host that the command line or the environment names.
pub fn run(context: &Context, command: ProfileCommand, chosen: Chosen) -> Result<Exit, Failure> {
    let profiles = Profiles::read()?;
    match command {
        ProfileCommand::Set(args) => set(context, profiles, args, chosen.url),
        ProfileCommand::List => list(context, &profiles),
        ProfileCommand::Show { name } => show(context, &profiles, name.or(chosen.profile)),
        ProfileCommand::Use { name } => take(context, profiles, name),
        ProfileCommand::Remove { name } => remove(context, profiles, &name),
    }
}

fn set(
    context: &Context,
    mut profiles: Profiles,
    args: SetArgs,
    url: Option<String>,
) -> Result<Exit, Failure> {
    model::api_key_name(&args.name).map_err(|invalid| Failure::usage(invalid.to_string()))?;
    let url = url.ok_or_else(|| Failure::usage("name the host of the profile with --url"))?;
    check_url(&url)?;
    if let Some(namespace) = &args.namespace {
        model::namespace_name(namespace).map_err(|invalid| Failure::usage(invalid.to_string()))?;
    }
    let key = if args.no_key {
        None
    } else {
        let key = read_key("API key (not shown): ")?;
        if key.is_empty() {
            return Err(Failure::usage(
                "no API key was given; add --no-key for a host that asks for none",
            ));
        }
        // Only to refuse what no request can carry.
        ApiKey::new(key.clone())?;
        Some(key)
    };
    let profile = Profile {
        url,
        namespace: args.namespace,
        key,
    };
    let name = args.name;
    profiles.profiles.insert(name.clone(), profile);
    let is_first = profiles.current.is_none();
    if is_first {
        profiles.current = Some(name.clone());
    }
    profiles.write()?;
    let used = if is_first { "; it is in use" } else { "" };
    done(
        context,
        &profiles,
        &name,
        &format!("profile {name} is set{used}"),
    )
}

fn list(context: &Context, profiles: &Profiles) -> Result<Exit, Failure> {
    if context.json {
        let shown = profiles.profiles.keys().map(|name| shown(profiles, name));
        let all = json!({ "profiles": shown.collect::<Vec<_>>() });
        context.terminal.json(&all.to_string());
        return Ok(Exit::Ok);
    }
    if profiles.profiles.is_empty() {
        context.line("no profiles; `flowhost profile set` adds one");
        return Ok(Exit::Ok);
    }
    let rows: Vec<_> = profiles
        .profiles
        .iter()
        .map(|(name, profile)| {
            let is_used = profiles.current.as_ref() == Some(name);
            let paint = if is_used { Paint::Green } else { Paint::Plain };
            vec![
                (Paint::Bold, escape(name)),
                (Paint::Plain, escape(&profile.url)),
                (
                    Paint::Plain,
                    escape(profile.namespace.as_deref().unwrap_or("-")),
                ),
                (Paint::Plain, key_of(profile).to_owned()),
                (paint, if is_used { "in use" } else { "" }.to_owned()),
            ]
        })
        .collect();
    let header = ["PROFILE", "URL", "NAMESPACE", "KEY", ""];
    context.terminal.table(&header, &rows);
    Ok(Exit::Ok)
}

fn key_of(profile: &Profile) -> &'static str {
    match profile.key {
        Some(_) => "kept",
        None => "none",
    }
}

/// What may be shown of a profile: whether it has a key, and never the key.
fn shown(profiles: &Profiles, name: &str) -> Value {
    let profile = profiles.profiles.get(name);
    json!({
        "name": name,
        "url": profile.map(|it| &it.url),
        "namespace": profile.and_then(|it| it.namespace.as_ref()),
        "has_key": profile.is_some_and(|it| it.key.is_some()),
        "in_use": profiles.current.as_deref() == Some(name),
    })
}

fn show(context: &Context, profiles: &Profiles, name: Option<String>) -> Result<Exit, Failure> {
    let name = name.or_else(|| profiles.current.clone());
    let name = name.ok_or_else(|| Failure::usage("no profile is in use; name one"))?;
    let profile = profiles.profiles.get(&name).ok_or_else(|| unknown(&name))?;
    if context.json {
        context.terminal.json(&shown(profiles, &name).to_string());
        return Ok(Exit::Ok);
    }
    let field = |name: &str, value: &str| {
        let name = context.terminal.paint(Paint::Dim, &format!("{name:<10}"));
        context.line(&format!("{name} {}", escape(value)));
    };
    field("profile", &name);
    field("url", &profile.url);
    field("namespace", profile.namespace.as_deref().unwrap_or("-"));
    field("key", key_of(profile));
    if let Some(path) = path() {
        field("file", &path.display().to_string());
    }
    Ok(Exit::Ok)
}

fn take(context: &Context, mut profiles: Profiles, name: String) -> Result<Exit, Failure> {
    if !profiles.profiles.contains_key(&name) {
        return Err(unknown(&name));
    }
    profiles.current = Some(name.clone());
    profiles.write()?;
    done(
        context,
        &profiles,
        &name,
        &format!("profile {name} is in use"),
    )
}

fn remove(context: &Context, mut profiles: Profiles, name: &str) -> Result<Exit, Failure> {
    if profiles.profiles.remove(name).is_none() {
        return Err(unknown(name));
    }
    profiles.current = profiles.current.filter(|current| current != name);
    profiles.write()?;
    let removed = "its key is still accepted until it is revoked";
    done(
        context,
        &profiles,
        name,
        &format!("profile {name} is removed; {removed}"),
    )
}

fn done(context: &Context, profiles: &Profiles, name: &str, line: &str) -> Result<Exit, Failure> {
    if context.json {
        context.terminal.json(&shown(profiles, name).to_string());
    } else {
        context.line(line);
    }
    Ok(Exit::Ok)
}

fn unknown(name: &str) -> Failure {
    Failure::new(
        Exit::NotFound,
        format!(
            "there is no profile `{}`; `flowhost profile list` names those there are",
            name.escape_debug()
        ),
    )
}

//! The commands and their order in the help.

use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand};

use super::io::Exit;
use super::{
    access, bench, component, doctor, event, execution, flow, host, invoke, lane, login, profile,
    stream, waitpoint, webhook, worker,
};

/// A durable execution engine over Postgres whose worker handlers are
/// WebAssembly components.
#[derive(Debug, Parser)]
#[command(
    name = "flowhost",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_long_help = Exit::help()
)]
pub struct Cli {
    /// URL of the host to send requests to [default: that of the profile, or http://127.0.0.1:7070]
    #[arg(long, global = true, env = "FLOWHOST_URL", value_name = "URL")]
    pub url: Option<String>,
    /// Profile with the URL, API key and namespace to use [default: the one in use]
    #[arg(long, global = true, env = "FLOWHOST_PROFILE", value_name = "NAME")]
    pub profile: Option<String>,
    /// Send the API key also where others on the way can read it
    #[arg(long, global = true)]
    pub insecure_http: bool,
    /// A file with certificates in PEM that hosts and issuers are trusted by, besides those
    /// of the system
    #[arg(long, global = true, env = "FLOWHOST_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Print JSON for programs, as the API answers it; a failure as well, as a problem with
    /// a `code` on standard output
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

/// What the process is asked to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a host for development, with its own Postgres
    Dev(host::dev::DevArgs),
    /// Run a host
    Serve(host::serve::ServeArgs),
    /// Bring the schema of the database up to date
    Migrate(host::migrate::MigrateArgs),
    /// Create an execution
    Submit(execution::submit::SubmitArgs),
    /// Create an execution for each line of a file, many at once
    Batch(execution::batch::BatchArgs),
    /// Show an execution with its attempts and logs
    Show(execution::show::ShowArgs),
    /// Print the result of an execution that completed
    Result(execution::result::ResultArgs),
    /// Print the input of an execution
    Input(execution::stored::InputOfArgs),
    /// Print the policy of an execution, every default spelled out
    Policy(execution::stored::PolicyOfArgs),
    /// List the attempts at an execution, with their leases and logs
    Attempts(execution::listed::ListedArgs),
    /// List what happened to an execution, oldest first
    History(execution::listed::ListedArgs),
    /// List what operators did to an execution
    Operations(execution::listed::ListedArgs),
    /// List the signals that an execution accepted
    Signals(execution::listed::ListedArgs),
    /// List what an execution waited and waits for
    Suspensions(execution::listed::ListedArgs),
    /// List executions that wait for signals, the longest waiting first
    Suspended(execution::suspended::SuspendedArgs),
    /// List executions, newest first, or the last finished first
    List(execution::list::ListArgs),
    /// Follow an execution until it ends, those of a filter, or the host as a whole
    Watch(execution::watch::WatchArgs),
    /// Show what an attempt streams, frame by frame, and follow it until the execution ends
    Stream(stream::frames::StreamArgs),
    /// Show what an attempt logs, and follow it until the execution ends
    Logs(stream::logs::LogsArgs),
    /// Show what happened, event by event, and follow what happens
    Events(event::events::EventsArgs),
    /// End an execution, also one that runs
    Cancel(execution::cancel::CancelArgs),
    /// Send a signal to an execution that waits for it
    Signal(waitpoint::signal::SignalArgs),
    /// Approve or reject an execution that waits for approval
    Approve(waitpoint::approve::ApproveArgs),
    /// Resume a suspended execution without the signals it waits for
    Resume(execution::operate::ResumeArgs),
    /// List and close waitpoints, where signals arrive, and mint tokens for them
    #[command(visible_alias = "waitpoint")]
    Waitpoints(waitpoint::list::WaitpointsArgs),
    /// Run a finished execution again
    Replay(execution::operate::Which),
    /// Hold a waiting execution
    Hold(execution::operate::Which),
    /// Release an execution that was held
    Unhold(execution::operate::Which),
    /// Change the priority of an execution that is not running
    Priority(execution::operate::PriorityArgs),
    /// Revoke the lease of a running execution; it is run again
    Revoke(execution::operate::RevokeArgs),
    /// End an execution as expired
    Expire(execution::operate::ExpireArgs),
    /// Block a waiting execution, for a reason
    Block(execution::operate::BlockArgs),
    /// Return a blocked execution to its queue
    Unblock(execution::operate::UnblockArgs),
    /// Show, set and remove the labels of an execution
    Tag(execution::tag::TagArgs),
    /// Complete, fail or delay a running execution, or have it wait, instead of its holder
    #[command(subcommand)]
    Override(execution::overrides::OverrideCommand),
    /// Submit, show, grow, list and cancel flows: graphs of executions
    #[command(subcommand)]
    Flow(flow::FlowCommand),
    /// Publish, list and show components
    #[command(subcommand)]
    Component(component::ComponentCommand),
    /// List kinds, define them, and route them to components by weight
    #[command(subcommand)]
    Kind(component::kind::KindCommand),
    /// List and show workers, retire them, and mark them dead
    #[command(subcommand)]
    Worker(worker::WorkerCommand),
    /// Claim, renew and end leases by hand, append under them, and list those that have expired
    #[command(
        subcommand,
        after_help = "\
Examples:
  flowhost lease claim w-1 --kind word --wait 30s
  flowhost lease renew LEASE --ttl 5m
  flowhost lease append LEASE --type token --input hello
  flowhost lease complete LEASE --input '{\"ok\": true}'
  flowhost lease fail LEASE --code busy 'try again later'

For trying things out and for repairs; programs use HTTP. LEASE is what a claim printed."
    )]
    Lease(worker::lease::LeaseCommand),
    /// Grant executions to workers, and turn grants into leases
    #[command(
        subcommand,
        after_help = "\
Examples:
  flowhost lane eligible default
  flowhost grant issue ID --worker w --instance w-1
  flowhost grant next default --worker w --instance w-1 --kind word
  flowhost grant redeem GRANT --ttl 5m"
    )]
    Grant(worker::grant::GrantCommand),
    /// List lanes and what waits in them, and set what they take and serve
    #[command(subcommand)]
    Lane(lane::LaneCommand),
    /// List and set the shares of namespaces
    #[command(subcommand)]
    Namespace(lane::namespace::NamespaceCommand),
    /// List, seed, rotate and retire the keys that waitpoint tokens are signed with
    #[command(subcommand)]
    WaitpointKey(waitpoint::key::WaitpointKeyCommand),
    /// Log in at the issuer that a host names, with a browser
    Login(login::LoginArgs),
    /// Forget the token of a login
    Logout,
    /// Make, list, rotate and revoke API keys
    #[command(subcommand)]
    Token(access::token::TokenCommand),
    /// Make, list, change, pause, resume, try and delete webhooks
    #[command(subcommand)]
    Webhook(webhook::WebhookCommand),
    /// List who did what and was refused what, newest first
    Audit(access::audit::AuditArgs),
    /// Keep hosts, and the API keys to ask them with
    #[command(subcommand)]
    Profile(profile::ProfileCommand),
    /// Run a component once, without a host or a database
    Invoke(invoke::InvokeArgs),
    /// Measure this machine and this build
    Bench(bench::BenchArgs),
    /// Show the configuration and check whether everything is in place
    Doctor(doctor::DoctorArgs),
    /// Compile a component from standard input (run by a host)
    #[command(name = "__compile", hide = true)]
    Compile,
}

impl Command {
    /// Whether it runs a host until that is asked to end.
    pub const fn is_host(&self) -> bool {
        matches!(self, Self::Dev(_) | Self::Serve(_))
    }
}

/// Returns every command that can be run, such as `lane set`, but for hidden ones, and
/// whether it takes `--dry-run`.
pub fn commands() -> Vec<(String, bool)> {
    let mut all = Vec::new();
    collect(&Cli::command(), "", &mut all);
    all
}

fn collect(command: &clap::Command, above: &str, all: &mut Vec<(String, bool)>) {
    for command in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        let name = format!("{above}{}", command.get_name());
        if !command.is_subcommand_required_set() {
            let mut flags = command.get_arguments().filter_map(|it| it.get_long());
            all.push((name.clone(), flags.any(|flag| flag == "dry-run")));
        }
        collect(command, &format!("{name} "), all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_a_help() {
        for command in Cli::command().get_subcommands_mut() {
            let name = command.get_name().to_owned();
            assert!(command.get_about().is_some(), "{name}");
            assert!(!command.render_long_help().to_string().is_empty(), "{name}");
        }
    }

    #[test]
    fn a_signal_is_sent_with_a_token_or_as_an_operator() {
        let id = "00000000-0000-7000-8000-000000000000";
        for wrong in [
            format!("flowhost signal {id} --name x"),
            format!("flowhost signal {id} --name x --token t --operator"),
            format!("flowhost signal {id} --name x --token t --as alice"),
            format!("flowhost signal {id} --token t"),
            format!("flowhost waitpoints {id} close"),
        ] {
            assert!(Cli::try_parse_from(wrong.split(' ')).is_err(), "{wrong}");
        }
    }

    #[test]
    fn commands_of_the_documentation_parse() {
        for line in [
            "flowhost dev --load out --demo samples.toml --results r",
            "flowhost serve --database-url postgres:///x --listen 127.0.0.1:80 --slots 5",
            "flowhost submit thumbnail --file a.png --wait --output b.png --tag app.a=b --delay 5s",
            "flowhost list --state failed --limit 5 --json",
            "flowhost watch",
            "flowhost migrate --partitions 16",
            "flowhost result 00000000-0000-7000-8000-000000000000 --output r",
            "flowhost component publish a.wasm --kind a",
            "flowhost worker list --lane default --all",
            "flowhost worker dead w-1 --reason gone --revoke-leases",
            "flowhost lane list",
            "flowhost lane set night --state paused --weight 300",
            "flowhost namespace set acme --weight 50",
            "flowhost invoke a.wasm --input {}",
            "flowhost --ca ca.pem login --issuer https://id.example.com",
            "flowhost logout --json",
            "flowhost serve --tls-cert a.pem --tls-key a.key --tls-client-ca ca.pem",
            "flowhost bench --quick --component echo.wasm",
            "flowhost --url http://h:1 doctor",
            "flowhost priority 00000000-0000-7000-8000-000000000000 9000 --reason urgent",
            "flowhost override fail 00000000-0000-7000-8000-000000000000 hopeless",
            "flowhost override delay 00000000-0000-7000-8000-000000000000 90s",
            "flowhost override delay 00000000-0000-7000-8000-000000000000 --until 2030-01-31T12:00:00Z",
            "flowhost override wait-children 00000000-0000-7000-8000-000000000000 --reason blocked",
            "flowhost signal 00000000-0000-7000-8000-000000000000 --token v1.a.b.c --name approved",
            "flowhost signal 00000000-0000-7000-8000-000000000000 --token-file - --name x --input {} --key k",
            "flowhost signal 00000000-0000-7000-8000-000000000000 --operator --as alice --waitpoint w --name x",
            "flowhost approve 00000000-0000-7000-8000-000000000000 --as alice --reject --reason no",
            "flowhost resume 00000000-0000-7000-8000-000000000000 --delay 5m",
            "flowhost waitpoints --pending --limit 5",
            "flowhost waitpoints 00000000-0000-7000-8000-000000000000 --json",
            "flowhost waitpoints close 00000000-0000-7000-8000-000000000000 approval",
            "flowhost waitpoint token 00000000-0000-7000-8000-000000000000 approval --signal approved --expires-in 1h",
            "flowhost waitpoint-key rotate k2 --grace 1h --secret-file -",
            "flowhost waitpoint-key seed k1 --secret-file -",
            "flowhost waitpoint-key retire k1 --json",
            "flowhost token create ci --role submitter --namespace billing --expires-in 90d",
            "flowhost token rotate ci --overlap 1h --json",
            "flowhost token bootstrap --database-url postgres:///x --force",
            "flowhost audit --credential key:ci --verb executions_cancel --since 2030-01-01T00:00:00Z",
            "flowhost --profile prod profile show",
            "flowhost tag 00000000-0000-7000-8000-000000000000 app.a=b app.c-",
            "flowhost cancel 00000000-0000-7000-8000-000000000000 --source billing --dry-run",
            "flowhost lane set night --state paused --dry-run --json",
            "flowhost kind route echo ab12=3 cd34=1",
            "flowhost kind route echo --none",
            "flowhost batch - --skip 5 --dry-run",
            "flowhost stream 00000000-0000-7000-8000-000000000000 --follow --raw --attempt 1 --after 5-0",
            "flowhost stream 00000000-0000-7000-8000-000000000000 --from 5 --to 7-1 --json",
            "flowhost stream 00000000-0000-7000-8000-000000000000 --summary",
            "flowhost logs 00000000-0000-7000-8000-000000000000 --follow --json",
            "flowhost flow submit graph.yaml --wait --idempotency-key k --namespace n --tag app.a=b",
            "flowhost flow submit - --dry-run",
            "flowhost flow show 00000000-0000-7000-8000-000000000000 --watch",
            "flowhost flow cancel 00000000-0000-7000-8000-000000000000 --policy cancel_pending --wait 5s",
            "flowhost flow edges 00000000-0000-7000-8000-000000000000 --upstream 00000000-0000-7000-8000-000000000000",
            "flowhost lease append v1.x.y --type token --input hello --mode best_effort",
            "flowhost lease claim w-1 --kind a --kind b --wait 5s",
            "flowhost grant issue 00000000-0000-7000-8000-000000000000 --worker w --instance w-1",
            "flowhost submit echo --input 1 --deadline 2030-01-01T00:00:00Z --delay-until 2029-01-01T00:00:00Z --wait --timeout 5s",
        ] {
            let parsed = Cli::try_parse_from(line.split(' '));
            assert!(
                parsed.is_ok(),
                "{line}: {}",
                parsed.expect_err("just checked")
            );
        }
    }
}

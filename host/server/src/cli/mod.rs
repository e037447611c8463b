//! The command line: one file per command.
//!
//! `dev`, `serve`, `migrate`, `invoke`, `bench` and `doctor` work in this
//! process; the others speak to a host over its API.

mod bench;
mod cancel;
mod client;
mod component;
mod demo;
mod dev;
mod doctor;
#[cfg(test)]
mod documented;
mod exit;
mod host_args;
mod input;
mod invoke;
mod lane;
mod list;
mod load;
mod migrate;
mod namespace;
mod operate;
mod resumption;
mod serve;
mod show;
mod signal;
mod submit;
mod terminal;
mod waitpoint;
mod waitpoint_key;
mod watch;
mod worker;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};

use client::{Client, URL_DEFAULT};
use exit::{Exit, Failure};
use terminal::{Lost, Terminal, complain, emit, neutralise, neutralise_lines};

/// A durable execution engine over Postgres whose worker handlers are
/// WebAssembly components.
#[derive(Debug, Parser)]
#[command(
    name = "flowhost",
    version,
    propagate_version = true,
    max_term_width = 100
)]
struct Cli {
    /// The host to speak to
    #[arg(long, global = true, env = "FLOWHOST_URL", value_name = "URL", default_value = URL_DEFAULT, hide_default_value = false)]
    url: String,
    /// Print JSON for programs, in the API's shapes
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a host for development, with its own Postgres
    Dev(dev::DevArgs),
    /// Run a host
    Serve(serve::ServeArgs),
    /// Bring the schema of the database up to date
    Migrate(migrate::MigrateArgs),
    /// Create an execution
    Submit(submit::SubmitArgs),
    /// Show an execution with its attempts and logs
    Show(show::ShowArgs),
    /// Print the result of an execution that completed
    Result(submit::ResultArgs),
    /// List executions, newest first
    List(list::ListArgs),
    /// Follow an execution until it ends, or the host as a whole
    Watch(watch::WatchArgs),
    /// End an execution, also one that runs
    Cancel(cancel::CancelArgs),
    /// Send a suspended execution what it waits for
    Signal(signal::SignalArgs),
    /// Say yes, or no, to an execution that waits for it
    Approve(signal::ApproveArgs),
    /// Have a suspended execution go on without what it waits for
    Resume(operate::ResumeArgs),
    /// List, close and open the places where signals arrive
    #[command(visible_alias = "waitpoint")]
    Waitpoints(waitpoint::WaitpointsArgs),
    /// Run a finished execution again
    Replay(operate::Which),
    /// Hold a waiting execution back
    Hold(operate::Which),
    /// Let an execution go that was held back
    Unhold(operate::Which),
    /// Change the priority of an execution that is not running
    Priority(operate::PriorityArgs),
    /// Take the lease of a running execution away; it is run again
    Revoke(operate::RevokeArgs),
    /// End an execution as expired
    Expire(operate::Which),
    /// Take a waiting execution out of its queue, for a reason
    Block(operate::BlockArgs),
    /// Put an execution back into its queue
    Unblock(operate::UnblockArgs),
    /// Show, set and remove the labels of an execution
    Tag(operate::TagArgs),
    /// Complete, fail or delay a running execution in its holder's place
    #[command(subcommand)]
    Override(operate::OverrideCommand),
    /// Publish, list and show components
    #[command(subcommand)]
    Component(component::ComponentCommand),
    /// List, show and give up workers
    #[command(subcommand)]
    Worker(worker::WorkerCommand),
    /// List lanes, and set what they take and serve
    #[command(subcommand)]
    Lane(lane::LaneCommand),
    /// List and set the shares of namespaces
    #[command(subcommand)]
    Namespace(namespace::NamespaceCommand),
    /// List, rotate and retire the keys that waitpoint tokens are signed with
    #[command(subcommand)]
    WaitpointKey(waitpoint_key::WaitpointKeyCommand),
    /// Run a component once, without a host or a database
    Invoke(invoke::InvokeArgs),
    /// Measure this machine and this build
    Bench(bench::BenchArgs),
    /// Say what the configuration is and whether everything is in place
    Doctor(doctor::DoctorArgs),
    /// Compile a component from standard input (run by a host)
    #[command(name = "__compile", hide = true)]
    Compile,
}

/// What every command may use.
#[derive(Debug, Clone)]
struct Context {
    url: String,
    json: bool,
    terminal: Terminal,
}

impl Context {
    fn client(&self) -> Result<Client, Failure> {
        Client::new(&self.url)
    }
}

/// Runs the command line of the process.
pub fn main() -> ExitCode {
    // Before anything else: the compiler runs under tight limits of its own.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|arg| arg == runtime::COMPILE_ARGUMENT)
    {
        return runtime::compile_main();
    }
    let cli = match parse(std::env::args_os().collect()) {
        Ok(cli) => cli,
        Err(exit) => return ended(exit, false).into(),
    };
    let context = Context {
        url: cli.url,
        json: cli.json,
        terminal: Terminal::of_process(),
    };
    let is_host = matches!(cli.command, Command::Dev(_) | Command::Serve(_));
    let exit = match run(&context, cli.command) {
        Ok(exit) => exit,
        Err(failure) => {
            report(&context, &failure);
            failure.exit
        }
    };
    ended(exit, is_host).into()
}

/// Reads the command line; help and mistakes are shown here.
fn parse(arguments: Vec<OsString>) -> Result<Cli, Exit> {
    let error = match Cli::try_parse_from(&arguments) {
        Ok(cli) => return Ok(cli),
        Err(error) => error,
    };
    let plain = || neutralise_lines(&error.render().to_string());
    if !error.use_stderr() {
        emit(plain().as_bytes());
        return Err(Exit::Ok);
    }
    let mut not_text = arguments.iter().enumerate();
    let not_text = not_text.find(|(_, argument)| argument.to_str().is_none());
    let message = match (error.kind(), not_text) {
        (ErrorKind::InvalidUtf8, Some((at, argument))) => format!(
            "argument {at} is not UTF-8: {}",
            neutralise(&argument.to_string_lossy())
        ),
        (ErrorKind::InvalidUtf8, None) => "FLOWHOST_URL is not UTF-8".to_owned(),
        _ if arguments.iter().any(|argument| argument == "--json") => plain().trim_end().to_owned(),
        // In colours, where there are any.
        _ => {
            let steers = |it: &OsString| it.to_string_lossy().contains(char::is_control);
            if arguments.iter().any(steers) || error.print().is_err() {
                complain(plain().trim_end());
            }
            return Err(Exit::Usage);
        }
    };
    let failure = Failure::usage(message);
    if arguments.iter().any(|argument| argument == "--json") {
        emit(format!("{}\n", failure.to_json()).as_bytes());
    } else {
        complain(&format!("error: {}", failure.message));
    }
    Err(Exit::Usage)
}

/// Returns the exit code of a command that ended so, whose output may not have
/// arrived. A host did its work whatever became of its first line.
fn ended(exit: Exit, is_host: bool) -> Exit {
    match terminal::lost() {
        Some(Lost::Closed) if !is_host => Exit::Pipe,
        Some(Lost::Failed(why)) if exit != Exit::Output => {
            complain(&format!("error: cannot write to standard output: {why}"));
            if is_host { exit } else { Exit::Output }
        }
        _ => exit,
    }
}

fn report(context: &Context, failure: &Failure) {
    // What cannot be written there is said here.
    if context.json && failure.exit != Exit::Output {
        context.terminal.json(&failure.to_json().to_string());
    } else if failure.problem.is_some() {
        complain(&format!("error: {}", neutralise(&failure.message)));
    } else {
        complain(&format!("error: {}", neutralise_lines(&failure.message)));
    }
}

fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Dev(args) => hosting(dev::run(context, args)),
        Command::Serve(args) => hosting(serve::run(context, args)),
        Command::Bench(args) => many_threads()?.block_on(bench::run(context, args)),
        Command::Invoke(args) => many_threads()?.block_on(invoke::run(context, args)),
        Command::Migrate(args) => one_thread()?.block_on(migrate::run(context, args)),
        Command::Submit(args) => one_thread()?.block_on(submit::run(context, args)),
        Command::Show(args) => one_thread()?.block_on(show::run(context, args)),
        Command::Result(args) => one_thread()?.block_on(submit::result(context, args)),
        Command::List(args) => one_thread()?.block_on(list::run(context, args)),
        Command::Watch(args) => one_thread()?.block_on(watch::run(context, args)),
        Command::Cancel(args) => one_thread()?.block_on(cancel::run(context, args)),
        Command::Signal(args) => one_thread()?.block_on(signal::signal(context, args)),
        Command::Approve(args) => one_thread()?.block_on(signal::approve(context, args)),
        Command::Resume(args) => one_thread()?.block_on(operate::resume(context, args)),
        Command::Waitpoints(args) => one_thread()?.block_on(waitpoint::run(context, args)),
        Command::Replay(which) => one_thread()?.block_on(operate::plain(context, "replay", which)),
        Command::Hold(which) => one_thread()?.block_on(operate::plain(context, "hold", which)),
        Command::Unhold(which) => one_thread()?.block_on(operate::plain(context, "unhold", which)),
        Command::Expire(which) => one_thread()?.block_on(operate::plain(context, "expire", which)),
        Command::Priority(args) => one_thread()?.block_on(operate::priority(context, args)),
        Command::Revoke(args) => one_thread()?.block_on(operate::revoke(context, args)),
        Command::Block(args) => one_thread()?.block_on(operate::block(context, args)),
        Command::Unblock(args) => one_thread()?.block_on(operate::unblock(context, args)),
        Command::Tag(args) => one_thread()?.block_on(operate::tag(context, args)),
        Command::Override(command) => one_thread()?.block_on(operate::overrule(context, command)),
        Command::Component(command) => one_thread()?.block_on(component::run(context, command)),
        Command::Worker(command) => one_thread()?.block_on(worker::run(context, command)),
        Command::Lane(command) => one_thread()?.block_on(lane::run(context, command)),
        Command::Namespace(command) => one_thread()?.block_on(namespace::run(context, command)),
        Command::WaitpointKey(command) => {
            one_thread()?.block_on(waitpoint_key::run(context, command))
        }
        Command::Doctor(args) => one_thread()?.block_on(doctor::run(context, args)),
        // Taken care of before the command line is read.
        Command::Compile => Ok(Exit::Usage),
    }
}

fn many_threads() -> Result<Runtime, Failure> {
    built(&mut Builder::new_multi_thread())
}

/// Runs a host. What still blocks a thread at its end ends with the process.
fn hosting(host: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let threads = many_threads()?;
    let ended = threads.block_on(host);
    threads.shutdown_background();
    ended
}

fn one_thread() -> Result<Runtime, Failure> {
    built(&mut Builder::new_current_thread())
}

fn built(builder: &mut Builder) -> Result<Runtime, Failure> {
    let failed = |error| Failure::new(Exit::Failed, format!("cannot start threads: {error}"));
    builder.enable_all().build().map_err(failed)
}

/// Returns the path of this binary, which compiles components too.
fn this_binary() -> Result<std::path::PathBuf, Failure> {
    let failed = |error| Failure::new(Exit::Failed, format!("cannot find this program: {error}"));
    std::env::current_exe().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

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
    fn the_commands_of_the_documentation_are_read() {
        for line in [
            "flowhost dev --load out --demo samples.toml --results r",
            "flowhost serve --database-url postgres:///x --listen 0.0.0.0:80 --slots 5",
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
            "flowhost bench --quick --component echo.wasm",
            "flowhost --url http://h:1 doctor",
            "flowhost priority 00000000-0000-7000-8000-000000000000 9000 --reason urgent",
            "flowhost override fail 00000000-0000-7000-8000-000000000000 hopeless",
            "flowhost override delay 00000000-0000-7000-8000-000000000000 90s",
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
            "flowhost waitpoint-key retire k1 --json",
            "flowhost tag 00000000-0000-7000-8000-000000000000 app.a=b app.c-",
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

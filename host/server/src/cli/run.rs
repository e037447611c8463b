//! Runs the command line of the process: reads it, runs its command, and exits with a
//! code.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;
use tokio::runtime::{Builder, Runtime};

use super::command::{Cli, Command};
use super::io::{
    Context, Exit, Failure, OutputLoss, Terminal, escape, escape_lines, output_loss, to_stderr,
    to_stdout,
};
use super::{
    access, bench, component, doctor, event, execution, flow, host, invoke, lane, login, profile,
    stream, waitpoint, webhook, worker,
};

/// Runs the command line of the process.
pub fn main() -> ExitCode {
    // First, since the compiler runs under tight limits of its own.
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
    let chosen = profile::Chosen {
        url: cli.url,
        profile: cli.profile,
        ca: cli.ca,
        insecure_http: cli.insecure_http,
    };
    let context = Context {
        target: profile::target(&chosen),
        json: cli.json,
        terminal: Terminal::of_process(),
    };
    let is_host = cli.command.is_host();
    let exit = match run(&context, chosen, cli.command) {
        Ok(exit) => exit,
        Err(failure) => {
            report(&context, &failure);
            failure.exit
        }
    };
    ended(exit, is_host).into()
}

/// Reads the command line; prints help and mistakes.
fn parse(arguments: Vec<OsString>) -> Result<Cli, Exit> {
    let error = match Cli::try_parse_from(&arguments) {
        Ok(cli) => return Ok(cli),
        Err(error) => error,
    };
    let plain = || escape_lines(&error.render().to_string());
    if !error.use_stderr() {
        to_stdout(plain().as_bytes());
        return Err(Exit::Ok);
    }
    let mut not_text = arguments.iter().enumerate();
    let not_text = not_text.find(|(_, argument)| argument.to_str().is_none());
    let message = match (error.kind(), not_text) {
        (ErrorKind::InvalidUtf8, Some((at, argument))) => format!(
            "argument {at} is not UTF-8: {}",
            escape(&argument.to_string_lossy())
        ),
        (ErrorKind::InvalidUtf8, None) => {
            "FLOWHOST_URL or FLOWHOST_PROFILE is not UTF-8".to_owned()
        }
        _ if arguments.iter().any(|argument| argument == "--json") => plain().trim_end().to_owned(),
        // In color, on a terminal that shows colors.
        _ => {
            let steers = |it: &OsString| it.to_string_lossy().contains(char::is_control);
            if arguments.iter().any(steers) || error.print().is_err() {
                to_stderr(plain().trim_end());
            }
            return Err(Exit::Usage);
        }
    };
    let failure = Failure::usage(message);
    if arguments.iter().any(|argument| argument == "--json") {
        to_stdout(format!("{}\n", failure.to_json()).as_bytes());
    } else {
        to_stderr(&format!("error: {}", failure.message));
    }
    Err(Exit::Usage)
}

/// Returns the exit code of a command whose output may not have arrived. A host did its
/// work even if no one read its first line.
fn ended(exit: Exit, is_host: bool) -> Exit {
    match output_loss() {
        Some(OutputLoss::Closed) if !is_host => Exit::Pipe,
        Some(OutputLoss::Failed(why)) if exit != Exit::Output => {
            to_stderr(&format!("error: cannot write to standard output: {why}"));
            if is_host { exit } else { Exit::Output }
        }
        _ => exit,
    }
}

fn report(context: &Context, failure: &Failure) {
    // A failure to write to standard output is written to standard error.
    if context.json && failure.exit != Exit::Output {
        context.terminal.json(&failure.to_json().to_string());
    } else if failure.problem.is_some() {
        to_stderr(&format!("error: {}", escape(&failure.message)));
    } else {
        to_stderr(&format!("error: {}", escape_lines(&failure.message)));
    }
}

fn run(context: &Context, chosen: profile::Chosen, command: Command) -> Result<Exit, Failure> {
    let is_host = command.is_host();
    let threads = threads(is_host || matches!(command, Command::Bench(_) | Command::Invoke(_)));
    let threads = threads
        .map_err(|error| Failure::new(Exit::Fault, format!("cannot start threads: {error}")))?;
    let ended = threads.block_on(dispatch(context, chosen, command));
    if is_host {
        // What still blocks a thread then ends with the process.
        threads.shutdown_background();
    }
    ended
}

fn threads(many: bool) -> std::io::Result<Runtime> {
    let mut builder = if many {
        Builder::new_multi_thread()
    } else {
        Builder::new_current_thread()
    };
    builder.enable_all().build()
}

async fn dispatch(
    context: &Context,
    chosen: profile::Chosen,
    command: Command,
) -> Result<Exit, Failure> {
    match command {
        Command::Dev(args) => host::dev::run(context, args).await,
        Command::Serve(args) => host::serve::run(context, args).await,
        Command::Migrate(args) => host::migrate::run(context, args).await,
        Command::Submit(args) => execution::submit::run(context, args).await,
        Command::Batch(args) => execution::batch::run(context, args).await,
        Command::Input(args) => execution::stored::input(context, args).await,
        Command::Policy(args) => execution::stored::policy(context, args).await,
        Command::Attempts(args) => execution::listed::attempts(context, args).await,
        Command::History(args) => execution::listed::history(context, args).await,
        Command::Operations(args) => execution::listed::operations_of(context, args).await,
        Command::Signals(args) => execution::listed::signals_of(context, args).await,
        Command::Suspensions(args) => execution::listed::suspensions_of(context, args).await,
        Command::Suspended(args) => execution::suspended::run(context, args).await,
        Command::Kind(command) => component::kind::run(context, command).await,
        Command::Lease(command) => worker::lease::run(context, command).await,
        Command::Grant(command) => worker::grant::run(context, command).await,
        Command::Show(args) => execution::show::run(context, args).await,
        Command::Result(args) => execution::result::run(context, args).await,
        Command::List(args) => execution::list::run(context, args).await,
        Command::Watch(args) => execution::watch::run(context, args).await,
        Command::Stream(args) => stream::frames::run(context, args).await,
        Command::Logs(args) => stream::logs::run(context, args).await,
        Command::Events(args) => event::events::run(context, args).await,
        Command::Cancel(args) => execution::cancel::run(context, args).await,
        Command::Signal(args) => waitpoint::signal::run(context, args).await,
        Command::Approve(args) => waitpoint::approve::run(context, args).await,
        Command::Resume(args) => execution::operate::resume(context, args).await,
        Command::Waitpoints(args) => waitpoint::list::run(context, args).await,
        Command::Replay(which) => execution::operate::plain(context, "replay", which).await,
        Command::Hold(which) => execution::operate::plain(context, "hold", which).await,
        Command::Unhold(which) => execution::operate::plain(context, "unhold", which).await,
        Command::Expire(args) => execution::operate::expire(context, args).await,
        Command::Priority(args) => execution::operate::priority(context, args).await,
        Command::Revoke(args) => execution::operate::revoke(context, args).await,
        Command::Block(args) => execution::operate::block(context, args).await,
        Command::Unblock(args) => execution::operate::unblock(context, args).await,
        Command::Tag(args) => execution::tag::run(context, args).await,
        Command::Override(command) => execution::overrides::run(context, command).await,
        Command::Component(command) => component::run(context, command).await,
        Command::Worker(command) => worker::run(context, command).await,
        Command::Lane(command) => lane::run(context, command).await,
        Command::Namespace(command) => lane::namespace::run(context, command).await,
        Command::WaitpointKey(command) => waitpoint::key::run(context, command).await,
        Command::Token(command) => access::token::run(context, command).await,
        Command::Flow(command) => flow::run(context, command).await,
        Command::Webhook(command) => webhook::run(context, command).await,
        Command::Audit(args) => access::audit::run(context, args).await,
        Command::Profile(command) => profile::run(context, command, chosen),
        Command::Invoke(args) => invoke::run(context, args).await,
        Command::Bench(args) => bench::run(context, args).await,
        Command::Login(args) => login::login(context, args).await,
        Command::Logout => login::logout(context).await,
        Command::Doctor(args) => doctor::run(context, args).await,
        // [`main`] runs it before it reads the command line.
        Command::Compile => Ok(Exit::Usage),
    }
}

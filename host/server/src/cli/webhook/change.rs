//! `flowhost webhook create`, `update`, `pause`, `resume`, `rotate`, `test` and `delete`.

use reqwest::Method;
use serde::Serialize;

use super::command::{ChangeArgs, CreateArgs, PauseArgs, RotateArgs, UpdateArgs, WebhookArgs};
use crate::api::{
    CreateWebhook, CreatedWebhook, PauseWebhook, ResumeWebhook, RotateWebhookSecret, TestedWebhook,
    UpdateWebhook, Webhook, WebhookFilter,
};
use crate::cli::io::{
    Answer, Context, DryRun, Exit, Failure, Request, actor, escape, read_secret, to_stderr,
};

pub(super) async fn create(context: &Context, args: CreateArgs) -> Result<Exit, Failure> {
    let body = CreateWebhook {
        name: args.name,
        url: args.receiver,
        family: args.family,
        namespace: context.namespace(args.namespace),
        filter: args.filter.filter(),
        from_beginning: args.from_beginning,
        secret: args.secret_file.as_deref().map(read_secret).transpose()?,
        actor: actor(),
    };
    let dry_run = args.dry_run;
    let answer = dry_run.send(context, Method::POST, "/v1/webhooks", &body);
    print_secret(context, dry_run, &answer.await?, "is made")
}

pub(super) async fn update(context: &Context, args: UpdateArgs) -> Result<Exit, Failure> {
    let every = args.no_filter.then(WebhookFilter::default);
    let body = UpdateWebhook {
        url: args.receiver,
        filter: args.filter.filter().or(every),
        actor: actor(),
    };
    let answer = ask(context, Method::PATCH, &args.which, "", args.dry_run, &body).await?;
    changed(context, args.dry_run, &answer, "is changed")
}

pub(super) async fn pause(context: &Context, args: PauseArgs) -> Result<Exit, Failure> {
    let body = PauseWebhook {
        reason: args.reason,
        actor: actor(),
    };
    let answer = ask(
        context,
        Method::POST,
        &args.which,
        "/pause",
        args.dry_run,
        &body,
    )
    .await?;
    changed(context, args.dry_run, &answer, "is paused")
}

pub(super) async fn resume(context: &Context, args: ChangeArgs) -> Result<Exit, Failure> {
    let body = ResumeWebhook { actor: actor() };
    let answer = ask(
        context,
        Method::POST,
        &args.which,
        "/resume",
        args.dry_run,
        &body,
    )
    .await?;
    changed(context, args.dry_run, &answer, "is delivered again")
}

pub(super) async fn rotate(context: &Context, args: RotateArgs) -> Result<Exit, Failure> {
    let body = RotateWebhookSecret {
        secret: args.secret_file.as_deref().map(read_secret).transpose()?,
        overlap_ms: args.overlap.map(|overlap| overlap.as_millis() as u64),
        actor: actor(),
    };
    let answer = ask(
        context,
        Method::POST,
        &args.which,
        "/rotate",
        args.dry_run,
        &body,
    )
    .await?;
    print_secret(context, args.dry_run, &answer, "has another secret")
}

pub(super) async fn test(context: &Context, args: WebhookArgs) -> Result<Exit, Failure> {
    let client = context.client()?;
    let path = format!("{}/test", args.path(context, &client).await?);
    let request = Request {
        query: args.query(context),
        ..Request::default()
    };
    let answer = client.send(Method::POST, &path, request).await?;
    let tested: TestedWebhook = answer.read()?;
    let error = tested.error.as_deref().map(escape).unwrap_or_default();
    if !context.prints_json(&answer) && tested.accepted {
        context.line("the receiver accepted the ping");
    }
    if tested.accepted {
        return Ok(Exit::Ok);
    }
    if !context.json {
        to_stderr(&format!(
            "error: the receiver did not accept the ping: {error}"
        ));
    }
    Ok(Exit::Failed)
}

pub(super) async fn delete(context: &Context, args: ChangeArgs) -> Result<Exit, Failure> {
    let client = context.client()?;
    let path = args.which.path(context, &client).await?;
    let mut query = args.dry_run.query();
    query.extend(args.which.query(context));
    let request = Request {
        query,
        ..Request::default()
    };
    client.send(Method::DELETE, &path, request).await?;
    if !context.json {
        let name = escape(&args.which.webhook);
        args.dry_run
            .line(context, &format!("webhook {name} is deleted"));
    }
    Ok(Exit::Ok)
}

/// Sends a request about a webhook with a body in JSON, or asks what it would do.
async fn ask(
    context: &Context,
    method: Method,
    which: &WebhookArgs,
    verb: &str,
    dry_run: DryRun,
    body: &impl Serialize,
) -> Result<Answer, Failure> {
    let client = context.client()?;
    let path = format!("{}{verb}", which.path(context, &client).await?);
    let mut query = dry_run.query();
    query.extend(which.query(context));
    let request = Request {
        query,
        ..Request::json(body)?
    };
    client.send(method, &path, request).await
}

fn changed(
    context: &Context,
    dry_run: DryRun,
    answer: &Answer,
    what: &str,
) -> Result<Exit, Failure> {
    context.answered(answer, |webhook: Webhook| {
        let line = format!("webhook {} {what}", escape(&webhook.name));
        dry_run.line(context, &line);
    })
}

/// Prints a secret alone, so that it can be passed on, and the rest elsewhere. That of a dry
/// run signs nothing.
fn print_secret(
    context: &Context,
    dry_run: DryRun,
    answer: &Answer,
    what: &str,
) -> Result<Exit, Failure> {
    if context.prints_json(answer) {
        return Ok(Exit::Ok);
    }
    let made: CreatedWebhook = answer.read()?;
    let what = format!("webhook {} {what}", escape(&made.webhook.name));
    if dry_run.is_asked() {
        dry_run.line(context, &what);
    } else {
        context.line(&escape(&made.secret));
        to_stderr(&format!("{what}; its secret is shown only now"));
    }
    Ok(Exit::Ok)
}

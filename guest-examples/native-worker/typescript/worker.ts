/**
 * A native worker on the TypeScript client that `make clients` generates.
 *
 * Needs Node.js 18 or newer. With the host of `make run` up:
 *
 *     make clients
 *     node guest-examples/native-worker/typescript/dist/worker.js
 *
 * and in another terminal:
 *
 *     flowhost submit invoice --input '{"lines": [{"item": "rope", "cents": 1250}]}' --wait
 *
 * `Worker` claims, renews and reports and can be copied; `invoice` does the work. A
 * handler returns how its attempt ends: the verb, and the body of that without the lease.
 */

import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "flowhost";

type Schemas = components["schemas"];
type Execution = Schemas["ClaimedExecution"];
type End =
  | { verb: "complete"; body: Omit<Schemas["CompleteLease"], "lease"> }
  | { verb: "fail"; body: Omit<Schemas["FailLease"], "lease"> }
  | { verb: "suspend"; body: Omit<Schemas["SuspendLease"], "lease"> };
type Handler = (worker: Worker, execution: Execution, lost: AbortSignal) => Promise<End>;
type Answer<T> = { data?: T; error?: Schemas["Problem"]; response: Response };

const WAIT_MS = 20_000;
const LIVENESS_TTL_MS = 30_000;

/** The host refused a request; `problem.code` names why. */
class Refused extends Error {
  constructor(readonly problem: Schemas["Problem"]) {
    super(`${problem.code}: ${problem.detail}`);
  }
}

/** Claims one execution after the other, runs it, and keeps its lease. */
class Worker {
  readonly host: Client<paths>;
  // A new process is a new instance, without the leases of an earlier one.
  readonly instance: string;
  readonly stopping = new AbortController();

  constructor(
    url: string,
    key: string | undefined,
    readonly workerId: string,
    readonly handlers: Record<string, Handler>,
    readonly leaseTtlMs: number,
  ) {
    const headers = key ? { authorization: `Bearer ${key}` } : {};
    this.host = createClient<paths>({ baseUrl: url, headers });
    this.instance = `${workerId}-${process.pid}-${randomBytes(3).toString("hex")}`;
  }

  /**
   * Asks until the host answers: faults of a host pass, and every request here may be
   * repeated. Throws `Refused` when the answer is a problem.
   */
  async ask<T>(request: () => Promise<Answer<T>>, signal?: AbortSignal): Promise<T> {
    for (let pause = 200; ; pause = Math.min(pause * 2, 5000) * (0.75 + Math.random() / 2)) {
      try {
        const { data, error, response } = await request();
        if (response.ok) return data as T;
        if (error && error.status < 500) throw new Refused(error);
        say(`${error?.code ?? response.status}: ${error?.detail ?? response.statusText}`);
      } catch (error) {
        if (error instanceof Refused || signal?.aborted) throw error;
        say(`no answer: ${error}`);
      }
      await sleep(pause, undefined, { signal });
    }
  }

  /** Works until it is told to stop, and leaves the registry then. */
  async run(): Promise<void> {
    await this.register();
    const beat = setInterval(() => void this.beat(), LIVENESS_TTL_MS / 3);
    const { signal } = this.stopping;
    const path = { worker_instance_id: this.instance };
    const body = {
      kinds: Object.keys(this.handlers),
      lease_ttl_ms: this.leaseTtlMs,
      wait_ms: WAIT_MS,
    };
    try {
      while (!signal.aborted) {
        const { executions } = await this.ask(
          () =>
            this.host.POST("/v1/workers/{worker_instance_id}/claim", {
              params: { path },
              body,
              signal,
            }),
          signal,
        );
        for (const execution of executions) await this.attempt(execution);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      clearInterval(beat);
      await this.ask(() =>
        this.host.DELETE("/v1/workers/{worker_instance_id}", { params: { path } }),
      );
    }
  }

  async register(): Promise<void> {
    const body = {
      worker_id: this.workerId,
      worker_instance_id: this.instance,
      kinds: Object.keys(this.handlers),
      liveness_ttl_ms: LIVENESS_TTL_MS,
      host: hostname(),
    };
    await this.ask(() => this.host.POST("/v1/workers", { body }));
    say(`${this.instance} serves ${body.kinds.join(", ")}`);
  }

  /** Sends a heartbeat; registers again when too many were missed. */
  async beat(): Promise<void> {
    const params = { path: { worker_instance_id: this.instance } };
    try {
      await this.ask(() =>
        this.host.POST("/v1/workers/{worker_instance_id}/heartbeat", { params }),
      );
    } catch (error) {
      say(`${error}`);
      await this.register();
    }
  }

  /** Runs an attempt while its lease is renewed; stops it when the lease is lost. */
  async attempt(execution: Execution): Promise<void> {
    const { lease } = execution;
    const ended = new AbortController();
    const stop = () => ended.abort();
    this.stopping.signal.addEventListener("abort", stop);
    const renewals = this.renew(execution, ended);
    try {
      say(`${execution.id}: ${await this.handle(execution, ended.signal)}`);
    } catch (error) {
      if (this.stopping.signal.aborted) {
        // Returned to the queue now, it need not wait for its lease to expire.
        await this.ask(() => this.host.POST("/v1/leases/release", { body: { lease } }));
      } else {
        say(`${execution.id}: not recorded, ${error}`);
      }
    } finally {
      ended.abort();
      this.stopping.signal.removeEventListener("abort", stop);
      await renewals;
    }
  }

  /** Renews a lease at a third of its time to live, until the attempt has ended. */
  async renew(execution: Execution, ended: AbortController): Promise<void> {
    const body = { lease: execution.lease, lease_ttl_ms: this.leaseTtlMs };
    const { signal } = ended;
    try {
      while (!signal.aborted) {
        await sleep(this.leaseTtlMs / 3, undefined, { signal });
        await this.ask(() => this.host.POST("/v1/leases/renew", { body, signal }), signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      say(`${execution.id}: stopped, ${error}`);
      ended.abort();
    }
  }

  /** Calls the handler and reports how the attempt ended; returns what that did. */
  async handle(execution: Execution, lost: AbortSignal): Promise<string> {
    for (;;) {
      const end = await this.call(execution, lost);
      lost.throwIfAborted();
      const outcome = await this.report(execution.lease, end, lost);
      if (!("resumption" in outcome)) return outcome.outcome;
      // Signals received before satisfy the condition: the lease stays.
      execution.resumption = outcome.resumption;
    }
  }

  async call(execution: Execution, lost: AbortSignal): Promise<End> {
    try {
      return await this.handlers[execution.kind]!(this, execution, lost);
    } catch (error) {
      return { verb: "fail", body: { code: "exception", message: `${error}` } };
    }
  }

  async report(
    lease: string,
    end: End,
    lost: AbortSignal,
  ): Promise<Schemas["LeaseOutcome"] | Schemas["SuspendedLease"]> {
    switch (end.verb) {
      case "complete": {
        const body = { ...end.body, lease };
        return one(await this.ask(() => this.host.POST("/v1/leases/complete", { body }), lost));
      }
      case "fail": {
        const body = { ...end.body, lease };
        return one(await this.ask(() => this.host.POST("/v1/leases/fail", { body }), lost));
      }
      case "suspend": {
        const body = { ...end.body, lease };
        return await this.ask(() => this.host.POST("/v1/leases/suspend", { body }), lost);
      }
    }
  }
}

/** Returns the answer to a request about one lease. */
function one(answer: Schemas["LeaseAnswer"]): Schemas["LeaseOutcome"] {
  if ("results" in answer) throw new Error("several answers to one request");
  return answer;
}

function say(text: string): void {
  console.error(text);
}

function json(base64: string): any {
  return JSON.parse(Buffer.from(base64, "base64").toString("utf8"));
}

// What an invoice may come to without an approval.
const LIMIT_CENTS = 100_000;
// Stands for what looking up the price of a line takes.
const LINE_MS = 20;

/** Adds up the lines of an invoice; a person approves one above the limit. */
async function invoice(worker: Worker, execution: Execution, lost: AbortSignal): Promise<End> {
  const { lease, resumption } = execution;
  if (resumption) {
    const decision = resumption.signals[0];
    if (decision?.signal_name !== "approved") {
      return { verb: "fail", body: { code: "rejected", class: "permanent" } };
    }
    const { cents } = json(resumption.state_base64!);
    const result = { cents, approved_by: decision.source_identity };
    return { verb: "complete", body: { result } };
  }
  const { lines } = json(execution.input_base64);
  let cents = 0;
  for (const [index, line] of lines.entries()) {
    if (!Number.isInteger(line.cents)) {
      const message = `line ${index + 1} has no price`;
      return { verb: "fail", body: { code: "no_price", class: "permanent", message } };
    }
    await sleep(LINE_MS, undefined, { signal: lost });
    cents += line.cents;
    const body = { lease, percent: Math.floor(((index + 1) * 100) / lines.length) };
    await worker.ask(() => worker.host.POST("/v1/leases/progress", { body }), lost);
  }
  if (cents <= LIMIT_CENTS) return { verb: "complete", body: { result: { cents } } };
  return {
    verb: "suspend",
    body: {
      resume_condition: { Single: { waitpoint_key: "approval", matcher: "Wildcard" } },
      reason_code: "waiting_for_approval",
      timeout_ms: 7 * 24 * 3600 * 1000,
      state: { cents },
    },
  };
}

const { values: given } = parseArgs({
  options: {
    url: { type: "string", default: process.env["FLOWHOST_URL"] ?? "http://127.0.0.1:7070" },
    "worker-id": { type: "string", default: "typescript-worker" },
    "lease-ttl-ms": { type: "string", default: "30000" },
  },
});
const worker = new Worker(
  given.url!,
  // Never an argument, which others on this machine could read.
  process.env["FLOWHOST_API_KEY"],
  given["worker-id"]!,
  { invoice },
  Number(given["lease-ttl-ms"]),
);
for (const name of ["SIGTERM", "SIGINT"] as const) {
  process.on(name, () => worker.stopping.abort());
}
await worker.run();
say(`${worker.instance} has ended`);

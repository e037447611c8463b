#!/usr/bin/env python3
"""A native worker on the Python client that `make clients` generates.

Needs Python 3.11 or newer. With the host of `make run` up:

    make clients
    PYTHONPATH=target/clients/python target/clients/venv/bin/python \\
        guest-examples/native-worker/python/worker.py

and in another terminal:

    flowhost submit invoice --input '{"lines": [{"item": "rope", "cents": 1250}]}' --wait

`Worker` claims, renews and reports and can be copied; `invoice` does the work. A
handler returns how its attempt ends: `CompleteLease`, `FailLease` or `SuspendLease`.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import secrets
import signal
import socket
import sys

import httpx
from flowhost_client import AuthenticatedClient, Client
from flowhost_client.api.leases import (
    leases_complete,
    leases_fail,
    leases_release,
    leases_renew,
    leases_report_progress,
    leases_suspend,
)
from flowhost_client.api.workers import (
    workers_claim,
    workers_heartbeat,
    workers_register,
    workers_retire,
)
from flowhost_client.models import (
    ClaimWork,
    CompleteLease,
    FailLease,
    FailureClass,
    LeaseAlreadySatisfied,
    Problem,
    ProgressLease,
    RegisterNativeWorker,
    ReleaseLease,
    RenewLease,
    SingleBody,
    SingleCondition,
    SuspendLease,
    SuspensionReason,
    WildcardMatcher,
)

WAIT_MS = 20_000
LIVENESS_TTL_MS = 30_000
# Verbs that end an attempt, by the body that each takes.
ENDS = {
    CompleteLease: leases_complete,
    FailLease: leases_fail,
    SuspendLease: leases_suspend,
}


class Refused(Exception):
    """The host refused a request; `problem.code` names why."""

    def __init__(self, problem):
        super().__init__(f"{problem.code}: {problem.detail}")
        self.problem = problem


class Worker:
    """Claims one execution after the other, runs it, and keeps its lease."""

    def __init__(self, url, key, worker_id, handlers, lease_ttl_ms):
        timeout = httpx.Timeout(WAIT_MS / 1000 + 10)
        if key:
            self.client = AuthenticatedClient(base_url=url, token=key, timeout=timeout)
        else:
            self.client = Client(base_url=url, timeout=timeout)
        self.worker_id, self.handlers, self.lease_ttl_ms = worker_id, handlers, lease_ttl_ms
        # A new process is a new instance, without the leases of an earlier one.
        self.instance = f"{worker_id}-{os.getpid()}-{secrets.token_hex(3)}"

    async def ask(self, operation, **arguments):
        """Asks until the host answers: faults of a host pass, and every request here may
        be repeated. Raises `Refused` when the answer is a problem."""
        pause = 0.2
        while True:
            try:
                answer = await operation.asyncio(client=self.client, **arguments)
            except httpx.TransportError as error:
                say(f"no answer: {error!r}")
            else:
                if not isinstance(answer, Problem):
                    return answer
                if answer.status < 500:
                    raise Refused(answer)
                say(f"{answer.code}: {answer.detail}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5) * (0.75 + secrets.randbelow(500) / 1000)

    async def run(self):
        """Works until it is canceled, and leaves the registry then."""
        await self.register()
        beat = asyncio.create_task(self.beat())
        try:
            while True:
                work = ClaimWork(
                    kinds=list(self.handlers), lease_ttl_ms=self.lease_ttl_ms, wait_ms=WAIT_MS
                )
                claimed = await self.ask(
                    workers_claim, worker_instance_id=self.instance, body=work
                )
                for execution in claimed.executions:
                    await self.attempt(execution)
        finally:
            beat.cancel()
            await self.ask(workers_retire, worker_instance_id=self.instance)

    async def register(self):
        worker = RegisterNativeWorker(
            worker_id=self.worker_id,
            worker_instance_id=self.instance,
            kinds=list(self.handlers),
            liveness_ttl_ms=LIVENESS_TTL_MS,
            host=socket.gethostname(),
        )
        await self.ask(workers_register, body=worker)
        say(f"{self.instance} serves {', '.join(self.handlers)}")

    async def beat(self):
        """Sends heartbeats; registers again when too many were missed."""
        while True:
            await asyncio.sleep(LIVENESS_TTL_MS / 3000)
            try:
                await self.ask(workers_heartbeat, worker_instance_id=self.instance)
            except Refused as refused:
                say(str(refused))
                await self.register()

    async def attempt(self, execution):
        """Runs an attempt while its lease is renewed; stops it when the lease is lost."""
        renewals = asyncio.create_task(self.renew(execution))
        attempt = asyncio.create_task(self.handle(execution))
        try:
            await asyncio.wait({renewals, attempt}, return_when=asyncio.FIRST_COMPLETED)
            if attempt.done():
                say(f"{execution.id}: {attempt.result()}")
        except Refused as refused:
            say(f"{execution.id}: not recorded, {refused}")
        except asyncio.CancelledError:
            attempt.cancel()
            # Returned to the queue now, it need not wait for its lease to expire. That is
            # refused if the answer to a report that was recorded was still on its way.
            with contextlib.suppress(Refused):
                await self.ask(leases_release, body=ReleaseLease(lease=execution.lease))
            raise
        finally:
            renewals.cancel()
            attempt.cancel()

    async def renew(self, execution):
        """Renews a lease at a third of its time to live, until that is refused."""
        body = RenewLease(lease=execution.lease, lease_ttl_ms=self.lease_ttl_ms)
        try:
            while True:
                await asyncio.sleep(self.lease_ttl_ms / 3000)
                await self.ask(leases_renew, body=body)
        except Refused as refused:
            say(f"{execution.id}: stopped, {refused}")

    async def handle(self, execution):
        """Calls the handler and reports how the attempt ended; returns what that did."""
        while True:
            try:
                end = await self.handlers[execution.kind](self, execution)
            except Exception as error:
                end = FailLease(lease=execution.lease, code="exception", message=repr(error))
            outcome = await self.ask(ENDS[type(end)], body=end)
            if not isinstance(outcome, LeaseAlreadySatisfied):
                return outcome.outcome
            # Signals received before satisfy the condition: the lease stays.
            execution.resumption = outcome.resumption


def say(text):
    print(text, file=sys.stderr, flush=True)


# What an invoice may come to without an approval.
LIMIT_CENTS = 100_000
# Stands for what looking up the price of a line takes.
LINE_S = 0.02


async def invoice(worker, execution):
    """Adds up the lines of an invoice; a person approves one above the limit."""
    lease = execution.lease
    if execution.resumption:
        decision = execution.resumption.signals[0]
        if decision.signal_name != "approved":
            return FailLease(lease=lease, code="rejected", class_=FailureClass.PERMANENT)
        state = json.loads(base64.b64decode(execution.resumption.state_base64))
        result = {"cents": state["cents"], "approved_by": decision.source_identity}
        return CompleteLease(lease=lease, result=result)
    lines = json.loads(base64.b64decode(execution.input_base64))["lines"]
    cents = 0
    for number, line in enumerate(lines, start=1):
        if not isinstance(line.get("cents"), int):
            message = f"line {number} has no price"
            return FailLease(
                lease=lease, code="no_price", class_=FailureClass.PERMANENT, message=message
            )
        await asyncio.sleep(LINE_S)
        cents += line["cents"]
        progress = ProgressLease(lease=lease, percent=number * 100 // len(lines))
        await worker.ask(leases_report_progress, body=progress)
    if cents <= LIMIT_CENTS:
        return CompleteLease(lease=lease, result={"cents": cents})
    approval = SingleBody(waitpoint_key="approval", matcher=WildcardMatcher.WILDCARD)
    return SuspendLease(
        lease=lease,
        resume_condition=SingleCondition(single=approval),
        reason_code=SuspensionReason.WAITING_FOR_APPROVAL,
        timeout_ms=7 * 24 * 3600 * 1000,
        state={"cents": cents},
    )


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    url = os.environ.get("FLOWHOST_URL", "http://127.0.0.1:7070")
    parser.add_argument("--url", default=url, help="the host to work for")
    parser.add_argument("--worker-id", default="python-worker", help="name over restarts")
    parser.add_argument("--lease-ttl-ms", type=int, default=30_000, help="renewed at a third")
    given = parser.parse_args()
    # Never an argument, which others on this machine could read.
    key = os.environ.get("FLOWHOST_API_KEY")
    handlers = {"invoice": invoice}
    worker = Worker(given.url, key, given.worker_id, handlers, given.lease_ttl_ms)
    work = asyncio.create_task(worker.run())
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        say(f"{worker.instance} has ended")
    except Refused as refused:
        sys.exit(f"refused, {refused}")


if __name__ == "__main__":
    asyncio.run(main())

#!/usr/bin/env python3
"""A native worker: claims executions over HTTP and runs them in this process.

Needs Python 3.9 or newer and nothing else. With the host of `make run` up:

    python3 guest-examples/native-worker/worker.py

(`FLOWHOST_API_KEY` has the key for a host that wants one) and in another terminal:

    flowhost submit word-frequencies --input 'to be or not' --content-type text/plain --wait

Everything above `HANDLERS` is about speaking to a host and can be copied; the
functions in `HANDLERS` do the work. A handler gets a `Task` and returns what
becomes the result: text, bytes, or anything that is JSON. An exception fails the
attempt, and the policy of the execution decides whether there is another;
`Failed` says that there is no point in one, `Wait` that the execution waits for
signals.
"""

import argparse
import base64
import csv
import io
import json
import os
import re
import secrets
import signal
import socket
import sys
import threading
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter

LEASE_TTL_MS = 30_000
LIVENESS_TTL_MS = 30_000
WAIT_MS = 20_000
# How long to repeat the report of an attempt's end: after that its lease has
# expired and another worker runs it.
REPORT_S = LEASE_TTL_MS / 1000
# How long attempts may continue once the worker was asked to end.
GRACE_S = 20


class Failed(Exception):
    """The attempt failed, and why; by default it is not retried."""

    def __init__(self, code, message, failure_class="permanent"):
        super().__init__(message)
        self.code, self.failure_class = code, failure_class


class Wait(Exception):
    """The execution waits. The handler is called again, with `task.resumption`,
    when signals satisfied the condition, or when it resumes without them. `more`
    are further members of `POST /v1/leases/suspend`, such as `state`."""

    def __init__(self, condition, **more):
        super().__init__()
        self.body = {"resume_condition": condition, **more}


class Refused(Exception):
    """The host answered with a problem; `code` names it."""

    def __init__(self, status, problem):
        super().__init__(problem.get("detail", f"status {status}"))
        self.status, self.code = status, problem.get("code", "unknown")


class Unavailable(Exception):
    """The host or its database did not answer, or met a fault; asking again is safe,
    `after` some seconds."""

    def __init__(self, message, after=0.0):
        super().__init__(message)
        self.after = after


class Host:
    """A host's API."""

    def __init__(self, url, key=None):
        self.url, self.key = url.rstrip("/"), key

    def ask(self, method, path, body=None, timeout=10):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        request.add_header("content-type", "application/json")
        if self.key:
            request.add_header("authorization", f"Bearer {self.key}")
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            text = error.read()
            # A fault of the host passes, or another host answers.
            if error.code >= 500 or error.code == 429:
                raise Unavailable(str(error), retry_after(error.headers)) from error
            try:
                problem = json.loads(text)
            except ValueError:
                problem = {}
            raise Refused(error.code, problem) from error
        except OSError as error:
            raise Unavailable(str(error)) from error
        return json.loads(text) if text else None

    def post(self, path, body, timeout=10):
        return self.ask("POST", path, body, timeout)


class Task:
    """One attempt at an execution, under a lease."""

    def __init__(self, host, claimed):
        self.host, self.claimed = host, claimed
        self.id, self.kind, self.lease = claimed["id"], claimed["kind"], claimed["lease"]
        self.content_type = claimed["content_type"]
        self.data = base64.b64decode(claimed["input_base64"])
        # How the last suspension ended, if there was one.
        self.resumption = claimed.get("resumption")
        self.lost = threading.Event()

    def text(self):
        try:
            return self.data.decode()
        except UnicodeDecodeError as error:
            raise Failed("not_utf8", f"the input is no UTF-8 text: {error}") from error

    def progress(self, percent, message=None):
        """Publishes the progress. Long handlers also check `lost` now and then, and
        stop when it is set: another worker runs the execution."""
        body = {"lease": self.lease, "percent": percent, "message": message}
        try:
            self.host.post("/v1/leases/progress", body)
        except Unavailable:
            pass
        except Refused:
            self.lost.set()

    def append(self, *frames):
        """Appends frames to the stream of the attempt, in their order. A frame has a
        `frame_type`, and may have a `payload` and what else `POST /v1/leases/frames`
        takes. One that could not be appended is missing in the stream: a host that is
        not there is not waited for."""
        body = {"leases": [{"lease": self.lease, **frame} for frame in frames]}
        try:
            results = self.host.post("/v1/leases/frames", body)["results"]
        except Unavailable:
            return
        for problem in (result.get("problem") for result in results):
            if problem and problem["status"] == 409:
                self.lost.set()
            elif problem:
                raise Failed(problem["code"], problem["detail"])


class Worker:
    """Claims executions into slots, runs them, and keeps their leases."""

    def __init__(self, host, worker_id, handlers, lanes=(), capabilities=(), slots=2):
        self.host, self.worker_id, self.handlers = host, worker_id, handlers
        self.lanes, self.capabilities, self.slots = list(lanes), list(capabilities), slots
        # A new process is a new instance, without the leases of an earlier one.
        self.instance = f"{worker_id}-{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"
        self.path = "/v1/workers/" + urllib.parse.quote(self.instance, safe="")
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.tasks = {}

    def run(self):
        """Works until asked to stop; then lets running attempts finish for a while
        and returns the others to the queue."""
        self.register()
        threads = [threading.Thread(target=self.keep, daemon=True)]
        threads += [threading.Thread(target=self.work, daemon=True) for _ in range(self.slots)]
        for thread in threads:
            thread.start()
        say(f"{self.instance} serves {', '.join(sorted(self.handlers))}")
        self.stopping.wait()
        deadline = time.monotonic() + GRACE_S
        while self.held() and time.monotonic() < deadline:
            time.sleep(0.05)
        leases = [{"lease": task.lease} for task in self.held()]
        try:
            if leases:
                self.host.post("/v1/leases/release", {"leases": leases})
            self.host.ask("DELETE", self.path)
        except (Refused, Unavailable) as error:
            say(f"left without a word: {error}")

    def stop(self):
        self.stopping.set()

    def register(self):
        """Registers the worker; waits for a host that does not answer."""
        body = {
            "worker_id": self.worker_id,
            "worker_instance_id": self.instance,
            "kinds": sorted(self.handlers),
            "lanes": self.lanes,
            "capabilities": self.capabilities,
            "liveness_ttl_ms": LIVENESS_TTL_MS,
            "host": socket.gethostname(),
        }
        for pause in pauses(self.stopping):
            try:
                return self.host.post("/v1/workers", body)
            except Unavailable as error:
                say(f"no host at {self.host.url} ({error}); trying again in {pause:.1f} s")

    def keep(self):
        """Renews the leases and sends a heartbeat at a third of their times to live,
        so that two may be missed."""
        while True:
            time.sleep(min(LEASE_TTL_MS, LIVENESS_TTL_MS) / 3000)
            try:
                self.renew()
                self.beat()
            except (Refused, Unavailable) as error:
                say(f"no heartbeat: {error}")

    def beat(self):
        try:
            self.host.post(self.path + "/heartbeat", {})
        except Refused as refused:
            if refused.code != "not_registered":
                raise
            # The last heartbeat was too long ago.
            self.register()

    def renew(self):
        tasks = self.held()
        if not tasks:
            return
        body = {"leases": [task.lease for task in tasks], "lease_ttl_ms": LEASE_TTL_MS}
        results = self.host.post("/v1/leases/renew", body)["results"]
        for task, verdict in zip(tasks, results):
            if "problem" in verdict:
                say(f"{task.id}: {verdict['problem']['code']}")
                task.lost.set()

    def work(self):
        """One slot: claims, runs, reports, and again."""
        body = {
            "kinds": sorted(self.handlers),
            "lanes": self.lanes,
            "capabilities": self.capabilities,
            "lease_ttl_ms": LEASE_TTL_MS,
            "wait_ms": WAIT_MS,
        }
        while not self.stopping.is_set():
            for pause in pauses(self.stopping):
                try:
                    claimed = self.host.post(self.path + "/claim", body, WAIT_MS / 1000 + 10)
                    break
                except Unavailable as error:
                    say(f"no claim: {error}; trying again in {error.after + pause:.1f} s")
                    self.stopping.wait(error.after)
                except Refused as refused:
                    # A repeat would be refused as well: the request is wrong.
                    say(f"claim refused, {refused.code}: {refused}")
                    return self.stop()
            else:
                return
            for execution in claimed["executions"]:
                self.attempt(Task(self.host, execution))

    def attempt(self, task):
        with self.lock:
            self.tasks[task.lease] = task
        try:
            if self.stopping.is_set():
                self.report(task, "release", {})
                return
            outcome = self.report(task, *self.call(task))
            # Signals received before satisfy the condition: the lease stays.
            while outcome and outcome["outcome"] == "already_satisfied":
                task.resumption = outcome["resumption"]
                outcome = self.report(task, *self.call(task))
        finally:
            with self.lock:
                self.tasks.pop(task.lease, None)

    def call(self, task):
        """Calls the handler; returns how to end the lease."""
        try:
            return "complete", payload(self.handlers[task.kind](task))
        except Wait as wait:
            return "suspend", wait.body
        except Failed as failed:
            return "fail", {
                "class": failed.failure_class,
                "code": failed.code,
                "message": str(failed),
            }
        except Exception as error:
            return "fail", {
                "class": "transient",
                "code": "exception",
                "message": f"{type(error).__name__}: {error}",
                "log": traceback.format_exc()[-16_000:],
            }

    def report(self, task, verb, body):
        """Reports the end of an attempt, and returns the answer. Safe to repeat:
        under the same lease the same end is recorded once."""
        deadline = time.monotonic() + REPORT_S
        for pause in pauses():
            try:
                outcome = self.host.post(f"/v1/leases/{verb}", {"lease": task.lease, **body})
                say(f"{task.id} {task.kind}: {outcome['outcome']}")
                return outcome
            except Refused as refused:
                say(f"{task.id} {task.kind}: not recorded, {refused.code}: {refused}")
                return None
            except Unavailable as error:
                if time.monotonic() + pause > deadline:
                    say(f"{task.id} {task.kind}: given up, {error}")
                    return None

    def held(self):
        with self.lock:
            return [task for task in self.tasks.values() if not task.lost.is_set()]


def retry_after(headers):
    """Returns the seconds that a host asks to wait, at most a minute."""
    try:
        return min(max(float(headers.get("retry-after", "0")), 0.0), 60.0)
    except ValueError:
        return 0.0


def pauses(stopping=None):
    """Yields how long to wait before trying again, and waits, until asked to
    stop."""
    pause = 0.2
    while not (stopping and stopping.is_set()):
        yield pause
        if stopping:
            stopping.wait(pause)
        else:
            time.sleep(pause)
        pause = min(pause * 2, 5) * (0.75 + secrets.randbelow(500) / 1000)


def payload(result):
    if isinstance(result, bytes):
        return {"result_base64": base64.b64encode(result).decode()}
    if isinstance(result, str):
        return {"result_text": result}
    return {"result": result}


def say(text):
    print(text, file=sys.stderr, flush=True)


def word_frequencies(task):
    """Counts the words of a text."""
    words = re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", task.text().lower())
    counted = Counter(words)
    top = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:20]
    return {"words": len(words), "distinct": len(counted), "top": top}


def csv_to_json(task):
    """Turns a CSV table with a header into a list of objects."""
    rows = csv.DictReader(io.StringIO(task.text()), strict=True)
    try:
        table = list(rows)
    except csv.Error as error:
        raise Failed("bad_csv", f"line {rows.line_num}: {error}") from error
    for number, row in enumerate(table, start=2):
        if None in row or None in row.values():
            raise Failed("bad_csv", f"row {number} has another number of columns than the header")
    task.progress(100, f"{len(table)} rows")
    return table


def sign_off(task):
    """Waits until a person approves or rejects a text."""
    came = task.resumption
    if not came:
        raise Wait(
            {"Single": {"waitpoint_key": "approval", "matcher": "Wildcard"}},
            reason_code="waiting_for_approval",
            timeout_ms=7 * 24 * 3600 * 1000,
            timeout_behavior="auto_resume_with_timeout_signal",
        )
    if not came["signals"]:
        raise Failed("nobody_decided", f"it resumed without a decision: {came['reason']}")
    decision = came["signals"][0]
    return {
        "text": task.text(),
        "decision": decision["signal_name"],
        "by": decision["source_identity"],
    }


def recite(task):
    """Streams a text word by word, with a summary beside, and returns their number."""
    words = re.findall(r"\S+\s*", task.text())
    for number, word in enumerate(words, start=1):
        said = {"frame_type": "word", "payload": word}
        summary = {
            "frame_type": "progress",
            "mode": "durable_summary",
            "payload": json.dumps({"words": {"said": number, "of": len(words)}}),
        }
        task.append(said, summary)
        if task.lost.wait(0.05):
            break
    return {"words": len(words)}


HANDLERS = {
    "word-frequencies": word_frequencies,
    "csv-to-json": csv_to_json,
    "sign-off": sign_off,
    "recite": recite,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    url = os.environ.get("FLOWHOST_URL", "http://127.0.0.1:7070")
    parser.add_argument("--url", default=url, help="the host to work for")
    parser.add_argument("--worker-id", default="native-worker", help="name over restarts")
    parser.add_argument("--lane", action="append", default=[], help="serve only this lane; may repeat")
    parser.add_argument("--slots", type=int, default=2, help="attempts at once")
    given = parser.parse_args()
    # Never an argument, which others on this machine could read.
    host = Host(given.url, os.environ.get("FLOWHOST_API_KEY"))
    worker = Worker(host, given.worker_id, HANDLERS, given.lane, slots=given.slots)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: worker.stop())
    try:
        worker.run()
    except Refused as refused:
        sys.exit(f"refused, {refused.code}: {refused}")


if __name__ == "__main__":
    main()

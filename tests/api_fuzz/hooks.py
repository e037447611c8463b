"""What the fuzzer of the HTTP API does besides sending requests that are made from its
description. `run.sh` names this file in `SCHEMATHESIS_HOOKS`.

Most requests are about what exists, as `fixtures.py` makes it, and none waits for
long, or revokes the key that the fuzzer itself sends. And checks of its own: a status
must be listed for the operation, and a fault is never an answer.
"""

import atexit
import json
import os
import random
import re
import sys
from collections import Counter
from pathlib import Path

import schemathesis

sys.path.insert(0, str(Path(__file__).parent))
from fixtures import Host  # noqa: E402

# `open`: the host asks for no credential. `admin`: it does, and the key is an admin's.
# `refused`: it does, and the key is wrong or absent.
MODE = os.environ["FLOWHOST_API_FUZZ_MODE"]
SEED = int(os.environ["FLOWHOST_SEED"])
COMPONENT = Path(os.environ["FLOWHOST_API_FUZZ_COMPONENT"]).read_bytes()
# How the fuzzer numbers failures: an invalid request was served; a method was, that is not
# described; `Allow` names one.
SERVED_INVALID, SERVED_METHOD, ALLOWED_METHOD = "ST201", "ST204", "ST205"
# Longest that a request waits for something to happen.
WAIT_MS_MAX = 20

random_ = random.Random(SEED)
host = Host(os.environ["FLOWHOST_API_FUZZ_URL"], os.environ.get("FLOWHOST_API_FUZZ_KEY"), SEED)
own_key = None
made, unmade, answers = Counter(), Counter(), Counter()
documented = {}


def once_in(n):
    return random_.randrange(n) == 0


def operation_id(case):
    return case.operation.definition.raw["operationId"]


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Takes `default` out, behind which every status is documented."""
    for path in raw_schema["paths"].values():
        for operation in path.values():
            operation["responses"].pop("default", None)
            documented[operation["operationId"]] = set(operation["responses"])
    if MODE != "refused":
        host.prepare(COMPONENT)


@schemathesis.hook
def before_call(context, case, kwargs):
    if MODE != "refused":
        try:
            name_what_exists(case)
        except LookupError as error:
            unmade[str(error)[:200]] += 1
        use_one_form(case)
        if isinstance(case.body, dict) and "resume_condition" in case.body:
            case.body["resume_condition"] = write_whole(case.body["resume_condition"])
        wait_briefly(case)
        spare_own_key(case)


def name_what_exists(case):
    """Puts what exists in place of ids and handles, in most requests."""
    path, body = case.path_parameters or {}, case.body
    operation = operation_id(case)
    if once_in(4 if is_valid(case) else 2):
        return
    if operation == "components_publish":
        # Most random bytes are refused at the first of them.
        if not is_valid(case):
            return
        if once_in(2):
            case.body = COMPONENT
        elif isinstance(body, bytes):
            case.body = COMPONENT[: random_.randrange(len(COMPONENT))] + body
        return
    fixture = None
    if "/executions/{id}" in case.path:
        fixture = host.execution(random_.randrange(1 << 16))
        if "waitpoint" in path or operation == "signals_send":
            fixture = host.suspended() if once_in(2) else host.expected()
        elif operation.startswith("signals_") and once_in(2):
            fixture = host.approvable()
        elif operation == "grants_issue_claim":
            fixture = host.created()
        elif "attempt" in path:
            fixture = host.streamed()
            path["attempt"] = 0
        path["id"] = fixture["id"]
        if "waitpoint" in path:
            path["waitpoint"] = fixture["waitpoint_id"]
    elif "/tokens/{id}" in case.path:
        path["id"] = host.api_key()
    for name, make in (
        ("worker_instance_id", host.worker),
        ("kid", host.waitpoint_key),
        ("digest", host.digest),
        ("token", lambda: host.suspended()["waitpoint_token"]),
    ):
        if name in path:
            path[name] = make()
    if isinstance(body, dict):
        fill(body, fixture)
        for item in [*many(body, "leases"), *many(body, "executions")]:
            fill(item, None)
    made[operation] += 1


def is_valid(case):
    """Returns whether the request was made to fit the description."""
    return case.meta is not None and case.meta.generation.mode.is_positive


def use_one_form(case):
    """Leaves out what the description cannot tell from the other form of the body: an
    execution is either created from JSON, or from bytes and the query."""
    if operation_id(case) != "executions_create" or not is_valid(case):
        return
    query = dict(case.query or {})
    if case.media_type == "application/json":
        case.query = {name: it for name, it in query.items() if name == "dry_run"}
    else:
        case.query = {"kind": host.own, **query}


def write_whole(value):
    """Writes whole numbers of a condition without a fraction: a host reads its members
    before it knows of what type they are, and `5.0` is no whole number there."""
    if isinstance(value, dict):
        return {name: write_whole(it) for name, it in value.items()}
    if isinstance(value, list):
        return [write_whole(it) for it in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def many(body, name):
    items = body.get(name)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def fill(body, fixture):
    """Puts what exists in place of the members that name something."""
    if isinstance(body.get("lease"), str):
        body["lease"] = host.leased()["lease"]
    if isinstance(body.get("grant"), str):
        body["grant"] = host.granted()["grant"]
    if isinstance(body.get("waitpoint_token"), str) and fixture:
        body["waitpoint_token"] = fixture.get("waitpoint_token", "")
    if isinstance(body.get("kind"), str):
        body["kind"] = host.own
    if isinstance(body.get("digest"), str):
        body["digest"] = host.digest()


def wait_briefly(case):
    """Bounds how long a request may ask to wait. The host would hold it for up to a
    minute, which is no fault, but a run would be over before it had tried much."""
    query, body, headers = case.query or {}, case.body, case.headers or {}
    if operation_id(case) == "executions_wait":
        # Without one it waits longest.
        if not is_refused_wait(query.get("timeout_ms")):
            query["timeout_ms"] = WAIT_MS_MAX
            case.query = query
    if "wait_ms" in query and not is_refused_wait(query["wait_ms"]):
        query["wait_ms"] = WAIT_MS_MAX
        case.query = query
    if isinstance(body, dict) and "wait_ms" in body and not is_refused_wait(body["wait_ms"]):
        body["wait_ms"] = WAIT_MS_MAX
    for name in list(headers):
        if name.lower() == "prefer" and isinstance(headers[name], str):
            headers[name] = re.sub(r"(?i)(wait\s*=\s*\"?)\d+", r"\g<1>0", headers[name])


def is_refused_wait(given):
    """Returns whether this is sent to be refused: a text, or out of range."""
    if isinstance(given, str) and given.isdecimal():
        given = int(given)
    is_number = isinstance(given, (int, float)) and not isinstance(given, bool)
    return given is not None and not (is_number and 0 <= given <= 60_000)


def spare_own_key(case):
    """Keeps the fuzzer from revoking, or from rotating without overlap, the key that it
    sends itself: all that follows would be refused."""
    global own_key
    if MODE != "admin" or not operation_id(case).startswith("tokens_"):
        return
    if own_key is None:
        own_key = host.ask("GET", "/v1/tokens?name=admin")["keys"][0]["id"]
    given = (case.path_parameters or {}).get("id")
    if isinstance(given, str) and given.replace("-", "").lower() == own_key.replace("-", ""):
        case.path_parameters["id"] = host.api_key()


@schemathesis.hook
def after_call(context, case, response):
    answers[operation_id(case), response.status_code] += 1


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Leaves out what only looks like a failure."""
    if case.operation.path.startswith("/v1/callbacks/") and failure.code in (
        SERVED_METHOD,
        ALLOWED_METHOD,
    ):
        # Senders look at an address before they use it, by methods that do nothing.
        return response.status_code not in (200, 204)
    results = body_of(response).get("results")
    if failure.code == SERVED_INVALID and isinstance(results, list):
        # Each item is refused for itself.
        return not any("problem" in item for item in results)
    return True


def body_of(response):
    try:
        body = json.loads(response.content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


@schemathesis.check
def faults_are_no_answers(ctx, response, case):
    """A healthy host answers with no 5xx."""
    status = response.status_code
    assert status < 500, f"a host without trouble answered {status}: {response.text[:400]}"


@schemathesis.check
def problems_say_their_status(ctx, response, case):
    """A status of 400 and above comes with a problem of that status."""
    if response.status_code >= 400 and case.method.upper() != "HEAD":
        assert body_of(response).get("status") == response.status_code, response.text[:400]


@schemathesis.check
def valid_requests_are_understood(ctx, response, case):
    """What the description allows is read, though it may be refused for what it says."""
    if not is_valid(case) or response.status_code < 400:
        return
    code = body_of(response).get("code")
    not_understood = {"malformed_json", "unsupported_media_type", "invalid_query", "invalid_id"}
    assert code not in not_understood, f"refused although it is described: {response.text[:400]}"


@schemathesis.check
def strangers_are_refused(ctx, response, case):
    """Without a right credential there is one answer, but where none is needed."""
    if MODE != "refused" or case.operation.definition.raw.get("security") == []:
        return
    status, code = response.status_code, body_of(response).get("code")
    assert (status, code) == (401, "unauthenticated"), f"{status} {code}"


@atexit.register
def summary():
    if not answers:
        return
    by_status = Counter()
    for (operation, status), count in answers.items():
        by_status[status] += count
    lines = [f"{sum(by_status.values())} answers of {len(documented)} operations, by status:"]
    lines += [f"  {status}: {count}" for status, count in sorted(by_status.items())]
    if MODE != "refused":
        served = {operation for operation, status in answers if status < 300}
        lines.append(f"{sum(made.values())} requests named what exists")
        lines.append(f"never served: {', '.join(sorted(documented.keys() - served)) or 'none'}")
        unseen = Counter()
        for operation, statuses in documented.items():
            seen = {str(status) for of, status in answers if of == operation}
            unseen.update(statuses - seen)
        lines.append(f"documented and not met: {dict(sorted(unseen.items()))}")
    for error, count in unmade.most_common(5):
        lines.append(f"a fixture could not be made, {count} times: {error}")
    print("\n".join(lines))

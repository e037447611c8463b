"""What requests of the fuzzer can be about: executions in every state, leases, grants,
waitpoints, workers and keys, made over the API for one request each.

A request about a random id only ever meets "there is no such execution".
"""

import os
import random
import uuid

import requests


class Host:
    """A host, asked for what is to exist."""

    def __init__(self, url, key, seed):
        self.url, self.random = url, random.Random(seed)
        self.rename()
        self.session = requests.Session()
        # Without this it would look for a password of the user's.
        self.session.trust_env = False
        if key:
            self.session.headers["authorization"] = f"Bearer {key}"

    def rename(self):
        """Draws a name that no request of the fuzzer meets by chance, for lane, kind and
        worker: so none of those that it closes keeps fixtures from being made."""
        self.own = f"fixture-{self.random.getrandbits(32):08x}"

    def ask(self, method, path, body=None, **more):
        url = self.url + path
        answer = self.session.request(method, url, json=body, timeout=60, **more)
        if answer.status_code >= 400:
            raise LookupError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    def post(self, path, body, **more):
        return self.ask("POST", path, body, **more)

    def prepare(self, component):
        """Makes the kinds known that executions are made of."""
        self.worker()
        body = {"data": component, "headers": {"content-type": "application/wasm"}}
        self.ask("POST", "/v1/components?kind=echo", **body)

    def worker(self):
        """Returns the instance id of a worker that lives for an hour."""
        instance = f"{self.own}-{uuid.UUID(int=self.random.getrandbits(128))}"
        self.post(
            "/v1/workers",
            {
                "worker_id": self.own,
                "worker_instance_id": instance,
                "kinds": [self.own],
                "lanes": [self.own],
                "liveness_ttl_ms": 3_600_000,
            },
        )
        return instance

    def grantee(self):
        return {
            "worker_id": self.own,
            "worker_instance_id": self.worker(),
            "grant_ttl_ms": 60_000,
        }

    def created(self, **more):
        def create():
            body = {"kind": self.own, "lane": self.own, "input": {"n": 1}, **more}
            return {"id": self.post("/v1/executions", body)["id"]}

        try:
            return create()
        except LookupError as error:
            # It read the name in an answer, and closed the lane.
            if "lane_disabled" not in str(error):
                raise
            self.rename()
            self.worker()
            return create()

    def granted(self):
        made = self.created()
        grant = self.post(f"/v1/executions/{made['id']}/claim-grant", self.grantee())
        return {**made, "grant": grant["grant"]}

    def leased(self):
        made = self.granted()
        claimed = self.post("/v1/grants/claim", {"grant": made["grant"]})
        return {"id": made["id"], "lease": claimed["lease"]}

    def progressed(self):
        made = self.leased()
        self.post("/v1/leases/progress", {"lease": made["lease"], "percent": 7})
        return made

    def streamed(self):
        """One whose first attempt has frames of every mode, and may have ended."""
        made = self.leased()
        lease = {"lease": made["lease"]}
        frames = [
            {**lease, "frame_type": "word", "payload": "a"},
            {**lease, "frame_type": "bytes", "payload": "/w==", "encoding": "base64"},
            {**lease, "frame_type": "sum", "payload": "{}", "mode": "durable_summary"},
            {**lease, "frame_type": "now", "mode": "best_effort"},
        ]
        self.post("/v1/leases/frames", {"leases": frames})
        if self.random.randrange(2):
            body = {**lease, "result": 1, "log": "said"}
            self.post("/v1/leases/complete", body)
        return made

    def expected(self):
        """A waitpoint before there is a suspension."""
        made = self.leased()
        opened = self.post("/v1/leases/waitpoints", {"lease": made["lease"]})
        return {**made, **self.waitpoint(opened)}

    def suspended(self, condition=None, **more):
        made = self.leased()
        condition = condition or {"Single": {"waitpoint_key": "w", "matcher": "Wildcard"}}
        body = {
            "lease": made["lease"],
            "resume_condition": condition,
            "timeout_ms": 3_600_000,
            **more,
        }
        answer = self.post("/v1/leases/suspend", body)
        return {"id": made["id"], **self.waitpoint(answer["waitpoints"][0])}

    def approvable(self):
        matcher = {"ByName": "approved"}
        single = {"Single": {"waitpoint_key": "w", "matcher": matcher}}
        return self.suspended(single, reason_code="waiting_for_approval")

    def signalled(self):
        made = self.suspended()
        token = {"waitpoint_token": made["waitpoint_token"], "signal_name": "go"}
        self.post(f"/v1/executions/{made['id']}/signal", {**token, "payload": {"a": 1}})
        return made

    @staticmethod
    def waitpoint(opened):
        names = "waitpoint_id", "waitpoint_token"
        return {name: opened[name] for name in names}

    def completed(self):
        made = self.progressed()
        self.post("/v1/leases/complete", {"lease": made["lease"], "result": {"ok": True}})
        return made

    def failed(self):
        made = self.leased()
        body = {"lease": made["lease"], "code": "broken", "class": "permanent"}
        self.post("/v1/leases/fail", body)
        return made

    def retried(self):
        made = self.leased()
        self.post("/v1/leases/delay", {"lease": made["lease"], "delay_ms": 3_600_000})
        return made

    def cancelled(self):
        made = self.created()
        self.post(f"/v1/executions/{made['id']}/cancel", {"reason": "a fixture"})
        return made

    def held(self):
        made = self.created()
        self.post(f"/v1/executions/{made['id']}/hold", {})
        return made

    def delayed(self):
        return self.created(delay_ms=3_600_000)

    def labelled(self):
        return self.created(tags={"fixture.a": "b"}, creator="someone", deadline_at="9999-01-01T00:00:00Z")

    def run_by_host(self):
        """One that a component of the host runs, if it has one."""
        body = {"kind": "echo", "input_text": "a"}
        return {"id": self.post("/v1/executions", body)["id"]}

    def execution(self, at):
        """Makes an execution in one of the states."""
        states = (
            self.created,
            self.granted,
            self.leased,
            self.progressed,
            self.expected,
            self.suspended,
            self.approvable,
            self.signalled,
            self.completed,
            self.failed,
            self.retried,
            self.cancelled,
            self.held,
            self.delayed,
            self.labelled,
            self.run_by_host,
        )
        return states[at % len(states)]()

    def api_key(self):
        body = {"name": f"k{self.random.getrandbits(64):x}", "role": "viewer"}
        return self.post("/v1/tokens", body)["key"]["id"]

    def waitpoint_key(self):
        """Returns the id of a key that signs no new tokens."""
        kid = f"k{self.random.getrandbits(32):x}"
        secret = f"{self.random.getrandbits(256):064x}"
        body = {"new_kid": kid, "new_secret_hex": secret, "grace_ms": 1_000}
        self.post("/v1/waitpoint-keys/rotate", body)
        return kid

    def digest(self):
        return self.ask("GET", "/v1/components")["components"][0]["digest"]

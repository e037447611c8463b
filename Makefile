# `make run` and `make test` need nothing else; they install what is missing with the
# platform's ordinary tools, and say so.
#
# Cargo chooses the features of dependencies for the packages and targets of a command.
# So every command here selects the whole workspace and a target that may use
# dev-dependencies: after one of them, no other compiles a dependency again.
BUILD := cargo build --workspace --bins --examples
TEST := cargo test --workspace
INTEGRATION := $(TEST) --test integration
TARGET := $(or $(CARGO_TARGET_DIR),target)

.PHONY: help run test postgres guests clients lint bench chaos chaos-database events flows hostile fuzz api-fuzz golden

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

run: postgres guests ## start a host with the examples, on a Postgres of its own
	$(BUILD)
	$(TARGET)/debug/flowhost dev --load guest-examples/out --demo guest-examples/samples.toml --results results

test: postgres guests clients ## every test, on a database it provides itself
	$(TEST)

lint: ## formatting, clippy, licenses, sources and advisories of dependencies
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	.ci/deny

golden: ## write the golden files and show what changed
	UPDATE_GOLDEN=1 $(INTEGRATION) golden
	git diff --stat tests/golden wit/README.md docs

bench: postgres guests ## durable lifecycles as a ratio to plain inserts
	$(BUILD) --release
	$(TARGET)/release/flowhost bench --component guest-examples/out/echo.wasm

chaos: postgres guests ## five minutes of kill -9 under load
	FLOWHOST_CHAOS_SECONDS=300 $(INTEGRATION) chaos:: -- --nocapture

chaos-database: postgres guests ## five minutes of a database that fails under load; mounts a small disk, so it needs root
	FLOWHOST_CHAOS_SECONDS=300 $(INTEGRATION) chaos_database:: -- --nocapture

events: postgres ## a million events, read by eight while connections are cut and the server is killed
	FLOWHOST_EVENTS=1000000 $(INTEGRATION) event_readers:: -- --nocapture

flows: postgres ## a thousand random flows against what their edges say
	FLOWHOST_FLOWS=1000 $(INTEGRATION) flows::random:: -- --nocapture

hostile: postgres guests ## a minute of hostile guests beside an ordinary load, on a machine of one GiB
	FLOWHOST_HOSTILE_SECONDS=60 $(INTEGRATION) hostile:: -- --nocapture

fuzz: ## random input for every parser and random programs, five minutes each; FLOWHOST_SEED repeats a run
	FLOWHOST_FUZZ_SECONDS=300 $(INTEGRATION) -- --nocapture fuzz:: conditions:: programs:: odd_outcomes::

api-fuzz: postgres guests ## requests made from the description of the API, with and without credentials; FLOWHOST_SEED repeats a run
	$(BUILD)
	tests/api_fuzz/run.sh

postgres: ## a Postgres server, if there is none
	@host/pgserver/install.sh

guests: ## the example components
	@guest-examples/build.sh

clients: ## clients of the HTTP API in Python and TypeScript, below target/clients, and the issuer and the fuzzer of the tests
	@guest-examples/native-worker/clients.sh
	@tests/support/oidc/install.sh
	@tests/api_fuzz/install.sh

# `make run` and `make test` need nothing else; what they lack they install with
# the platform's ordinary tools, and say so.

.PHONY: help run test postgres guests lint bench chaos chaos-database hostile fuzz golden

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

run: postgres guests ## start a host with the examples, on a Postgres of its own
	cargo run -- dev --load guest-examples/out --demo guest-examples/samples.toml --results results

test: postgres guests ## every test, on a database it provides itself
	cargo test --workspace

lint: ## formatting, clippy, licences and advisories
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	@if cargo deny --version >/dev/null 2>&1; then cargo deny check; \
	else echo "cargo deny is not installed: cargo install cargo-deny --locked"; fi

golden: ## write the golden files anew and show what changed
	UPDATE_GOLDEN=1 cargo test --test integration golden
	git diff --stat tests/golden wit/README.md

bench: postgres guests ## durable lifecycles as a ratio to plain inserts
	cargo run --release -- bench --component guest-examples/out/echo.wasm

chaos: postgres guests ## five minutes of kill -9 under load
	FLOWHOST_CHAOS_SECONDS=300 cargo test --test integration chaos:: -- --nocapture

chaos-database: postgres guests ## five minutes of a database that fails under load; mounts a small disk, so it needs root
	FLOWHOST_CHAOS_SECONDS=300 cargo test --test integration chaos_database:: -- --nocapture

hostile: postgres guests ## a minute of hostile guests beside an honest load, on a machine of one GiB
	FLOWHOST_HOSTILE_SECONDS=60 cargo test --test integration hostile:: -- --nocapture

fuzz: ## random input for every parser and random programs, five minutes each; FLOWHOST_SEED repeats a run
	FLOWHOST_FUZZ_SECONDS=300 cargo test --test integration -- --nocapture fuzz:: conditions:: programs:: odd_outcomes::

postgres: ## a Postgres server, if there is none
	@host/pgserver/install.sh

guests: ## the example components
	@guest-examples/build.sh

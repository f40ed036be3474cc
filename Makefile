# SIP Witch. `make` alone prints what there is; .ci/run is `make check test`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

export PATH := $(CURDIR)/target/tools/bin:$(PATH)

.PHONY: help
help: ## print these lines
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## building

.PHONY: build
build: ## build the release binaries, man pages and completions that `make install` installs
	@.ci/need packages build
	cargo build --release -p sipwitch-service -p sipwitch-cli

.PHONY: run
run: ## the demonstration: two real softphones, one call, each step printed
	@.ci/need packages build run
	cargo build -p sipwitch-service -p sipwitch-cli
	cargo run -q -p sipwitch-tests --bin make-run

## proving

.PHONY: test
test: ## every test, against foreign phones too
	@.ci/need packages build test
	@.ci/need tools test
	cargo build --workspace --bins
	cargo nextest run --workspace --no-tests=fail
	cargo test -q --workspace --doc

.PHONY: check
check: fmt clippy doc deny typos floors fuzz-build ## everything that needs no peer: the eight lines below

.PHONY: fmt
fmt: ## formatting (cargo fmt --all mends it)
	cargo fmt --all --check

.PHONY: clippy
clippy: ## lints, warnings are errors
	@.ci/need packages build
	cargo clippy -q --workspace --all-targets -- -D warnings

.PHONY: doc
doc: ## documentation, broken links are errors
	RUSTDOCFLAGS="-D warnings" cargo doc -q --workspace --no-deps

.PHONY: deny
deny: ## licences, bans and sources of our dependencies (deny.toml)
	@.ci/need tools check
	cargo-deny --all-features check licenses bans sources

.PHONY: typos
typos: ## spelling (_typos.toml)
	@.ci/need tools check
	typos

.PHONY: floors
floors: ## who may use whom, and the house rules for files
	cargo test -q -p sipwitch-tests --test floors

.PHONY: fuzz-build
fuzz-build: ## compile the fuzz targets
	@if [ -f fuzz/Cargo.toml ]; then \
	    CARGO_TARGET_DIR=target/fuzz cargo check -q --manifest-path fuzz/Cargo.toml; \
	fi

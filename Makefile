# SIP Witch. `make` alone prints what there is; .ci/run is `make check test`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

export PATH := $(CURDIR)/target/tools/bin:$(PATH)

.PHONY: help
help: ## print these lines
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Which binaries `make generated` and `make install` take: those of cargo's release or dev profile.
PROFILE ?= release
export PROFILE
built = target/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
generated = target/share-$(PROFILE)

## building

.PHONY: build
build: ## build the release binaries, man pages and completions that `make install` installs
	@.ci/need packages build
	cargo build --profile $(PROFILE) -p sipwitch-service -p sipwitch-cli -p sipwitch-telepathy-bridge -p sipwitch-pam -p sipwitch-digest-service
	@$(MAKE) --no-print-directory generated

# Man pages and completions come out of the program they describe.
.PHONY: generated
generated:
	rm -rf $(generated)
	mkdir -p $(generated)/man $(generated)/completions
	$(built)/sipwitch generate man $(generated)/man
	packaging/config-man >$(generated)/man/sipwitch-config.5
	$(built)/sipwitch generate completions $(generated)/completions

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
	@.ci/need unpacked test
	cargo build --workspace --bins
	cargo build -p sipwitch-pam --lib --examples
	cargo nextest run --workspace --no-fail-fast --no-tests=fail
	cargo test -q --workspace --doc
	CARGO_TARGET_DIR=target/fuzz cargo test -q --manifest-path fuzz/Cargo.toml

.PHONY: check
check: fmt clippy doc deny typos floors introspection fuzz-build ## what needs no peer: the lines from fmt to fuzz-build

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

.PHONY: introspection
introspection: ## what the service says of itself on the bus equals dbus-interfaces/xml
	@.ci/need tools test
	cargo nextest run -p sipwitch-service -p sipwitch-digest-service -p sipwitch-dbus-interfaces -E 'test(introspection) + test(xml)'

.PHONY: fuzz-build
fuzz-build: ## compile the fuzz targets
	CARGO_TARGET_DIR=target/fuzz cargo check -q --manifest-path fuzz/Cargo.toml

.PHONY: fuzz
fuzz: ## run every fuzz target for SECONDS_EACH (60), or one: make fuzz TARGET=name
	.ci/fuzz "$(TARGET)" "$(SECONDS_EACH)"

.PHONY: bench
bench: build ## measure beside kamailio, over loopback, as ratios (about 30 minutes)
	@.ci/need packages bench
	tests/bench/bench $(BENCH)

.PHONY: bench-record
bench-record: BENCH = --record docs/performance.md
bench-record: bench ## the same, and write the table into docs/performance.md

## installing

.PHONY: install
install: export PREFIX ?= /usr/local
install: export DESTDIR ?=
install: ## install what `make build` made: PREFIX=/usr/local (PREFIX=~/.local needs no root), DESTDIR= before it
	@packaging/install install

.PHONY: uninstall
uninstall: export PREFIX ?= /usr/local
uninstall: export DESTDIR ?=
uninstall: ## remove what `make install` put there, and only that
	@packaging/install uninstall

# What can be done here. `make help` lists it; CONTRIBUTING.md tells more.
SWIFT ?= swift
PREFIX ?= /usr/local
DESTDIR ?=
# In CI a warning fails the build.
STRICT = $(if $(CI),-Xswiftc -warnings-as-errors)
FORMATTED = Sources Tests Examples Benchmarks Fuzz Package.swift
SHELL_SCRIPTS = Scripts/*.sh Tests/Fixtures/*.sh .ci/run

.PHONY: help bootstrap build demo test test-all test-big test-kernels test-threads test-crash test-swarm fuzz bench bench-cache bench-engine bench-serve lint format install clean

help: ## List what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

bootstrap: ## Install what is missing to build and test (Debian: by apt; else says what)
	@Scripts/bootstrap.sh

build: bootstrap ## Build the release program, .build/release/apus
	$(SWIFT) build -c release --product apus --static-swift-stdlib $(STRICT)

demo: build ## Serve a repository on loopback, clone it with apus and with git, and through a cache
	@Scripts/demo.sh
	@echo
	@Scripts/demo-cache.sh

test: bootstrap ## Run all tests but those on large repositories
	@SWIFT='$(SWIFT)' APUS_SLOW_TESTS=1 Scripts/test.sh $(STRICT)

test-all: bootstrap ## Run those, too, that are much like others
	@SWIFT='$(SWIFT)' APUS_SLOW_TESTS=1 APUS_ALL_TESTS=1 Scripts/test.sh $(STRICT)

test-big: build ## Clone large real repositories with apus and git, and compare (APUS_BIG_REPOS)
	@Scripts/test-big.sh

test-kernels: ## Test the SHA-1 kernels in C: sanitizers, and those of 64-bit ARM in an emulator
	@Scripts/test-kernels.sh

test-threads: bootstrap ## Run the tests of what runs on several threads under the thread sanitizer
	@SWIFT='$(SWIFT)' Scripts/test-threads.sh

test-crash: build ## Kill apus serve at random while it takes pushes, 300 times (APUS_CRASH_ROUNDS)
	@Scripts/test-crash.sh

test-swarm: build ## Clone and fetch through a cache for ten minutes while upstream changes
	@Scripts/test-swarm.sh

fuzz: bootstrap ## Fuzz the parsers of packs, deltas, indexes and pkt-lines (FUZZ_SECONDS each)
	@SWIFT='$(SWIFT)' Scripts/fuzz.sh

bench: build ## Measure apus beside git on real repositories (APUS_BENCH_REPOS)
	@Scripts/bench.sh

bench-engine: build ## Measure indexing, clones, reading, checkout beside git, with tables (APUS_BENCH_REPOS)
	$(SWIFT) build -c release --product EngineFloor --static-swift-stdlib $(STRICT)
	$(SWIFT) build -c release --product CheckoutHead --static-swift-stdlib $(STRICT)
	@Scripts/bench-engine.sh

bench-serve: build ## Measure apus serve beside nginx and git http-backend, with a table (APUS_BENCH_REPOS)
	@Scripts/bench-serve.sh

bench-cache: build ## Measure apus cache beside the upstream itself, with a table (APUS_BENCH_REPOS)
	@Scripts/bench-cache.sh

lint: ## Check the format of the sources and the shell scripts
	$(SWIFT) format lint --strict -r $(FORMATTED)
	@if command -v shellcheck >/dev/null; then \
	    echo shellcheck $(SHELL_SCRIPTS); shellcheck -x $(SHELL_SCRIPTS); \
	else echo "shellcheck is not installed: the shell scripts are not checked"; fi

format: ## Format the sources
	$(SWIFT) format -i -r $(FORMATTED)

install: build ## Install to $(PREFIX): the program, units for systemd, an example of settings
	install -d "$(DESTDIR)$(PREFIX)/bin" "$(DESTDIR)$(PREFIX)/lib/systemd/system" \
	    "$(DESTDIR)$(PREFIX)/share/apus"
	install -m 755 .build/release/apus "$(DESTDIR)$(PREFIX)/bin/apus"
	for unit in apus-serve apus-cache; do \
	    sed 's|/usr/local/|$(PREFIX)/|g' Packaging/$$unit.service \
	        > "$(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit.service" || exit; \
	    chmod 644 "$(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit.service" || exit; \
	done
	install -m 644 Packaging/apus-cache.config "$(DESTDIR)$(PREFIX)/share/apus/cache.config"

clean: ## Remove everything that was built
	$(SWIFT) package clean
	rm -rf .build

# Grosz. 'make help' lists what there is.
SHELL   := /bin/bash
GO      ?= go
BIN     := bin/grosz
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LINT    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
export GOFLAGS := -mod=readonly
export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help
.PHONY: help build run test race simulate lint bench bench-keep bench-parts fuzz cover libchdb kafka chromium clean storm chaos bench-warehouse pgo

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# PGO=cmd/grosz/bidder.pgo guides the build by a bidder's profile in a drawn
# world. It takes minutes: everything is compiled again. See docs/performance.md.
PGO ?= off

build: ## build bin/grosz (PGO=cmd/grosz/bidder.pgo: guided by a profile)
	@mkdir -p bin
	$(GO) build -pgo=$(if $(filter off,$(PGO)),off,$(abspath $(PGO))) -trimpath -ldflags "-X main.version=$(VERSION)" -o $(BIN) ./cmd/grosz

pgo: build libchdb ## record a new cmd/grosz/bidder.pgo, build by it, and measure both builds in turns
	@bash scripts/pgo.sh

run: build libchdb ## build, bring what is missing, run the demo
	$(BIN) up --demo

libchdb: ## bring the ClickHouse engine (166 MB to fetch, 559 MB unpacked), once
	@sh scripts/libchdb.sh

kafka: ## bring Java and Apache Kafka for the tests, once
	@sh scripts/kafka.sh

chromium: ## bring Chromium for the tests, once
	@sh scripts/chromium.sh

test: build libchdb kafka chromium ## everything: unit, property, race, and end to end through real Kafka and ClickHouse
	@bash scripts/test.sh

simulate: build ## days of traffic against the pacing, 20 seeds of each scenario; the worst one counts (SEEDS=20 FIRST=3001)
	$(BIN) simulate --seeds $${SEEDS:-20} --first-seed $${FIRST:-3001}

lint: ## vet, format, golangci-lint with gosec, and govulncheck (all pinned; VULN=must: fail where its database is missing)
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt"; exit 1; }
	$(GO) vet ./...
	GOFLAGS=-mod=mod $(GO) run $(LINT) run ./...
	@sh scripts/vuln.sh

bench: build libchdb kafka ## one table of all that has a goal, against reference servers and what was kept of the last release (PARTS="bidder sizes events warehouse stages")
	@bash scripts/bench.sh

bench-keep: build libchdb kafka ## keep the last result of 'make bench' in bench/results/kept.txt, for a release
	@bash scripts/bench.sh keep

bench-parts: ## every benchmark there is
	$(GO) test -run '^$$' -bench . -benchmem -benchtime 200ms ./...

bench-warehouse: build libchdb ## fill a warehouse with synthetic events, time every view, and see how soon events can be read (BIDS=4000000 RATE=5000)
	$(BIN) volume --bids $${BIDS:-4000000} --rate $${RATE:-5000}

storm: build libchdb ## a million notices through two bidders that are killed, and the books audited (NOTICES=1000000)
	$(BIN) storm --notices $${NOTICES:-1000000}

chaos: libchdb ## break every part under load for an hour, clocks too, and audit the books (MINUTES=60 SEED=1)
	@mkdir -p bin
	$(GO) build -tags chaos -trimpath -ldflags "-X main.version=$(VERSION)-chaos" -o $(BIN)-chaos ./cmd/grosz
	$(BIN)-chaos chaos --minutes $${MINUTES:-60} --seed $${SEED:-1}

fuzz: ## every fuzz target for half a minute (FUZZTIME=30s; KEEP=8 keeps so many new inputs of each)
	@KEEP=$${KEEP:-0} bash scripts/fuzz.sh $${FUZZTIME:-30s}

cover: ## coverage of the unit tests, by function
	$(GO) test -short -coverprofile=bin/cover.out ./... && $(GO) tool cover -func=bin/cover.out | tail -n 40

clean: ## remove what was built; data and caches stay
	rm -rf bin

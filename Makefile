# Grosz. 'make help' lists what there is.
SHELL   := /bin/bash
GO      ?= go
BIN     := bin/grosz
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LINT    := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
export GOFLAGS := -mod=readonly
export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help
.PHONY: help build run test race lint bench fuzz cover libchdb kafka chromium clean storm bench-warehouse

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

build: ## build bin/grosz
	@mkdir -p bin
	$(GO) build -trimpath -ldflags "-X main.version=$(VERSION)" -o $(BIN) ./cmd/grosz

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

lint: ## vet, format and golangci-lint (pinned)
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run gofmt"; exit 1; }
	$(GO) vet ./...
	GOFLAGS=-mod=mod $(GO) run $(LINT) run ./...

bench: build libchdb ## benchmarks of the parts, then the bidder against reference servers
	$(GO) test -run '^$$' -bench . -benchmem -benchtime 200ms ./...
	$(BIN) bench

bench-warehouse: build libchdb ## fill a warehouse with synthetic events and time every view (BIDS=4000000)
	$(BIN) volume --bids $${BIDS:-4000000}

storm: build libchdb ## a million notices through two bidders that are killed, and the books audited (NOTICES=1000000)
	$(BIN) storm --notices $${NOTICES:-1000000}

fuzz: ## every fuzz target for half a minute (FUZZTIME=30s)
	@bash scripts/fuzz.sh $${FUZZTIME:-30s}

cover: ## coverage of the unit tests, by function
	$(GO) test -short -coverprofile=bin/cover.out ./... && $(GO) tool cover -func=bin/cover.out | tail -n 40

clean: ## remove what was built; data and caches stay
	rm -rf bin

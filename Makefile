# What people and pipelines call. The first two are in the README; `make help` lists all.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)

# Pure Go, one static binary: no cgo, and no storage driver that needs a C library.
export CGO_ENABLED = 0
export GOFLAGS = -buildvcs=false -tags=containers_image_openpgp,exclude_graphdriver_btrfs

.PHONY: build help demo test test-long bench lint fmt docs clean

build: ## build ./strata
	go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o strata ./cmd/strata

demo: ## install what is needed, build the example cluster's images, and boot one
	scripts/setup demo
	$(MAKE) build
	./strata -C examples/cluster build
	./strata -C examples/cluster boot compute

test: ## install what the tests need, and run all of them
	scripts/setup test
	scripts/test

test-long: ## the same, with the matrices whole of which `make test` runs a sample
	scripts/setup test
	STRATA_TEST_LONG=1 scripts/test

bench: ## measure Strata beside its peers, and write docs/benchmarks.md
	scripts/setup bench
	bench/run

lint: ## check the code without running it
	go vet ./...
	scripts/lint

fmt: ## format the code
	gofmt -w $$(git ls-files '*.go')

docs: ## write docs/configuration.md and docs/strata.schema.json anew from the types
	go test ./internal/recipe -run TestDocs -update

clean: ## remove what was built here; the package cache and the store stay
	rm -rf strata build

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "make %-10s %s\n", $$1, $$2}'

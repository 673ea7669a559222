# Millrace. `make help` lists what there is.
CACHE   := .cache
BIN     := bin/millrace
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
export CGO_ENABLED ?= 0
export GOTOOLCHAIN = local
GOLANGCI_VERSION := v2.15.0

.DEFAULT_GOAL := help
.PHONY: help tools deps build demo test race lint generate check-generated integration prove bench cross clean

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

tools:
	@command -v go >/dev/null || { echo "Millrace needs Go 1.26 or later: install it from your system's packages or go.dev/dl"; exit 1; }
	@command -v npm >/dev/null || { echo "Millrace fetches its embedded ClickHouse and the demo's mails with npm: install Node.js 20 or later"; exit 1; }

deps: tools ## Fetch the embedded ClickHouse library and the demo's corpus into .cache.
	@sh deploy/embedded/fetch.sh $(CACHE)

build: ## Build bin/millrace.
	@command -v go >/dev/null || { echo "Millrace needs Go 1.26 or later: install it from your system's packages or go.dev/dl"; exit 1; }
	go build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/millrace

demo: deps build ## Run the whole loop on real mail. ARGS='--exit --report report.json'
	$(BIN) demo $(ARGS)

test: deps ## Pass the unit tests, with the race detector where there is a C compiler.
	@if command -v "$$(go env CC)" >/dev/null; then echo "go test -race ./..."; CGO_ENABLED=1 go test -race -timeout 20m ./...; \
	else echo "there is no C compiler, which the race detector needs: testing without it"; go test ./...; fi

race: test ## The same as test.

lint: $(CACHE)/bin/golangci-lint ## gofmt, vet and golangci-lint.
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt -w on these"; exit 1; }
	go vet ./...
	go vet -tags integration ./integration/...
	$(CACHE)/bin/golangci-lint run --build-tags integration

$(CACHE)/bin/golangci-lint:
	GOBIN=$(abspath $(CACHE))/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

generate: ## Generate code, schemas and reference from schemas/proto.
	go generate ./schemas

check-generated: ## Fail where generated files are not current.
	cd schemas/gen && go test ./... && go run . -check ..

integration: deps build ## Tests with the real engines and foreign clients.
	sh integration/setup.sh $(CACHE)
	go test -tags integration -count 1 -timeout 30m ./integration/... ./internal/embedded/...

prove: deps build ## Kill, pause, cut and fill, and count what is left. ARGS='-n 500 kills' for one row, by hand.
	sh integration/setup.sh $(CACHE)
	go run ./integration/prove -bin $(BIN) -cache $(CACHE) $(or $(ARGS),-short all)

cross: ## Build for the platforms without an embedded ClickHouse.
	GOOS=darwin GOARCH=arm64 go build -o /dev/null ./cmd/millrace
	GOOS=linux GOARCH=arm64 go build -o /dev/null ./cmd/millrace

bench: deps build ## Measure; the figures are in docs/benchmarks.md.
	sh integration/bench/run.sh $(CACHE)

clean: ## Remove what was built and fetched.
	rm -rf bin $(CACHE)

# What a person types: make test, make check, make stress, make fmt, make lint, make fuzz, make bench.

MODULES := . browser bench
# Those that this one is built for beside linux/amd64.
PLATFORMS := linux/386 linux/arm linux/arm64 darwin/arm64
FUZZTIME ?= 10000x
# Installed once for each version of it and of Go, as it takes as long to build as the server. Its
# go.mod is its own, so that nothing of it is in the product's.
STATICCHECK = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/pubsub-tools/$(shell (go version; cat .ci/tools/go.sum) | cksum | cut -d' ' -f1)/staticcheck

# What takes longest begins first.
SUITE := bin/suite
PACKAGES := browser .:./server,./clients,.,./deploy,./... bench .ci/tools
# Repeated by make stress: MODULE:PACKAGE,…, and flags of go test.
ROUNDS ?= 20
LOOPS ?= $(shell nproc)
STRESS ?= $(PACKAGES)
FLAGS ?= -short

.PHONY: test check stress deps tools vet style lint fmt fuzz bench picture

# Each package in its short size, within four minutes on two cores. The program that they
# start is linked once, and the slow part of lint has what the tests leave of the processor.
# go does not see that the server has changed that other modules start, so nothing comes from its cache.
test: deps vet tools
	@go build -o bin/pubsub .
	@nice -n 19 $(MAKE) --no-print-directory style > bin/style.out 2>&1 & style=$$!; \
	PUBSUBTEST_BIN=$(CURDIR)/bin $(SUITE) $(PACKAGES) -- -short -count=1 -vet=off -timeout 10m; tests=$$?; \
	wait $$style || { cat bin/style.out; exit 1; }; exit $$tests

# All of it: the race detector, the long sizes, each way over each transport, both ways of waiting, the fuzzers.
check: deps lint tools
	$(SUITE) browser -- -vet=off -count=1 -timeout 15m
	$(SUITE) .:./server,./clients,.,./deploy,./... bench .ci/tools -- -race -count=1 -vet=off -timeout 15m
	PUBSUB_CROWD=off $(SUITE) .:./server,./conformance,./deploy,. -- -short -count=1 -vet=off -timeout 15m
	$(MAKE) fuzz

# Some tests again and again on a machine that is busy, such as
# make stress ROUNDS=5 STRESS=.:./server FLAGS='-short -run Streams'
stress: deps tools
	@go build -o bin/pubsub .
	PUBSUBTEST_BIN=$(CURDIR)/bin $(SUITE) -rounds $(ROUNDS) -loops $(LOOPS) $(STRESS) -- -count=1 -vet=off -timeout 30m $(FLAGS)

# The real programs that the tests start, and Debian's packages of them.
deps:
	@.ci/install chromium:chromium node:nodejs npm:npm nginx:nginx redis-server:redis-server python3:python3 faketime:faketime
	@.ci/install chromium-headless-shell:chromium-headless-shell || echo "Without it the tests of the page take twice as long."

tools:
	@cd .ci/tools && go build -o $(CURDIR)/$(SUITE) ./suite

# The quick part of lint.
vet:
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt would change: $$unformatted. Run make fmt."; exit 1; fi
	@for m in $(MODULES) .ci/tools; do (cd $$m && go vet ./...) || exit 1; done

# The whole of it, with what go fix would write in another way, and the other platforms.
lint: vet style
	@for m in $(MODULES); do (cd $$m && go fix -diff ./...) || exit 1; done
	@for p in $(PLATFORMS); do GOOS=$${p%/*} GOARCH=$${p#*/} go vet ./... || exit 1; done

# The slow part.
style: $(STATICCHECK)
	@for m in $(MODULES); do (cd $$m && $(STATICCHECK) ./...) || exit 1; done

$(STATICCHECK):
	@cd .ci/tools && go build -o $@ honnef.co/go/tools/cmd/staticcheck

fmt:
	gofmt -w .

# Each parser of what comes from outside, so many times: go fails now and then where it is told how long.
fuzz:
	@grep -rl --include=*_test.go '^func Fuzz' server | while read -r file; do \
		sed -n 's/^func \(Fuzz[A-Za-z0-9]*\).*/\1/p' $$file | while read -r name; do \
			echo "$$name"; go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) ./$$(dirname $$file) || exit 1; \
		done || exit 1; \
	done

# This server beside its peers; ORIGINAL=folder of the Python original, if at hand.
bench:
	cd bench && go run . compare $(if $(ORIGINAL),-original=$(abspath $(ORIGINAL)))

# The picture of the README, drawn anew.
picture:
	cd browser && go test ./... -run TestPicture -picture=../docs/chat.png

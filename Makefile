# What a person types: make test, make fmt, make lint, make fuzz, make bench.

MODULES := . browser bench
FUZZTIME ?= 10000x
STATICCHECK := go tool -modfile=$(CURDIR)/.ci/tools/go.mod staticcheck

.PHONY: test deps lint fmt fuzz bench picture

# What takes longest begins first. go test does not see that the server has changed that the browser's tests start.
test: deps lint
	go test -race -timeout 15m ./server ./clients . ./...
	cd browser && go test -count=1 -timeout 15m ./...
	cd bench && go test -race -timeout 5m ./...
	$(MAKE) fuzz

# The real programs that the tests start, and Debian's packages of them.
deps:
	@.ci/install chromium:chromium node:nodejs npm:npm nginx:nginx redis-server:redis-server python3:python3
	@.ci/install chromium-headless-shell:chromium-headless-shell || echo "Without it the tests of the page take twice as long."

# staticcheck has a go.mod of its own, so that nothing of it is in the product's.
lint:
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt would change: $$unformatted. Run make fmt."; exit 1; fi
	@for m in $(MODULES); do (cd $$m && go vet ./... && go fix -diff ./... && $(STATICCHECK) ./...) || exit 1; done

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

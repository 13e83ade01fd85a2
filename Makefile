# What a person types: make test, make fmt, make lint, make fuzz.

MODULES := . browser
FUZZTIME ?= 5s

.PHONY: test deps lint fmt fuzz picture

test: deps lint
	go test -race -timeout 5m ./...
	cd browser && go test -timeout 5m ./...
	$(MAKE) fuzz

# The real programs that the tests start. Debian's names.
deps:
	@.ci/install chromium:chromium

lint:
	@unformatted=$$(gofmt -l main.go main_test.go server conformance browser); if [ -n "$$unformatted" ]; then echo "gofmt would change: $$unformatted. Run make fmt."; exit 1; fi
	@for m in $(MODULES); do (cd $$m && go vet ./... && go fix -diff ./...) || exit 1; done

fmt:
	gofmt -w main.go main_test.go server conformance browser

# Each parser of what comes from outside, for a short while.
fuzz:
	@grep -rl --include=*_test.go '^func Fuzz' server | while read -r file; do \
		sed -n 's/^func \(Fuzz[A-Za-z0-9]*\).*/\1/p' $$file | while read -r name; do \
			echo "$$name"; go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) ./$$(dirname $$file) || exit 1; \
		done || exit 1; \
	done

# The README's picture, drawn anew.
picture:
	cd browser && go test ./... -run TestPicture -picture=page.png

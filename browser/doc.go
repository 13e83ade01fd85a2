// Package browser tests the chat page in a real Chromium, against a server built from the folder above:
//
//	go test ./...                      # in this folder
//	go test -short ./...               # in half of the time: without permutations and figures
//	go test ./... -artifacts -v       # keeps the screenshots, and says where
//	go test ./... -run TestPicture -picture=../docs/chat.png   # draws the picture of the README anew
//
// It is a module of its own, so that what drives a browser stays out of the product's go.sum. Chromium is taken from
// PATH (Debian: apt-get install chromium chromium-headless-shell): without windows where a test has no need of them,
// whole where tabs of one window must hide each other or a person's settings outlive the test.
//
// axe-core is brought by npm, once, into the user's folder for caches (Debian: apt-get install npm).
//
// Read page_test.go first, then outbox_test.go (what one writes), talk_test.go (what one reads) and presence_test.go
// (who else is there); policy_test.go is what a browser must refuse, access_test.go who must be able to use the page. They stand on server_test.go,
// chromium_test.go and the package internal/pubsubtest of the folder above. A test never sleeps: it waits
// until the page shows what it should, and says what it showed instead. Those that wait for long begin first, with
// startForLong; the others await their turn, which counts as their time. What the page writes to the console
// fails the test.
package browser

// Package conformance looks at a running server from outside, over HTTP alone.
//
//	go test ./conformance                                    builds this server and starts it on a free port
//	go test ./conformance -base-url=http://127.0.0.1:8080    looks at a server that already runs
//	go test ./conformance -base-url=… -profile=original      expects the Python original's answers
//
// Nobody else may use the server meanwhile: the cases count its polls and listen to its chat. Its
// publish rate must allow for some hundred messages in a second or two.
//
// Where this server differs from the original on purpose, the case holds both answers and the reason;
// -v shows the reasons. Where the original has nothing to compare, the test registers no cases there.
//
// Read main_test.go first, and the package internal/pubsubtest, which starts servers and talks to them;
// after them there is one file per subject, in any order.
package conformance

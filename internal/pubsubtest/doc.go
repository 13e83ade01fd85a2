// Package pubsubtest runs the program as its users do, for tests that look at it
// from outside: it builds the binary, starts it on a free port, talks to it over
// HTTP, and stops it.
//
//	func TestMain(m *testing.M) {
//		code := m.Run()
//		pubsubtest.Remove()
//		os.Exit(code)
//	}
//
//	func TestSomething(t *testing.T) {
//		s := pubsubtest.Start(t, "PUBSUB_HEARTBEAT=50ms")
//		waiting := s.Poll(t, "/sub")
//		s.AwaitPolling(t, 1)
//		s.Post(t, "/pub", pubsubtest.Form("message", "hi"))
//		require.Equal(t, "hi", waiting.Receive(t, "GET").Object(t)["message"])
//	}
//
// There are three ways to ask. A [Site] has one method for each kind of request; it
// knows a server by its URL alone, so it serves for any server, also one that runs
// inside the test ([At]). A [Conn] is one TCP connection that sends what it is told,
// byte for byte. A [Client] is one person of many: it has an address and a connection
// of its own, and may be used in a goroutine, since it never ends the test.
//
// Methods that take a testing.TB end the test when something is wrong, and belong
// into the test's own goroutine. Methods without one return an error.
//
// build.go, process.go and server.go start things; site.go, conn.go and client.go
// talk to them. Other programs, such as nginx or Chromium, are found with [Find] and
// started with [Run]. The package imports nothing of the server.
package pubsubtest

// Package clients holds the tests of the clients that people put into their own programs,
// which have a folder each, by their language.
//
// A client is tried as a driver, a command that prints what it reads as lines of JSON, so
// that one test holds all of them, in all of their ways, through cuts and restarts:
// drivers_test.go has the table. The tests of what only one client has are in its folder.
package clients

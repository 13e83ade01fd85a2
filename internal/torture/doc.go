// Package torture is the word torture of the program: it posts to a server and polls it,
// cuts connections at random, and tells whether anything was lost, doubled, reordered or
// left untold. Package check judges; this package does, and writes down in which order.
//
// options.go has the flags. run.go puts the parts together: poster.go posts, reader.go
// polls, history.go hands what both did to the checker, and report.go writes the verdict.
// A dialect, in dialect.go and the files named for it, is how a server is spoken to.
package torture

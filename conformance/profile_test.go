package conformance_test

import "testing"

// differs holds what the two servers answer where they differ on purpose, and why they do.
type differs[T any] struct {
	ours, original T
	why            string
}

// same is for what both must answer.
func same[T any](v T) differs[T] { return differs[T]{ours: v, original: v} }

// want is the answer to expect from the server under test.
func (d differs[T]) want(t *testing.T) T {
	t.Helper()
	if d.why != "" {
		t.Log("differs from the original:", d.why)
	}
	if *profile == original {
		return d.original
	}
	return d.ours
}

// ours reports whether the server under test is this one. Cases that have nothing to compare with in
// the original are registered only if it is; why says what the original lacks.
func ours(t *testing.T, why string) bool {
	t.Helper()
	if *profile == original {
		t.Log("no cases for the original:", why)
	}
	return *profile != original
}

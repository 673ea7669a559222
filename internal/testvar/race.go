//go:build race

package testvar

// Raced says whether the race detector is on. It makes some tests forty times as slow, and
// looks for something else than they do: it is shown less of them.
const Raced = true

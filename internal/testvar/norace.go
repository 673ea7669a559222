//go:build !race

package testvar

// Raced says whether the race detector is on.
const Raced = false

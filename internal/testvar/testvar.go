// Package testvar reads what a person gives a test from outside: a seed, a number of
// rounds. Only tests import it.
package testvar

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Number is the value of an environment variable, or another where it is not set.
func Number(t testing.TB, name string, or uint64) uint64 {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return or
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err != nil {
		t.Fatalf("%s is %q, and a whole number is wanted", name, v)
	}
	return n
}

// Seed is MILLRACE_SEED, or drawn; the test's log says it.
func Seed(t testing.TB) uint64 {
	t.Helper()
	seed := Number(t, "MILLRACE_SEED", uint64(rand.Uint32()))
	t.Logf("seed %d: MILLRACE_SEED=%d plays it again", seed, seed)
	return seed
}

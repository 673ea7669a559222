//go:build !race

package disktest

// stride is how far one point that is played lies from the next. All are played; with the race
// detector, some.
const stride = 1

//go:build race

package disktest

// stride is how far one point that is played lies from the next. The race detector makes each
// ten times as slow, and looks for something else: it is shown some of them.
const stride = 7

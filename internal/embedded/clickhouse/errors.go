package clickhouse

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
)

// errConnect is what the engine says where it cannot open its data.
var errConnect = errors.New("clickhouse: the engine cannot open its data folder: another process may use it, or it is damaged")

// queryError is an error of the engine, with ClickHouse's code.
type queryError struct {
	code int
	text string
}

func (e *queryError) Error() string { return e.text }

var (
	codePattern     = regexp.MustCompile(`Code: (\d+)`)
	unknownPatterns = regexp.MustCompile(`^Code: \d+\. `)
)

// unknownCode is ClickHouse's UNKNOWN_EXCEPTION.
const unknownCode = 1002

func parseError(text string) error {
	e := &queryError{code: unknownCode, text: text}
	if m := codePattern.FindStringSubmatch(text); m != nil {
		e.code, _ = strconv.Atoi(m[1]) // the pattern has digits alone
	}
	if !unknownPatterns.MatchString(text) {
		e.text = fmt.Sprintf("Code: %d. DB::Exception: %s", e.code, text)
	}
	return e
}

// status is the HTTP status that a ClickHouse server gives the code.
func (e *queryError) status() int {
	switch e.code {
	case 516, 192, 193, 194: // authentication
		return http.StatusUnauthorized
	case 497, 164, 482, 514: // access, readonly
		return http.StatusForbidden
	case 60, 81, 83: // unknown table, database
		return http.StatusNotFound
	case 62, 36, 42, 43, 44, 47, 53, 26, 27, 6, 69, 70, 72, 41, 46, 117, 130, 131, 456, 457, 35, 386, 115:
		return http.StatusBadRequest
	case 241: // memory limit
		return http.StatusInternalServerError
	case 159, 209: // timeouts
		return http.StatusRequestTimeout
	case 48, 344: // not implemented
		return http.StatusNotImplemented
	}
	return http.StatusInternalServerError
}

func newError(code int, format string, args ...any) *queryError {
	return &queryError{code: code, text: fmt.Sprintf("Code: %d. DB::Exception: %s", code, fmt.Sprintf(format, args...))}
}

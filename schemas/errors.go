package schemas

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The classes of a FieldError.
const (
	ClassInvalidJSON     = "invalid_json"
	ClassInvalidProtobuf = "invalid_protobuf"
	ClassInvalidField    = "invalid_field"
	ClassMissingField    = "missing_field"
	ClassUnknownField    = "unknown_field"
	ClassTooLarge        = "too_large"
)

// FieldError says which field of an event is wrong.
type FieldError struct {
	// Class is one of the Class constants.
	Class string
	// Field is the field's name in snake_case (of an unknown field, its own name, cut to
	// 64 bytes); empty where the error is in no field.
	Field string
	// Problem is for a person. It never holds the event's content.
	Problem string
	// Offset is the byte of the input where the value, or a fault of syntax, begins; -1
	// where there is no such place, as for a field that is not there.
	Offset int64
}

func (e *FieldError) Error() string {
	s := e.Class
	if e.Field != "" {
		s += ": " + e.Field
	}
	s += ": " + e.Problem
	if e.Offset >= 0 {
		s += " (at byte " + strconv.FormatInt(e.Offset, 10) + ")"
	}
	return s
}

func missingField(field string) error {
	return &FieldError{ClassMissingField, field, "is required", -1}
}

func tooLarge(field string, limit, size int) *FieldError {
	return &FieldError{ClassTooLarge, field, fmt.Sprintf("has %d bytes, the limit is %d", size, limit), -1}
}

func timeOutOfRange(field string) error {
	return &FieldError{ClassInvalidField, field, "the time is outside of the years 1 to 9999", -1}
}

func notUTF8(field string) error {
	return &FieldError{ClassInvalidField, field, "is not UTF-8", -1}
}

// maxShownName bounds what an error repeats of an unknown field's name.
const maxShownName = 64

// unknownField names the known name that is nearest to what was given.
func unknownField(given string, known []string, offset int64) *FieldError {
	if len(given) > maxShownName {
		given = strings.ToValidUTF8(given[:maxShownName], "")
	}
	best, distance := "", len(given)/2+1
	for _, name := range known {
		if d := editDistance(given, name); d < distance {
			best, distance = name, d
		}
	}
	problem := "no such field"
	if best != "" {
		problem += "; the nearest is " + strconv.Quote(best)
	} else if slices.Contains(known, "attributes") {
		problem += `; values of your own belong under "attributes"`
	}
	return &FieldError{ClassUnknownField, given, problem, offset}
}

// editDistance counts the bytes to insert, delete or replace to get from a to b
// (Levenshtein 1966, by Wagner and Fischer's table, one row kept).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

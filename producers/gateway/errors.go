package gateway

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// refusal is an answer of the gateway's own, in OpenAI's form.
type refusal struct {
	status int
	// kind is OpenAI's "type", code what a program tells it by, and the event's error_type.
	kind, code, message string
	param               string
	retryAfter          int // seconds; 0 says nothing
}

func (e *refusal) Error() string { return e.message }

// The kinds, as OpenAI names them.
const (
	kindInvalid  = "invalid_request_error"
	kindLimit    = "rate_limit_error"
	kindServer   = "server_error"
	kindUpstream = "upstream_error"
)

func (e *refusal) body() []byte {
	var null *string
	param := &e.param
	if e.param == "" {
		param = null
	}
	b, _ := json.Marshal(map[string]any{"error": map[string]any{"message": e.message, "type": e.kind, "param": param, "code": e.code}}) // strings always render
	return b
}

func (e *refusal) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	if e.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.retryAfter))
	}
	w.WriteHeader(e.status)
	_, _ = w.Write(e.body()) // a client that is gone needs no answer
}

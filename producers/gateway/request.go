package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// operation is one of the interface's ways to ask a model.
type operation struct {
	path string // behind an upstream's URL
	name string // the event's operation_name
	// content is the field that holds what is asked.
	content string
}

// operations are those that are passed on.
var operations = []operation{
	{"/chat/completions", "chat", "messages"},
	{"/completions", "text_completion", "prompt"},
	{"/embeddings", "embeddings", "input"},
}

// request is what the gateway reads of a request. Its fields lie within body.
type request struct {
	body  []byte
	model string
	// modelFrom and modelTo are where the model's value stands in body.
	modelFrom, modelTo int
	stream             bool
	fields             map[string]json.RawMessage
}

// kept are the fields that the event is made of.
var kept = map[string]bool{
	"messages": true, "prompt": true, "input": true, "tools": true, "user": true, "safety_identifier": true, "metadata": true,
	"temperature": true, "top_p": true, "top_k": true, "max_tokens": true, "max_completion_tokens": true, "seed": true,
	"frequency_penalty": true, "presence_penalty": true, "stop": true, "n": true, "response_format": true, "encoding_format": true,
}

// readRequest finds in a body what routing and the event need. Whatever else stands there,
// and in whatever form, is the upstream's to judge; but a model or stream that is there
// twice could be one thing to the gateway and another to the upstream, and is refused.
func readRequest(body []byte) (*request, error) {
	r := &request{body: body, fields: map[string]json.RawMessage{}}
	dec := json.NewDecoder(bytes.NewReader(body))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		if err == nil || errors.Is(err, io.EOF) {
			return nil, errors.New("the body is no JSON object")
		}
		return nil, fmt.Errorf("the body is not JSON: %w", err)
	}
	hasStream := false
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("the body is not JSON: %w", err)
		}
		key := t.(string) // within an object a decoder hands out keys as strings, or fails
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, fmt.Errorf("the body is not JSON, at %q: %w", key, err)
		}
		switch {
		case key == "model":
			if r.modelTo != 0 {
				return nil, errors.New("model is there twice")
			}
			if json.Unmarshal(raw, &r.model) != nil || r.model == "" {
				return nil, fmt.Errorf("model is %s: it is a string that names one", raw)
			}
			r.modelTo = int(dec.InputOffset())
			r.modelFrom = r.modelTo - len(raw)
		case key == "stream":
			if hasStream {
				return nil, errors.New("stream is there twice")
			}
			hasStream = true
			r.stream = string(raw) == "true"
		case kept[key]:
			r.fields[key] = raw
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("the body is not JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something stands behind the body's JSON object")
	}
	if r.modelTo == 0 {
		return nil, errors.New("model is missing")
	}
	return r, nil
}

// as is the body with another name of the model.
func (r *request) as(model string) []byte {
	if model == "" || model == r.model {
		return r.body
	}
	name, _ := json.Marshal(model) // a string always renders
	out := make([]byte, 0, len(r.body)+len(name))
	out = append(out, r.body[:r.modelFrom]...)
	out = append(out, name...)
	return append(out, r.body[r.modelTo:]...)
}

// text is a field that is a string, or "".
func (r *request) text(field string) string {
	var s string
	_ = json.Unmarshal(r.fields[field], &s) // another type is none that the event has a place for
	return s
}

// float and integer are nil where the field is no such number.
func (r *request) float(field string) *float64 {
	v, err := strconv.ParseFloat(string(r.fields[field]), 64)
	if err != nil {
		return nil
	}
	return &v
}

func (r *request) integer(fields ...string) *int64 {
	for _, field := range fields {
		if v, err := strconv.ParseInt(string(r.fields[field]), 10, 64); err == nil {
			return &v
		}
	}
	return nil
}

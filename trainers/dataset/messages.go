package dataset

import (
	"encoding/json"
	"strings"
)

// message is one of OpenTelemetry's input messages: a role and parts. Content is what
// applications wrote before there were parts.
type message struct {
	Parts []struct {
		Type    string          `json:"type"`
		Content json.RawMessage `json:"content"`
	} `json:"parts"`
	Content json.RawMessage `json:"content"`
}

// messageText is the text of an inference's input: of OpenTelemetry's messages the text
// parts, a line each; anything else as it is.
func messageText(input string) string {
	if !strings.HasPrefix(strings.TrimSpace(input), "[") {
		return input
	}
	var messages []message
	if json.Unmarshal([]byte(input), &messages) != nil {
		return input
	}
	var lines []string
	add := func(raw json.RawMessage) {
		var s string
		if json.Unmarshal(raw, &s) == nil && s != "" {
			lines = append(lines, s)
		}
	}
	for _, m := range messages {
		add(m.Content)
		for _, p := range m.Parts {
			if p.Type == "text" || p.Type == "" {
				add(p.Content)
			}
		}
	}
	if len(lines) == 0 {
		return input
	}
	return strings.Join(lines, "\n")
}

// Package content says what of an event a model learns from, which texts are the same,
// and on which side of the split between training and tests a text stands. Whoever names
// the side and whoever trains must say the same, so there is one code for it.
package content

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash/fnv"
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

// Text is the text of an inference's input: of OpenTelemetry's messages the text parts, a
// line each; anything else as it is.
func Text(input string) string {
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

// Hash is that of a text, in the form of the content hash of a clean text.
func Hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "1:" + hex.EncodeToString(sum[:16])
}

// testShare is the part of the texts that no model is trained on, in percent.
const testShare = 10

// IsTest says whether the text with this hash is on the side that no model is trained on.
func IsTest(hash string) bool { return spread(hash)%100 < testShare }

// Below is true for a share of the texts, whatever side they are on.
func Below(hash string, share float64) bool {
	return float64(spread("below "+hash))/(1<<32) < share
}

// spread is an even hash of s, 32 bits of it.
func spread(s string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s)) // never fails
	sum := h.Sum64()
	// FNV's low bits of like strings are alike; its high bits, folded, are not.
	return (sum ^ sum>>29) * 0x9e3779b97f4a7c15 >> 32
}

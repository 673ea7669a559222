package gateway

import (
	"encoding/json"
	"strings"
)

// otelMessage is a message as OpenTelemetry's conventions for generative AI write it: a role,
// and parts of several types.
type otelMessage struct {
	Role   string     `json:"role"`
	Name   string     `json:"name,omitempty"`
	Parts  []otelPart `json:"parts"`
	Finish string     `json:"finish_reason,omitempty"`
}

// otelPart is a part: text, reasoning, uri, tool_call, tool_call_response; a part of another
// type is kept as that type, without its content.
type otelPart struct {
	Type      string          `json:"type"`
	Content   string          `json:"content,omitempty"`
	URI       string          `json:"uri,omitempty"`
	Modality  string          `json:"modality,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
	Response  string          `json:"response,omitempty"`
}

// openAIMessage is a message of a request.
type openAIMessage struct {
	Role       string          `json:"role"`
	Name       string          `json:"name"`
	Content    json.RawMessage `json:"content"`
	ToolCallID string          `json:"tool_call_id"`
	ToolCalls  []wireTool      `json:"tool_calls"`
}

// inputOf is what was asked, in OpenTelemetry's form; where it has another form than OpenAI's,
// as it came.
func inputOf(op operation, raw json.RawMessage) string {
	if op.content != "messages" {
		var s string
		if json.Unmarshal(raw, &s) == nil {
			return valid(s)
		}
		return valid(string(raw)) // a list of texts, or of tokens
	}
	var in []openAIMessage
	if json.Unmarshal(raw, &in) != nil {
		return valid(string(raw))
	}
	out := make([]otelMessage, 0, len(in))
	for i := range in {
		out = append(out, in[i].otel())
	}
	return render(out)
}

func render(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "" // raw JSON within it was read from JSON
	}
	return string(b)
}

func (m *openAIMessage) otel() otelMessage {
	out := otelMessage{Role: m.Role, Name: m.Name, Parts: []otelPart{}}
	if m.Role == "tool" {
		out.Parts = append(out.Parts, otelPart{Type: "tool_call_response", ID: m.ToolCallID, Response: textOf(m.Content)})
		return out
	}
	var parts []struct {
		Type     string `json:"type"`
		Text     string `json:"text"`
		ImageURL struct {
			URL string `json:"url"`
		} `json:"image_url"`
	}
	if json.Unmarshal(m.Content, &parts) == nil {
		for _, p := range parts {
			switch p.Type {
			case "text":
				out.Parts = append(out.Parts, otelPart{Type: "text", Content: p.Text})
			case "image_url":
				out.Parts = append(out.Parts, otelPart{Type: "uri", Modality: "image", URI: withoutData(p.ImageURL.URL)})
			default:
				out.Parts = append(out.Parts, otelPart{Type: p.Type})
			}
		}
	} else if s := textOf(m.Content); s != "" {
		out.Parts = append(out.Parts, otelPart{Type: "text", Content: s})
	}
	for _, t := range m.ToolCalls {
		out.Parts = append(out.Parts, toolPart(t.ID, t.Function.Name, t.Function.Arguments))
	}
	return out
}

// withoutData is a URL, or of one that is all data what sort it is.
func withoutData(url string) string {
	if kind, _, ok := strings.Cut(url, ","); ok && strings.HasPrefix(url, "data:") {
		return kind + ","
	}
	return url
}

func toolPart(id, name, arguments string) otelPart {
	p := otelPart{Type: "tool_call", ID: id, Name: name}
	if raw := json.RawMessage(arguments); json.Valid(raw) {
		p.Arguments = raw
	} else if arguments != "" {
		p.Arguments, _ = json.Marshal(arguments) // a string always renders
	}
	return p
}

// outputOf is what was answered, in the same form.
func outputOf(op operation, a *answer) string {
	if len(a.choices) == 0 {
		return ""
	}
	if op.name == "text_completion" && len(a.choices) == 1 {
		return valid(a.choices[0].text.String())
	}
	out := make([]otelMessage, 0, len(a.choices))
	for i := range a.choices {
		c := &a.choices[i]
		m := otelMessage{Role: "assistant", Parts: []otelPart{}, Finish: c.finish}
		for _, p := range []otelPart{{Type: "reasoning", Content: c.reasoning.String()}, {Type: "text", Content: c.text.String()}, {Type: "refusal", Content: c.refusal.String()}} {
			if p.Content != "" {
				m.Parts = append(m.Parts, p)
			}
		}
		for _, t := range c.tools {
			m.Parts = append(m.Parts, toolPart(t.id, t.name, t.arguments.String()))
		}
		out = append(out, m)
	}
	return render(out)
}

package gateway

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// answer is what the event keeps of what an upstream answered: put together from a stream's
// pieces, or read from the whole.
type answer struct {
	id, model string
	choices   []choice
	usage     usage
	// vectors is how many embeddings there are.
	vectors int
	// err is what the upstream said went wrong, within an answer that began well too.
	err string
	// cut says that there was more than is kept, invalid that some of it was not what the
	// interface says.
	cut, invalid bool
	// done says that a stream said that it was at its end.
	done bool

	most int // bytes that are kept
	held int
}

// choice is one of the answers to a request that asks for several.
type choice struct {
	index                    int
	text, reasoning, refusal strings.Builder
	tools                    []*toolCall
	finish                   string
}

type toolCall struct {
	index     int
	id, name  string
	arguments strings.Builder
}

type usage struct {
	Prompt     int64 `json:"prompt_tokens"`
	Completion int64 `json:"completion_tokens"`
	Of         struct {
		Cached int64 `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
	Out struct {
		Reasoning int64 `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
}

// piece is a chunk of a stream, or a whole answer: the one has delta where the other has
// message.
type piece struct {
	ID      string            `json:"id"`
	Model   string            `json:"model"`
	Choices []pieceChoice     `json:"choices"`
	Usage   *usage            `json:"usage"`
	Data    []json.RawMessage `json:"data"`
	Error   json.RawMessage   `json:"error"`
}

type pieceChoice struct {
	Index   int      `json:"index"`
	Text    string   `json:"text"`
	Delta   *message `json:"delta"`
	Message *message `json:"message"`
	Finish  string   `json:"finish_reason"`
}

type message struct {
	Content   json.RawMessage `json:"content"`
	Reasoning string          `json:"reasoning_content"`
	Refusal   string          `json:"refusal"`
	ToolCalls []wireTool      `json:"tool_calls"`
}

// wireTool is a call of a tool, as requests and answers write it; a stream numbers its pieces.
type wireTool struct {
	Index    int    `json:"index"`
	ID       string `json:"id"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

// mostChoices and mostTools bound what an upstream can make the gateway hold by numbers.
const (
	mostChoices = 128
	mostTools   = 128
)

// read takes in a chunk of a stream, or a whole answer.
func (a *answer) read(data []byte) {
	var p piece
	if err := json.Unmarshal(data, &p); err != nil {
		a.invalid = true
		return
	}
	if p.ID != "" {
		a.id = p.ID
	}
	if p.Model != "" {
		a.model = p.Model
	}
	if p.Usage != nil {
		a.usage = *p.Usage
	}
	if len(p.Error) > 0 && string(p.Error) != "null" {
		a.err = errorOf(p.Error)
	}
	a.vectors += len(p.Data)
	for i := range p.Choices {
		a.choose(&p.Choices[i])
	}
}

// errorOf is the kind of an error in OpenAI's form: its code, its type, or that there is one.
func errorOf(raw json.RawMessage) string {
	var e struct {
		Code any    `json:"code"`
		Type string `json:"type"`
	}
	if json.Unmarshal(raw, &e) == nil {
		if code, ok := e.Code.(string); ok && code != "" {
			return code
		}
		if e.Type != "" {
			return e.Type
		}
	}
	return "upstream_error"
}

func (a *answer) choose(p *pieceChoice) {
	i, found := slices.BinarySearchFunc(a.choices, p.Index, func(c choice, n int) int { return c.index - n })
	if !found {
		if len(a.choices) == mostChoices {
			a.cut = true
			return
		}
		a.choices = slices.Insert(a.choices, i, choice{index: p.Index})
	}
	c := &a.choices[i]
	if p.Finish != "" {
		c.finish = p.Finish
	}
	a.add(&c.text, p.Text)
	for _, m := range []*message{p.Delta, p.Message} {
		if m == nil {
			continue
		}
		a.add(&c.text, textOf(m.Content))
		a.add(&c.reasoning, m.Reasoning)
		a.add(&c.refusal, m.Refusal)
		for n := range m.ToolCalls {
			t := &m.ToolCalls[n]
			index := t.Index
			if m == p.Message {
				index = n // a whole answer lists them
			}
			a.tool(c, index, t.ID, t.Function.Name, t.Function.Arguments)
		}
	}
}

func (a *answer) tool(c *choice, index int, id, name, arguments string) {
	i := slices.IndexFunc(c.tools, func(t *toolCall) bool { return t.index == index })
	if i < 0 {
		if len(c.tools) == mostTools {
			a.cut = true
			return
		}
		i = len(c.tools)
		c.tools = append(c.tools, &toolCall{index: index})
	}
	t := c.tools[i]
	if id != "" {
		t.id = id
	}
	if name != "" {
		t.name = name
	}
	a.add(&t.arguments, arguments)
}

// add keeps s, as far as there is room.
func (a *answer) add(to *strings.Builder, s string) {
	if room := a.most - a.held; len(s) > room {
		s, a.cut = strings.ToValidUTF8(s[:max(room, 0)], ""), true
	}
	a.held += len(s)
	to.WriteString(s)
}

// textOf is the text of a content: a string, or a list of parts.
func textOf(raw json.RawMessage) string {
	if len(raw) == 0 || raw[0] == 'n' {
		return ""
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var parts []struct {
		Text string `json:"text"`
	}
	_ = json.Unmarshal(raw, &parts) // another form has no text that the event has a place for
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.Text)
	}
	return b.String()
}

// finishes are why each choice ended.
func (a *answer) finishes() []string {
	var all []string
	for i := range a.choices {
		if f := a.choices[i].finish; f != "" {
			all = append(all, f)
		}
	}
	return all
}

// maxLine bounds a line of a stream that is read; a longer one passes, unread.
const maxLine = 1 << 20

// stream reads an answer's server-sent events as their bytes come. It follows the HTML
// standard's "Server-sent events", section 9.2.6, as far as OpenAI's interface uses it: a
// line "data: …" is one piece.
type stream struct {
	answer *answer
	line   []byte // the beginning of one whose end has not come
	skip   bool   // its end is waited for
	pieces int
}

// Write takes in what came.
func (s *stream) Write(p []byte) (int, error) {
	n := len(p)
	for {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			break
		}
		line := p[:end]
		if len(s.line) > 0 {
			s.line = append(s.line, line...)
			line = s.line
		}
		if !s.skip {
			s.read(bytes.TrimSuffix(line, []byte("\r")))
		}
		s.line, s.skip = s.line[:0], false
		p = p[end+1:]
	}
	switch {
	case s.skip:
	case len(s.line)+len(p) > maxLine:
		s.line, s.skip, s.answer.cut = nil, true, true
	default:
		s.line = append(s.line, p...)
	}
	return n, nil
}

func (s *stream) read(line []byte) {
	data, ok := bytes.CutPrefix(line, []byte("data:"))
	if !ok {
		return // a comment, a name, or the end of an event
	}
	switch data = bytes.TrimPrefix(data, []byte(" ")); {
	case string(data) == "[DONE]":
		s.answer.done = true
	case len(data) > 0:
		s.pieces++
		s.answer.read(data)
	}
}

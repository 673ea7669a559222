package gateway

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/millrace-io/millrace/schemas"
)

// Headers that apps may send with a call, beside OpenTelemetry's traceparent. None goes on to
// an upstream.
const (
	headerSubject = "Millrace-Subject"
	headerSession = "Millrace-Session"
	headerPrompt  = "Millrace-Prompt" // name, or name@version
	headerSource  = "Millrace-Source"
	// headerID is the answer's: the id of the inference, to give feedback on.
	headerID = "Millrace-Inference-Id"
)

// noModel is the model of a call whose body could not be read.
const noModel = "(none)"

// event is what inference.logs gets of a call.
func (c *call) event() *schemas.Inference {
	e := &schemas.Inference{Envelope: schemas.Envelope{
		Tenant: c.tenant, EventID: c.id, EventTime: schemas.MicrosOf(c.began), Source: clean(c.header.Get(headerSource), 256),
		Subject: clean(c.header.Get(headerSubject), 256), SessionID: clean(c.header.Get(headerSession), 128),
	}}
	e.TraceID, e.SpanID = traceOf(c.header)
	e.OperationName = c.op.name
	if e.RequestModel = clean(c.asked, 256); e.RequestModel == "" {
		e.RequestModel = noModel
	}
	e.PromptName, e.PromptVersion, _ = strings.Cut(c.header.Get(headerPrompt), "@")
	e.PromptName, e.PromptVersion = clean(e.PromptName, 256), clean(e.PromptVersion, 128)
	e.Duration = c.took.Seconds()
	e.ErrorType = clean(c.failure, 256)
	e.Attempts, e.KeyName = int64(c.attempts), c.key.Name
	if c.upstream != nil {
		e.ProviderName, e.Upstream = clean(c.upstream.cfg.Provider, 64), clean(c.upstream.name, 128)
		e.ServerAddress, e.ServerPort = clean(c.upstream.host, 256), c.upstream.port
	}
	if c.status > 0 {
		e.Attributes = map[string]string{"http.response.status_code": strconv.Itoa(c.status)}
	}
	if c.request != nil {
		c.describeRequest(e)
	}
	if c.answer != nil {
		c.describeAnswer(e)
	}
	return e
}

func (c *call) describeRequest(e *schemas.Inference) {
	r := c.request
	if e.RequestStream = r.stream; r.stream {
		e.TimeToFirstChunk = c.first.Seconds()
	}
	e.RequestTemperature, e.RequestTopP = r.float("temperature"), r.float("top_p")
	e.RequestFrequencyPenalty, e.RequestPresencePenalty = r.float("frequency_penalty"), r.float("presence_penalty")
	e.RequestTopK, e.RequestSeed = r.integer("top_k"), r.integer("seed")
	e.RequestMaxTokens = r.integer("max_completion_tokens", "max_tokens")
	if n := r.integer("n"); n != nil {
		e.RequestChoiceCount = *n
	}
	if e.Subject == "" {
		if e.Subject = clean(r.text("safety_identifier"), 256); e.Subject == "" {
			e.Subject = clean(r.text("user"), 256)
		}
	}
	if c.model.Capture == CaptureMetadata {
		return
	}
	if one := r.text("stop"); one != "" {
		e.RequestStopSequences = []string{valid(one)}
	} else {
		var all []string
		_ = json.Unmarshal(r.fields["stop"], &all) // another form is the upstream's to refuse
		for _, s := range all {
			e.RequestStopSequences = append(e.RequestStopSequences, valid(s))
		}
	}
	var cut bool
	e.InputMessages, cut = bounded(inputOf(c.op, r.fields[c.op.content]), c.keep)
	tools, cutTools := bounded(string(r.fields["tools"]), c.keep-len(e.InputMessages))
	e.ToolDefinitions = valid(tools)
	c.cut = c.cut || cut || cutTools
}

func (c *call) describeAnswer(e *schemas.Inference) {
	a := c.answer
	e.ResponseID, e.ResponseModel = clean(a.id, 256), clean(a.model, 256)
	e.ResponseFinishReasons = a.finishes()
	u := a.usage
	e.UsageInputTokens, e.UsageOutputTokens = u.Prompt, u.Completion
	e.UsageCacheReadInputTokens, e.UsageReasoningOutputTokens = u.Of.Cached, u.Out.Reasoning
	e.CostUSD = c.cost
	if c.model.Capture != CaptureMetadata {
		e.OutputMessages = outputOf(c.op, a)
	}
	if c.cut || a.cut {
		if e.Attributes == nil {
			e.Attributes = map[string]string{}
		}
		e.Attributes["millrace.cut"] = "true"
	}
}

// bounded is s, or "" and true where it is longer than there is room for: half a JSON is none.
func bounded(s string, room int) (string, bool) {
	if len(s) > room {
		return "", true
	}
	return s, false
}

// traceOf is the trace and the span of a W3C traceparent.
func traceOf(h http.Header) (trace, span string) {
	parts := strings.Split(h.Get("Traceparent"), "-")
	if len(parts) < 4 || len(parts[1]) != 32 || len(parts[2]) != 16 || !isHex(parts[1]) || !isHex(parts[2]) {
		return "", ""
	}
	return parts[1], parts[2]
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// clean is s as an event may hold it: valid UTF-8 of at most so many bytes.
func clean(s string, most int) string {
	s = valid(s)
	if len(s) <= most {
		return s
	}
	s = s[:most]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

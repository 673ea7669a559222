// Package rules holds the rules by which Millrace cleans: what a text becomes, what is
// refused and why, and what is redacted. clean applies them to the log and predict to
// what it is asked, so that the same text gets the same answer on both paths.
package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/millrace-io/millrace/schemas"
)

// codeVersion changes with every change of what the rules do.
const codeVersion = "3"

// Config is what may be chosen.
type Config struct {
	// MinCharacters and MaxCharacters bound a text, in Unicode code points.
	MinCharacters int `yaml:"min_characters"`
	MaxCharacters int `yaml:"max_characters"`
	// MinLetters is the least share of letters and digits among what is not white space.
	MinLetters float64 `yaml:"min_letters"`
	// MaxRepetition is the largest share of a text that repeats of one line, or a run of
	// one character, may have.
	MaxRepetition float64 `yaml:"max_repetition"`
	// MaxReplaced is the largest share of bytes that were no valid text.
	MaxReplaced float64 `yaml:"max_replaced"`
	// MaxFuture is how far an event's time may lie behind its arrival.
	MaxFuture time.Duration `yaml:"max_future"`
}

// DefaultConfig refuses what is surely noise, and little else.
func DefaultConfig() Config {
	return Config{MinCharacters: 1, MaxCharacters: 1_000_000, MinLetters: .25, MaxRepetition: .9, MaxReplaced: .1, MaxFuture: 365 * 24 * time.Hour}
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	share := func(f float64) bool { return f >= 0 && f <= 1 }
	if c.MinCharacters < 0 || c.MaxCharacters < c.MinCharacters || !share(c.MinLetters) || !share(c.MaxRepetition) || !share(c.MaxReplaced) || c.MaxFuture <= 0 {
		return fmt.Errorf("rules: min_characters must be 0 or more and at most max_characters, shares between 0 and 1, max_future positive; got %+v", c)
	}
	return nil
}

// Names of the rules that refuse.
const (
	RuleEmpty      = "empty"
	RuleTooShort   = "too_short"
	RuleTooLong    = "too_long"
	RuleSymbols    = "noise_symbols"
	RuleRepetition = "noise_repetition"
	RuleEncoding   = "noise_encoding"
	RuleFuture     = "event_time_future"
	RuleNoFeedback = "no_judgement"
	RuleThumb      = "unknown_thumb"
)

// Verdict is what the rules say. The zero Verdict is clean.
type Verdict struct {
	// Rule refused the event; empty where none did.
	Rule string
	// Detail says why, without the event's content.
	Detail string
	Scores map[string]float64
}

// Clean is true where no rule refused.
func (v Verdict) Clean() bool { return v.Rule == "" }

// Rules applies the rules; it is safe for concurrent use.
type Rules struct {
	cfg     Config
	version string
}

// New checks the configuration.
func New(cfg Config) (*Rules, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %+v", codeVersion, cfg))
	return &Rules{cfg: cfg, version: codeVersion + "-" + hex.EncodeToString(sum[:4])}, nil
}

// Version is a function of the rules' code and configuration.
func (r *Rules) Version() string { return r.version }

// Text makes the canonical form of in: decoded, normalised, redacted, hashed. out's
// envelope is in's, its ArrivedAt is what the caller has set there before. Where a rule
// refuses, out holds no text.
func (r *Rules) Text(in *schemas.Text, out *schemas.CleanText) Verdict {
	arrived := out.ArrivedAt
	*out = schemas.CleanText{Envelope: in.Envelope, ContentType: short(in.ContentType), Language: short(in.Language), Label: short(in.Label)}
	out.ArrivedAt, out.RulesVersion = arrived, r.version
	out.Carry(in, short)
	if v := r.eventTime(&out.Envelope); !v.Clean() {
		return v
	}
	text, replaced := extract(in)
	text = normalise(text)
	m := measure(text)
	if v := r.judge(text, m, replaced); !v.Clean() {
		return v
	}
	out.Redactions = map[string]int64{}
	out.Text = redact(text, out.Redactions)
	out.Attributes = redactMap(in.Attributes, out.Redactions)
	if out.Text != text {
		m = measure(out.Text)
	}
	out.Characters, out.Quality = int64(m.characters), m.letters
	out.ContentHash = contentHash(out.Text)
	return Verdict{}
}

// Inference redacts in and judges it in place.
func (r *Rules) Inference(in *schemas.Inference) Verdict {
	in.RulesVersion = r.version
	if v := r.eventTime(&in.Envelope); !v.Clean() {
		return v
	}
	for _, s := range []*string{&in.InputMessages, &in.OutputMessages, &in.SystemInstructions, &in.ToolDefinitions} {
		*s = redactValue(*s)
	}
	for _, s := range []*string{&in.Prediction, &in.PromptName, &in.ErrorType} {
		*s = short(*s)
	}
	for _, list := range [][]string{in.RequestStopSequences, in.ResponseFinishReasons} {
		for i := range list {
			list[i] = short(list[i])
		}
	}
	in.Attributes = redactMap(in.Attributes, nil)
	if in.InputMessages != "" {
		in.ContentHash = contentHash(in.InputMessages)
	}
	return Verdict{}
}

// Feedback redacts in and judges it in place.
func (r *Rules) Feedback(in *schemas.Feedback) Verdict {
	in.RulesVersion = r.version
	if v := r.eventTime(&in.Envelope); !v.Clean() {
		return v
	}
	if in.Thumb == "" && in.Rating == nil && in.Label == "" && in.Correction == "" && in.PreferredOver == "" && in.Comment == "" {
		return Verdict{Rule: RuleNoFeedback, Detail: "the feedback has no thumb, rating, label, correction, preferred_over or comment"}
	}
	if in.Thumb != "" && in.Thumb != "up" && in.Thumb != "down" {
		// It would be kept and count for nothing, and whoever sent it would never know.
		return Verdict{Rule: RuleThumb, Detail: "the thumb is neither up nor down"}
	}
	for _, s := range []*string{&in.Label, &in.Name, &in.Correction, &in.Comment} {
		*s = short(*s)
	}
	in.Attributes = redactMap(in.Attributes, nil)
	return Verdict{}
}

// short redacts a field of free words. It is one function for labels and predictions, so
// that what is equal stays equal, in a text, an answer and the feedback on it. Ids, the
// names of models, servers and sources, and the subject, by which a person's data is
// found, are not free: they stay, and personal data has no place in them.
func short(s string) string { return redactRaw(s, 0, nil) }

// eventTime refuses a time that cannot be, and fills one that is missing.
func (r *Rules) eventTime(e *schemas.Envelope) Verdict {
	if e.EventTime == 0 {
		e.EventTime = e.ArrivedAt
	}
	if ahead := e.EventTime.Time().Sub(e.ArrivedAt.Time()); e.ArrivedAt != 0 && ahead > r.cfg.MaxFuture {
		return Verdict{Rule: RuleFuture, Detail: fmt.Sprintf("event_time %s is further ahead of its arrival than %s", e.EventTime, r.cfg.MaxFuture)}
	}
	return Verdict{}
}

// judge applies the rules on length and noise to a normalised text.
func (r *Rules) judge(text string, m measured, replaced float64) Verdict {
	n := m.characters
	size := map[string]float64{"characters": float64(n)}
	switch {
	case n == 0:
		return Verdict{Rule: RuleEmpty, Detail: "nothing is left of the text", Scores: size}
	case n < r.cfg.MinCharacters:
		return Verdict{Rule: RuleTooShort, Detail: fmt.Sprintf("%d characters, at least %d are wanted", n, r.cfg.MinCharacters), Scores: size}
	case n > r.cfg.MaxCharacters:
		return Verdict{Rule: RuleTooLong, Detail: fmt.Sprintf("%d characters, at most %d are taken", n, r.cfg.MaxCharacters), Scores: size}
	case replaced > r.cfg.MaxReplaced:
		return Verdict{Rule: RuleEncoding, Detail: "too much of it is no text in any encoding that it claims", Scores: map[string]float64{"replaced": replaced}}
	}
	if n < shortText {
		return Verdict{} // "ok" and ":-)" are feedback enough; shares of so little say nothing
	}
	if share := m.letters; share < r.cfg.MinLetters {
		return Verdict{Rule: RuleSymbols, Detail: "hardly any letters or digits", Scores: map[string]float64{"letters": share}}
	}
	if share := repetition(text, m); share > r.cfg.MaxRepetition {
		return Verdict{Rule: RuleRepetition, Detail: "it repeats itself", Scores: map[string]float64{"repetition": share}}
	}
	return Verdict{}
}

// contentHash names the version of the hash, so that one of another never conflicts.
func contentHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "1:" + hex.EncodeToString(sum[:16])
}

// mediaType is a content type without its parameters, in lower case.
func mediaType(contentType string) string {
	t, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(t))
}

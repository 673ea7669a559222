package rules

import (
	"crypto/sha256"

	"github.com/millrace-io/millrace/schemas"
)

// payloadHashVersion leads a payload's hash; hashes of other versions never conflict.
const payloadHashVersion = 1

// PayloadHash is what tells two posts of one id apart: a hash of the event as it was
// decoded, before any rule, without what changes when a client sends it again (its time
// of sending, trace and span). Its first byte is the hash's version.
func PayloadHash(m schemas.Message) [17]byte {
	env := m.Env()
	saved := *env
	env.EventTime, env.TraceID, env.SpanID = 0, "", ""
	env.ContentHash, env.RulesVersion, env.ArrivedAt, env.ReplayOf = "", "", 0, ""
	sum := sha256.Sum256(m.MarshalAppend(nil))
	*env = saved
	h := [17]byte{payloadHashVersion}
	copy(h[1:], sum[:16])
	return h
}

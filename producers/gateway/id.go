package gateway

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/segmentio/ksuid"
)

// IDs makes the ids of inferences, and knows them again: who has one was given it, and a
// feedback that names another's, or one that nobody was given, is refused.
type IDs struct{ key []byte }

// NewIDs derives its key from the deployment's secret.
func NewIDs(secret []byte) IDs {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte("inference ids"))
	return IDs{h.Sum(nil)}
}

// idPrefix tells the gateway's ids from the apps' own.
const idPrefix = "mr_"

// idLength is that of an id: the prefix, a KSUID, and 16 bytes of a MAC in base64.
const idLength = len(idPrefix) + 27 + 1 + 22

// New is an id of a tenant.
func (i IDs) New(tenant string) string {
	id := idPrefix + ksuid.New().String()
	return id + "_" + i.mac(tenant, id)
}

func (i IDs) mac(tenant, id string) string {
	h := hmac.New(sha256.New, i.key)
	h.Write([]byte(tenant))
	h.Write([]byte{0})
	h.Write([]byte(id))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

// ErrForged says that an id looks like one of the gateway's, and was not given to the tenant.
var ErrForged = errors.New("the inference id was not given to this tenant by its gateway")

// Check is ErrForged, or nil for an id that was given to the tenant, and for those that apps
// make themselves.
func (i IDs) Check(tenant, id string) error {
	if !strings.HasPrefix(id, idPrefix) || len(id) != idLength {
		return nil
	}
	cut := len(id) - 23
	if id[cut] != '_' || !hmac.Equal([]byte(id[cut+1:]), []byte(i.mac(tenant, id[:cut]))) {
		return ErrForged
	}
	return nil
}

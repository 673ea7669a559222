package objstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// ErrTampered says that an object is not what it was when it was written.
var ErrTampered = errors.New("the object is not what its digest says")

// Digest is the SHA-256 of data in hex, by which others name what they mean.
func Digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// GetDigest reads an object whole and refuses it with ErrTampered where its SHA-256 is
// not digest.
func GetDigest(ctx context.Context, s Store, key, digest string) ([]byte, error) {
	data, err := s.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	if got := Digest(data); got != digest {
		return nil, fmt.Errorf("%w: %s has SHA-256 %s, want %s", ErrTampered, key, got, digest)
	}
	return data, nil
}

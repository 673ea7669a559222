package state

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
)

// FuzzReadCheckpoint reads what may stand in the object store under a checkpoint's key,
// unpacked. What is read to its end has the sum that it says, and no key is empty.
func FuzzReadCheckpoint(f *testing.F) {
	write := func(entries ...string) []byte {
		b := []byte(checkpointMagic)
		for _, e := range entries {
			b = append(binary.AppendUvarint(b, uint64(len(e))), e...)
		}
		b = append(b, 0)
		return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crcTable))
	}
	f.Add(write())
	f.Add(write("p", "12345678", "sk", "v"))
	f.Add(append([]byte(checkpointMagic), 0xff, 0xff, 0xff, 0xff, 0x7f))
	f.Fuzz(func(t *testing.T, b []byte) {
		again := [][]byte{}
		err := readCheckpoint(bufio.NewReader(bytes.NewReader(b)), func(k, v []byte) error {
			if len(k) == 0 {
				t.Fatal("an empty key")
			}
			again = append(again, k, v)
			return nil
		})
		if err != nil {
			return
		}
		var entries []string
		for _, e := range again {
			entries = append(entries, string(e))
		}
		if w := write(entries...); !bytes.HasPrefix(b, w) && len(w) > len(b) {
			t.Fatalf("%x is read as what is written as %x", b, w)
		}
	})
}

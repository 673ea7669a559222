package predict

import (
	"testing"

	"github.com/millrace-io/millrace/internal/bustest"
	"github.com/millrace-io/millrace/schemas"
)

// TestStandIn checks who answers in a process that starts behind a champion that is not
// what its digest says, or is gone: the one that answers in those that ran all along.
func TestStandIn(t *testing.T) {
	r := newRig(t)
	tampered := func(version string) {
		v := &schemas.ModelVersion{Model: "m", Version: version, Stage: RoleChampion}
		v.Artifact, _ = r.artefact("hashing evil")
		_, v.Digest = r.artefact("hashing good")
		r.answer(v)
	}
	r.version("m", "v1", RoleChampion, "hashing one")
	r.version("m", "v2", RoleChampion, "hashing two")
	tampered("v3")
	tampered("v4")
	r.start()
	if err := r.models.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c := r.models.Champion("m"); c == nil || c.Version != "v2" {
		t.Fatalf("behind v3 and v4, which were tampered with, %+v serves, want v2", c)
	}
	five := r.version("m", "v5", RoleChampion, "hashing five")
	r.await("m", "v5")
	if err := r.Objects.Delete(t.Context(), five.Artifact); err != nil {
		t.Fatal(err)
	}
	r.member()
	r.start()
	if err := r.models.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c := r.models.Champion("m"); c == nil || c.Version != "v2" {
		t.Fatalf("while v5 is gone %+v serves, want v2", c)
	}
	r.artefact("hashing five")
	bustest.Await(t, "v5 serves once it is there again", func() bool { return r.models.Champion("m").Version == "v5" })
}

package disk

import (
	"io/fs"
	"os"
	"path/filepath"
)

// Replace puts data in place of what a file held: whoever reads it, also after a crash,
// finds all of the old or all of the new, and who has it open keeps the old. It needs no
// room beyond the reserve: what is replaced by little makes room.
func (d Disk) Replace(path string, perm fs.FileMode, data []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, TempPrefix+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // it may have its name already
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	return d.Sync(dir)
}

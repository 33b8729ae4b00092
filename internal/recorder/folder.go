package recorder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// folder is where the files of one session go. It is made when the first of them is
// written. Safe for use by several goroutines.
type folder struct {
	parent, name string

	mu   sync.Mutex // held while it is made, which a disk may take its time for
	path atomic.Pointer[string]
}

// folderTime is how a folder's name tells when its session began.
const folderTime = "20060102T150405.000Z"

// newFolder names a folder by time and id: sorted by time, and safe whatever the
// id came from.
func newFolder(parent string, start time.Time, id string) *folder {
	return &folder{parent: parent, name: start.UTC().Format(folderTime) + "_" + safeName(id, 64)}
}

// file returns the path of a file in the folder, which is made where it can be.
func (f *folder) file(name string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.path.Load() == nil {
		if err := f.create(); err != nil {
			return "", err
		}
	}
	return filepath.Join(*f.path.Load(), name), nil
}

// location is the folder's path, "" while nothing was written. It waits for no disk.
func (f *folder) location() string {
	if path := f.path.Load(); path != nil {
		return *path
	}
	return ""
}

// folderAt is a folder that there is.
func folderAt(path string) *folder {
	f := &folder{}
	f.path.Store(&path)
	return f
}

func (f *folder) create() error {
	if err := os.MkdirAll(f.parent, 0o750); err != nil {
		return err
	}
	path, err := filepath.Join(f.parent, f.name), error(nil)
	for n := 2; n < 10000; n++ {
		if err = os.Mkdir(path, 0o750); !errors.Is(err, fs.ErrExist) {
			break
		}
		path = filepath.Join(f.parent, fmt.Sprintf("%s-%d", f.name, n))
	}
	if err == nil {
		f.path.Store(&path)
	}
	return err
}

// safeName makes a file name of a text from the network: letters, digits, dot,
// hyphen and underscore stay, anything else becomes an underscore. It is neither empty nor
// hidden and never a way out of the folder.
func safeName(text string, limit int) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, text[:min(len(text), limit)])
	if name == "" || name[0] == '.' || name[0] == '-' {
		name = "_" + name
	}
	return name
}

// names gives out file names without ever giving one twice, not even to file
// systems that do not tell capitals from small letters.
type names map[string]bool

func (n names) take(label string) string {
	base := safeName(label, 64)
	name := base
	for i := 2; n[strings.ToLower(name)]; i++ {
		name = fmt.Sprintf("%s-%d", base, i)
	}
	n[strings.ToLower(name)] = true
	return name
}

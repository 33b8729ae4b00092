package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// The header of an SQLite file (its file format §1.3), and of its first page behind it (§1.6).
const (
	headerSize = 100
	magic      = "SQLite format 3\x00"
	versionAt  = 60
	idAt       = 68
	cellsAt    = headerSize + 3
)

// Examine tells why Open would not take a file, as far as its first bytes do, which are
// all that it reads: the file may be in use, and stays as it is. A file that is not there, or is
// empty, will do.
func Examine(file string) error {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return unopenedRead(file, err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no file; write the name of one", file)
	case info.Size() == 0:
		return nil
	}
	head := make([]byte, cellsAt+2)
	f, err := os.Open(file)
	if err != nil {
		return unopenedRead(file, err)
	}
	_, err = io.ReadFull(f, head)
	if err = errors.Join(err, f.Close()); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return unopenedRead(file, err)
	}
	id, version := binary.BigEndian.Uint32(head[idAt:]), binary.BigEndian.Uint32(head[versionAt:])
	switch {
	case !bytes.HasPrefix(head, []byte(magic)):
		return fmt.Errorf("%s holds something else than a journal; write another name", file)
	case id == applicationID && int(version) > len(migrations):
		return fmt.Errorf("%s was written by a later version of sidetrack (its schema has version %d, this one knows %d); write another name", file, version, len(migrations))
	case id != applicationID && (version != 0 || binary.BigEndian.Uint16(head[cellsAt:]) > 0):
		return fmt.Errorf("%s is a database of something else; write another name", file)
	}
	return nil
}

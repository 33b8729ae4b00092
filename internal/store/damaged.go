package store

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// asideEvery bounds how many damaged files a disk that goes wrong can leave.
const asideEvery = time.Hour

// damaged tells whether an error means that the journal, and no other file, is not
// whole: a disk has lied. The proxy goes on with a new one all the same.
func (s *Store) damaged(err error) bool {
	return code(err) == sqlite3.SQLITE_CORRUPT && ours(s.cfg.File) && (s.aside.IsZero() || s.cfg.Now().Sub(s.aside) >= asideEvery)
}

// ours tells whether a file says that it is a journal (SQLite's file format §1.3).
func ours(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	var id [4]byte
	_, err = f.ReadAt(id[:], 68)
	return errors.Join(err, f.Close()) == nil && binary.BigEndian.Uint32(id[:]) == applicationID
}

// setAside gives a damaged file another name, under which tools can save what is in
// it, and takes a new one.
func (s *Store) setAside(why error) error {
	s.aside = s.cfg.Now()
	name := s.cfg.File + ".damaged-" + s.aside.UTC().Format("20060102T150405Z")
	s.log.Error("the journal is damaged: it is set aside, a new one is begun", "file", s.cfg.File, "as", name, "error", why)
	// What closing a damaged file complains about is known.
	_ = errors.Join(s.db.Close(), s.Reader.reopen(), s.lock.Close())
	s.db = nil
	if err := os.Rename(s.cfg.File, name); err != nil {
		return err
	}
	if err := os.Rename(s.cfg.File+"-wal", name+"-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.take()
}

package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// follow begins a new file where that of the journal was moved away, removed or
// replaced: SQLite would go on to write into the one that nobody finds.
func (s *Store) follow(ctx context.Context) error {
	if s.db != nil {
		if s.inPlace() {
			return nil
		}
		s.log.Warn("the journal's file was moved or removed, a new one is begun", "file", s.cfg.File)
		s.leave(ctx)
	}
	return s.take()
}

// inPlace tells whether the file that is open is the one of that name. A folder that
// cannot be looked into says nothing.
func (s *Store) inPlace() bool {
	now, err := os.Stat(s.cfg.File)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return os.SameFile(now, s.file)
}

// leave lets go of a file, whole wherever it is: what is still in the -wal, which
// may not have moved with it, is brought into it first.
func (s *Store) leave(ctx context.Context) {
	_, err := s.db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	if err = errors.Join(err, s.db.Close(), s.Reader.reopen(), s.lock.Close()); err != nil {
		s.trouble.tell(0, "moved", err)
	}
	s.db = nil
}

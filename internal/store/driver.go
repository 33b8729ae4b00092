package store

import (
	"database/sql"
	"errors"
	"net/url"

	"modernc.org/sqlite" // SQLite in pure Go: the binary stays static
	sqlite3 "modernc.org/sqlite/lib"
)

// database gives the connections to a journal file; nothing is opened yet. mode
// is SQLite's: ro, rw or rwc. The pragmas hold for each connection, in order.
func database(file, mode string, pragmas ...string) (*sql.DB, error) {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath()}
	u.RawQuery = url.Values{"mode": {mode}, "_pragma": pragmas}.Encode()
	c, err := sqlite.NewConnector(u.String())
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(c), nil
}

// passing tells whether an error is one of the disk, or of somebody else who
// uses the file: what failed may be tried again.
func passing(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PROTOCOL:
		return true
	}
	return false
}

// foreign tells whether an error means that a file is no SQLite file, or a
// broken one.
func foreign(err error) bool {
	return code(err) == sqlite3.SQLITE_NOTADB || code(err) == sqlite3.SQLITE_CORRUPT
}

// code is the primary result code of SQLite; 0 when the error is not its own.
func code(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff // the rest tells the particulars
}

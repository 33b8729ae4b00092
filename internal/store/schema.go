package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// ErrVersion is wrapped when a file was written by a later version, or is an
// SQLite file of something else.
var ErrVersion = errors.New("not a journal that this version can use")

// applicationID marks the file as a journal (PRAGMA application_id): "sdtk".
const applicationID = 0x7364746b

// migrations lead from an empty file to the present schema, one step per
// version (PRAGMA user_version). A step that was released never changes. Times
// are RFC 3339 in UTC with milliseconds, so that they sort as text.
var migrations = []string{
	`CREATE TABLE recordings (
		id             TEXT PRIMARY KEY,
		call_id        TEXT NOT NULL,
		call_sip_id    TEXT NOT NULL,
		from_uri       TEXT NOT NULL,
		to_uri         TEXT NOT NULL,
		rule           TEXT NOT NULL,
		recorder       TEXT NOT NULL,
		name           TEXT NOT NULL,
		required       INTEGER NOT NULL,
		started        TEXT NOT NULL,
		answered       TEXT,
		taken          TEXT,
		ended          TEXT,
		seconds        REAL NOT NULL,
		result         TEXT NOT NULL,
		reason         TEXT NOT NULL,
		srs            TEXT NOT NULL,
		srs_sip_id     TEXT NOT NULL,
		packets_in     INTEGER NOT NULL,
		packets_copied INTEGER NOT NULL,
		lost           INTEGER NOT NULL,
		moves          INTEGER NOT NULL,
		alarms         TEXT NOT NULL
	);
	CREATE INDEX recordings_started ON recordings (started, id);
	CREATE INDEX recordings_result ON recordings (result, started, id);
	CREATE TABLE attempts (
		recording TEXT NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
		number    INTEGER NOT NULL,
		srs       TEXT NOT NULL,
		code      INTEGER NOT NULL,
		reason    TEXT NOT NULL,
		at        TEXT NOT NULL,
		took      REAL NOT NULL,
		PRIMARY KEY (recording, number)
	) WITHOUT ROWID;
	CREATE TABLE streams (
		recording      TEXT NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
		number         INTEGER NOT NULL,
		label          TEXT NOT NULL,
		party          TEXT NOT NULL,
		codec          TEXT NOT NULL,
		packets_in     INTEGER NOT NULL,
		packets_copied INTEGER NOT NULL,
		dropped        INTEGER NOT NULL,
		lost           INTEGER NOT NULL,
		dropped_by     TEXT NOT NULL,
		at_risk        INTEGER NOT NULL,
		unreachable    INTEGER NOT NULL,
		rtcp_in        INTEGER NOT NULL,
		srs_reports    INTEGER NOT NULL,
		srs_lost       INTEGER NOT NULL,
		first          TEXT,
		last           TEXT,
		gaps           TEXT NOT NULL,
		PRIMARY KEY (recording, number)
	) WITHOUT ROWID`,

	`CREATE VIEW missed AS
		SELECT * FROM recordings
		WHERE result IN ('refused', 'failed', 'skipped', 'missed') AND answered IS NOT NULL`,

	`ALTER TABLE recordings ADD COLUMN initiator TEXT NOT NULL DEFAULT ''`,

	`ALTER TABLE recordings ADD COLUMN parameters TEXT NOT NULL DEFAULT '{}'`,
}

// migrate brings a file to the newest version, each step whole or not at all.
func migrate(ctx context.Context, db *sql.DB, steps []string) error {
	version, err := versionOf(ctx, db)
	if err != nil {
		return err
	}
	if version > len(steps) {
		return fmt.Errorf("its schema has version %d, this program knows %d: %w", version, len(steps), ErrVersion)
	}
	for ; version < len(steps); version++ {
		if err := step(ctx, db, steps[version], version+1); err != nil {
			return fmt.Errorf("bringing the schema to version %d: %w", version+1, err)
		}
	}
	return nil
}

func step(ctx context.Context, db *sql.DB, statements string, version int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	// Pragmas take no parameters.
	mark := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, version)
	for _, q := range []string{statements, mark} {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// versionOf is the version of a file's schema; 0: it is empty.
func versionOf(ctx context.Context, db *sql.DB) (int, error) {
	var id, version, objects int
	for q, into := range map[string]*int{
		"PRAGMA application_id": &id, "PRAGMA user_version": &version, "SELECT count(*) FROM sqlite_schema": &objects,
	} {
		if err := db.QueryRowContext(ctx, q).Scan(into); err != nil {
			return 0, err
		}
	}
	if id != applicationID && (objects > 0 || version > 0) {
		return 0, fmt.Errorf("it holds other tables: %w", ErrVersion)
	}
	return version, nil
}

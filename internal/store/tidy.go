package store

import "context"

const (
	tidyRows   = 500 // recordings removed in one transaction
	tidyRounds = 20  // transactions at a time: new verdicts are waiting
)

// tidy removes what is too old, and the oldest when there is too much. Pages
// that become free are given back to the disk.
func (s *Store) tidy(ctx context.Context) error {
	removed := int64(0)
	if now := s.cfg.Now(); s.cfg.MaxAge > 0 && now.Sub(s.tidied) >= tidyEvery {
		n, err := s.remove(ctx, func() (bool, error) { return true, nil }, `started < ?`, stamp(now.Add(-s.cfg.MaxAge)))
		removed += n
		if err != nil {
			return err
		}
		if n < tidyRows*tidyRounds { // else there is more of it
			s.tidied = now
		}
	}
	n, err := s.remove(ctx, func() (bool, error) { return s.full(ctx) }, `true`)
	if removed += n; err != nil || removed == 0 {
		return err
	}
	return s.shrink(ctx)
}

// remove deletes the oldest recordings that the condition names, in small
// transactions, for as long as they are to go.
func (s *Store) remove(ctx context.Context, more func() (bool, error), condition string, args ...any) (total int64, err error) {
	for range tidyRounds {
		if on, err := more(); err != nil || !on {
			return total, err
		}
		res, err := s.db.ExecContext(ctx, `DELETE FROM recordings WHERE rowid IN
			(SELECT rowid FROM recordings WHERE `+condition+` ORDER BY started, id LIMIT ?)`, append(args, tidyRows)...)
		if err != nil {
			return total, err
		}
		n, err := res.RowsAffected()
		total += n
		if err != nil || n < tidyRows {
			return total, err
		}
	}
	return total, nil
}

// full tells whether the pages in use are more than they may be.
func (s *Store) full(ctx context.Context) (bool, error) {
	if s.cfg.MaxSize <= 0 {
		return false, nil
	}
	var size, pages, free int64
	err := s.db.QueryRowContext(ctx, `SELECT page_size, page_count, freelist_count
		FROM pragma_page_size, pragma_page_count, pragma_freelist_count`).Scan(&size, &pages, &free)
	return (pages-free)*size > s.cfg.MaxSize, err
}

// shrink gives the free pages back. The pragma works while its rows are read.
func (s *Store) shrink(ctx context.Context) error {
	rows, err := s.db.QueryContext(ctx, "PRAGMA incremental_vacuum")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

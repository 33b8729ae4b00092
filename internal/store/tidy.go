package store

import (
	"context"
	"fmt"
	"time"
)

const (
	tidyRounds = 20  // transactions at a time: new verdicts are waiting
	manyRows   = 500 // recordings removed in one transaction,
	fewRows    = 50  // and when not much is to go

	shrinkPages = 2048 // given back at a time: each is written to the log first
)

// tidy removes what is too old, and the oldest when there is too much. Pages
// that become free are given back to the disk. What is left to do is done soon.
func (s *Store) tidy(ctx context.Context) error {
	s.more = false
	aged, err := s.removeOld(ctx)
	if err != nil {
		return err
	}
	excess, err := s.removeExcess(ctx)
	if err != nil {
		return err
	}
	_, free, err := s.pages(ctx)
	if err != nil || aged+excess == 0 && free < shrinkPages {
		return err
	}
	s.more = s.more || free > 2*shrinkPages
	return s.shrink(ctx)
}

// removeOld goes by age, now and then.
func (s *Store) removeOld(ctx context.Context) (total int64, err error) {
	now, age := s.cfg.Now(), time.Duration(s.maxAge.Load())
	if age <= 0 || now.Sub(s.tidied) < tidyEvery {
		return 0, nil
	}
	for range tidyRounds {
		n, err := s.remove(ctx, manyRows, `started < ?`, stamp(now.Add(-age)))
		total += n
		if err != nil {
			return total, err
		}
		if n < manyRows {
			s.tidied = now
			return total, nil
		}
	}
	s.more = true
	return total, nil
}

// removeExcess goes by size. Near the bound the steps are small, so that not
// much more goes than has to.
func (s *Store) removeExcess(ctx context.Context) (total int64, err error) {
	for range tidyRounds {
		used, _, err := s.pages(ctx)
		bound := s.maxSize.Load()
		if err != nil || bound <= 0 || used <= bound {
			return total, err
		}
		rows := fewRows
		if used > 2*bound {
			rows = manyRows
		}
		n, err := s.remove(ctx, rows, `true`)
		total += n
		if err != nil || n == 0 {
			return total, err
		}
	}
	s.more = true
	return total, nil
}

// remove deletes the oldest recordings that the condition names, with their
// attempts and streams.
func (s *Store) remove(ctx context.Context, most int, condition string, args ...any) (int64, error) {
	res, err := s.db.ExecContext(ctx, `DELETE FROM recordings WHERE rowid IN
		(SELECT rowid FROM recordings WHERE `+condition+` ORDER BY started, id LIMIT ?)`, append(args, most)...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// pages gives the bytes of those that hold something, and the number of those
// that are free.
func (s *Store) pages(ctx context.Context) (used, free int64, err error) {
	var size, all int64
	err = s.db.QueryRowContext(ctx, `SELECT page_size, page_count, freelist_count
		FROM pragma_page_size, pragma_page_count, pragma_freelist_count`).Scan(&size, &all, &free)
	return (all - free) * size, free, err
}

// shrink gives free pages back. The pragma works while its rows are read.
func (s *Store) shrink(ctx context.Context) error {
	rows, err := s.db.QueryContext(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", shrinkPages))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
)

// drain is POST /api/v1/srs/{recorder}/{index}/drain and /enable.
func (b Backend) drain(on bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), questionTimeout)
		defer cancel()
		index, err := strconv.Atoi(r.PathValue("index"))
		if err != nil {
			fail(w, fmt.Errorf("SRS %q of a recorder is a place in its list, from 0: %w", r.PathValue("index"), ErrNotFound))
			return
		}
		v, err := b.Drain(ctx, r.PathValue("recorder"), index, on)
		if err != nil {
			fail(w, err)
			return
		}
		write(w, http.StatusOK, v)
	}
}

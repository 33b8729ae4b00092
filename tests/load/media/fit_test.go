//go:build linux

package main

import (
	"math"
	"testing"
)

func TestLeastSquares(t *testing.T) {
	rows := [][]float64{{1, 5000, 0}, {1, 5000, 10000}, {1, 20000, 5000}, {1, 20000, 80000}, {1, 40000, 40000}}
	var exact, bent []float64
	for i, r := range rows {
		v := 0.05 + 12e-6*r[1] + 4e-6*r[2]
		exact = append(exact, v)
		bent = append(bent, v+0.1*math.Pow(-1, float64(i)))
	}
	cost, r2, worst, ok := leastSquares(rows, exact)
	if !ok || math.Abs(cost[0]-0.05) > 1e-9 || math.Abs(cost[1]-12e-6) > 1e-12 || math.Abs(cost[2]-4e-6) > 1e-12 || 1-r2 > 1e-9 || worst > 1e-9 {
		t.Errorf("%v, r2 %v, %v beside it, %v", cost, r2, worst, ok)
	}
	if _, r2, worst, ok := leastSquares(rows, bent); !ok || r2 > 0.98 || worst < 0.05 {
		t.Errorf("a bent line: r2 %v, %v beside it, %v", r2, worst, ok)
	}
	for what, x := range map[string][][]float64{
		"no rows": nil, "too few": rows[:2], "copies go with packets": {{1, 1, 2}, {1, 2, 4}, {1, 3, 6}, {1, 4, 8}}, "no copies": {{1, 1, 0}, {1, 2, 0}, {1, 3, 0}},
	} {
		if _, _, _, ok := leastSquares(x, exact[:len(x)]); ok {
			t.Error(what)
		}
	}
}

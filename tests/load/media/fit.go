//go:build linux

package main

import "math"

// leastSquares gives the coefficients that come nearest to y = sum of coefficient * x over all rows, the share of y's
// variance that they explain, and the largest distance of a row from it. It is false where the rows do not tell them.
func leastSquares(x [][]float64, y []float64) (cost []float64, r2, worst float64, ok bool) {
	if len(x) == 0 || len(x) < len(x[0]) {
		return nil, 0, 0, false
	}
	n := len(x[0])
	scale := make([]float64, n) // the columns differ by orders of magnitude
	for _, row := range x {
		for i, v := range row {
			scale[i] = max(scale[i], math.Abs(v))
		}
	}
	normal := make([][]float64, n) // XᵀX | Xᵀy
	for i := range normal {
		normal[i] = make([]float64, n+1)
		for k, row := range x {
			for j := range n {
				normal[i][j] += row[i] / scale[i] * row[j] / scale[j]
			}
			normal[i][n] += row[i] / scale[i] * y[k]
		}
	}
	for i := range n { // Gauss and Jordan
		best := i
		for k := i + 1; k < n; k++ {
			if math.Abs(normal[k][i]) > math.Abs(normal[best][i]) {
				best = k
			}
		}
		normal[i], normal[best] = normal[best], normal[i]
		if !(math.Abs(normal[i][i]) > 1e-9) { // nor where a scale is 0
			return nil, 0, 0, false
		}
		for k := range n {
			if k == i {
				continue
			}
			by := normal[k][i] / normal[i][i]
			for j := i; j <= n; j++ {
				normal[k][j] -= by * normal[i][j]
			}
		}
	}
	for i := range n {
		cost = append(cost, normal[i][n]/normal[i][i]/scale[i])
	}
	mean := 0.
	for _, v := range y {
		mean += v / float64(len(y))
	}
	var left, all float64
	for k, row := range x {
		off := y[k]
		for i, v := range row {
			off -= cost[i] * v
		}
		left, all, worst = left+off*off, all+(y[k]-mean)*(y[k]-mean), max(worst, math.Abs(off))
	}
	return cost, 1 - left/all, worst, true
}

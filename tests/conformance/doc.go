// Package conformance holds what a recording client must, should and may do, rule by rule, with the tests that hold it:
// rules.tsv for the RFCs, matrix.tsv for the habits of recorders in the field. A [Rule] is a line of theirs, a [Proof]
// the name of a test as PACKAGE:TestName or PACKAGE:TestName/subtest, where PACKAGE is the last element of its path.
//
// `make conformance` (tests/tools/conformance) runs the tests and prints a line for each rule; a test of tests/repo keeps
// the lists whole.
package conformance

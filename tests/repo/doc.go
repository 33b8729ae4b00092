// Package repo holds tests about the repository itself: who imports whom, what is documented, whether the examples
// load. They read the source tree; they start nothing but one system, to look at its metrics.
package repo

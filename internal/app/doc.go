// Package app joins the parts of the proxy: it is the only package that knows
// all of them.
//
// Its nouns. An [App] is one running proxy; New builds it from a configuration
// without touching the network, Start binds its sockets, Reload swaps rules and
// recorders under running calls, Stop drains and ends it in named steps, each
// of which waits for what it ended.
package app

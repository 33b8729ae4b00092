// Package interop runs the built binary against programs that others wrote: SIPp as caller and PBX, baresip as phones,
// tshark and xmllint as judges of what goes over the wire and is left on disk (Debian's sip-tester, baresip-core,
// tshark, libxml2-utils, iproute2).
//
// Its tests have the build tag interop. SIDETRACK_BIN names the binary, else it is built. What a machine cannot do
// (no root for a network namespace, a program missing) is skipped with its reason, or fails when CI=true.
package interop

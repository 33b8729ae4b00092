// Package body reads and writes the parts of a SIP message body.
//
// A [Part] is one piece with its own MIME fields: the whole body, or an entity of a multipart, however deep.
// [Parts] and [Find] are tolerant readers; [Replace] edits the bytes of the parts of a type and leaves every other byte of the
// message where it was; [Mixed] builds the multipart/mixed body that a SIPREC request carries.
//
// # Flow
//
// scan finds the spans of all leaves in the body; Parts cuts them out, Replace splices between them.
//
// # RFC sections
//
// RFC 2046 §5.1 (multipart), RFC 3261 §7.4, §20.11 and §20.15, RFC 5621 (bodies in SIP), RFC 7866 §9.1 (metadata as a
// body part).
package body

/* Protobuf bytes from readable text, independent of our encoder:
 *
 *	1: 5            varint            1: -5           varint, sign-extended
 *	1: 5i64         fixed64           1: "text"       length-delimited
 *	1: x"00ff"      bytes             1: { 2: 7 }     nested message
 *	1: [1 2 3]      packed varints    1: [1i64 2i64]  packed fixed64 */
#pragma once

#include "base/buf.h"

/* Fails the program on a mistake in the text. The result is the caller's to buf_deinit. */
struct buf protoscope(const char *text);

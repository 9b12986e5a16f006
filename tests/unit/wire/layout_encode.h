/* Writes a batch in the layout of any release of OTLP profiles, as its senders did;
 * for tests only, and from field tables of its own. */
#pragma once

#include "base/buf.h"
#include "profile/profile.h"
#include "wire/wire.h"

/* A unit is a matter of the attribute's key: up to 1.7 it cannot be otherwise. Aborts without memory. The
 * result is the caller's to buf_deinit. */
struct buf layout_encode(const struct profile_batch *batch, enum wire_layout layout);

/* Private to base: the process_* metrics, read from the kernel when asked. */
#pragma once

#include "base/buf.h"

/* Appends what can be read; what cannot is left out. */
void metrics_render_process(struct buf *out);

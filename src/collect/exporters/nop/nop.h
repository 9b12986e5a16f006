/* The descriptor of the `nop` exporter. */
#pragma once

#include "collect/component.h"

extern const struct component exporter_nop;

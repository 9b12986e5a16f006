/* The descriptor of the `profiling` receiver. */
#pragma once

#include "collect/component.h"

extern const struct component receiver_profiling;

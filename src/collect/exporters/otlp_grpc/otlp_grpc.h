/* The descriptor of the `otlp_grpc` exporter. */
#pragma once

#include "collect/component.h"

extern const struct component exporter_otlp_grpc;

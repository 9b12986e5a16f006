/* Private to server: the methods about labels. */
#pragma once

#include "server/api.h"

api_method querier_label_names;
api_method querier_label_values;
api_method querier_series;

/* Private to server: the methods of querier.v1.QuerierService, one file for
 * each kind of question; querier.c has their table. */
#pragma once

#include "server/api.h"

api_method querier_label_names;
api_method querier_label_values;
api_method querier_series;
api_method querier_profile_types;
api_method querier_select_series;
api_method querier_select_heatmap;
api_method querier_select_merge_stacktraces;
api_method querier_select_merge_span_profile;
api_method querier_select_merge_profile;
api_method querier_diff;
api_method querier_profile_stats;
api_method querier_analyze;

/* Private to server: Pyroscope's REST paths: render, render-diff, label-values.
 * user is a struct api. Answers are JSON (or Graphviz); errors as the query API's. */
#pragma once

#include "net/net.h"

net_handler render_serve;
net_handler render_diff_serve;
net_handler render_label_values;

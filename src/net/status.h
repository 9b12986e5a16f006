/* Private to net. */
#pragma once

/* The reason phrase of RFC 9110 section 15; "Unknown" for what has none here. */
const char *status_reason(int status);

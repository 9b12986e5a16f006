#include "date.h"

#include <stdio.h>
#include <time.h>

/* Not strftime: its names follow the locale. */
struct str date_now(char *out)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t now = time(NULL);
	struct tm tm = {0};

	gmtime_r(&now, &tm);
	int len = snprintf(out, DATE_BYTES, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
			   days + 3 * tm.tm_wday, tm.tm_mday % 100, months + 3 * tm.tm_mon,
			   (tm.tm_year + 1900) % 10000, tm.tm_hour % 100, tm.tm_min % 100,
			   tm.tm_sec % 100);
	return (struct str){out, len > 0 && len < DATE_BYTES ? (size_t)len : 0};
}

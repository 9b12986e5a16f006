#include "server/accept.h"

/* "gzip;q=0" means never (RFC 9110 section 12.4.2). */
static bool is_refused(struct str parameters)
{
	struct str part;
	double q;

	while (str_next(&parameters, ';', &part)) {
		part = str_trim(part);
		if (str_starts_with(part, STR("q=")) &&
		    str_to_double(str_sub(part, 2, part.len), &q))
			return q <= 0;
	}
	return false;
}

bool accept_gzip(const struct net_request *request)
{
	struct str rest = net_header_get(request, STR("accept-encoding")), part, name;

	while (str_next(&rest, ',', &part)) {
		(void)str_next(&part, ';', &name);
		name = str_trim(name);
		if (str_equal_nocase(name, STR("gzip")) || str_equal(name, STR("*")))
			return !is_refused(part);
	}
	return false;
}

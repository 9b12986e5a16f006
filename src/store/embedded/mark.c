#include "store/embedded/mark.h"

#include "base/cursor.h"
#include "store/embedded/varint.h"

void mark_encode(struct buf *out, const struct mark *mark)
{
	uleb_append(out, mark->columns);
	uleb_append(out, mark->pending);
	uleb_append(out, mark->minute);
	uleb_append(out, mark->hour);
	buf_char(out, (char)mark->whole);
}

int mark_decode(struct str bytes, struct mark *ret, struct err *err)
{
	struct cur in = cur_make(bytes.ptr, bytes.len);
	uint64_t columns = cur_uleb(&in), pending = MARK_ALL_HOURS, minute = 0, hour = 0;
	unsigned whole = WHOLE_UNTRIED;
	if (cur_left(&in)) {
		pending = cur_uleb(&in);
		minute = cur_uleb(&in);
		hour = cur_uleb(&in);
		whole = cur_u8(&in);
	}
	if (!cur_ok(&in) || cur_left(&in) || columns > UINT8_MAX ||
	    (pending | minute | hour) > MARK_ALL_HOURS || whole > WHOLE_NOT_WORTH)
		return err_set(err, ERR_CORRUPT, "mark of a day: malformed");
	*ret = (struct mark){
		.columns = (uint32_t)columns,
		.pending = (uint32_t)pending,
		.minute = (uint32_t)minute,
		.hour = (uint32_t)hour,
		.whole = (enum mark_whole)whole,
	};
	return 0;
}

bool mark_covers(const struct mark *mark, enum level level, unsigned hour)
{
	uint32_t bit = 1u << hour;
	switch (level) {
	case LEVEL_RAW:
		return true;
	case LEVEL_MINUTE:
		return mark->minute & bit & ~mark->pending;
	case LEVEL_HOUR:
		return mark->hour & bit & ~mark->pending;
	case LEVEL_DAY:
		return mark->whole == WHOLE_SUMMED && !mark->pending;
	case LEVEL_COUNT:
		break;
	}
	return false;
}

#include "wire/decode.h"

#include <stdio.h>

void wire_limits_default(struct wire_limits *limits)
{
	*limits = (struct wire_limits){
		.message_bytes = (size_t)256 << 20,
		.samples = 16 << 20,
		.rows = 16 << 20,
		.parts = 256 << 10,
		.value_depth = 32,
	};
}

int decoder_no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory to decode profiles within the request's limit");
}

int decoder_init(struct decoder *dec, struct arena *arena, const struct wire_limits *limits,
		 struct wire_report *report, struct err *err)
{
	int rc;

	*report = (struct wire_report){0};
	*dec = (struct decoder){.arena = arena,
				.limits = limits,
				.report = report,
				.overlap = limits->rows};
	rc = profile_batch_create(arena, &dec->batch, err);
	if (!rc)
		dec->dict = dec->batch->dict;
	return rc;
}

/* The tables of an absent dictionary keep their zero rows, so index 0 is always good. */
int decoder_rows(struct decoder *dec, const char *what, size_t count, size_t elem_bytes, void **ret,
		 struct err *err)
{
	dec->rows += count;
	if (dec->rows > dec->limits->rows)
		return err_set(err, ERR_LIMIT, "%s: more than %llu rows in the dictionary", what,
			       (unsigned long long)dec->limits->rows);
	*ret = arena_zalloc(dec->arena, count, elem_bytes);
	return *ret ? 0 : decoder_no_memory(err);
}

int decoder_samples(struct decoder *dec, size_t count, struct profile_sample **ret, struct err *err)
{
	dec->samples += count;
	if (dec->samples > dec->limits->samples)
		return err_set(err, ERR_LIMIT, "more than %llu samples in one request",
			       (unsigned long long)dec->limits->samples);
	*ret = arena_zalloc(dec->arena, count, sizeof(**ret));
	return *ret ? 0 : decoder_no_memory(err);
}

int decoder_part(struct decoder *dec, struct err *err)
{
	if (++dec->parts <= dec->limits->parts)
		return 0;
	return err_set(err, ERR_LIMIT,
		       "more than %llu resources, scopes and profiles in one request",
		       (unsigned long long)dec->limits->parts);
}

int decoder_add_string(struct decoder *dec, struct str text, struct err *err)
{
	if (!str_is_utf8(text)) {
		text = decoder_text(dec->arena, text);
		if (!text.ptr)
			return decoder_no_memory(err);
	}
	return strtab_intern(dec->dict.strings, text, &dec->strings[dec->string_count++], err);
}

struct str decoder_string_text(const struct decoder *dec, uint64_t index)
{
	return strtab_get(dec->dict.strings, decoder_string(dec, index));
}

/* Length of the well-formed sequence at the start of s, 0 if there is none. */
static size_t utf8_length(struct str s)
{
	enum { UTF8_BYTES_MAX = 4 };

	for (size_t len = 1; len <= UTF8_BYTES_MAX && len <= s.len; len++)
		if (str_is_utf8(str_sub(s, 0, len)))
			return len;
	return 0;
}

static struct str repair_utf8(struct arena *arena, struct str text)
{
	static const char mark[] = "\xef\xbf\xbd"; /* U+FFFD */
	char *out = arena_alloc(arena, text.len * 3 + 1);
	size_t len = 0;

	if (!out)
		return (struct str){NULL, 0};
	for (size_t i = 0; i < text.len;) {
		size_t good = utf8_length(str_sub(text, i, text.len));
		memcpy(out + len, good ? text.ptr + i : mark, good ? good : 3);
		len += good ? good : 3;
		i += good ? good : 1;
	}
	out[len] = '\0';
	return (struct str){out, len};
}

struct str decoder_text(struct arena *arena, struct str text)
{
	return str_is_utf8(text) ? arena_str(arena, text) : repair_utf8(arena, text);
}

void decoder_reject(struct decoder *dec, uint64_t samples, const char *why)
{
	struct wire_report *report = dec->report;

	if (report->rejected_profiles++ == 0)
		str_copy(report->reason, sizeof(report->reason), str_of(why));
	report->rejected_samples += samples;
}

/* Keeps the good profiles of a scope, in order. */
static void sift_scope(struct decoder *dec, struct profile_checker *checker,
		       struct profile_scope *scope)
{
	size_t kept = 0;
	struct err why;

	for (size_t i = 0; i < scope->profile_count; i++) {
		struct profile *profile = &scope->profiles[i];
		if (profile_checker_run(checker, profile, &why)) {
			decoder_reject(dec, profile->sample_count, why.text);
			continue;
		}
		dec->report->profiles++;
		dec->report->samples += profile->sample_count;
		if (kept != i)
			scope->profiles[kept] = *profile;
		kept++;
	}
	scope->profile_count = kept;
}

int decoder_finish(struct decoder *dec, struct profile_batch **ret, struct err *err)
{
	struct profile_batch *batch = dec->batch;
	struct profile_checker *checker;
	int rc;

	if (!dec->old)
		profile_dict_adopt(batch, &dec->dict);
	rc = profile_checker_create(dec->arena, &batch->dict, &checker, err);
	if (rc)
		return rc;
	for (size_t r = 0; r < batch->resource_count; r++)
		for (size_t s = 0; s < batch->resources[r].scope_count; s++)
			sift_scope(dec, checker, &batch->resources[r].scopes[s]);
	*ret = batch;
	return 0;
}

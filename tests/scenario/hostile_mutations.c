/* SPDX-License-Identifier: Apache-2.0
 *
 * Valid requests, spoilt: cut off, bits turned over, pieces put twice, and bytes
 * that never were a request. Spoilt inside of the packing and outside of it. */
#include <string.h>

#include "hostile.h"

enum { CUTS = 24, FLIPS = 24, RANDOMS = 8 };

/* One to eight bits, or a byte, or a piece copied over another. */
static void spoil(char *bytes, size_t len)
{
	if (len < 2)
		return;
	switch (below(4)) {
	case 0:
		bytes[below(len)] = (char)rng();
		break;
	case 1:
		memmove(bytes + below(len / 2), bytes + len / 2, below(len / 2 + 1));
		break;
	default:
		for (size_t n = 1 + below(8); n > 0; n--)
			bytes[below(len)] ^= (char)(1 << below(8));
	}
}

static struct str spoilt(struct arena *arena, struct str text)
{
	char *copy = arena_copy(arena, text.ptr, text.len);

	if (!copy)
		die("memory");
	spoil(copy, text.len);
	return str_make(copy, text.len);
}

static void send_body(struct verdict *verdict, const struct target *target, struct str body)
{
	struct ask ask = target->ask;
	struct reply reply;

	ask.body = body;
	ask_send(&ask, &reply);
	verdict_reply(verdict, target->name, &ask, &reply, false);
	reply_deinit(&reply);
}

/* ---- as they should be: or the rest would say nothing ---- */

static void send_valid(const struct target *all, size_t count)
{
	struct verdict verdict = verdict_begin("each method takes a valid request, in each form");
	struct arena arena;

	arena_init(&arena, 0);
	for (size_t i = 0; i < count; i++) {
		struct ask ask = all[i].ask;
		struct reply reply;
		ask.body = wrap(&arena, &all[i], all[i].message);
		ask_send(&ask, &reply);
		verdict_reply(&verdict, all[i].name, &ask, &reply, false);
		if (reply.status != 200 || (ask.h2 && reply.grpc_status != 0))
			verdict_bad(&verdict, all[i].name, buf_text(&reply.body), "not taken");
		reply_deinit(&reply);
	}
	arena_deinit(&arena);
	verdict_end(&verdict);
}

/* ---- bodies ---- */

static void send_cut(const struct target *all, size_t count)
{
	struct verdict verdict = verdict_begin("bodies cut off, from no byte at all on");
	struct arena arena;

	for (size_t i = 0; i < count; i++) {
		arena_init(&arena, 0);
		struct str whole = wrap(&arena, &all[i], all[i].message);
		for (unsigned k = 0; k < rounds(CUTS); k++) {
			size_t inner = below(all[i].message.len), outer = below(whole.len);
			struct str cut =
				k % 2 ? str_sub(whole, 0, k == 1 ? 0 : outer)
				      : wrap(&arena, &all[i], str_sub(all[i].message, 0, inner));
			send_body(&verdict, &all[i], cut);
		}
		arena_deinit(&arena);
	}
	verdict_end(&verdict);
}

static void send_flipped(const struct target *all, size_t count)
{
	struct verdict verdict = verdict_begin("bodies with bits turned over");
	struct arena arena;

	for (size_t i = 0; i < count; i++) {
		arena_init(&arena, 0);
		struct str whole = wrap(&arena, &all[i], all[i].message);
		for (unsigned k = 0; k < rounds(FLIPS); k++)
			send_body(&verdict, &all[i],
				  k % 4 == 3
					  ? spoilt(&arena, whole)
					  : wrap(&arena, &all[i], spoilt(&arena, all[i].message)));
		arena_deinit(&arena);
	}
	verdict_end(&verdict);
}

static void send_random(const struct target *all, size_t count)
{
	struct verdict verdict = verdict_begin("bodies of random bytes");
	struct arena arena;
	char bytes[2048];

	for (size_t i = 0; i < count; i++) {
		arena_init(&arena, 0);
		for (unsigned k = 0; k < rounds(RANDOMS); k++) {
			size_t len = 1 + below(sizeof(bytes) - 1);
			for (size_t b = 0; b < len; b++)
				bytes[b] = (char)rng();
			struct str text = str_make(bytes, len);
			send_body(&verdict, &all[i], k % 2 ? text : wrap(&arena, &all[i], text));
		}
		arena_deinit(&arena);
	}
	verdict_end(&verdict);
}

/* ---- whole requests of HTTP/1.1, whose other half never comes ---- */

static void send_text(struct verdict *verdict, const struct target *target, struct str text)
{
	struct ask shown = target->ask;
	struct reply reply;

	shown.body = text;
	talk(text, true, &reply);
	verdict_reply(verdict, target->name, &shown, &reply, true);
	reply_deinit(&reply);
}

static void send_heads(const struct target *target)
{
	struct verdict verdict = verdict_begin(
		"HTTP/1.1 requests cut at each byte, half closed, and with bits turned over");
	struct ask ask = target->ask;
	struct buf text = {0};
	struct arena arena;

	arena_init(&arena, 0);
	ask.body = wrap(&arena, target, target->message);
	ask_text(&ask, &text);
	for (size_t len = 0; len <= text.len; len++) {
		struct str whole = buf_text(&text);
		send_text(&verdict, target, str_sub(whole, 0, len));
		send_text(&verdict, target, spoilt(&arena, whole));
	}
	buf_deinit(&text);
	arena_deinit(&arena);
	verdict_end(&verdict);
}

void attack_mutations(void)
{
	struct arena arena;
	size_t count;

	arena_init(&arena, 0);
	const struct target *all = targets(&arena, &count);
	send_valid(all, count);
	send_cut(all, count);
	send_flipped(all, count);
	send_random(all, count);
	send_heads(&all[0]);
	arena_deinit(&arena);
}

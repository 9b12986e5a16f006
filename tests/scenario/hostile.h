/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the hostile client share. Memory is not given back before
 * the end, except for replies; a failure of our own ends the program. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

enum { HANG_MS = 5000 };

/* ---- one question, one answer (hostile_wire.c) ---- */

enum form { FORM_JSON, FORM_PROTO, FORM_GRPC, FORM_NONE };

struct ask {
	const char *method, *path, *type; /* type NULL: no Content-Type */
	const char *headers;		  /* more lines, each with its CRLF; or NULL */
	struct str body;
	bool h2;
};

struct reply {
	int status;	 /* HTTP; 0: closed without an answer */
	int grpc_status; /* -1: none */
	bool hung;	 /* neither an end nor a byte for HANG_MS */
	uint64_t took_ns;
	struct buf body;
};

extern const char *target_address; /* "127.0.0.1:4040" */

_Noreturn void die(const char *what);
/* A connected socket, non-blocking; -1 when refused. */
int dial(void);
/* Writes bytes while reading what comes, up to the end of either side or hang_ms of silence. */
void pump(int fd, struct str bytes, bool half_close, int hang_ms, struct buf *got, bool *hung);
/* Bytes over a connection of their own, taken as HTTP/1.1. */
void talk(struct str bytes, bool half_close, struct reply *ret);
/* Fills out with the request as HTTP/1.1 text; "Connection: close". */
void ask_text(const struct ask *ask, struct buf *out);
void ask_send(const struct ask *ask, struct reply *ret);
void reply_deinit(struct reply *reply);

/* ---- valid requests (hostile_bodies.c) ---- */

struct target {
	char name[96];
	struct ask ask;	    /* without body */
	struct str message; /* valid, neither packed nor framed */
	enum form form;
	bool gzip;
};

/* Every method in every form, and both ways of export. */
const struct target *targets(struct arena *arena, size_t *count);
/* The body of the wire: packed and framed as the target wants. */
struct str wrap(struct arena *arena, const struct target *target, struct str message);
/* 0, flag 0 or 1, length, message (gRPC over HTTP/2, "Length-Prefixed-Message"). */
struct str grpc_frame(struct arena *arena, struct str message, bool packed);
/* gzip that unpacks to so many MiB of zeros. */
struct str gzip_bomb(struct arena *arena, unsigned mib);
/* An export request in OTLP: STACKS samples of EVENTS events each. */
enum { STACKS = 10, EVENTS = 7 };
struct label {
	struct str name, value;
};
struct str export_request(struct arena *arena, const char *service, unsigned number,
			  const struct label *labels, size_t label_count);
struct str merge_query(struct arena *arena, const char *service);

/* ---- verdicts (hostile.c) ---- */

struct verdict {
	const char *sentence;
	size_t count, bad, closed;
	uint64_t longest_ns;
};

extern unsigned failures; /* sentences that were not ok */

struct verdict verdict_begin(const char *sentence);
/* The answer is one that bad input may get: neither silence nor a 5xx, and its JSON is JSON.
 * may_close: no answer at all is fine too. */
void verdict_reply(struct verdict *verdict, const char *what, const struct ask *ask,
		   const struct reply *reply, bool may_close);
/* One of its cases went wrong: printed, with some of the bytes that did it. */
void verdict_bad(struct verdict *verdict, const char *what, struct str bytes, const char *why);
void verdict_end(const struct verdict *verdict);
uint64_t rng(void);
/* A number below n, n > 0. */
size_t below(size_t n);
unsigned rounds(unsigned count); /* times HOSTILE_ROUNDS */

/* ---- honest use meanwhile (hostile_honest.c) ---- */

void honest_start(void);
/* Sends and asks once, now, and prints whether the total is exact and how long it took. */
void honest_check(const char *when);
void honest_stop(void);

/* ---- the attacks ---- */

void attack_mutations(void);   /* hostile_mutations.c */
void attack_http(void);	       /* hostile_http.c */
void attack_queries(void);     /* hostile_queries.c */
void attack_exports(void);     /* hostile_exports.c */
void attack_connections(void); /* hostile_floods.c */
void attack_slow_begin(void);  /* connections that dribble; judged by attack_slow_end() */
void attack_slow_end(void);

/* Private to h1*.c: one HTTP/1 connection.
 *
 * One request at a time: while one is in a handler or its answer is being sent,
 * what the client pipelines behind it waits in `pending` (bounded: input is not
 * wanted while it is full), so that answers come in the order of the requests. */
#pragma once

#include <llhttp.h>

#include "conn.h"

enum { H1_PENDING_MAX_BYTES = 64 * 1024, H1_TRAILERS_MAX_BYTES = 16 * 1024 };

struct h1 {
	struct conn *conn;
	llhttp_t parser;
	struct call *call;		/* NULL: between requests */
	struct buf target, name, value; /* collected over input pieces */
	struct buf pending;
	struct buf head; /* status line and headers on their way out */
	size_t head_sent;
	enum refusal refused; /* by a parser callback */
	/* The bytes in the parser, and where the last piece of the header value was. */
	const char *input_start, *input_end;
	uint64_t input_number;
	uint64_t piece_input; /* 0: no piece yet */
	bool piece_at_end;
	bool line_end_at_end; /* the last input ended with white space that has a line end in it */
	bool host_seen;
	bool host_twice;
	bool in_body; /* headers are complete: what still comes as a header is a trailer */
	size_t trailer_bytes;
	bool keep_alive; /* after this request */
	bool closing;	 /* nothing more is read; done when all is sent */
	bool draining;
	bool input_ended;
	bool message_complete; /* the parser is paused behind a whole request */
	bool head_only;	       /* HEAD: no body follows */
	uint64_t since_ns;     /* idle, or the request's first byte */
};

/* h1_parse.c: callbacks of the parser that fill h1->call. */
void h1_parser_init(struct h1 *h1);
/* Feeds the parser up to the end of a request; returns the bytes used. On a broken or refused
 * request h1->refused says why. */
size_t h1_parse(struct h1 *h1, const char *ptr, size_t len);
/* Ready for the next request. */
void h1_parser_next(struct h1 *h1);

/* h1_answer.c */
/* Status line and headers of the call's answer, appended to h1->head. */
void h1_put_head(struct h1 *h1);

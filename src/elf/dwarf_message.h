/* Private to elf/: what the agent and its worker tell each other. Requests are
 * plain structs (the worker is a copy of the program that asks). Answers come
 * from a process that a crafted file may have taken over, so they are decoded
 * like any bytes from outside. One message a packet, native byte order. */
#pragma once

#include "base/buf.h"
#include "base/cursor.h"
#include "elf/dwarf.h"

enum {
	DWARF_REQUEST_MAX = 256, /* addresses */
	DWARF_MESSAGE_MAX = 128 << 10,
	DWARF_SLOTS = 32, /* files that a worker keeps */
};

struct dwarf_request {
	uint32_t number;
	uint32_t slot;
	uint32_t file_count; /* 0: what the slot has; else descriptors come along: debug, alt */
	uint32_t count;
	uint64_t vaddrs[DWARF_REQUEST_MAX]; /* only count of them are sent */
};

enum dwarf_answer_kind {
	DWARF_ANSWER_MORE = 1, /* others follow */
	DWARF_ANSWER_LAST,
	DWARF_ANSWER_BAD, /* the file is; instead of addresses a text says why */
};

struct dwarf_answer {
	uint32_t number; /* of the request */
	enum dwarf_answer_kind kind;
	uint64_t cpu_ns; /* of the worker, since it lives */
	struct str why;	 /* BAD */
};

/* Writing. The buffer holds one message. */
void dwarf_answer_begin(struct buf *buf, uint32_t number);
/* Rows of the index-th address; false when the message is full (send it, begin another). */
bool dwarf_answer_add(struct buf *buf, uint32_t index, const struct dwarf_row *rows,
		      uint32_t count);
/* Without addresses before it. */
void dwarf_answer_why(struct buf *buf, struct str why);
void dwarf_answer_end(struct buf *buf, enum dwarf_answer_kind kind, uint64_t cpu_ns);

/* Reading: the head, then next until it is false; cur_ok() then tells a whole message from a broken
 * one. Texts point into the message. */
bool dwarf_answer_read(struct cur *message, struct dwarf_answer *ret);
bool dwarf_answer_next(struct cur *message, uint32_t *ret_index, struct dwarf_row *rows,
		       uint32_t *ret_count);

/* SPDX-License-Identifier: Apache-2.0
 *
 * Takes everything and does nothing: for measuring the agent alone. */
#include "collect/exporters/nop/nop.h"

struct nop_config {
	char nothing;
};

static const struct config_schema nop_schema = {.name = "nop", .size = sizeof(struct nop_config)};

static int nop_create(const struct component_settings *settings, void **ret, struct err *err)
{
	(void)settings;
	(void)err;
	*ret = NULL;
	return 0;
}

static int nop_start(void *self, struct err *err)
{
	(void)self;
	(void)err;
	return 0;
}

static void nop_end(void *self)
{
	(void)self;
}

static int nop_consume(void *self, struct profile_batch *batch, struct err *err)
{
	(void)self;
	(void)batch;
	(void)err;
	return 0;
}

const struct component exporter_nop = {
	.kind = COMPONENT_EXPORTER,
	.type = "nop",
	.summary = "takes everything and does nothing",
	.schema = &nop_schema,
	.create = nop_create,
	.start = nop_start,
	.stop = nop_end,
	.destroy = nop_end,
	.consume = nop_consume,
};

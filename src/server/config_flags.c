/* Flags of a Pyroscope cluster. There are hundreds, and Helm charts set them in
 * one process too, so families of them are known by their prefix. */
#include "server/config_flags.h"

#include <stdio.h>

static const char *const families[] = {
	"memberlist.",
	"metastore.",
	"distributor.replication",
	"distributor.ring",
	"distributor.health",
	"distributor.push",
	"distributor.ingestion-artificial",
	"distributor.client-cleanup",
	"distributor.ingestion-tenant",
	"distributor.aggregation",
	"distributor.zone",
	"distributor.excluded",
	"query-frontend.",
	"query-backend",
	"query-scheduler.",
	"query-analysis",
	"query-tree",
	"querier.client",
	"querier.dns",
	"querier.frontend",
	"querier.health",
	"querier.id",
	"querier.max-concurrent",
	"querier.query-store-after",
	"querier.scheduler",
	"querier.split",
	"querier.query-analysis",
	"querier.sanitize",
	"querier.pprof",
	"querier.max-flamegraph-nodes-on-select",
	"querier.max-query-parallelism",
	"querier.max-flamegraph-nodes-on",
	"querier.pprof-flat",
	"querier.query-tree",
	"querier.sanitize",
	"ingester.",
	"compactor.ring",
	"compactor.block",
	"compactor.compaction",
	"compactor.cleanup",
	"compactor.data-dir",
	"compactor.deletion",
	"compactor.max",
	"compactor.meta",
	"compactor.no-blocks",
	"compactor.split",
	"compactor.partial",
	"compactor.compactor",
	"compactor.downsampler",
	"compactor.enabled",
	"compactor.disabled",
	"compactor.first",
	"store-gateway.",
	"segment-writer",
	"compaction-worker",
	"recording-rules.client",
	"overrides-exporter.",
	"adaptive-placement",
	"symbolizer",
	"tracing.",
	"tenant-settings.",
	"admin-server.",
	"embedded-grafana.",
	"write-path",
	"read-path",
	"enable-query-backend",
	"async-ingest",
	"storage.prefix",
	"storage.s3.",
	"storage.gcs.",
	"storage.azure.",
	"storage.swift.",
	"storage.cos.",
	"pyroscopedb.max-block",
	"pyroscopedb.row-group",
	"pyroscopedb.symbols",
	"pyroscopedb.retention",
	"self-profiling.mutex",
	"self-profiling.block",
	"self-profiling.use",
	"self-profiling.tenant",
	"usage-stats.url",
	"api.",
	"server.grpc-listen",
	"server.grpc-collect",
	"server.grpc-conn",
	"server.grpc-max-send",
	"server.grpc-max-concurrent",
	"server.grpc.",
	"server.http-listen-network",
	"server.http-log-closed",
	"server.http-write-timeout",
	"server.register",
	"server.report-grpc",
	"server.create-new-traces",
	"server.log-",
	"server.proxy",
	"validation.enforce",
	"server.throughput",
	"server.trace",
	"server.cluster-validation",
	"blocks-storage.",
	"consul.",
	"etcd.",
	"ring.",
	"multi.",
	"config.show_banner",
	"storage.storage-prefix",
	"validation.max-sessions",
	"architecture.",
	"shutdown-delay",
	"show-banner",
	"validation.recording-rules",
};

static const struct {
	const char *flag, *key;
} yaml_flags[SERVER_YAML_FLAGS] = {
	{"distributor.ingestion-relabeling-rules", "ingestion_relabeling_rules"},
	{"distributor.sample-type-relabeling-rules", "sample_type_relabeling_rules"},
	{"compaction-worker.metrics-exporter.rules-source.static", "recording_rules"},
};

static struct str flag_name(const char *arg)
{
	struct str rest = str_of(arg), name;
	if (arg[0] != '-' || arg[1] == '\0')
		return (struct str){NULL, 0};
	rest = str_sub(rest, arg[1] == '-' ? 2 : 1, SIZE_MAX);
	(void)str_next(&rest, '=', &name);
	return name;
}

/* Some flags of such a family we have all the same. */
static bool is_ours(const struct config_schema *schema, struct str name)
{
	for (size_t i = 0; i < schema->row_count; i++) {
		const struct config_row *row = &schema->rows[i];
		struct str flag = str_of(row->flag ? row->flag : "");
		if (row->type == CONFIG_SECTION && row->flag && str_starts_with(name, flag) &&
		    is_ours(row->section, str_sub(name, flag.len, SIZE_MAX)))
			return true;
		if (row->type != CONFIG_SECTION && flag.len && str_equal(name, flag))
			return true;
	}
	return false;
}

static bool is_of_a_cluster(struct str name)
{
	if (!name.ptr || is_ours(&server_config_schema, name))
		return false;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		if (str_starts_with(name, str_of(families[i])))
			return true;
	return false;
}

static void warn(const struct config_decoder *dec, struct str name)
{
	char text[256];
	snprintf(text, sizeof(text), "flag -%.*s has no effect here",
		 (int)(name.len < 128 ? name.len : 128), name.ptr);
	if (dec->warn)
		dec->warn(dec->data, text);
}

static int yaml_flag(struct str name)
{
	for (int i = 0; i < SERVER_YAML_FLAGS; i++)
		if (name.ptr && str_equal(name, str_of(yaml_flags[i].flag)))
			return i;
	return -1;
}

int server_args_yaml(const struct config_decoder *dec, const struct server_args *args,
		     struct server_config *config, struct err *err)
{
	int rc = 0;

	for (int i = 0; i < SERVER_YAML_FLAGS && !rc; i++) {
		struct config_decoder mine = *dec;
		struct config_node *rules, *limits;
		struct str place = arena_printf(dec->arena, "flag -%s", yaml_flags[i].flag);
		if (!args->yaml[i] || !place.ptr)
			continue;
		rc = config_parse(dec->arena, place.ptr, str_of(args->yaml[i]), &rules, err);
		rc = rc ? rc : config_map_create(dec->arena, &limits, err);
		rc = rc ? rc
			: config_map_add(dec->arena, limits, str_of(yaml_flags[i].key), rules, err);
		rc = rc ? rc
			: config_decode(&mine, &server_limits_schema, limits, &config->limits, err);
	}
	return rc;
}

int server_args_split(const struct config_decoder *dec, int argc, char *const *argv,
		      struct server_args *ret, struct err *err)
{
	char **items = arena_zalloc(dec->arena, (size_t)argc + 1, sizeof(*items));
	int count = 0;

	*ret = (struct server_args){0};
	if (!items)
		return err_set(err, ERR_NOMEM, "no memory for the flags");
	for (int i = 0; i < argc; i++) {
		struct str name = flag_name(argv[i]);
		bool has_value = name.ptr && name.ptr[name.len] == '=';
		int yaml = yaml_flag(name);
		if (yaml >= 0 && !has_value && i + 1 == argc)
			return err_set(err, ERR_INVALID, "flag needs an argument: %s", argv[i]);
		if (yaml >= 0) {
			ret->yaml[yaml] = has_value ? name.ptr + name.len + 1 : argv[++i];
			continue;
		}
		if (!is_of_a_cluster(name)) {
			items[count++] = argv[i];
			continue;
		}
		warn(dec, name);
		if (!has_value && i + 1 < argc && argv[i + 1][0] != '-')
			i++;
	}
	ret->items = items;
	ret->count = count;
	return 0;
}

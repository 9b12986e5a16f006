/* Relabelling, after prometheus.io/docs, "relabel_config". What is peculiar to
 * us: label names may hold any characters (dots above all), and a regular
 * expression has a step limit. */
#include "server/relabel.h"

#include <openssl/evp.h>

#include "base/mem.h"
#include "server/relabel_regex.h"

struct rule;

/* source: the values of the source labels, joined. */
typedef int action_fn(const struct rule *rule, struct relabel_labels *labels, struct str source,
		      bool *ret_keep, struct err *err);

struct rule {
	const struct action *action;
	struct regex *regex;
	struct str separator, target;
	struct template target_template, replacement;
	const struct str *sources;
	size_t source_count;
	uint64_t modulus;
};

struct relabel {
	struct arena arena;
	struct rule *rules;
	size_t count;
};

struct action {
	const char *name;
	action_fn *run;
	bool needs_target, needs_modulus;
};

void relabel_rule_default(struct relabel_rule_spec *spec)
{
	*spec = (struct relabel_rule_spec){.action = STR("replace"),
					   .regex = STR("(.*)"),
					   .separator = STR(";"),
					   .replacement = STR("$1")};
}

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory to relabel");
}

/* Values of the source labels, the separator between them. */
static int source_value(const struct rule *rule, const struct relabel_labels *labels,
			struct str *ret, struct err *err)
{
	size_t len = 0;
	char *end;

	*ret = STR("");
	if (rule->source_count == 1)
		*ret = relabel_get(labels, rule->sources[0]);
	if (rule->source_count <= 1)
		return 0;
	for (size_t i = 0; i < rule->source_count; i++)
		len += relabel_get(labels, rule->sources[i]).len + rule->separator.len;
	end = arena_alloc(labels->arena, len);
	if (!end)
		return no_memory(err);
	*ret = (struct str){end, len - rule->separator.len};
	for (size_t i = 0; i < rule->source_count; i++) {
		struct str value = relabel_get(labels, rule->sources[i]);
		if (i > 0)
			end = (char *)memcpy(end, rule->separator.ptr, rule->separator.len) +
			      rule->separator.len;
		end = (char *)memcpy(end, value.ptr, value.len) + value.len;
	}
	return 0;
}

static int matches(const struct regex *regex, struct str text, bool *ret, struct err *err)
{
	struct regex_match match;
	int rc = regex_match(regex, text, &match, err);

	if (!rc)
		*ret = match.matched;
	regex_match_deinit(&match);
	return rc;
}

static int run_replace(const struct rule *rule, struct relabel_labels *labels, struct str source,
		       bool *ret_keep, struct err *err)
{
	struct regex_match match;
	struct str name, value;
	int rc = regex_match(rule->regex, source, &match, err);

	(void)ret_keep;
	if (!rc && match.matched) {
		name = template_expand(&rule->target_template, &match, labels->arena);
		value = template_expand(&rule->replacement, &match, labels->arena);
		if (!name.ptr || !value.ptr)
			rc = no_memory(err);
		else if (name.len > 0)
			rc = relabel_set(labels, name, value, err);
	}
	regex_match_deinit(&match);
	return rc;
}

static int run_keep(const struct rule *rule, struct relabel_labels *labels, struct str source,
		    bool *ret_keep, struct err *err)
{
	(void)labels;
	return matches(rule->regex, source, ret_keep, err);
}

static int run_drop(const struct rule *rule, struct relabel_labels *labels, struct str source,
		    bool *ret_keep, struct err *err)
{
	bool matched = false;
	int rc = matches(rule->regex, source, &matched, err);

	(void)labels;
	*ret_keep = !matched;
	return rc;
}

static int run_keepequal(const struct rule *rule, struct relabel_labels *labels, struct str source,
			 bool *ret_keep, struct err *err)
{
	(void)err;
	*ret_keep = str_equal(relabel_get(labels, rule->target), source);
	return 0;
}

static int run_dropequal(const struct rule *rule, struct relabel_labels *labels, struct str source,
			 bool *ret_keep, struct err *err)
{
	(void)err;
	*ret_keep = !str_equal(relabel_get(labels, rule->target), source);
	return 0;
}

/* The last 8 bytes of the MD5, big endian, as Prometheus takes them. */
static int run_hashmod(const struct rule *rule, struct relabel_labels *labels, struct str source,
		       bool *ret_keep, struct err *err)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	uint64_t number = 0;
	struct str text;

	(void)ret_keep;
	if (!EVP_Digest(source.len ? source.ptr : "", source.len, sum, NULL, EVP_md5(), NULL))
		return err_set(err, ERR_UNSUPPORTED, "hashmod: this OpenSSL offers no MD5");
	for (int i = 8; i < 16; i++)
		number = number << 8 | sum[i];
	text = arena_printf(labels->arena, "%llu", (unsigned long long)(number % rule->modulus));
	return text.ptr ? relabel_set(labels, rule->target, text, err) : no_memory(err);
}

/* Names that match give their value to the name made from the replacement. Runs over the labels as they
 * were, since it adds to them. */
static int run_labelmap(const struct rule *rule, struct relabel_labels *labels, struct str source,
			bool *ret_keep, struct err *err)
{
	size_t count = labels->count;
	struct store_label *before =
		arena_copy(labels->arena, labels->items, count * sizeof(*before));
	int rc = before ? 0 : no_memory(err);

	(void)source;
	(void)ret_keep;
	for (size_t i = 0; i < count && !rc; i++) {
		struct regex_match match;
		struct str name = STR("");
		rc = regex_match(rule->regex, before[i].name, &match, err);
		if (!rc && match.matched)
			name = template_expand(&rule->replacement, &match, labels->arena);
		regex_match_deinit(&match);
		if (!rc && !name.ptr)
			rc = no_memory(err);
		else if (!rc && name.len > 0)
			rc = relabel_set(labels, name, before[i].value, err);
	}
	return rc;
}

static int filter_names(const struct rule *rule, struct relabel_labels *labels, bool keep_matching,
			struct err *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < labels->count; i++) {
		bool matched = false;
		int rc = matches(rule->regex, labels->items[i].name, &matched, err);
		if (rc)
			return rc;
		if (matched == keep_matching)
			labels->items[kept++] = labels->items[i];
	}
	labels->count = kept;
	return 0;
}

static int run_labeldrop(const struct rule *rule, struct relabel_labels *labels, struct str source,
			 bool *ret_keep, struct err *err)
{
	(void)source;
	(void)ret_keep;
	return filter_names(rule, labels, false, err);
}

static int run_labelkeep(const struct rule *rule, struct relabel_labels *labels, struct str source,
			 bool *ret_keep, struct err *err)
{
	(void)source;
	(void)ret_keep;
	return filter_names(rule, labels, true, err);
}

/* ASCII letters; Prometheus follows Unicode, which label values of profiles hardly need. */
static int set_case(const struct rule *rule, struct relabel_labels *labels, struct str source,
		    char from, char to, struct err *err)
{
	char *text = arena_copy(labels->arena, source.ptr, source.len);

	if (!text)
		return no_memory(err);
	for (size_t i = 0; i < source.len; i++)
		if (text[i] >= from && text[i] <= from + 25)
			text[i] = (char)(text[i] - from + to);
	return relabel_set(labels, rule->target, str_make(text, source.len), err);
}

static int run_lowercase(const struct rule *rule, struct relabel_labels *labels, struct str source,
			 bool *ret_keep, struct err *err)
{
	(void)ret_keep;
	return set_case(rule, labels, source, 'A', 'a', err);
}

static int run_uppercase(const struct rule *rule, struct relabel_labels *labels, struct str source,
			 bool *ret_keep, struct err *err)
{
	(void)ret_keep;
	return set_case(rule, labels, source, 'a', 'A', err);
}

static const struct action actions[] = {
	{"replace", run_replace, true, false},	    {"keep", run_keep, false, false},
	{"drop", run_drop, false, false},	    {"keepequal", run_keepequal, true, false},
	{"dropequal", run_dropequal, true, false},  {"hashmod", run_hashmod, true, true},
	{"labelmap", run_labelmap, false, false},   {"labeldrop", run_labeldrop, false, false},
	{"labelkeep", run_labelkeep, false, false}, {"lowercase", run_lowercase, true, false},
	{"uppercase", run_uppercase, true, false},
};

static int find_action(struct str name, const struct action **ret, struct err *err)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (str_equal_nocase(name, str_of(actions[i].name))) {
			*ret = &actions[i];
			return 0;
		}
	return err_set(err, ERR_INVALID,
		       "unknown action \"%.*s\" (expected replace, keep, drop, keepequal, "
		       "dropequal, "
		       "hashmod, labelmap, labeldrop, labelkeep, lowercase or uppercase)",
		       STR_ARG(name));
}

static int check_spec(const struct action *action, const struct relabel_rule_spec *spec,
		      struct err *err)
{
	if (action->needs_target && spec->target_label.len == 0)
		return err_set(err, ERR_INVALID, "action %s needs target_label", action->name);
	if (action->needs_modulus && spec->modulus == 0)
		return err_set(err, ERR_INVALID, "action %s needs a modulus above 0", action->name);
	return 0;
}

static int copy_text(struct arena *arena, struct str text, struct str *ret, struct err *err)
{
	*ret = arena_str(arena, text);
	return ret->ptr ? 0 : no_memory(err);
}

static int copy_sources(struct arena *arena, const struct relabel_rule_spec *spec,
			struct rule *rule, struct err *err)
{
	struct str *sources = arena_zalloc(arena, spec->source_count, sizeof(*sources));
	int rc = sources ? 0 : no_memory(err);

	for (size_t i = 0; i < spec->source_count && !rc; i++)
		rc = copy_text(arena, spec->source_labels[i], &sources[i], err);
	rule->sources = sources;
	rule->source_count = spec->source_count;
	return rc;
}

static int compile_rule(struct arena *arena, const struct relabel_rule_spec *spec,
			struct rule *rule, struct err *err)
{
	struct str replacement;
	int rc = find_action(spec->action, &rule->action, err);

	rc = rc ? rc : check_spec(rule->action, spec, err);
	rc = rc ? rc : regex_create(spec->regex, &rule->regex, err);
	rc = rc ? rc : copy_text(arena, spec->separator, &rule->separator, err);
	rc = rc ? rc : copy_text(arena, spec->target_label, &rule->target, err);
	rc = rc ? rc : copy_text(arena, spec->replacement, &replacement, err);
	rc = rc ? rc
		: template_create(arena, rule->regex, rule->target, &rule->target_template, err);
	rc = rc ? rc : template_create(arena, rule->regex, replacement, &rule->replacement, err);
	rule->modulus = spec->modulus;
	return rc ? rc : copy_sources(arena, spec, rule, err);
}

int relabel_create(const struct relabel_rule_spec *specs, size_t count, struct relabel **ret,
		   struct err *err)
{
	struct relabel *relabel = mem_zalloc(1, sizeof(*relabel));
	int rc = relabel ? 0 : no_memory(err);

	if (!rc) {
		arena_init(&relabel->arena, 0);
		relabel->rules = arena_zalloc(&relabel->arena, count, sizeof(*relabel->rules));
		rc = relabel->rules ? 0 : no_memory(err);
	}
	for (size_t i = 0; i < count && !rc; i++) {
		relabel->count = i + 1;
		rc = compile_rule(&relabel->arena, &specs[i], &relabel->rules[i], err);
		if (rc)
			err_wrap(err, "relabelling rule %zu", i + 1);
	}
	if (rc)
		relabel_destroy(relabel);
	else
		*ret = relabel;
	return rc;
}

void relabel_destroy(struct relabel *relabel)
{
	if (!relabel)
		return;
	for (size_t i = 0; i < relabel->count; i++)
		regex_destroy(relabel->rules[i].regex);
	arena_deinit(&relabel->arena);
	mem_free(relabel);
}

int relabel_apply(const struct relabel *relabel, struct relabel_labels *labels, bool *ret_keep,
		  struct err *err)
{
	bool keep = true;
	int rc = 0;

	for (size_t i = 0; i < relabel->count && keep && !rc; i++) {
		const struct rule *rule = &relabel->rules[i];
		struct str source;
		rc = source_value(rule, labels, &source, err);
		rc = rc ? rc : rule->action->run(rule, labels, source, &keep, err);
		if (rc)
			err_wrap(err, "relabelling rule %zu", i + 1);
	}
	*ret_keep = keep;
	return rc;
}

#include "config/tree.h"

/* Parts of key names below which no value is shown. */
static const char *const secret_words[] = {"password", "passwd",	"secret",    "token",
					   "key_pem",  "authorization", "headers",   "credential",
					   "api_key",  "apikey",	"access_key"};

static bool names_secret(struct str key)
{
	char lower[256];

	str_copy(lower, sizeof(lower), key);
	for (char *c = lower; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	for (size_t i = 0; i < sizeof(secret_words) / sizeof(secret_words[0]); i++)
		if (strstr(lower, secret_words[i]))
			return true;
	return false;
}

/* Would text read back as the same text without quotes? Only the sure cases say yes. */
static bool is_plain_safe(const struct config_node *node)
{
	struct str text = node->text;

	if (text.len == 0 || node->quoted)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '_' || c == '/' || c == '.';
		bool sign = c == '-' && text.len > 1 && text.ptr[1] >= '0' && text.ptr[1] <= '9';
		if (!word && !(i > 0 ? c == '-' || c == '+' : sign))
			return false;
	}
	return true;
}

/* The code point of a UTF-8 sequence (libyaml let no other through) and its length. */
static size_t code_point(struct str text, size_t i, uint32_t *ret)
{
	const unsigned char *p = (const unsigned char *)text.ptr + i;
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (len > text.len - i)
		len = 1;
	*ret = len == 1 ? p[0] : p[0] & (0xffu >> (len + 1));
	for (size_t k = 1; k < len; k++)
		*ret = *ret << 6 | (p[k] & 0x3f);
	return len;
}

/* YAML 1.2 section 5.1 (printable characters), and what some version takes for a line break. */
static bool must_escape(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029 || c == 0xfeff ||
	       c == 0xfffe || c == 0xffff;
}

static void put_quoted(struct str text, struct buf *out)
{
	buf_char(out, '"');
	for (size_t i = 0; i < text.len;) {
		uint32_t c;
		size_t len = code_point(text, i, &c);
		if (must_escape(c))
			buf_printf(out, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", (char)c);
		else
			buf_str(out, str_sub(text, i, len));
		i += len;
	}
	buf_char(out, '"');
}

/* A key with its colon. Before a colon only 1024 characters may stand (section 7.4.2); a longer one
 * needs "? ". */
static void put_key(struct str key, unsigned depth, struct buf *out)
{
	enum { SHORT_MAX_BYTES = 128 };
	struct config_node node = {.kind = CONFIG_SCALAR, .text = key};
	bool is_long = key.len > SHORT_MAX_BYTES;

	if (is_long)
		buf_cstr(out, "? ");
	if (is_plain_safe(&node))
		buf_str(out, key);
	else
		put_quoted(key, out);
	if (is_long)
		buf_printf(out, "\n%*s", (int)depth * 2, "");
	buf_char(out, ':');
}

static void put_scalar(const struct config_node *node, struct buf *out)
{
	if (node->kind == CONFIG_NULL)
		buf_cstr(out, "null");
	else if (is_plain_safe(node))
		buf_str(out, node->text);
	else
		put_quoted(node->text, out);
}

static void put_node(const struct config_node *node, unsigned depth, bool redact, bool secret,
		     struct buf *out)
{
	if (node->kind == CONFIG_NULL || node->kind == CONFIG_SCALAR) {
		buf_char(out, ' ');
		if (secret && node->kind == CONFIG_SCALAR)
			buf_cstr(out, "\"[REDACTED]\"");
		else
			put_scalar(node, out);
		buf_char(out, '\n');
		return;
	}
	if (node->count == 0) {
		buf_cstr(out, node->kind == CONFIG_MAP ? " {}\n" : " []\n");
		return;
	}
	if (depth > 0)
		buf_char(out, '\n');
	for (size_t i = 0; i < node->count; i++) {
		const struct config_entry *entry = &node->entries[i];
		buf_printf(out, "%*s", (int)depth * 2, "");
		if (node->kind == CONFIG_MAP)
			put_key(entry->key, depth, out);
		else
			buf_char(out, '-');
		put_node(entry->value, depth + 1, redact,
			 secret || (redact && names_secret(entry->key)), out);
	}
}

void config_print(const struct config_node *root, bool redact, struct buf *out)
{
	put_node(root, 0, redact, false, out);
}

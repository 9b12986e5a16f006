/* A password's scrypt takes some 50 ms and 16 MiB on purpose. So that this is no
 * way to stop the server: each user's last good password is remembered as a
 * digest keyed by random bytes of this process, and of others one is worked on
 * at a time; who comes then is told to come again. */
#include "server/auth.h"

#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/base64.h"
#include "base/fd.h"
#include "base/mem.h"
#include "server/secret.h"

enum {
	HASHING_MAX = 1,       /* at the same time: not more than one core is kept busy */
	CREDENTIAL_MAX = 1024, /* bytes of a name or secret */
	SECRET_FILE_MAX = 64 * 1024,
	TOKEN_MIN = 16,
	KEY_BYTES = 32,
};

struct principal {
	struct auth_identity identity;
	bool has_hash; /* else digest is of the secret itself */
	struct secret_digest digest;
	struct secret_hash hash;
	bool remembered; /* guarded by lock */
	struct secret_digest last_good;
};

struct auth {
	struct arena arena;
	struct principal *users, *tokens;
	size_t user_count, token_count;
	int metrics;
	char key[KEY_BYTES];
	struct secret_hash nobody; /* what an unknown user's password is compared with */
	pthread_mutex_t lock;
};

static _Atomic int hashing;

/* ---- making ---- */

static int no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the users and tokens");
}

static int read_secret(struct arena *arena, const char *path, struct str *ret, struct err *err)
{
	struct buf text;
	buf_init(&text, 0);
	int rc = fd_read_file(path, SECRET_FILE_MAX, &text, err);
	if (rc == 0) {
		struct str secret = buf_text(&text);
		if (str_ends_with(secret, STR("\n")))
			secret.len--;
		if (str_ends_with(secret, STR("\r")))
			secret.len--;
		*ret = arena_str(arena, secret);
		rc = ret->ptr ? 0 : no_memory(err);
	}
	buf_deinit(&text);
	return rc;
}

static int check_size(struct str secret, size_t min, const char *what, struct err *err)
{
	if (secret.len >= min && secret.len <= CREDENTIAL_MAX)
		return 0;
	return err_set(err, ERR_INVALID, "the %s has %zu bytes (%zu to %d are taken)", what,
		       secret.len, min, CREDENTIAL_MAX);
}

static int set_grant(struct auth *auth, struct principal *who, struct str name,
		     const struct server_grant *grant, bool multitenancy, struct err *err)
{
	who->identity.name = arena_str(&auth->arena, name);
	struct str *tenants =
		arena_zalloc(&auth->arena, grant->tenants.count + 1, sizeof(*tenants));
	if (!who->identity.name.ptr || !tenants)
		return no_memory(err);
	if (name.len == 0 || str_find_char(name, ':') >= 0)
		return err_set(err, ERR_INVALID, "a name has at least one character and no colon");
	if (grant->tenants.count > 0 && !multitenancy)
		return err_set(err, ERR_INVALID, "tenants need multitenancy_enabled: true");
	for (size_t i = 0; i < grant->tenants.count; i++) {
		tenants[i] = arena_str(&auth->arena, grant->tenants.items[i]);
		if (!tenants[i].ptr)
			return no_memory(err);
	}
	who->identity.tenants = tenants;
	who->identity.tenant_count = grant->tenants.count;
	return auth_roles_parse(&grant->roles, &who->identity.roles, err);
}

static int set_secret(struct auth *auth, struct principal *who, struct str text, struct str file,
		      size_t min, const char *what, struct err *err)
{
	int rc = file.len > 0 ? read_secret(&auth->arena, file.ptr, &text, err) : 0;
	rc = rc ? rc : check_size(text, min, what, err);
	return rc ? rc : secret_digest(text, &who->digest, err);
}

static int add_user(struct auth *auth, struct principal *who, struct str name,
		    const struct server_user *user, bool multitenancy, struct err *err)
{
	int rc = set_grant(auth, who, name, &user->grant, multitenancy, err);
	who->has_hash = user->password_hash.len > 0;
	if (rc == 0 && who->has_hash)
		rc = secret_hash_parse(user->password_hash, &who->hash, err);
	else if (rc == 0)
		rc = set_secret(auth, who, user->password, user->password_file, 1, "password", err);
	return rc ? err_wrap(err, "auth.users.%.*s", STR_ARG(name)) : 0;
}

static uint64_t cost_of(const struct secret_hash *hash)
{
	return ((uint64_t)hash->block << hash->cost_log2) * hash->parallel;
}

/* Nobody costs what the dearest user does. */
static void make_nobody(struct auth *auth)
{
	const struct secret_hash *dearest = NULL;

	auth->nobody =
		(struct secret_hash){.cost_log2 = 14, .salt_len = 16, .block = 8, .parallel = 1};
	for (size_t i = 0; i < auth->user_count; i++)
		if (auth->users[i].has_hash &&
		    (!dearest || cost_of(&auth->users[i].hash) > cost_of(dearest)))
			dearest = &auth->users[i].hash;
	if (dearest)
		auth->nobody = *dearest;
}

static int set_token_hash(struct principal *who, struct str text, struct err *err)
{
	if (str_starts_with(text, STR("sha256:")) &&
	    secret_digest_parse(str_sub(text, strlen("sha256:"), text.len), &who->digest))
		return 0;
	return err_set(err, ERR_INVALID,
		       "token_hash is not sha256: and 64 hexadecimal digits (printf %%s TOKEN | "
		       "sha256sum)");
}

static int add_token(struct auth *auth, struct principal *who, struct str name,
		     const struct server_token *token, bool multitenancy, struct err *err)
{
	int rc = set_grant(auth, who, name, &token->grant, multitenancy, err);
	if (rc == 0 && token->token_hash.len > 0)
		rc = set_token_hash(who, token->token_hash, err);
	else if (rc == 0)
		rc = set_secret(auth, who, token->token, token->token_file, TOKEN_MIN, "token",
				err);
	return rc ? err_wrap(err, "auth.tokens.%.*s", STR_ARG(name)) : 0;
}

static int fill(struct auth *auth, const struct server_auth *config, bool multitenancy,
		struct err *err)
{
	const struct server_user *users = config->users.items;
	const struct server_token *tokens = config->tokens.items;
	int rc = 0;

	auth->users = arena_zalloc(&auth->arena, config->users.count + 1, sizeof(*auth->users));
	auth->tokens = arena_zalloc(&auth->arena, config->tokens.count + 1, sizeof(*auth->tokens));
	if (!auth->users || !auth->tokens)
		return no_memory(err);
	for (size_t i = 0; i < config->users.count && !rc; i++)
		rc = add_user(auth, &auth->users[i], config->users.names[i], &users[i],
			      multitenancy, err);
	for (size_t i = 0; i < config->tokens.count && !rc; i++)
		rc = add_token(auth, &auth->tokens[i], config->tokens.names[i], &tokens[i],
			       multitenancy, err);
	auth->user_count = config->users.count;
	auth->token_count = config->tokens.count;
	auth->metrics = config->metrics;
	make_nobody(auth);
	return rc;
}

int auth_create(const struct server_auth *config, bool multitenancy, struct auth **ret,
		struct err *err)
{
	struct auth *auth = mem_zalloc(1, sizeof(*auth));
	if (!auth)
		return no_memory(err);
	pthread_mutex_init(&auth->lock, NULL);
	int rc = 0;
	if (RAND_bytes((unsigned char *)auth->key, sizeof(auth->key)) != 1)
		rc = err_set(err, ERR_IO, "no random bytes");
	rc = rc ? rc : fill(auth, config, multitenancy, err);
	if (rc) {
		auth_destroy(auth);
		return rc;
	}
	*ret = auth;
	return 0;
}

void auth_destroy(struct auth *auth)
{
	if (!auth)
		return;
	pthread_mutex_destroy(&auth->lock);
	arena_deinit(&auth->arena);
	mem_free(auth);
}

bool auth_is_on(const struct auth *auth)
{
	return auth && auth->user_count + auth->token_count > 0;
}

int auth_metrics(const struct auth *auth)
{
	return auth->metrics;
}

/* ---- identifying ---- */

static int nobody(struct err *err)
{
	return err_set(err, ERR_UNAUTHENTICATED, "the credentials are nobody's");
}

static int check_token(const struct auth *auth, struct str token, struct auth_identity *ret,
		       struct err *err)
{
	struct secret_digest digest;
	const struct principal *found = NULL;
	int rc = secret_digest(token, &digest, err);

	for (size_t i = 0; i < auth->token_count && !rc; i++)
		if (secret_digest_equal(&digest, &auth->tokens[i].digest))
			found = &auth->tokens[i];
	if (rc)
		return rc;
	if (!found)
		return nobody(err);
	*ret = found->identity;
	return 0;
}

static struct principal *find(struct principal *list, size_t count, struct str name)
{
	for (size_t i = 0; i < count; i++)
		if (str_equal(list[i].identity.name, name))
			return &list[i];
	return NULL;
}

/* A digest that means something in this process only. */
static int keyed_digest(const struct auth *auth, struct str text, struct secret_digest *ret,
			struct err *err)
{
	char bytes[KEY_BYTES + CREDENTIAL_MAX];
	memcpy(bytes, auth->key, KEY_BYTES);
	memcpy(bytes + KEY_BYTES, text.ptr, text.len);
	return secret_digest(str_make(bytes, KEY_BYTES + text.len), ret, err);
}

static bool is_remembered(struct auth *auth, const struct principal *who,
			  const struct secret_digest *digest)
{
	pthread_mutex_lock(&auth->lock);
	bool same = who->remembered && secret_digest_equal(&who->last_good, digest);
	pthread_mutex_unlock(&auth->lock);
	return same;
}

static void remember(struct auth *auth, struct principal *who, const struct secret_digest *digest)
{
	pthread_mutex_lock(&auth->lock);
	who->last_good = *digest;
	who->remembered = true;
	pthread_mutex_unlock(&auth->lock);
}

static int hash_check(const struct secret_hash *hash, struct str password, bool *ret_same,
		      struct err *err)
{
	if (atomic_fetch_add(&hashing, 1) >= HASHING_MAX) {
		atomic_fetch_sub(&hashing, 1);
		return err_set(err, ERR_BUSY, "too many logins at the same time; try again");
	}
	int rc = secret_hash_check(hash, password, ret_same, err);
	atomic_fetch_sub(&hashing, 1);
	return rc;
}

/* who NULL: as much work as for somebody, so that time does not tell who exists; also where somebody has no
 * hash and sent something else. */
static int check_hash(struct auth *auth, struct principal *who, struct str password,
		      enum auth_depth depth, bool *ret_same, bool *ret_later, struct err *err)
{
	struct secret_digest digest;
	int rc = keyed_digest(auth, password, &digest, err);

	*ret_same = !rc && who && is_remembered(auth, who, &digest);
	if (rc || *ret_same)
		return rc;
	if (depth == AUTH_QUICK) {
		*ret_later = true;
		return 0;
	}
	rc = hash_check(who ? &who->hash : &auth->nobody, password, ret_same, err);
	*ret_same = *ret_same && who;
	if (!rc && *ret_same)
		remember(auth, who, &digest);
	return rc;
}

static int check_password(struct auth *auth, struct str name, struct str password,
			  enum auth_depth depth, struct auth_identity *ret, bool *ret_later,
			  struct err *err)
{
	struct principal *who = find(auth->users, auth->user_count, name);
	struct secret_digest digest;
	bool same = false;
	int rc;

	/* A program that knows only user and password may send a token that way. */
	if (!who)
		who = find(auth->tokens, auth->token_count, name);
	rc = secret_digest(password, &digest, err);
	if (!rc && who && !who->has_hash)
		same = secret_digest_equal(&digest, &who->digest);
	if (!rc && !same)
		rc = check_hash(auth, who && who->has_hash ? who : NULL, password, depth, &same,
				ret_later, err);
	if (rc || *ret_later)
		return rc;
	if (!same)
		return nobody(err);
	*ret = who->identity;
	return 0;
}

/* RFC 7617: base64 of NAME:PASSWORD. */
static int check_basic(struct auth *auth, struct str text, enum auth_depth depth,
		       struct auth_identity *ret, bool *ret_later, struct err *err)
{
	char plain[2 * CREDENTIAL_MAX + 16];
	size_t len;

	if (base64_decoded_max(text.len) > sizeof(plain) || !base64_get(text, plain, &len))
		return nobody(err);
	struct str pair = str_make(plain, len);
	ptrdiff_t colon = str_find_char(pair, ':');
	if (colon < 0)
		return nobody(err);
	struct str password = str_sub(pair, (size_t)colon + 1, pair.len);
	if (password.len > CREDENTIAL_MAX)
		return nobody(err);
	return check_password(auth, str_sub(pair, 0, (size_t)colon), password, depth, ret,
			      ret_later, err);
}

int auth_identify(struct auth *auth, struct str authorization, enum auth_depth depth,
		  struct auth_identity *ret, bool *ret_later, struct err *err)
{
	struct str rest = str_trim(authorization), scheme;

	*ret_later = false;
	if (rest.len == 0)
		return err_set(err, ERR_UNAUTHENTICATED,
			       "log in: send Authorization: Bearer TOKEN, or Basic with a user's "
			       "name and password");
	(void)str_next(&rest, ' ', &scheme);
	rest = str_trim(rest);
	if (str_equal_nocase(scheme, STR("bearer")))
		return rest.len > CREDENTIAL_MAX ? nobody(err) : check_token(auth, rest, ret, err);
	if (str_equal_nocase(scheme, STR("basic")))
		return check_basic(auth, rest, depth, ret, ret_later, err);
	return err_set(err, ERR_UNAUTHENTICATED,
		       "Authorization has a scheme that is not known here; send Bearer or Basic");
}

/* ---- permitting ---- */

int auth_permit(const struct auth_identity *identity, unsigned roles, struct err *err)
{
	if ((identity->roles & (roles | AUTH_ADMIN)) != 0)
		return 0;
	return err_set(err, ERR_DENIED, "this needs the role %s, and \"%.*s\" does not have it",
		       auth_roles_text(roles), STR_ARG(str_sub(identity->name, 0, 100)));
}

int auth_tenant(const struct auth_identity *identity, struct str wanted, struct str *ret,
		struct err *err)
{
	*ret = wanted;
	if (identity->tenant_count == 0)
		return 0;
	if (wanted.len == 0) {
		*ret = identity->tenant_count == 1 ? identity->tenants[0] : (struct str){NULL, 0};
		return 0;
	}
	for (size_t i = 0; i < identity->tenant_count; i++)
		if (str_equal(identity->tenants[i], wanted))
			return 0;
	return err_set(err, ERR_DENIED, "\"%.*s\" may not act for the tenant of X-Scope-OrgID",
		       STR_ARG(str_sub(identity->name, 0, 100)));
}

#include "server/senders.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/net.h"

enum { PLACES = 1024 };

#define QUIET_ALL_NS NS_PER_S
#define QUIET_ONE_NS (UINT64_C(600) * NS_PER_S)

struct sender {
	uint64_t key; /* 0: nobody */
	uint64_t quiet_until_ns;
	uint8_t layout, next; /* enum wire_layout; next: what may take its place */
	uint8_t streak;
};

struct senders {
	pthread_mutex_t lock;
	uint64_t quiet_until_ns;
	struct sender places[PLACES];
};

int senders_create(struct senders **ret, struct err *err)
{
	struct senders *senders = mem_zalloc(1, sizeof(*senders));

	if (!senders)
		return err_set(err, ERR_NOMEM, "no memory for the table of senders");
	pthread_mutex_init(&senders->lock, NULL);
	*ret = senders;
	return 0;
}

void senders_destroy(struct senders *senders)
{
	if (!senders)
		return;
	pthread_mutex_destroy(&senders->lock);
	mem_free(senders);
}

static uint64_t key_of(struct str peer, struct str agent)
{
	uint64_t key = str_hash(net_peer_host(peer));

	key = key * UINT64_C(0x9e3779b97f4a7c15) ^ str_hash(agent);
	return key ? key : 1;
}

/* Has the sender settled on another layout? */
static bool changed(struct sender *sender, enum wire_layout layout)
{
	if (layout == sender->layout) {
		sender->streak = 0;
		return false;
	}
	if (layout != sender->next)
		sender->streak = 0;
	sender->next = (uint8_t)layout;
	return ++sender->streak >= SENDERS_STEADY;
}

static bool may_log(struct senders *senders, struct sender *sender, uint64_t now_ns)
{
	if (now_ns < senders->quiet_until_ns || now_ns < sender->quiet_until_ns)
		return false;
	senders->quiet_until_ns = now_ns + QUIET_ALL_NS;
	sender->quiet_until_ns = now_ns + QUIET_ONE_NS;
	return true;
}

static bool note(struct senders *senders, uint64_t key, enum wire_layout layout, uint64_t now_ns,
		 enum wire_layout *ret_was)
{
	struct sender *sender = &senders->places[key % PLACES];

	if (sender->key != key) {
		*sender = (struct sender){.key = key, .layout = (uint8_t)layout};
		return false;
	}
	if (!changed(sender, layout))
		return false;
	*ret_was = (enum wire_layout)sender->layout;
	sender->layout = (uint8_t)layout;
	sender->streak = 0;
	return may_log(senders, sender, now_ns);
}

bool senders_note(struct senders *senders, struct str peer, struct str agent,
		  enum wire_layout layout, uint64_t now_ns, enum wire_layout *ret_was)
{
	bool log;

	if (layout == WIRE_LAYOUT_NONE)
		return false;
	pthread_mutex_lock(&senders->lock);
	log = note(senders, key_of(peer, agent), layout, now_ns, ret_was);
	pthread_mutex_unlock(&senders->lock);
	return log;
}

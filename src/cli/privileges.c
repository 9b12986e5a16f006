/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/privileges.h"

static bool wanted(const int *capabilities, size_t count, int capability)
{
	for (size_t i = 0; i < count; i++)
		if (capabilities[i] == capability)
			return true;
	return false;
}

/* CAP_SETPCAP is needed for the bounding set and the securebits, so it goes last, with capset(). */
static int drop_bounding(const int *capabilities, size_t count, struct err *err)
{
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (wanted(capabilities, count, cap))
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0 && errno != EPERM)
			return err_set_errno(err, errno, "dropping capability %d", cap);
	}
	return 0;
}

static int set_capabilities(const int *capabilities, size_t count, struct err *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	if (syscall(SYS_capget, &header, data) != 0)
		return err_set_errno(err, errno, "reading capabilities");
	uint32_t keep[2] = {0, 0};
	for (size_t i = 0; i < count; i++)
		keep[capabilities[i] / 32] |= 1U << (capabilities[i] % 32);
	for (int half = 0; half < 2; half++) {
		data[half].permitted &= keep[half];
		data[half].effective = data[half].permitted;
		data[half].inheritable = 0;
	}
	if (syscall(SYS_capset, &header, data) != 0)
		return err_set_errno(err, errno, "giving up capabilities");
	return 0;
}

int privileges_keep(const int *capabilities, size_t count, struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_set_errno(err, errno, "setting no_new_privs");
	int rc = drop_bounding(capabilities, count, err);
	if (rc)
		return rc;
	/* Without CAP_SETPCAP there is nothing to lock: we were not root. */
	(void)prctl(PR_SET_SECUREBITS,
		    SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
			    SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED,
		    0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return set_capabilities(capabilities, count, err);
}

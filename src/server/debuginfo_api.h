/* Private to server: debuginfo.v1alpha1.DebuginfoService, by which profilers send
 * the executables whose functions they cannot name. What is kept of a file are its
 * symbols (symbols_api.h), never the file. Which uploads are under way is in memory: after
 * a restart a client is asked to send again. */
#pragma once

#include "server/services.h"
#include "server/symbols_api.h"

#define DEBUGINFO_UPLOAD_PATH "/debuginfo.v1alpha1.DebuginfoService/Upload/"

struct debuginfo_api;

MUST_USE int debuginfo_api_create(struct symbols_api *symbols, struct debuginfo_api **ret,
				  struct err *err);
void debuginfo_api_destroy(struct debuginfo_api *api); /* NULL is fine */

extern const struct api_service api_debuginfo; /* its calls find it in struct api */
/* POST DEBUGINFO_UPLOAD_PATH GNU_BUILD_ID; user is the struct debuginfo_api. */
net_handler debuginfo_api_upload;

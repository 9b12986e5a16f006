/* Private to server: the services beside querier.v1; services.c has the list. */
#pragma once

#include "server/api.h"
#include "server/tenant_files.h"

extern const struct api_service api_settings;	     /* settings.v1.SettingsService */
extern const struct api_service api_recording_rules; /* settings.v1.RecordingRulesService */
extern const struct api_service api_adhoc;	     /* adhocprofiles.v1.AdHocProfileService */
extern const struct api_service api_about;	     /* capabilities.v1, version.v1, status.v1 */
extern const struct api_service api_health;	     /* grpc.health.v1.Health */
extern const struct api_service api_vcs;	     /* vcs.v1.VCSService */

/* Field numbers and JSON names of the layouts up to 1.7. What is not in a table is
 * not read: ids of rows (an index is what refers to them), temporality (each
 * profile is of its own window) and the sample type to show first. */
#include <stddef.h>

#include "wire/old.h"

#define AT(row, member) offsetof(struct old_##row, member)
#define COUNT(array)	(uint32_t)(sizeof(array) / sizeof((array)[0]))
#define MESSAGE(what, fields)                  \
	{                                      \
		what, fields, COUNT(fields), 0 \
	}
#define ROW(what, fields, row)                                  \
	{                                                       \
		what, fields, COUNT(fields), sizeof(struct row) \
	}

/* ---- the same in all ---- */

static const struct old_field line_fields[] = {
	[1] = {"functionIndex", OLD_NUMBER, AT(line, function), NULL},
	[2] = {"line", OLD_NUMBER, AT(line, line), NULL},
	[3] = {"column", OLD_NUMBER, AT(line, column), NULL},
};
static const struct old_message line = ROW("Line", line_fields, old_line);

static const struct old_field link_fields[] = {
	[1] = {"traceId", OLD_ID16, offsetof(struct profile_link, trace_id), NULL},
	[2] = {"spanId", OLD_ID8, offsetof(struct profile_link, span_id), NULL},
};
static const struct old_message link = ROW("Link", link_fields, profile_link);

/* ---- A: 1.3 ---- */

static const struct old_field mapping_fields_a[] = {
	[2] = {"memoryStart", OLD_NUMBER, AT(mapping, memory_start), NULL},
	[3] = {"memoryLimit", OLD_NUMBER, AT(mapping, memory_limit), NULL},
	[4] = {"fileOffset", OLD_NUMBER, AT(mapping, file_offset), NULL},
	[5] = {"filename", OLD_NUMBER, AT(mapping, filename), NULL},
	[6] = {"buildId", OLD_NUMBER, AT(mapping, build_id), NULL},
	[7] = {"hasFunctions", OLD_BOOL, AT(mapping, has_functions), NULL},
	[8] = {"hasFilenames", OLD_BOOL, AT(mapping, has_filenames), NULL},
	[9] = {"hasLineNumbers", OLD_BOOL, AT(mapping, has_line_numbers), NULL},
	[10] = {"hasInlineFrames", OLD_BOOL, AT(mapping, has_inline_frames), NULL},
	[11] = {"buildIdKind", OLD_ENUM, AT(mapping, build_id_kind), NULL},
	[12] = {"attributes", OLD_INDICES, AT(mapping, attrs), NULL},
};
static const struct old_message mapping_a = ROW("Mapping", mapping_fields_a, old_mapping);

static const struct old_field location_fields_a[] = {
	[2] = {"mappingIndex", OLD_PRESENT, AT(location, mapping), NULL},
	[3] = {"address", OLD_NUMBER, AT(location, address), NULL},
	[4] = {"line", OLD_ROWS, AT(location, lines), &line},
	[5] = {"isFolded", OLD_BOOL, AT(location, is_folded), NULL},
	[6] = {"typeIndex", OLD_NUMBER, AT(location, type), NULL},
	[7] = {"attributes", OLD_INDICES, AT(location, attrs), NULL},
};
static const struct old_message location_a = ROW("Location", location_fields_a, old_location);

static const struct old_field function_fields_a[] = {
	[2] = {"name", OLD_NUMBER, AT(function, name), NULL},
	[3] = {"systemName", OLD_NUMBER, AT(function, system_name), NULL},
	[4] = {"filename", OLD_NUMBER, AT(function, filename), NULL},
	[5] = {"startLine", OLD_NUMBER, AT(function, start_line), NULL},
};
static const struct old_message function_a = ROW("Function", function_fields_a, old_function);

static const struct old_field value_type_fields_a[] = {
	[1] = {"type", OLD_NUMBER, AT(value_type, type), NULL},
	[2] = {"unit", OLD_NUMBER, AT(value_type, unit), NULL},
};
static const struct old_message value_type_a =
	ROW("ValueType", value_type_fields_a, old_value_type);

static const struct old_field unit_fields_a[] = {
	[1] = {"attributeKey", OLD_NUMBER, AT(unit, key), NULL},
	[2] = {"unit", OLD_NUMBER, AT(unit, unit), NULL},
};
static const struct old_message unit_a = ROW("AttributeUnit", unit_fields_a, old_unit);

static const struct old_field label_fields_a[] = {
	[1] = {"key", OLD_NUMBER, AT(label, key), NULL},
	[2] = {"str", OLD_NUMBER, AT(label, text), NULL},
	[3] = {"num", OLD_NUMBER, AT(label, number), NULL},
	[4] = {"numUnit", OLD_NUMBER, AT(label, unit), NULL},
};
static const struct old_message label_a = ROW("Label", label_fields_a, old_label);

static const struct old_field sample_fields_a[] = {
	[1] = {"locationIndex", OLD_INDICES, AT(sample, locations), NULL},
	[2] = {"value", OLD_SIGNED, AT(sample, values), NULL},
	[3] = {"label", OLD_ROWS, AT(sample, labels), &label_a},
	[7] = {"locationsStartIndex", OLD_NUMBER, AT(sample, start), NULL},
	[8] = {"locationsLength", OLD_NUMBER, AT(sample, length), NULL},
	[10] = {"attributes", OLD_INDICES, AT(sample, attrs), NULL},
	[12] = {"link", OLD_PRESENT, AT(sample, link), NULL},
	[13] = {"timestampsUnixNano", OLD_NUMBERS, AT(sample, times), NULL},
};
static const struct old_message sample_a = ROW("Sample", sample_fields_a, old_sample);

static const struct old_field profile_fields_a[] = {
	[1] = {"sampleType", OLD_ROWS, AT(profile, sample_types), &value_type_a},
	[2] = {"sample", OLD_LATER, AT(profile, samples), NULL},
	[3] = {"mapping", OLD_ROWS, AT(profile, dict.mappings), &mapping_a},
	[4] = {"location", OLD_ROWS, AT(profile, dict.locations), &location_a},
	[5] = {"function", OLD_ROWS, AT(profile, dict.functions), &function_a},
	[6] = {"stringTable", OLD_STRINGS, AT(profile, dict.strings), NULL},
	[7] = {"dropFrames", OLD_NUMBER, AT(profile, drop_frames), NULL},
	[8] = {"keepFrames", OLD_NUMBER, AT(profile, keep_frames), NULL},
	[9] = {"timeNanos", OLD_NUMBER, AT(profile, time_ns), NULL},
	[10] = {"durationNanos", OLD_NUMBER, AT(profile, duration_ns), NULL},
	[11] = {"periodType", OLD_ROW, AT(profile, period_type), &value_type_a},
	[12] = {"period", OLD_NUMBER, AT(profile, period), NULL},
	[13] = {"comment", OLD_INDICES, AT(profile, comments), NULL},
	[15] = {"locationIndices", OLD_INDICES, AT(profile, locations), NULL},
	[16] = {"attributeTable", OLD_PAIRS, AT(profile, dict.attributes), NULL},
	[17] = {"attributeUnits", OLD_ROWS, AT(profile, dict.units), &unit_a},
	[18] = {"linkTable", OLD_ROWS, AT(profile, dict.links), &link},
};
static const struct old_message profile_a = MESSAGE("Profile", profile_fields_a);

/* The profile is in a message of its own, but of the same struct. */
static const struct old_field container_fields_a[] = {
	[1] = {"profileId", OLD_ID16, AT(profile, profile_id), NULL},
	[2] = {"startTimeUnixNano", OLD_FIXED, AT(profile, start_ns), NULL},
	[3] = {"endTimeUnixNano", OLD_FIXED, AT(profile, end_ns), NULL},
	[4] = {"attributes", OLD_PAIRS, AT(profile, pairs), NULL},
	[5] = {"droppedAttributesCount", OLD_NUMBER, AT(profile, dropped_attributes), NULL},
	[6] = {"originalPayloadFormat", OLD_TEXT, AT(profile, original_format), NULL},
	[7] = {"originalPayload", OLD_BYTES, AT(profile, original_payload), NULL},
	[8] = {"profile", OLD_ROW, 0, &profile_a},
};
static const struct old_message container_a = MESSAGE("ProfileContainer", container_fields_a);

/* ---- B, C, D: 1.4 to 1.7 ---- */

static const struct old_field mapping_fields[] = {
	[1] = {"memoryStart", OLD_NUMBER, AT(mapping, memory_start), NULL},
	[2] = {"memoryLimit", OLD_NUMBER, AT(mapping, memory_limit), NULL},
	[3] = {"fileOffset", OLD_NUMBER, AT(mapping, file_offset), NULL},
	[4] = {"filenameStrindex", OLD_NUMBER, AT(mapping, filename), NULL},
	[5] = {"attributeIndices", OLD_INDICES, AT(mapping, attrs), NULL},
	[6] = {"hasFunctions", OLD_BOOL, AT(mapping, has_functions), NULL},
	[7] = {"hasFilenames", OLD_BOOL, AT(mapping, has_filenames), NULL},
	[8] = {"hasLineNumbers", OLD_BOOL, AT(mapping, has_line_numbers), NULL},
	[9] = {"hasInlineFrames", OLD_BOOL, AT(mapping, has_inline_frames), NULL},
};
static const struct old_message mapping = ROW("Mapping", mapping_fields, old_mapping);

static const struct old_field location_fields[] = {
	[1] = {"mappingIndex", OLD_PRESENT, AT(location, mapping), NULL},
	[2] = {"address", OLD_NUMBER, AT(location, address), NULL},
	[3] = {"line", OLD_ROWS, AT(location, lines), &line},
	[4] = {"isFolded", OLD_BOOL, AT(location, is_folded), NULL},
	[5] = {"attributeIndices", OLD_INDICES, AT(location, attrs), NULL},
};
static const struct old_message location = ROW("Location", location_fields, old_location);

static const struct old_field function_fields[] = {
	[1] = {"nameStrindex", OLD_NUMBER, AT(function, name), NULL},
	[2] = {"systemNameStrindex", OLD_NUMBER, AT(function, system_name), NULL},
	[3] = {"filenameStrindex", OLD_NUMBER, AT(function, filename), NULL},
	[4] = {"startLine", OLD_NUMBER, AT(function, start_line), NULL},
};
static const struct old_message function = ROW("Function", function_fields, old_function);

static const struct old_field value_type_fields[] = {
	[1] = {"typeStrindex", OLD_NUMBER, AT(value_type, type), NULL},
	[2] = {"unitStrindex", OLD_NUMBER, AT(value_type, unit), NULL},
};
static const struct old_message value_type = ROW("ValueType", value_type_fields, old_value_type);

static const struct old_field unit_fields[] = {
	[1] = {"attributeKeyStrindex", OLD_NUMBER, AT(unit, key), NULL},
	[2] = {"unitStrindex", OLD_NUMBER, AT(unit, unit), NULL},
};
static const struct old_message unit = ROW("AttributeUnit", unit_fields, old_unit);

static const struct old_field sample_fields[] = {
	[1] = {"locationsStartIndex", OLD_NUMBER, AT(sample, start), NULL},
	[2] = {"locationsLength", OLD_NUMBER, AT(sample, length), NULL},
	[3] = {"value", OLD_SIGNED, AT(sample, values), NULL},
	[4] = {"attributeIndices", OLD_INDICES, AT(sample, attrs), NULL},
	[5] = {"linkIndex", OLD_PRESENT, AT(sample, link), NULL},
	[6] = {"timestampsUnixNano", OLD_NUMBERS, AT(sample, times), NULL},
};
static const struct old_message sample = ROW("Sample", sample_fields, old_sample);

/* 18 is of 1.4 alone, 22 of 1.5. */
static const struct old_field profile_fields_b[] = {
	[1] = {"sampleType", OLD_ROWS, AT(profile, sample_types), &value_type},
	[2] = {"sample", OLD_LATER, AT(profile, samples), NULL},
	[3] = {"mappingTable", OLD_ROWS, AT(profile, dict.mappings), &mapping},
	[4] = {"locationTable", OLD_ROWS, AT(profile, dict.locations), &location},
	[5] = {"locationIndices", OLD_INDICES, AT(profile, locations), NULL},
	[6] = {"functionTable", OLD_ROWS, AT(profile, dict.functions), &function},
	[7] = {"attributeTable", OLD_PAIRS, AT(profile, dict.attributes), NULL},
	[8] = {"attributeUnits", OLD_ROWS, AT(profile, dict.units), &unit},
	[9] = {"linkTable", OLD_ROWS, AT(profile, dict.links), &link},
	[10] = {"stringTable", OLD_STRINGS, AT(profile, dict.strings), NULL},
	[11] = {"timeNanos", OLD_NUMBER, AT(profile, time_ns), NULL},
	[12] = {"durationNanos", OLD_NUMBER, AT(profile, duration_ns), NULL},
	[13] = {"periodType", OLD_ROW, AT(profile, period_type), &value_type},
	[14] = {"period", OLD_NUMBER, AT(profile, period), NULL},
	[15] = {"commentStrindices", OLD_INDICES, AT(profile, comments), NULL},
	[17] = {"profileId", OLD_ID16, AT(profile, profile_id), NULL},
	[18] = {"attributes", OLD_PAIRS, AT(profile, pairs), NULL},
	[19] = {"droppedAttributesCount", OLD_NUMBER, AT(profile, dropped_attributes), NULL},
	[20] = {"originalPayloadFormat", OLD_TEXT, AT(profile, original_format), NULL},
	[21] = {"originalPayload", OLD_BYTES, AT(profile, original_payload), NULL},
	[22] = {"attributeIndices", OLD_INDICES, AT(profile, attrs), NULL},
};
static const struct old_message profile_b = MESSAGE("Profile", profile_fields_b);

static const struct old_field profile_fields_cd[] = {
	[1] = {"sampleType", OLD_ROWS, AT(profile, sample_types), &value_type},
	[2] = {"sample", OLD_LATER, AT(profile, samples), NULL},
	[3] = {"locationIndices", OLD_INDICES, AT(profile, locations), NULL},
	[4] = {"timeNanos", OLD_NUMBER, AT(profile, time_ns), NULL},
	[5] = {"durationNanos", OLD_NUMBER, AT(profile, duration_ns), NULL},
	[6] = {"periodType", OLD_ROW, AT(profile, period_type), &value_type},
	[7] = {"period", OLD_NUMBER, AT(profile, period), NULL},
	[8] = {"commentStrindices", OLD_INDICES, AT(profile, comments), NULL},
	[10] = {"profileId", OLD_ID16, AT(profile, profile_id), NULL},
	[11] = {"droppedAttributesCount", OLD_NUMBER, AT(profile, dropped_attributes), NULL},
	[12] = {"originalPayloadFormat", OLD_TEXT, AT(profile, original_format), NULL},
	[13] = {"originalPayload", OLD_BYTES, AT(profile, original_payload), NULL},
	[14] = {"attributeIndices", OLD_INDICES, AT(profile, attrs), NULL},
};
static const struct old_message profile_cd = MESSAGE("Profile", profile_fields_cd);

/* The tables, from a field number on. */
#define TABLES(first)                                                                \
	[first] = {"mappingTable", OLD_ROWS, AT(dict, mappings), &mapping},          \
	[(first) + 1] = {"locationTable", OLD_ROWS, AT(dict, locations), &location}, \
	[(first) + 2] = {"functionTable", OLD_ROWS, AT(dict, functions), &function}, \
	[(first) + 3] = {"linkTable", OLD_ROWS, AT(dict, links), &link},             \
	[(first) + 4] = {"stringTable", OLD_STRINGS, AT(dict, strings), NULL},       \
	[(first) + 5] = {"attributeTable", OLD_PAIRS, AT(dict, attributes), NULL},   \
	[(first) + 6] = {"attributeUnits", OLD_ROWS, AT(dict, units), &unit}

static const struct old_field data_fields_c[] = {TABLES(2)};
static const struct old_message data_c = MESSAGE("ProfilesData", data_fields_c);

static const struct old_field dictionary_fields_d[] = {TABLES(1)};
static const struct old_message dictionary_d = MESSAGE("ProfilesDictionary", dictionary_fields_d);

static const struct old_field request_fields_d[] = {
	[2] = {"dictionary", OLD_ROW, 0, &dictionary_d},
};
static const struct old_message request_d =
	MESSAGE("ExportProfilesServiceRequest", request_fields_d);

const struct old_layout *old_layout_of(enum wire_layout layout)
{
	static const struct old_layout layouts[] = {
		[WIRE_LAYOUT_A] = {NULL, &container_a, &sample_a, true},
		[WIRE_LAYOUT_B] = {NULL, &profile_b, &sample, false},
		[WIRE_LAYOUT_C] = {&data_c, &profile_cd, &sample, false},
		[WIRE_LAYOUT_D] = {&request_d, &profile_cd, &sample, false},
	};

	return layout >= WIRE_LAYOUT_A && layout <= WIRE_LAYOUT_D ? &layouts[layout] : NULL;
}

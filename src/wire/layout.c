/* Which release's field numbers does a request use?
 *
 * opentelemetry-proto renumbered the messages of profiles in 1.4, 1.6, 1.7, 1.8,
 * 1.9 and 1.10 under one package name, so only the bytes tell. The tables below
 * say what wire type each layout gives to each field number of each message. We
 * start with every layout as a candidate and strike out those that contradict
 * what is seen, until one remains. A number that a layout does not have strikes
 * it out too, except for the newest, whose future we do not know.
 *
 * What the request has beside its resources comes first, since it also says what its
 * field 2 is: tables in fields 3 to 8 are a file of 1.6, whose field 2 are mappings.
 *
 * E (1.8, 1.9) and F (1.10 on) can be alike: when every sample has only fields 1,
 * 2 and 5. Field 2 is then values in E and attribute indices in F; weigh_sample()
 * and settle() decide by what the numbers can mean. E1 and E2 are alike when no
 * profile has an id, comments or attributes: then both read the same. */
#include "wire/proto.h"
#include "wire/wire.h"

#define BIT(layout) (1u << WIRE_LAYOUT_##layout)

enum {
	ALL = BIT(A) | BIT(B) | BIT(C) | BIT(D) | BIT(E1) | BIT(E2) | BIT(F),
	BIT_E = BIT(E1) | BIT(E2),
	BIT_EF = BIT_E | BIT(F),
};

enum message {
	REQUEST,
	RESOURCE_PROFILES,
	RESOURCE,
	SCOPE_PROFILES,
	SCOPE,
	PROFILE,
	SAMPLE,
	VALUE_TYPE,
	DICTIONARY,
	MAPPING,
	LOCATION,
	DICT_ATTRIBUTE, /* an element of dictionary field 6 */
	DICT_SEVEN,	/* an element of dictionary field 7: units in D, stacks later */
	KEY_VALUE,
	ANY_VALUE,
	MESSAGES
};

/* types[i] is the wire type of field i + 1: V varint, F fixed64, L length-delimited, - none. */
struct shape {
	unsigned layouts;
	const char *types;
};

enum { SHAPES_MAX = 5 };

static const struct shape shapes[MESSAGES][SHAPES_MAX] = {
	[REQUEST] = {{BIT(A) | BIT(B), "L"}, {BIT(C), "LLLLLLLL"}, {BIT(D) | BIT_EF, "LL"}},
	[RESOURCE_PROFILES] = {{ALL, "LLL"}},
	[RESOURCE] = {{ALL, "LVL"}},
	[SCOPE_PROFILES] = {{ALL, "LLL"}},
	[SCOPE] = {{ALL, "LLLV"}},
	/* In A this is the ProfileContainer around the profile. */
	[PROFILE] = {{BIT(A), "LFFLVLLL"},
		     {BIT(B), "LLLLLLLLLLVVLVLVLLVLLL"},
		     {BIT(C) | BIT(D), "LLLVVLVLVLVLLL"},
		     {BIT(E1), "LLFVLVLLVLLL"},
		     {BIT(E2) | BIT(F), "LLFVLVLVLLL"}},
	[SAMPLE] = {{BIT(B) | BIT(C) | BIT(D), "VVLLVL"}, {BIT_E, "VLLVL"}, {BIT(F), "VLVLL"}},
	[VALUE_TYPE] = {{BIT(A) | BIT(B) | BIT(C) | BIT(D) | BIT(E1), "VVV"},
			{BIT(E2) | BIT(F), "VV"}},
	[DICTIONARY] = {{BIT(D) | BIT_EF, "LLLLLLL"}},
	[MAPPING] = {{BIT(D), "VVVVLVVVV"}, {BIT_EF, "VVVVL"}},
	[LOCATION] = {{BIT(D), "VVLVL"}, {BIT_EF, "VVLL"}},
	[DICT_ATTRIBUTE] = {{BIT(D), "LL"}, {BIT_EF, "VLV"}},
	[DICT_SEVEN] = {{BIT(D), "VV"}, {BIT_EF, "L"}},
	[KEY_VALUE] = {{ALL & ~BIT(F), "LL"}, {BIT(F), "LLV"}},
	[ANY_VALUE] = {{ALL & ~BIT(F), "LVVFLLL"}, {BIT(F), "LVVFLLLV"}},
};

/* What to look into: field of message → message. */
static const struct inner {
	uint8_t message, number, inner;
} inners[] = {
	{REQUEST, 1, RESOURCE_PROFILES},  {REQUEST, 2, DICTIONARY},
	{RESOURCE_PROFILES, 1, RESOURCE}, {RESOURCE_PROFILES, 2, SCOPE_PROFILES},
	{RESOURCE, 1, KEY_VALUE},	  {SCOPE_PROFILES, 1, SCOPE},
	{SCOPE_PROFILES, 2, PROFILE},	  {SCOPE, 3, KEY_VALUE},
	{PROFILE, 1, VALUE_TYPE},	  {PROFILE, 2, SAMPLE},
	{DICTIONARY, 1, MAPPING},	  {DICTIONARY, 2, LOCATION},
	{DICTIONARY, 6, DICT_ATTRIBUTE},  {DICTIONARY, 7, DICT_SEVEN},
	{KEY_VALUE, 2, ANY_VALUE},
};

struct evidence {
	unsigned candidates;
	bool seen_profile;
	/* Samples of fields 1, 2, 5 only. */
	bool no_times, zero_in_two;
	uint64_t max_in_two;
	uint64_t attributes; /* rows of dictionary field 6 */
};

static char type_letter(enum pb_type type)
{
	return type == PB_VARINT ? 'V' : type == PB_FIXED64 ? 'F' : type == PB_LEN ? 'L' : '?';
}

/* The layouts in which this message may have this field with this type. */
static unsigned possible(enum message message, const struct pb_field *field)
{
	unsigned mask = 0;

	for (size_t i = 0; i < SHAPES_MAX && shapes[message][i].types; i++) {
		const struct shape *shape = &shapes[message][i];
		if (field->number > strlen(shape->types))
			mask |= shape->layouts & BIT(F);
		else if (shape->types[field->number - 1] == type_letter(field->type))
			mask |= shape->layouts;
	}
	return mask;
}

/* Evidence that contradicts all that came before is not believed: the decoder will say what is wrong. */
static void strike(struct evidence *ev, unsigned possible_layouts)
{
	if (ev->candidates & possible_layouts)
		ev->candidates &= possible_layouts;
}

static bool decided(const struct evidence *ev)
{
	return (ev->candidates & (ev->candidates - 1)) == 0;
}

/* Profile field 7 is profile_id (16 bytes) from 1.9 on and packed comments in 1.8. */
static void weigh_profile_field(struct evidence *ev, const struct pb_field *field)
{
	if (field->number == 7 && field->type == PB_LEN)
		strike(ev, field->bytes.len == 16 ? ALL & ~BIT(E1) : ALL & ~(BIT(E2) | BIT(F)));
}

static void note_two(struct evidence *ev, struct str packed)
{
	struct cur c = cur_make(packed.ptr, packed.len);

	while (cur_left(&c) > 0) {
		uint64_t value = pb_varint(&c);
		if (!cur_ok(&c))
			break;
		ev->zero_in_two |= value == 0;
		if (value > ev->max_in_two)
			ev->max_in_two = value;
	}
}

/* "If both are there, values and timestamps have the same length": other lengths of fields 2 and 5 mean
 * that 2 is not values, so F. */
static void weigh_sample(struct evidence *ev, const struct pb_field *two,
			 const struct pb_field *five)
{
	uint32_t count;

	if (!two->number || decided(ev))
		return;
	count = pb_packed_count(two->bytes);
	if (!five->number)
		ev->no_times = true;
	else if (count != five->bytes.len / sizeof(uint64_t))
		strike(ev, BIT(F));
	note_two(ev, two->bytes);
}

/* What counts is in 2 and 5 in E, in 4 and 5 in F; before, 3 and 6 are enough. */
static void weigh_fields(struct evidence *ev, unsigned numbers)
{
	enum { TWO = 1 << 2, THREE = 1 << 3, FOUR = 1 << 4, FIVE = 1 << 5, SIX = 1 << 6 };

	if (numbers & (THREE | SIX) && !(numbers & (TWO | FOUR | FIVE)))
		strike(ev, ALL & ~BIT_EF);
}

static void look_at_sample(struct evidence *ev, struct cur c)
{
	struct pb_field field, two = {0}, five = {0};
	bool others = false;
	unsigned numbers = 0;

	while (pb_next(&c, &field)) {
		strike(ev, possible(SAMPLE, &field));
		numbers |= field.number < 32 ? 1u << field.number : 0;
		if (field.number == 2 && field.type == PB_LEN)
			two = field;
		else if (field.number == 5 && field.type == PB_LEN)
			five = field;
		else if (field.number != 1)
			others = true;
	}
	if (!others)
		weigh_sample(ev, &two, &five);
	weigh_fields(ev, numbers);
}

static int inner_of(const struct evidence *ev, enum message message, const struct pb_field *field)
{
	if (field->type != PB_LEN)
		return -1;
	if (message == REQUEST && field->number == 2 && ev->candidates & BIT(C))
		return -1; /* mappings of a file; or the tables of F, known by its profiles */
	for (size_t i = 0; i < sizeof(inners) / sizeof(inners[0]); i++)
		if (inners[i].message == message && inners[i].number == field->number)
			return inners[i].inner;
	return -1;
}

static void note_field(struct evidence *ev, enum message message, const struct pb_field *field)
{
	strike(ev, possible(message, field));
	if (message == DICTIONARY && field->number == 6)
		ev->attributes++;
	if (message == PROFILE) {
		ev->seen_profile = true;
		weigh_profile_field(ev, field);
	}
}

/* Only a profile and its types tell E1 from E2. */
static bool worth_a_look(const struct evidence *ev, int inner)
{
	if (ev->candidates & ~(unsigned)BIT_E)
		return true;
	return inner == RESOURCE_PROFILES || inner == SCOPE_PROFILES || inner == PROFILE ||
	       inner == VALUE_TYPE;
}

/* Depth is that of the inners table. */
static void look_at(struct evidence *ev, enum message message, struct cur c)
{
	struct pb_field field;

	while (!decided(ev) && pb_next(&c, &field)) {
		note_field(ev, message, &field);
		int inner = inner_of(ev, message, &field);
		if (inner < 0 || !worth_a_look(ev, inner))
			continue;
		if (inner == SAMPLE)
			look_at_sample(ev, pb_message(&field));
		else
			look_at(ev, (enum message)inner, pb_message(&field));
	}
}

/* Among E and F when nothing struck all but one out. That E2 is out and E1 is not means that something
 * of 1.8 only was seen. An F sample without timestamps would have neither values nor timestamps; an
 * attribute index is never 0 and lies within its table. Else the newest. */
static enum wire_layout settle(const struct evidence *ev)
{
	bool values_in_two = ev->no_times || ev->zero_in_two ||
			     (ev->max_in_two && ev->max_in_two >= ev->attributes);

	if ((ev->candidates & BIT_E) == BIT(E1))
		return WIRE_LAYOUT_E1;
	if (ev->candidates & BIT(E2) && (values_in_two || !(ev->candidates & BIT(F))))
		return WIRE_LAYOUT_E2;
	return WIRE_LAYOUT_F;
}

/* The layouts that have what the request has beside its resources. */
static unsigned families(struct str request)
{
	struct cur c = cur_make(request.ptr, request.len);
	bool dictionary = false, tables = false;
	struct pb_field field;

	while (pb_next(&c, &field)) {
		dictionary |= field.number == 2;
		tables |= field.number >= 3 && field.number <= 8 && field.type == PB_LEN;
	}
	return tables ? BIT(C) | BIT(F) : dictionary ? BIT(D) | BIT_EF : ALL & ~(BIT(C) | BIT(D));
}

enum wire_layout wire_otlp_recognise(struct str request)
{
	struct evidence ev = {.candidates = families(request)};

	look_at(&ev, REQUEST, cur_make(request.ptr, request.len));
	if (!ev.seen_profile && !decided(&ev) && !(ev.candidates & BIT(C)))
		return WIRE_LAYOUT_NONE;
	/* Later ones do without tables only when there is next to nothing to refer to. */
	if (ev.candidates & (BIT(A) | BIT(B)))
		strike(&ev, BIT(A) | BIT(B));
	if (ev.candidates & BIT(C))
		return WIRE_LAYOUT_C;
	if (ev.candidates & BIT_EF)
		return settle(&ev);
	/* Two of the older ones that nothing tells apart read alike. */
	for (int layout = WIRE_LAYOUT_A; layout < WIRE_LAYOUT_E1; layout++)
		if (ev.candidates & 1u << layout)
			return (enum wire_layout)layout;
	return WIRE_LAYOUT_NONE;
}

const char *wire_layout_name(enum wire_layout layout)
{
	static const char *const names[WIRE_LAYOUT_COUNT] = {
		[WIRE_LAYOUT_NONE] = "none", [WIRE_LAYOUT_A] = "1.3",  [WIRE_LAYOUT_B] = "1.5",
		[WIRE_LAYOUT_C] = "1.6",     [WIRE_LAYOUT_D] = "1.7",  [WIRE_LAYOUT_E1] = "1.8",
		[WIRE_LAYOUT_E2] = "1.9",    [WIRE_LAYOUT_F] = "1.10",
	};

	return (unsigned)layout < WIRE_LAYOUT_COUNT ? names[layout] : "none";
}
